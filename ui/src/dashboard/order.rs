//! How the host keeps order in the chat: what is on, who may write and how, which words, which people.

use std::collections::BTreeSet;

use leptos::{html, prelude::*};
use skylark_protocol::{event::PublicKey, moderation::ChatSettings, nip19::Entity};

use crate::{
    chat::{Room, attempt},
    profiles::Name,
};

/// Times between two messages of one person that can be chosen, seconds.
const PACES: [u32; 6] = [0, 5, 10, 30, 60, 300];

/// What the parts of the panel share.
#[derive(Clone, Copy)]
struct Panel {
    room: Room,
    trouble: RwSignal<Option<String>>,
}

impl Panel {
    /// What holds; tracked.
    fn settings(self) -> ChatSettings {
        self.room.rules.with(|rules| rules.settings().clone())
    }

    /// Has a change signed. What is shown follows when it holds, not before.
    fn change(self, change: impl FnOnce(&mut ChatSettings) + 'static) {
        attempt(self.trouble, async move { self.room.change_settings(change).await });
    }
}

/// The panel.
#[component]
pub(super) fn Order(room: Room) -> impl IntoView {
    let panel = Panel { room, trouble: RwSignal::new(None) };
    view! {
        <section class="panel" id="order" aria-labelledby="order-title">
            <h2 id="order-title">"Chat and reactions"</h2>
            <div class="switches">
                <Switch panel name="chat" label="Viewers may write" of=|settings| &mut settings.is_chat_on/>
                <Switch panel name="reactions" label="Viewers may react" of=|settings| &mut settings.are_reactions_on/>
                <Switch panel name="guests" label="Guests without a key of their own may write" of=|settings| &mut settings.are_guests_welcome/>
                <Switch panel name="followers" label="Only those who follow you" of=|settings| &mut settings.is_followers_only/>
                <Switch panel name="emotes" label="Only emoji" of=|settings| &mut settings.is_emotes_only/>
                <Pace panel/>
            </div>
            <Words panel/>
            <People panel title="Moderators" name="moderators" hint="They may remove messages and ban people." action="Dismiss" may_add=true of=|settings| &mut settings.moderators/>
            <People panel title="Banned" name="banned" hint="Ban somebody by the menu of one of their messages." action="Let back in" may_add=false of=|settings| &mut settings.banned/>
            <p class="trouble" role="alert">{move || panel.trouble.get()}</p>
        </section>
    }
}

/// Something that is on or off.
#[component]
fn Switch(
    panel: Panel,
    name: &'static str,
    label: &'static str,
    of: fn(&mut ChatSettings) -> &mut bool,
) -> impl IntoView {
    let is_on = Memo::new(move |_| *of(&mut panel.settings()));
    let input = NodeRef::<html::Input>::new();
    let turn = move |_| {
        let Some(input) = input.get_untracked() else { return };
        let wanted = input.checked();
        input.set_checked(is_on.get_untracked());
        panel.change(move |settings| *of(settings) = wanted);
    };
    view! {
        <label class="switch">
            <input node_ref=input type="checkbox" role="switch" name=name prop:checked=move || is_on.get() on:change=turn/>
            <span>{label}</span>
        </label>
    }
}

#[component]
fn Pace(panel: Panel) -> impl IntoView {
    let slow_s = Memo::new(move |_| panel.settings().slow_s);
    let choose = move |event| {
        if let Ok(wanted) = event_target_value(&event).parse() {
            panel.change(move |settings| settings.slow_s = wanted);
        }
    };
    let choices = move || {
        let chosen = slow_s.get();
        let known: BTreeSet<_> = PACES.into_iter().chain([chosen]).collect();
        let option = |seconds: u32| {
            view! { <option value=seconds.to_string() selected=seconds == chosen>{pace(seconds)}</option> }
        };
        known.into_iter().map(option).collect_view()
    };
    view! {
        <label class="field">
            <span>"Slow mode"</span>
            <select name="slow" on:change=choose>{choices}</select>
        </label>
    }
}

