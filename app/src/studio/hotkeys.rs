//! Keys that work while another program is in front: which there are, and what each asks for.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use skylark_protocol::studio::{
    BroadcastState, Command, Edit, Hotkey, HotkeyAction, Input, Notice, Problem, Severity, Snapshot, Strip,
};
use tokio::sync::watch;

use crate::kept;

/// Keys that held alone are typed with: they need another one with them.
const MODIFIERS: [&str; 4] = ["Ctrl", "Alt", "Super", "Cmd"];

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    hotkeys: Vec<Hotkey>,
}

/// All keys, and their file.
pub(super) struct Hotkeys {
    path: PathBuf,
    all: watch::Sender<Vec<Hotkey>>,
}

impl Hotkeys {
    /// Those that are kept; what is damaged is told, and the keys are those of a new Studio.
    pub(super) fn open(path: PathBuf) -> (Self, Option<Notice>) {
        let (kept, notice) = match kept::read::<Kept>(&path) {
            Ok(kept) => (kept.map(|kept| kept.hotkeys).unwrap_or_default(), None),
            Err(problem) => {
                let words = format!("{} Until then, the keys are those of a new Studio.", problem.message);
                (Vec::new(), Some(super::notice("hotkeys-damaged", Severity::Warning, &words)))
            }
        };
        let with_kept = |new: Hotkey| {
            let keys = kept.iter().find(|kept| kept.action == new.action).map(|kept| kept.keys.clone());
            Hotkey { keys: keys.unwrap_or(new.keys), ..new }
        };
        let all = watch::Sender::new(defaults().into_iter().map(with_kept).collect());
        (Self { path, all }, notice)
    }

    pub(super) fn all(&self) -> watch::Receiver<Vec<Hotkey>> {
        self.all.subscribe()
    }

    /// Another key for something; one that something else has is taken from there.
    ///
    /// # Errors
    /// It is none that can be given, or the disk says no.
    pub(super) fn set(&self, action: HotkeyAction, keys: &str) -> Result<(), Problem> {
        let keys = checked(keys)?;
        let mut all = self.all.borrow().clone();
        if !all.iter().any(|hotkey| hotkey.action == action) {
            return Err(Problem::new("no-hotkey", "There is no key for that."));
        }
        for hotkey in &mut all {
            if hotkey.action == action {
                (hotkey.keys, hotkey.problem) = (keys.clone(), None);
            } else if !keys.is_empty() && hotkey.keys.eq_ignore_ascii_case(&keys) {
                (hotkey.keys, hotkey.problem) = (String::new(), None);
            }
        }
        let named = all.iter().cloned().map(|hotkey| Hotkey { problem: None, ..hotkey }).collect();
        kept::write(&self.path, &Kept { hotkeys: named })?;
        self.all.send_replace(all);
        Ok(())
    }

    /// What the system said when it was asked for the keys: those that it did not give, and why.
    pub(super) fn asked_for(&self, refused: &[(HotkeyAction, String)]) {
        self.all.send_if_modified(|all| {
            let mut is_new = false;
            for hotkey in all {
                let reason = refused.iter().find(|(action, _)| *action == hotkey.action);
                let problem = reason.map(|(_, reason)| reason.clone());
                is_new |= hotkey.problem != problem;
                hotkey.problem = problem;
            }
            is_new
        });
    }
}

/// Keys that few other programs take. Going live has none: nobody should do that by accident.
fn defaults() -> Vec<Hotkey> {
    let key = |action, keys: &str| Hotkey { action, keys: keys.to_owned(), problem: None };
    let mut all = vec![
        key(HotkeyAction::Broadcast, ""),
        key(HotkeyAction::Record, "Ctrl+Alt+R"),
        key(HotkeyAction::SaveReplay, "Ctrl+Alt+S"),
        key(HotkeyAction::MuteMicrophones, "Ctrl+Alt+M"),
        key(HotkeyAction::NextScene, "Ctrl+Alt+PageDown"),
        key(HotkeyAction::PreviousScene, "Ctrl+Alt+PageUp"),
    ];
    let scenes = (0..Hotkey::MAX_SCENES).map(|at| key(HotkeyAction::Scene { at }, &format!("Ctrl+Alt+{}", at + 1)));
    all.extend(scenes);
    all
}

/// A key that can be given away without taking it from everything else that is typed.
fn checked(keys: &str) -> Result<String, Problem> {
    let keys = keys.trim();
    let parts: Vec<_> = keys.split('+').map(str::trim).collect();
    let Some((key, held)) = parts.split_last() else { return Ok(String::new()) };
    if keys.is_empty() {
        return Ok(String::new());
    }
    let is_word = |part: &&str| !part.is_empty() && part.chars().all(|one| one.is_ascii_alphanumeric());
    if keys.chars().count() > Hotkey::MAX_KEYS_CHARS || !parts.iter().all(is_word) {
        return Err(Problem::new("hotkey", "That key cannot be used. Choose a letter, a digit or a function key."));
    }
    let number = key.strip_prefix(['F', 'f']).and_then(|number| number.parse::<u8>().ok());
    let is_function = number.is_some_and(|number| (1..=24).contains(&number));
    let is_held = held.iter().any(|part| MODIFIERS.iter().any(|modifier| modifier.eq_ignore_ascii_case(part)));
    if !is_function && !is_held {
        let words = "Hold Ctrl, Alt or the system's key with it, or use a function key: \
            otherwise no other program could type it.";
        return Err(Problem::new("hotkey", words));
    }
    Ok(parts.join("+"))
}

