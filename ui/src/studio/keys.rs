//! Keys, here and while another program is in front.

use leptos::{ev::KeyboardEvent, html, prelude::*};
use skylark_protocol::studio::{Command, Hotkey, HotkeyAction};

use super::{
    Trouble,
    backstage::{self, Backstage},
};
use crate::brand::{Icon, shapes as brand};

/// Keys of the window itself.
const HERE: [(&str, &str); 9] = [
    ("Ctrl+Z", "Undo"),
    ("Ctrl+Shift+Z", "Redo"),
    ("Arrow keys", "Move the selected source; with Shift by ten"),
    ("Delete", "Remove the selected source"),
    ("F2", "Rename"),
    ("Escape", "Select nothing; close a dialog"),
    ("Shift", "While dragging a corner: free proportions"),
    ("Alt", "While dragging an edge: crop"),
    ("Ctrl", "While dragging: nothing snaps"),
];

/// The page of the settings.
#[component]
pub(super) fn Keys() -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    // The key of what is being chosen.
    let choosing = RwSignal::new(None::<HotkeyAction>);
    // Until then a key that is pressed may still do what it did.
    let is_held = RwSignal::new(false);
    // Counts what was asked: an answer to an earlier question says nothing about now.
    let asked = StoredValue::new(0_u32);
    Effect::new(move |before: Option<bool>| {
        let is_choosing = choosing.with(Option::is_some);
        if before.unwrap_or(false) != is_choosing {
            is_held.set(false);
            asked.update_value(|count| *count += 1);
            let count = asked.get_value();
            leptos::task::spawn_local(async move {
                backstage::hold_hotkeys(is_choosing).await;
                if asked.try_get_value() == Some(count) {
                    is_held.try_set(is_choosing);
                }
            });
        }
        is_choosing
    });
    on_cleanup(|| leptos::task::spawn_local(backstage::hold_hotkeys(false)));
    let rows = stage.part(|now| {
        let scenes: Vec<_> = now.collection.scenes.iter().map(|scene| scene.name.clone()).collect();
        let rows = now.hotkeys.iter().filter_map(|hotkey| Some((hotkey.clone(), title(hotkey.action, &scenes)?)));
        rows.collect::<Vec<_>>()
    });
    view! {
        <div class="columns">
            <div>
                <h3>"Even when the window is not in front"</h3>
                <ul class="hotkeys">
                    {move || rows.get().into_iter().map(|(hotkey, title)| view! { <Row hotkey title choosing is_held trouble/> }).collect_view()}
                </ul>
                <Trouble trouble/>
            </div>
            <div>
                <h3>"In the window"</h3>
                <dl class="key-list">
                    {HERE.map(|(keys, title)| view! { <dt>{keyed(keys)}</dt><dd>{title}</dd> }).collect_view()}
                </dl>
            </div>
        </div>
    }
}

/// One key, and how another is chosen.
#[component]
fn Row(
    hotkey: Hotkey,
    title: String,
    choosing: RwSignal<Option<HotkeyAction>>,
    is_held: RwSignal<bool>,
    trouble: RwSignal<Option<String>>,
) -> impl IntoView {
    let stage = Backstage::get();
    let action = hotkey.action;
    let is_chosen = move || choosing.get() == Some(action);
    let button = NodeRef::<html::Button>::new();
    let set = move |keys: String| {
        choosing.set(None);
        stage.act(trouble, Command::SetHotkey { action, keys });
    };
    let typed = move |event: KeyboardEvent| {
        if choosing.get_untracked() != Some(action) {
            return;
        }
        // Nothing else is meant by it, such as closing the dialog.
        event.prevent_default();
        event.stop_propagation();
        if event.key() == "Escape" {
            choosing.set(None);
        } else if let Some(keys) = keys_of(&event).filter(|_| is_held.get_untracked()) {
            set(keys);
        }
    };
    let (keys, has_keys) = (hotkey.keys.clone(), !hotkey.keys.is_empty());
    let label = if has_keys { format!("{title}: {keys}") } else { format!("{title}: no key") };
    view! {
        <li class="hotkey" data-action=name(action)>
            <span>{title.clone()}</span>
            <button
                type="button"
                node_ref=button
                class="hotkey-keys"
                class:choosing=move || is_chosen() && is_held.get()
                aria-label=label
                on:click=move |_| {
                    trouble.set(None);
                    choosing.set(Some(action));
                    // WebKit does not focus a button that is clicked.
                    if let Some(button) = button.get_untracked() {
                        button.focus().ok();
                    }
                }
                on:keydown=typed
                on:blur=move |_| { if choosing.get_untracked() == Some(action) { choosing.set(None) } }
            >
                {move || match (is_chosen(), has_keys) {
                    (true, _) => view! { <em role="status">{move || if is_held.get() { "Press the keys…" } else { "One moment…" }}</em> }.into_any(),
                    (false, true) => keyed(&keys).into_any(),
                    (false, false) => view! { <em>"None"</em> }.into_any(),
                }}
            </button>
            <button
                type="button"
                class="tool"
                class:invisible=!has_keys
                aria-label=format!("Take the key from: {title}")
                title="No key"
                on:click=move |_| set(String::new())
            >
                <Icon path=brand::CLOSE/>
            </button>
            {hotkey.problem.map(|problem| view! { <small class="trouble" role="status">{problem}</small> })}
        </li>
    }
}

