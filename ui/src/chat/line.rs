//! One message on screen: text nodes, never markup.

use std::{pin::Pin, sync::Arc};

use leptos::prelude::*;
use skylark_protocol::{chat::ChatMessage, zap::Zap};

use super::{
    Pinning,
    log::Line,
    prose::{Piece, pieces},
    room::Room,
    time,
};
use crate::{
    brand::{Icon, shapes},
    identity::Identity,
    profiles::{Avatar, Name},
};

/// A message.
#[component]
pub(super) fn MessageLine(room: Room, message: Arc<ChatMessage>, trouble: RwSignal<Option<String>>) -> impl IntoView {
    let author = message.author;
    let identity = Identity::get();
    let is_mine = move || identity.pubkey() == Some(author);
    let keeps_order = move || room.rules.with(|rules| rules.keeps_order(&author));
    let is_host = room.stream().pubkey == author;
    let reply_to = message.reply_to;
    let answered = move || match room.find(&reply_to?)? {
        Line::Message(parent) => Some(parent),
        Line::Zap(_) => None,
    };
    let id = message.id;
    let said_at = time(message.created_at);
    let words = pieces(&message.content, &message.emoji).into_iter().map(piece).collect_view();
    let acting = message.clone();
    let reacting = message;
    view! {
        <li class="line" class:mine=is_mine data-id=id.to_string() tabindex="-1">
            <Avatar pubkey=author/>
            <div class="line-text">
                {move || answered().map(|parent| view! {
                    <p class="answered"><Icon path=shapes::REPLY/><Name pubkey=parent.author/><bdi>{parent.content.clone()}</bdi></p>
                })}
                <p class="line-head">
                    <Name pubkey=author/>
                    {move || keeps_order().then(|| view! { <span class="badge">{if is_host { "Host" } else { "Mod" }}</span> })}
                    <time>{said_at}</time>
                </p>
                <p class="said"><bdi dir="auto">{words}</bdi></p>
                <p class="tally">
                    {move || room.tally(&id).into_iter().take(5).map(|(mood, count)| {
                        let (message, symbol) = (reacting.clone(), mood.clone());
                        let react = move |_| {
                            let (message, symbol) = (message.clone(), symbol.clone());
                            attempt(trouble, async move { room.react_to(&message, &symbol).await });
                        };
                        view! { <button type="button" class="mood" on:click=react><bdi>{mood}</bdi>{count}</button> }
                    }).collect_view()}
                </p>
            </div>
            <Actions room message=acting trouble/>
        </li>
    }
}

/// What can be done about a message; shown when it is pointed at.
#[component]
fn Actions(room: Room, message: Arc<ChatMessage>, trouble: RwSignal<Option<String>>) -> impl IntoView {
    let identity = Identity::get();
    let (open, reporting) = (RwSignal::new(false), RwSignal::new(false));
    let pinning = use_context::<Pinning>();
    let (author, id) = (message.author, message.id);
    let is_mine = move || identity.pubkey() == Some(author);
    let keeps_order = move || identity.pubkey().is_some_and(|me| room.rules.with(|rules| rules.keeps_order(&me)));
    let like = {
        let message = message.clone();
        move |_| {
            let message = message.clone();
            attempt(trouble, async move { room.react_to(&message, "❤️").await });
        }
    };
    let reply = {
        let message = message.clone();
        move |_| room.reply_to.set(Some(message.clone()))
    };
    let more = move || {
        let message = message.clone();
        let act = move |action: Action| {
            let message = message.clone();
            move |_| {
                open.set(false);
                let message = message.clone();
                attempt(trouble, async move { carry_out(room, action, &message).await });
            }
        };
        let item = move |action, label: &'static str| {
            let run = act(action);
            view! { <button type="button" class="choice" on:click=run>{label}</button> }
        };
        if reporting.get() {
            let reasons = REASONS.map(|(category, label)| item(Action::Report(category), label));
            return view! { <div class="menu line-menu" role="group" aria-label="Why?">{reasons.into_iter().collect_view()}</div> }
                .into_any();
        }
        let (others, may_hide) = (!is_mine(), !is_mine() && identity.pubkey() != Some(room.stream().pubkey));
        view! {
            <div class="menu line-menu" role="group" aria-label="This message">
                {pinning.map(|Pinning(pin)| {
                    let is_pinned = room.is_pinned(&id);
                    let run = move |_| {
                        open.set(false);
                        pin.run((id, !is_pinned));
                    };
                    view! { <button type="button" class="choice" on:click=run>{if is_pinned { "Unpin" } else { "Pin" }}</button> }
                })}
                {is_mine().then(|| item(Action::Delete, "Delete"))}
                {may_hide.then(|| item(Action::Mute, "Hide this person"))}
                {others.then(|| view! {
                    <button type="button" class="choice" on:click=move |_| reporting.set(true)>"Report…"</button>
                })}
                {(keeps_order() && others).then(|| (item(Action::Remove, "Remove message"), item(Action::Ban, "Ban from chat")))}
            </div>
        }
        .into_any()
    };
    view! {
        <div
            class="line-actions"
            class:open=move || open.get()
            data-for=id.to_string()
            on:keydown=move |event| {
                if event.key() == "Escape" && open.get_untracked() {
                    event.stop_propagation();
                    open.set(false);
                }
            }
        >
            <button type="button" aria-label="Like" title="Like" on:click=like><Icon path=shapes::HEART/></button>
            <button type="button" aria-label="Reply" title="Reply" on:click=reply><Icon path=shapes::REPLY/></button>
            <button
                type="button"
                aria-label="More"
                title="More"
                aria-expanded=move || open.get().to_string()
                on:click=move |_| {
                    reporting.set(false);
                    open.update(|open| *open = !*open);
                }
            >
                <Icon path=shapes::MORE/>
            </button>
            {move || open.get().then(&more)}
        </div>
    }
}

