//! Where people write.

use leptos::{html, prelude::*};
use skylark_protocol::{
    chat::MAX_MESSAGE_CHARS,
    moderation::{ChatRules, ChatSettings},
};

use super::{line::attempt, room::Room};
use crate::{
    brand::{Icon, shapes},
    identity::{Identity, Method},
    profiles::Name,
    relay::Relay,
};

/// What can be felt with one click.
const MOODS: [&str; 6] = ["❤️", "🔥", "😂", "👏", "😮", "🎉"];
/// From here on it is told how many characters are left.
const TELL_LEFT: usize = 100;

/// The field, or what stands in its way.
#[component]
pub(super) fn Composer(room: Room, trouble: RwSignal<Option<String>>) -> impl IntoView {
    let identity = Identity::get();
    let relay = Relay::get();
    let obstacle = Memo::new(move |_| {
        let account = identity.account();
        room.rules.with(|rules| obstacle(rules, account.map(|account| (account.pubkey, account.method))))
    });
    view! {
        <div class="composer">
            <p class="trouble" role="alert">{move || trouble.get()}</p>
            <Show when=move || room.loaded.get() && !relay.is_connected()>
                <p class="notice" role="status">"Connection lost. Trying again…"</p>
            </Show>
            {move || (room.hidden.get() > 0).then(|| view! {
                <button type="button" class="hidden-people" on:click=move |_| attempt(trouble, room.show_all())>
                    "You have hidden people. Show them again"
                </button>
            })}
            <Moods room trouble/>
            {move || room.rules.with(|rules| mode(rules.settings())).map(|words| view! { <p class="mode">{words}</p> })}
            {move || match (identity.account(), obstacle.get()) {
                (_, Some(reason)) => view! { <p class="notice">{reason}</p> }.into_any(),
                (None, None) => view! {
                    <button type="button" id="chat-sign-in" class="pill wide" on:click=move |_| identity.ask()>"Sign in to chat"</button>
                }
                .into_any(),
                (Some(_), None) => view! { <Field room trouble/> }.into_any(),
            }}
        </div>
    }
}

/// Why somebody cannot write, if they cannot.
fn obstacle(rules: &ChatRules, who: Option<(skylark_protocol::event::PublicKey, Method)>) -> Option<&'static str> {
    let keeps_order = who.is_some_and(|(pubkey, _)| rules.keeps_order(&pubkey));
    match who {
        _ if keeps_order => None,
        _ if !rules.settings().is_chat_on => Some("The host has switched the chat off."),
        Some((pubkey, _)) if rules.is_banned(&pubkey) => Some("You cannot write in this chat."),
        Some((_, Method::Guest)) if !rules.settings().are_guests_welcome => {
            Some("Guests cannot write here. Sign in with a key of your own.")
        }
        _ => None,
    }
}

/// What the host wants of messages at the moment.
fn mode(settings: &ChatSettings) -> Option<String> {
    let mut wishes = Vec::new();
    if settings.is_chat_on && settings.is_emotes_only {
        wishes.push("emoji only".to_owned());
    }
    if settings.is_chat_on && settings.is_followers_only {
        wishes.push("followers of the host only".to_owned());
    }
    if settings.is_chat_on && settings.slow_s > 0 {
        wishes.push(format!("one message every {} s", settings.slow_s));
    }
    (!wishes.is_empty()).then(|| format!("At the moment: {}.", wishes.join(", ")))
}