/// "One message every 30 s"
fn pace(seconds: u32) -> String {
    match seconds {
        0 => "Off".to_owned(),
        seconds if seconds % 60 == 0 => format!("One message every {} min", seconds / 60),
        seconds => format!("One message every {seconds} s"),
    }
}

#[component]
fn Words(panel: Panel) -> impl IntoView {
    let kept = Memo::new(move |_| panel.settings().words.into_iter().collect::<Vec<_>>().join(", "));
    let text = RwSignal::new(None::<String>);
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(typed) = text.get_untracked() else { return };
        panel.change(move |settings| settings.words = words(&typed));
    };
    view! {
        <form class="order-form" on:submit=save>
            <label class="field">
                <span>"Words that nobody may write"</span>
                <input
                    name="words"
                    placeholder="one, another"
                    dir="auto"
                    prop:value=move || text.get().unwrap_or_else(|| kept.get())
                    on:input=move |event| text.set(Some(event_target_value(&event)))
                />
            </label>
            <button type="submit" class="pill" disabled=move || text.get().is_none_or(|text| text == kept.get())>"Save"</button>
        </form>
    }
}

/// Words between commas, as the settings hold them.
fn words(text: &str) -> BTreeSet<String> {
    let word = |word: &str| word.trim().to_lowercase();
    text.split(',').map(word).filter(|word| !word.is_empty()).take(ChatSettings::MAX_WORDS).collect()
}

/// A list of people, each with a button that takes them off it.
#[component]
fn People(
    panel: Panel,
    title: &'static str,
    name: &'static str,
    hint: &'static str,
    action: &'static str,
    may_add: bool,
    of: fn(&mut ChatSettings) -> &mut BTreeSet<PublicKey>,
) -> impl IntoView {
    let people = Memo::new(move |_| std::mem::take(of(&mut panel.settings())));
    let text = RwSignal::new(String::new());
    let add = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        match person(text.get_untracked().trim()) {
            Some(pubkey) => {
                text.set(String::new());
                panel.change(move |settings| _ = of(settings).insert(pubkey));
            }
            None => panel.trouble.set(Some("That is nobody’s key: it begins with npub1.".to_owned())),
        }
    };
    view! {
        <div class="people" data-list=name>
            <h3>{title}</h3>
            <Show when=move || people.with(BTreeSet::is_empty)><p class="notice">{hint}</p></Show>
            <ul>
                <For each=move || people.get() key=|pubkey| *pubkey let:pubkey>
                    <li>
                        <Name pubkey/>
                        <button
                            type="button"
                            class="pill"
                            on:click=move |_| panel.change(move |settings| _ = of(settings).remove(&pubkey))
                        >
                            {action}
                        </button>
                    </li>
                </For>
            </ul>
            {may_add.then(|| view! {
                <form class="order-form" on:submit=add>
                    <label class="field">
                        <span class="sr-only">"Public key of a moderator"</span>
                        <input
                            name=name
                            placeholder="npub1…"
                            autocomplete="off"
                            prop:value=move || text.get()
                            on:input=move |event| text.set(event_target_value(&event))
                        />
                    </label>
                    <button type="submit" class="pill">"Add"</button>
                </form>
            })}
        </div>
    }
}

/// Whose key this is, in whatever form people copy it.
fn person(text: &str) -> Option<PublicKey> {
    match text.trim_start_matches("nostr:").parse() {
        Ok(Entity::Profile(pubkey, _)) => Some(pubkey),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_understood() {
        assert_eq!(words(" Rude, ,SPAM,rude"), ["rude".to_owned(), "spam".to_owned()].into());
        let pubkey = PublicKey::from_bytes([7; 32]);
        for text in [Entity::npub(&pubkey), format!("nostr:{}", Entity::npub(&pubkey)), pubkey.to_string()] {
            assert_eq!(person(&text), Some(pubkey), "{text}");
        }
        assert_eq!(person("npub1"), None);
        assert_eq!([pace(0), pace(30), pace(300)], ["Off", "One message every 30 s", "One message every 5 min"]);
    }
}
