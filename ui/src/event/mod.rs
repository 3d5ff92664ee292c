//! `/e/{naddr}`: a live event by its address, whoever announced it. A program of its own.
//!
//! | module | part |
//! |---|---|
//! | `show` | what there is to see, and how; pure |
//! | `picture` | the picture, or what stands in its place |
//! | `about` | title, host, where it stands |
//!
//! What the server knows of it is shown at once; what the event's relays say of it later, the browser hears itself.

mod about;
mod picture;
mod show;

use std::{sync::Arc, time::Duration};

use leptos::prelude::*;
use skylark_protocol::{
    StreamId, address::Address, discover::FoundEvent, event::kind, nip19::Entity, text::is_relay_url,
};

use crate::{
    api::{self, ApiError},
    brand::{Header, Mark},
    chat::{self, Chat, Room},
    clock,
    identity::AccountMenu,
    player::{NotFound, Watch},
    profiles::Profiles,
    relay::Relay,
};
use about::About;
use picture::Picture;

/// Relays that are talked to at once.
const MAX_RELAYS: usize = 5;
/// How long the relays that a link names may take to know the live event.
const PATIENCE: Duration = Duration::from_secs(8);

/// What became of looking for it.
#[derive(Debug, Clone, PartialEq)]
enum Finding {
    Looking,
    /// It is a stream of this server.
    Ours(StreamId),
    /// As the server knows it; if it does not, the relays that the link names may.
    Elsewhere(Option<Arc<FoundEvent>>),
    Nowhere,
}

/// The page.
#[component]
pub(crate) fn EventPage(naddr: String) -> impl IntoView {
    let named = match naddr.parse() {
        Ok(Entity::Address(address, hints)) if address.kind == kind::LIVE_EVENT => Some((address, hints)),
        _ => None,
    };
    document().set_title("Live event · Skylark");
    let Some((address, hints)) = named else { return view! { <NotFound/> }.into_any() };
    let hints: Vec<String> = hints.into_iter().filter(|url| is_relay_url(url)).collect();
    let finding = RwSignal::new(Finding::Looking);
    let has_hints = !hints.is_empty();
    leptos::task::spawn_local(async move {
        finding.set(match api::event(&naddr).await {
            Ok(FoundEvent { card, .. }) if card.stream.is_some() => card.stream.map_or(Finding::Nowhere, Finding::Ours),
            Ok(event) => Finding::Elsewhere(Some(Arc::new(event))),
            Err(ApiError::Unknown | ApiError::Unreachable) if has_hints => Finding::Elsewhere(None),
            Err(_) => Finding::Nowhere,
        });
    });
    let page = move || match finding.get() {
        Finding::Looking => view! { <Looking/> }.into_any(),
        Finding::Ours(id) => view! { <Watch id/> }.into_any(),
        Finding::Elsewhere(first) => {
            let (address, hints) = (address.clone(), hints.clone());
            view! { <Elsewhere address hints first finding/> }.into_any()
        }
        Finding::Nowhere => view! { <NotFound/> }.into_any(),
    };
    page.into_any()
}

#[component]
fn Looking() -> impl IntoView {
    view! {
        <div class="page">
            <Header><AccountMenu/></Header>
            <main class="watch">
                <div class="stage" data-state="loading">
                    <div class="message" role="status"><div class="message-art spins"><Mark/></div></div>
                </div>
            </main>
        </div>
    }
}

/// A live event that another server carries.
#[component]
fn Elsewhere(
    address: Address,
    hints: Vec<String>,
    first: Option<Arc<FoundEvent>>,
    finding: RwSignal<Finding>,
) -> impl IntoView {
    let is_carried = first.as_ref().is_some_and(|event| event.is_carried);
    let mut relays = first.as_ref().map(|event| event.relays.clone()).unwrap_or_default();
    relays.extend(hints);
    relays.truncate(MAX_RELAYS);
    let can_talk = is_carried || !relays.is_empty();
    if !is_carried && can_talk {
        // For everything below: chat, names and pictures.
        Relay::provide_outside(relays);
        Profiles::provide();
    }
    let room = RwSignal::new(can_talk.then(|| Room::open(address)));
    let now = RwSignal::new(clock::now_s());
    let ticking = set_interval_with_handle(move || now.set(clock::now_s()), Duration::from_secs(1));
    on_cleanup(move || {
        if let Ok(handle) = ticking {
            handle.clear();
        }
    });
    let is_known = first.is_some();
    let event = Memo::new(move |_| {
        let announced = room.get().and_then(|room| room.announcement.get());
        match announced {
            Some(live) => {
                let host = first.as_ref().and_then(|event| event.card.host.clone());
                let mut event = FoundEvent::of(&live, None, &[], is_carried, now.get());
                event.card.host = host.or(event.card.host);
                Some(Arc::new(event))
            }
            None => first.clone(),
        }
    });
    if !is_known {
        set_timeout(
            move || {
                if event.try_get_untracked().is_some_and(|event| event.is_none()) {
                    finding.set(Finding::Nowhere);
                }
            },
            PATIENCE,
        );
    }
    let chat_open = chat::opening();
    view! {
        <div class="page">
            <Header><AccountMenu/></Header>
            <main class="watch" class:with-chat=move || room.get().is_some() && chat_open.get()>
                <div class="watch-main">
                    <Picture event room now/>
                    <About event/>
                </div>
                {move || room.get().map(|room| view! { <Chat room open=chat_open/> })}
            </main>
        </div>
    }
}