/// Why a message may be reported: NIP-56's word, and ours.
const REASONS: [(&str, &str); 5] = [
    ("spam", "Spam"),
    ("profanity", "Insults or hate"),
    ("nudity", "Nudity"),
    ("impersonation", "Pretends to be another"),
    ("illegal", "Against the law"),
];

#[derive(Debug, Clone, Copy)]
enum Action {
    Delete,
    Mute,
    Report(&'static str),
    Remove,
    Ban,
}

async fn carry_out(room: Room, action: Action, message: &ChatMessage) -> Result<(), String> {
    match action {
        Action::Delete => room.delete(message).await,
        Action::Report(category) => room.report(message, category).await,
        Action::Mute => room.mute(message.author).await,
        Action::Remove => room.change_settings(|settings| settings.removed.push(message.id)).await,
        Action::Ban => room.change_settings(|settings| _ = settings.banned.insert(message.author)).await,
    }
}

/// Does something and says what went wrong; nothing where there is nothing to say.
pub(crate) fn attempt(trouble: RwSignal<Option<String>>, act: impl Future<Output = Result<(), String>> + 'static) {
    // Boxed: there are many, and the way to run them is one.
    run(trouble, Box::pin(act));
}

fn run(trouble: RwSignal<Option<String>>, act: Pin<Box<dyn Future<Output = Result<(), String>>>>) {
    leptos::task::spawn_local(async move {
        let error = act.await.err().filter(|error| !error.is_empty());
        trouble.try_set(error);
    });
}

/// A gift.
#[component]
pub(super) fn ZapLine(zap: Arc<Zap>) -> impl IntoView {
    view! {
        <li class="line zap" tabindex="-1">
            <Avatar pubkey=zap.sender/>
            <div class="line-text">
                <p class="line-head"><Name pubkey=zap.sender/><span class="amount">{sats(zap.amount_msat)}</span></p>
                <p class="said"><bdi dir="auto">{zap.comment.clone()}</bdi></p>
            </div>
        </li>
    }
}

/// "1,234 sats"
pub(crate) fn sats(amount_msat: u64) -> String {
    let digits = (amount_msat / 1000).to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if digits == "1" { "sat" } else { "sats" })
}

fn piece(piece: Piece) -> AnyView {
    match piece {
        Piece::Text(text) => text.into_any(),
        Piece::Link { url, shown } => {
            view! { <a class="link" href=url target="_blank" rel="noopener noreferrer nofollow ugc">{shown}</a> }
                .into_any()
        }
        Piece::Person(pubkey) => view! { <span class="mention">"@"<Name pubkey/></span> }.into_any(),
        Piece::Emoji(emoji) => {
            let name = format!(":{}:", emoji.name);
            view! { <img class="emoji" src=emoji.url alt=name.clone() title=name loading="lazy" referrerpolicy="no-referrer"/> }
                .into_any()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped() {
        assert_eq!(sats(1_000), "1 sat");
        assert_eq!(sats(21_000), "21 sats");
        assert_eq!(sats(1_234_567_890), "1,234,567 sats");
        assert_eq!(sats(999), "0 sats");
    }
}
