//! Keys that work while another program has the keyboard.

use serde::Serialize;
use skylark_protocol::studio::{Command, Edit, Input, Snapshot, Strip};
use skylark_studio::studio::Studio;
use tauri::{AppHandle, Manager as _, async_runtime};
use tauri_plugin_global_shortcut::{GlobalShortcutExt as _, Shortcut, ShortcutEvent, ShortcutState};

use crate::Backstage;

/// Scenes that have a key.
const SCENES: usize = 6;

/// A key and what it does.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Hotkey {
    /// As people read it.
    keys: String,
    /// What it does.
    title: String,
    /// Why it does not work here: another program has it, or the system gives none.
    problem: Option<String>,
    #[serde(skip)]
    action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    MuteMicrophones,
    Record,
    SaveReplay,
    Scene(usize),
}

/// Keys that few other programs take. Going live has none: nobody should do that by accident.
fn defaults() -> Vec<(String, String, Action)> {
    let key = |keys: &str, title: &str, action| (format!("Ctrl+Alt+{keys}"), title.to_owned(), action);
    let mut keys = vec![
        key("M", "Mute or unmute the microphones", Action::MuteMicrophones),
        key("R", "Start or stop recording", Action::Record),
        key("S", "Save the replay", Action::SaveReplay),
    ];
    keys.extend((0..SCENES).map(|at| key(&(at + 1).to_string(), &format!("Scene {}", at + 1), Action::Scene(at))));
    keys
}

/// Asks the system for the keys; one that another program has is told, and the rest work.
pub(crate) fn register(app: &AppHandle) -> Vec<Hotkey> {
    let register = |(keys, title, action): (String, String, Action)| {
        let problem = app.global_shortcut().register(keys.as_str()).err().map(|error| {
            tracing::warn!(%keys, %error, "the system does not give us this key");
            "Another program has this key, or the system gives none away.".to_owned()
        });
        Hotkey { keys, title, problem, action }
    };
    defaults().into_iter().map(register).collect()
}

/// A key was pressed or let go.
pub(crate) fn pressed(app: &AppHandle, shortcut: &Shortcut, event: ShortcutEvent) {
    if event.state != ShortcutState::Pressed {
        return;
    }
    let is_it = |hotkey: &&Hotkey| hotkey.keys.parse::<Shortcut>().is_ok_and(|keys| keys.id() == shortcut.id());
    let action = app.try_state::<Vec<Hotkey>>().and_then(|keys| keys.iter().find(is_it).map(|key| key.action));
    let studio = app.state::<Backstage>().studio_now();
    let (Some(action), Some(studio)) = (action, studio) else { return };
    async_runtime::spawn(async move {
        let commands = commands(action, &studio.snapshots().borrow());
        for command in commands {
            act(&studio, command).await;
        }
    });
}

async fn act(studio: &Studio, command: Command) {
    if let Err(problem) = studio.run(command).await {
        tracing::warn!(%problem, "a hotkey could not do its work");
    }
}

/// What a key asks for, as things stand.
fn commands(action: Action, snapshot: &Snapshot) -> Vec<Command> {
    match action {
        Action::MuteMicrophones => mute_microphones(snapshot),
        Action::Record if snapshot.recording.path.is_some() => vec![Command::StopRecording],
        Action::Record => vec![Command::StartRecording],
        Action::SaveReplay => vec![Command::SaveReplay],
        Action::Scene(at) => {
            let scene = snapshot.collection.scenes.get(at).filter(|scene| scene.id != snapshot.collection.program);
            scene.map(|scene| Command::Take { scene: scene.id }).into_iter().collect()
        }
    }
}

/// All of them, or (when all are muted) none.
fn mute_microphones(snapshot: &Snapshot) -> Vec<Command> {
    let sources = snapshot.collection.sources.iter();
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

    #[test]
    fn every_key_is_one_and_no_two_are_the_same() {
        let keys = defaults();
        let ids: Vec<_> = keys.iter().map(|(keys, ..)| keys.parse::<Shortcut>().unwrap().id()).collect();
        let mut distinct = ids.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), ids.len());
    }
}