#[component]
fn Field(room: Room, trouble: RwSignal<Option<String>>) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let sending = RwSignal::new(false);
    let field = NodeRef::<html::Textarea>::new();
    let count = move || text.with(|text| text.trim().chars().count());
    let send = move || {
        let words = text.get_untracked().trim().to_owned();
        if words.is_empty() || words.chars().count() > MAX_MESSAGE_CHARS || sending.get_untracked() {
            return;
        }
        sending.set(true);
        attempt(trouble, async move {
            let result = room.say(&words).await;
            sending.try_set(false);
            // What could not be sent stays, to be sent again.
            if result.is_ok() {
                text.try_set(String::new());
            }
            result
        });
    };
    Effect::new(move || {
        if room.reply_to.with(Option::is_some)
            && let Some(field) = field.get()
        {
            field.focus().ok();
        }
    });
    view! {
        {move || room.reply_to.get().map(|parent| view! {
            <div class="replying">
                <Icon path=shapes::REPLY/>
                <span class="clamp">"Replying to "<Name pubkey=parent.author/></span>
                <button type="button" aria-label="Do not reply" on:click=move |_| room.reply_to.set(None)><Icon path=shapes::CLOSE/></button>
            </div>
        })}
        <form
            class="composer-form"
            on:submit=move |event| {
                event.prevent_default();
                send();
            }
        >
            <textarea
                id="chat-text"
                node_ref=field
                rows="1"
                dir="auto"
                placeholder="Say something"
                aria-label="Your message"
                enterkeyhint="send"
                prop:value=move || text.get()
                on:input=move |event| {
                    text.set(event_target_value(&event));
                    trouble.set(None);
                }
                on:keydown=move |event| {
                    // While an input method composes, the return key is its own.
                    if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
                        event.prevent_default();
                        send();
                    }
                }
            ></textarea>
            {move || (count() + TELL_LEFT > MAX_MESSAGE_CHARS).then(|| {
                let left = MAX_MESSAGE_CHARS as i64 - count() as i64;
                view! { <span class="left" class:over=left < 0>{left}</span> }
            })}
            <button
                type="submit"
                id="chat-send"
                class="send"
                aria-label="Send"
                disabled=move || sending.get() || !(1..=MAX_MESSAGE_CHARS).contains(&count())
            >
                <Icon path=shapes::SEND/>
            </button>
        </form>
    }
}

#[component]
fn Moods(room: Room, trouble: RwSignal<Option<String>>) -> impl IntoView {
    let is_on =
        move || room.rules.with(|rules| rules.settings().are_reactions_on) && room.announcement.with(Option::is_some);
    view! {
        <div class="moods" class:hidden=move || !is_on() role="group" aria-label="React to the stream">
            {MOODS.map(|symbol| view! {
                <button
                    type="button"
                    aria-label=format!("React with {symbol}")
                    on:click=move |_| attempt(trouble, async move { room.react(symbol).await })
                >
                    {symbol}
                </button>
            })}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use skylark_protocol::event::PublicKey;

    use super::*;

    #[test]
    fn the_hosts_wishes_are_said() {
        assert_eq!(mode(&ChatSettings::new("d")), None);
        let slow = ChatSettings { slow_s: 30, is_emotes_only: true, ..ChatSettings::new("d") };
        assert_eq!(mode(&slow).unwrap(), "At the moment: emoji only, one message every 30 s.");
    }

    #[test]
    fn who_may_write_is_told_before_they_try() {
        let (host, viewer) = (PublicKey::from_bytes([1; 32]), PublicKey::from_bytes([2; 32]));
        let rules = |settings| ChatRules::new(host, settings, None, [], []);
        let open = rules(ChatSettings::new("d"));
        assert_eq!(obstacle(&open, None), None);
        assert_eq!(obstacle(&open, Some((viewer, Method::Guest))), None);
        let off = rules(ChatSettings { is_chat_on: false, ..ChatSettings::new("d") });
        assert!(obstacle(&off, None).is_some() && obstacle(&off, Some((viewer, Method::Key))).is_some());
        assert_eq!(obstacle(&off, Some((host, Method::Extension))), None, "the host may always");
        let no_guests = rules(ChatSettings { are_guests_welcome: false, ..ChatSettings::new("d") });
        assert!(obstacle(&no_guests, Some((viewer, Method::Guest))).is_some());
        assert_eq!(obstacle(&no_guests, Some((viewer, Method::Bunker))), None);
        let banned = rules(ChatSettings { banned: [viewer].into(), ..ChatSettings::new("d") });
        assert!(obstacle(&banned, Some((viewer, Method::Key))).is_some());
    }
}
