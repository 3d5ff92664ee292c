//! The keyboard.

use leptos::{ev::KeyboardEvent, html, prelude::*};
use wasm_bindgen::JsCast as _;

use super::{controls, driver::Player};
use crate::{
    brand::{Icon, shapes},
    engine,
    playback::Event,
};

/// Volume change per key press.
const VOLUME_STEP: f64 = 0.1;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Toggle,
    Mute,
    Fullscreen,
    PictureInPicture,
    Louder,
    Softer,
    GoLive,
    Help,
    Close,
}

/// Keys and what they do, for the help.
const HELP: &[(&str, &str)] = &[
    ("Space k", "Play or pause"),
    ("m", "Mute"),
    ("\u{2191} \u{2193}", "Volume"),
    ("l End", "Go to live"),
    ("f", "Full screen"),
    ("i", "Picture in picture"),
    ("?", "This help"),
];

fn action(key: &str) -> Option<Action> {
    Some(match key {
        " " | "k" | "K" => Action::Toggle,
        "m" | "M" => Action::Mute,
        "f" | "F" => Action::Fullscreen,
        "i" | "I" => Action::PictureInPicture,
        "ArrowUp" => Action::Louder,
        "ArrowDown" => Action::Softer,
        "l" | "L" | "End" => Action::GoLive,
        "?" => Action::Help,
        "Escape" => Action::Close,
        _ => return None,
    })
}

/// Listens on the whole page, as long as the component lives.
pub(super) fn listen(player: Player, stage: NodeRef<html::Div>, help: RwSignal<bool>) {
    let listener = window_event_listener(leptos::ev::keydown, move |event| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() || event.default_prevented() {
            return;
        }
        let Some(action) = action(&event.key()) else { return };
        if belongs_to_element(&event) {
            return;
        }
        if action != Action::Close {
            event.prevent_default();
        }
        act(action, player, stage, help);
    });
    on_cleanup(move || listener.remove());
}

/// Whether the focused element has its own use for the key: a button is pressed, a slider moved, text is typed.
fn belongs_to_element(event: &KeyboardEvent) -> bool {
    let Some(element) = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) else {
        return false;
    };
    match element.tag_name().as_str() {
        "INPUT" if element.id() == "volume" => matches!(event.key().as_str(), "ArrowUp" | "ArrowDown" | "End"),
        "INPUT" | "TEXTAREA" | "SELECT" => true,
        "BUTTON" | "A" => event.key() == " ",
        _ => false,
    }
}

fn act(action: Action, player: Player, stage: NodeRef<html::Div>, help: RwSignal<bool>) {
    match action {
        Action::Toggle => player.toggle(),
        Action::Mute => player.set_muted(!player.muted.get_untracked()),
        Action::Fullscreen => controls::fullscreen(player, stage),
        Action::PictureInPicture => {
            if let Some(video) = player.video() {
                engine::toggle_picture_in_picture(&video);
            }
        }
        Action::Louder => player.set_volume(audible(player) + VOLUME_STEP),
        Action::Softer => player.set_volume(audible(player) - VOLUME_STEP),
        Action::GoLive => player.tell(Event::GoLive),
        Action::Help => help.update(|open| *open = !*open),
        Action::Close => help.set(false),
    }
}

fn audible(player: Player) -> f64 {
    if player.muted.get_untracked() { 0.0 } else { player.volume.get_untracked() }
}

/// The list of keys, over the picture.
#[component]
pub(super) fn Help(help: RwSignal<bool>) -> impl IntoView {
    let rows = HELP
        .iter()
        .map(|(keys, what)| {
            let keys = keys.split(' ').map(|key| view! { <kbd>{key}</kbd> }).collect_view();
            view! { <dt>{keys}</dt><dd>{*what}</dd> }
        })
        .collect_view();
    view! {
        <div id="keys" class="keys" class:hidden=move || !help.get() role="dialog" aria-label="Keyboard keys">
            <div class="keys-head">
                <h2>"Keyboard"</h2>
                <button type="button" class="control" aria-label="Close" on:click=move |_| help.set(false)>
                    <Icon path=shapes::CLOSE/>
                </button>
            </div>
            <dl>{rows}</dl>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_players_have_taught_people() {
        assert_eq!(action(" "), Some(Action::Toggle));
        assert_eq!(action("K"), Some(Action::Toggle));
        assert_eq!(action("ArrowUp"), Some(Action::Louder));
        assert_eq!(action("End"), Some(Action::GoLive));
        assert_eq!(action("x"), None);
    }

    #[test]
    fn the_help_lists_only_keys_that_work() {
        for key in HELP.iter().flat_map(|(keys, _)| keys.split(' ')) {
            let name = match key {
                "Space" => " ",
                "\u{2191}" => "ArrowUp",
                "\u{2193}" => "ArrowDown",
                other => other,
            };
            assert!(action(name).is_some(), "{key}");
        }
    }
}