fn keyed(keys: &str) -> impl IntoView + use<> {
    keys.split('+').map(|key| view! { <kbd>{key.to_owned()}</kbd> }).collect_view()
}

/// What a key does; none: there is no such scene.
fn title(action: HotkeyAction, scenes: &[String]) -> Option<String> {
    Some(match action {
        HotkeyAction::Broadcast => "Go live, or end the stream".to_owned(),
        HotkeyAction::Record => "Start or stop recording".to_owned(),
        HotkeyAction::SaveReplay => "Save the replay".to_owned(),
        HotkeyAction::MuteMicrophones => "Mute or unmute microphones".to_owned(),
        HotkeyAction::NextScene => "Next scene".to_owned(),
        HotkeyAction::PreviousScene => "Previous scene".to_owned(),
        HotkeyAction::Scene { at } => format!("Scene “{}”", scenes.get(usize::from(at))?),
    })
}

/// The name of an action in the page.
fn name(action: HotkeyAction) -> String {
    match action {
        HotkeyAction::Broadcast => "broadcast".to_owned(),
        HotkeyAction::Record => "record".to_owned(),
        HotkeyAction::SaveReplay => "save-replay".to_owned(),
        HotkeyAction::MuteMicrophones => "mute-microphones".to_owned(),
        HotkeyAction::NextScene => "next-scene".to_owned(),
        HotkeyAction::PreviousScene => "previous-scene".to_owned(),
        HotkeyAction::Scene { at } => format!("scene-{}", at + 1),
    }
}

/// What was pressed, as it is written; none while only Ctrl and the like are held.
fn keys_of(event: &KeyboardEvent) -> Option<String> {
    let key = key_name(&event.key(), &event.code())?;
    let held = [
        (event.ctrl_key(), "Ctrl"),
        (event.alt_key(), "Alt"),
        (event.shift_key(), "Shift"),
        (event.meta_key(), "Super"),
    ];
    let held = held.into_iter().filter(|(is_held, _)| *is_held).map(|(_, name)| name.to_owned());
    Some(held.chain([key]).collect::<Vec<_>>().join("+"))
}

/// A letter or digit as this keyboard has it, or the place of another key.
fn key_name(key: &str, code: &str) -> Option<String> {
    if ["Control", "Alt", "AltGraph", "Shift", "Meta", "OS", "CapsLock", "NumLock"].contains(&key) {
        return None;
    }
    let mut letters = key.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if letter.is_ascii_alphanumeric() => Some(letter.to_ascii_uppercase().to_string()),
        _ => {
            let place = code.strip_prefix("Key").or_else(|| code.strip_prefix("Digit")).unwrap_or(code);
            let place = if place.is_empty() { key } else { place };
            (!place.is_empty()).then(|| place.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_they_are_labelled() {
        let name = |key: &str, code: &str| key_name(key, code);
        assert_eq!(name("a", "KeyQ").as_deref(), Some("A"), "on a French keyboard");
        assert_eq!(name("µ", "KeyM").as_deref(), Some("M"), "with AltGr");
        assert_eq!(name("!", "Digit1").as_deref(), Some("1"));
        assert_eq!(name("PageUp", "PageUp").as_deref(), Some("PageUp"));
        assert_eq!(name("F9", "F9").as_deref(), Some("F9"));
        assert_eq!(name("F9", "").as_deref(), Some("F9"), "without a place");
        assert_eq!(name("Control", "ControlLeft"), None);
    }

    #[test]
    fn scenes_that_are_not_there_have_no_key() {
        let scenes = ["Intro".to_owned()];
        assert_eq!(title(HotkeyAction::Scene { at: 0 }, &scenes).as_deref(), Some("Scene “Intro”"));
        assert_eq!(title(HotkeyAction::Scene { at: 1 }, &scenes), None);
    }
}
