//! Keys that work while another program has the keyboard: asked of the system here, chosen and understood elsewhere.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use skylark_protocol::studio::{Hotkey, HotkeyAction};
use tauri::{AppHandle, Manager as _, async_runtime};
use tauri_plugin_global_shortcut::{GlobalShortcutExt as _, Shortcut, ShortcutEvent, ShortcutState};
use tokio::sync::watch;

use crate::Backstage;

/// How long the system may take to give all keys, or to take them back.
const HOLD_PATIENCE: Duration = Duration::from_secs(3);

/// Keys that the system gave us.
#[derive(Default)]
pub(crate) struct Hotkeys {
    given: Mutex<HashMap<u32, (Shortcut, HotkeyAction)>>,
    /// Somebody chooses a key: none may be taken away from the window meanwhile.
    is_held: watch::Sender<bool>,
    /// The system was asked for that.
    was_held: watch::Sender<bool>,
}

impl Hotkeys {
    /// Gives all keys back, or asks for them again. Returns when the system has done it.
    pub(crate) async fn hold(&self, is_held: bool) {
        self.is_held.send_replace(is_held);
        let mut was_held = self.was_held.subscribe();
        let asked = was_held.wait_for(|was_held| *was_held == is_held);
        if tokio::time::timeout(HOLD_PATIENCE, asked).await.is_err() {
            tracing::warn!("the system does not answer about keys");
        }
    }

    /// Asks for them again, soon.
    pub(crate) fn let_go(&self) {
        self.is_held.send_replace(false);
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<u32, (Shortcut, HotkeyAction)>) -> T) -> T {
        act(&mut self.given.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Asks the system for the keys whenever others are chosen, and tells the Studio which of them it does not give.
pub(crate) async fn follow(app: AppHandle) {
    let backstage = app.state::<Backstage>();
    let Ok(studio) = backstage.studio().await else { return };
    let (mut snapshots, mut held) = (studio.snapshots(), backstage.hotkeys.is_held.subscribe());
    drop(studio);
    let mut before = None;
    loop {
        let is_held = *held.borrow_and_update();
        // Seen even while none is wanted, or the next turn would follow at once.
        let mut hotkeys = snapshots.borrow_and_update().hotkeys.clone();
        hotkeys.retain(|_| !is_held);
        let wanted: Vec<_> = hotkeys.into_iter().map(|Hotkey { action, keys, .. }| (action, keys)).collect();
        if before.as_ref() != Some(&wanted) {
            before = Some(wanted.clone());
            let asking = app.clone();
            let asked = async_runtime::spawn_blocking(move || ask(&asking, &wanted)).await;
            if let (Ok(refused), Some(studio), false) = (asked, backstage.studio_now(), is_held) {
                studio.asked_for_hotkeys(&refused);
            }
        }
        backstage.hotkeys.was_held.send_replace(is_held);
        let is_over = tokio::select! {
            changed = snapshots.changed() => changed.is_err(),
            changed = held.changed() => changed.is_err(),
        };
        if is_over {
            return;
        }
    }
}

/// Gives back what is no longer wanted and asks for the rest; those that are refused, and why.
fn ask(app: &AppHandle, wanted: &[(HotkeyAction, String)]) -> Vec<(HotkeyAction, String)> {
    let (hotkeys, system) = (&app.state::<Backstage>().hotkeys, app.global_shortcut());
    let parsed = wanted.iter().filter(|(_, keys)| !keys.is_empty());
    let parsed: Vec<_> = parsed.map(|(action, keys)| (*action, keys, keys.parse::<Shortcut>())).collect();
    let is_wanted = |given: &Shortcut, by: HotkeyAction| {
        parsed.iter().any(|(action, _, shortcut)| *action == by && shortcut.as_ref().is_ok_and(|one| one == given))
    };
    let gone: Vec<_> = hotkeys.with(|given| {
        let gone = given.extract_if(|_, (shortcut, action)| !is_wanted(shortcut, *action));
        gone.map(|(_, (shortcut, _))| shortcut).collect()
    });
    for shortcut in gone {
        if let Err(error) = system.unregister(shortcut) {
            tracing::warn!(%shortcut, %error, "the system does not take a key back");
        }
    }
    let mut refused = Vec::new();
    for (action, keys, shortcut) in parsed {
        match shortcut {
            Err(_) => refused.push((action, format!("{keys} is no key that the system knows."))),
            Ok(shortcut) if hotkeys.with(|given| given.contains_key(&shortcut.id())) => {}
            Ok(shortcut) => match system.register(shortcut) {
                Ok(()) => {
                    hotkeys.with(|given| given.insert(shortcut.id(), (shortcut, action)));
                    refused.extend(unheard().map(|reason| (action, reason)));
                }
                Err(error) => {
                    tracing::warn!(%keys, %error, "the system does not give us this key");
                    let words = "Another program has this key, or this keyboard has none like it. Choose another one.";
                    refused.push((action, words.to_owned()));
                }
            },
        }
    }
    refused
}

/// Under Wayland keys are given only behind windows of the X kind, and nobody is refused.
fn unheard() -> Option<String> {
    let is_wayland = cfg!(target_os = "linux") && std::env::var_os("WAYLAND_DISPLAY").is_some();
    is_wayland.then(|| "Wayland tells programs behind others of no keys: log in with X11 for that.".to_owned())
}

/// A key was pressed or let go.
pub(crate) fn pressed(app: &AppHandle, shortcut: &Shortcut, event: ShortcutEvent) {
    if event.state != ShortcutState::Pressed {
        return;
    }
    let backstage = app.state::<Backstage>();
    let action = backstage.hotkeys.with(|given| given.get(&shortcut.id()).map(|(_, action)| *action));
    if let (Some(action), Some(studio)) = (action, backstage.studio_now()) {
        async_runtime::spawn(async move { studio.press(action).await });
    }
}