/// What a key asks for, as things stand.
///
/// # Errors
/// It cannot be done without the window.
pub(super) fn commands(action: HotkeyAction, now: &Snapshot) -> Result<Vec<Command>, Problem> {
    let scenes = &now.collection.scenes;
    let on_air = scenes.iter().position(|scene| scene.id == now.collection.program).unwrap_or(0);
    let take = |at: usize| {
        let scene = scenes.get(at).filter(|scene| scene.id != now.collection.program);
        scene.map(|scene| Command::Take { scene: scene.id }).into_iter().collect()
    };
    let count = scenes.len().max(1);
    Ok(match action {
        HotkeyAction::Broadcast => vec![broadcast(now)?],
        HotkeyAction::Record if now.recording.path.is_some() => vec![Command::StopRecording],
        HotkeyAction::Record => vec![Command::StartRecording],
        HotkeyAction::SaveReplay => vec![Command::SaveReplay],
        HotkeyAction::MuteMicrophones => mute_microphones(now),
        HotkeyAction::NextScene => take((on_air + 1) % count),
        HotkeyAction::PreviousScene => take((on_air + count - 1) % count),
        HotkeyAction::Scene { at } => take(at.into()),
    })
}

fn broadcast(now: &Snapshot) -> Result<Command, Problem> {
    match now.broadcast.state {
        BroadcastState::Planned | BroadcastState::Live | BroadcastState::Reconnecting => Ok(Command::Stop),
        BroadcastState::Idle | BroadcastState::Preflight | BroadcastState::Ended => {
            let never =
                || Problem::new("never-live", "Go live in the window once: the key then goes live in the same way.");
            now.broadcast.last.clone().map(|details| Command::GoLive { details }).ok_or_else(never)
        }
    }
}

/// All of them, or (when all are muted) none.
fn mute_microphones(now: &Snapshot) -> Vec<Command> {
    let sources = now.collection.sources.iter();
    let microphones: Vec<_> = sources
        .filter(|source| matches!(source.input, Input::Microphone { .. }))
        .filter_map(|source| Some((source.id, source.strip?)))
        .collect();
    let is_muted = microphones.iter().any(|(_, strip)| !strip.is_muted);
    let set = |(source, strip): (_, Strip)| Command::Edit {
        edit: Edit::SetStrip { source, strip: Strip { is_muted, ..strip } },
    };
    microphones.into_iter().map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(hotkeys: &Hotkeys, action: HotkeyAction) -> String {
        let all = hotkeys.all.borrow().clone();
        all.into_iter().find(|hotkey| hotkey.action == action).unwrap().keys
    }

    #[test]
    fn a_key_does_one_thing_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotkeys.json");
        let (hotkeys, notice) = Hotkeys::open(path.clone());
        assert!(notice.is_none());
        hotkeys.asked_for(&[(HotkeyAction::Record, "Another program has it.".into())]);
        assert!(hotkeys.all.borrow().iter().any(|hotkey| hotkey.problem.is_some()));
        hotkeys.set(HotkeyAction::Broadcast, " ctrl + alt + R ").unwrap();
        hotkeys.set(HotkeyAction::SaveReplay, "").unwrap();
        let (again, _) = Hotkeys::open(path.clone());
        for hotkeys in [hotkeys, again] {
            assert_eq!(keys(&hotkeys, HotkeyAction::Broadcast), "ctrl+alt+R");
            assert_eq!(keys(&hotkeys, HotkeyAction::Record), "", "one key does one thing");
            assert_eq!(keys(&hotkeys, HotkeyAction::SaveReplay), "");
            assert_eq!(keys(&hotkeys, HotkeyAction::Scene { at: 8 }), "Ctrl+Alt+9");
            assert!(hotkeys.all.borrow().iter().all(|hotkey| hotkey.problem.is_none()));
        }
        std::fs::write(&path, "{").unwrap();
        let (new, notice) = Hotkeys::open(path);
        assert_eq!(keys(&new, HotkeyAction::Record), "Ctrl+Alt+R");
        assert!(notice.unwrap().message.contains("hotkeys.json"));
    }

    #[test]
    fn keys_that_people_type_with_are_not_taken_from_them() {
        for good in ["", "Ctrl+Alt+M", "F9", "Shift+F12", "super+1", "Alt+PageUp"] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in ["M", "Shift+A", "F25", "Ctrl+", "+", "Ctrl++", "Ctrl+§", &format!("Ctrl+{}", "x".repeat(40))] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_key_is_one_and_no_two_are_the_same() {
        let all: Vec<_> = defaults().into_iter().map(|hotkey| hotkey.keys).filter(|keys| !keys.is_empty()).collect();
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(all.iter().all(|keys| checked(keys).is_ok_and(|same| same == *keys)));
    }
}
