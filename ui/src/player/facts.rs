//! What there is to know about the stream, below the picture.

use leptos::prelude::*;
use skylark_protocol::{StreamId, StreamState, nip19::Entity};

use super::driver::Player;
use crate::{
    brand::{Icon, Mark, shapes},
    chat::Room,
    clock::duration,
    engine,
    profiles::{Avatar, Name},
};

/// Title, host, viewers, and a link to share.
#[component]
pub(super) fn Facts(player: Player, id: StreamId, room: RwSignal<Option<Room>>) -> impl IntoView {
    let announced = move || room.get().and_then(|room| room.announcement.get());
    let headline = move || {
        let title = announced().map(|event| event.title).filter(|title| !title.is_empty());
        title.unwrap_or_else(|| untitled(player).to_owned())
    };
    Effect::new(move || {
        if let Some(title) = announced().map(|event| event.title).filter(|title| !title.is_empty()) {
            document().set_title(&format!("{title} · Skylark"));
        }
    });
    let since = move || {
        player.latency_ms.track();
        let stream = player.stream.get()?;
        let live = matches!(stream.state, StreamState::Live | StreamState::Reconnecting);
        let started_ms = stream.started_at_ms.filter(|_| live)?;
        Some(format!("Live for {}", duration(js_sys::Date::now() - started_ms as f64)))
    };
    let watching = move || {
        let is_on = player.stream.with(|stream| {
            stream.as_ref().is_some_and(|one| matches!(one.state, StreamState::Live | StreamState::Reconnecting))
        });
        player.viewers.get().filter(|_| is_on).map(|count| format!("{count} watching"))
    };
    let host = move || room.get().map(|room| room.stream().pubkey);
    let hashtags = move || announced().map(|event| event.hashtags).unwrap_or_default();
    let summary = move || announced().map(|event| event.summary).filter(|summary| !summary.is_empty());
    view! {
        <section class="facts" aria-label="About this stream">
            {move || match host() {
                Some(pubkey) => view! { <Avatar pubkey/> }.into_any(),
                None => view! { <span class="avatar"><Mark/></span> }.into_any(),
            }}
            <div class="facts-text">
                <h1><bdi>{headline}</bdi></h1>
                <p>
                    {move || match host() {
                        Some(pubkey) => view! { <Name pubkey/> }.into_any(),
                        None => view! { <span class="id">{id.to_string()}</span> }.into_any(),
                    }}
                    {move || watching().map(|text| view! { <span class="since" id="viewers">{text}</span> })}
                    {move || since().map(|text| view! { <span class="since">{text}</span> })}
                    {move || hashtags().into_iter().take(6).map(|word| view! { <bdi class="tag">{format!("#{word}")}</bdi> }).collect_view()}
                </p>
            </div>
            <Share room/>
        </section>
        {move || summary().map(|summary| view! { <p class="summary"><bdi dir="auto">{summary}</bdi></p> })}
    }
}

fn untitled(player: Player) -> &'static str {
    match player.stream.get().map(|stream| stream.state) {
        Some(StreamState::Live | StreamState::Reconnecting) => "Live stream",
        Some(StreamState::Ended) => "Past stream",
        _ => "Stream",
    }
}

/// Copies the page's address, and the one by which Nostr clients know the stream.
#[component]
fn Share(room: RwSignal<Option<Room>>) -> impl IntoView {
    let copied = RwSignal::new(None::<&'static str>);
    let copy = move |what: &'static str, text: String| {
        leptos::task::spawn_local(async move {
            copied.set(engine::copy_text(&text).await.is_truthy().then_some(what));
            set_timeout(move || copied.set(None), std::time::Duration::from_secs(2));
        });
    };
    let naddr = move || {
        let room = room.get_untracked()?;
        Some(format!("nostr:{}", Entity::naddr(&room.stream(), &[room.relay_url()])))
    };
    let face = move |what: &'static str, label: &'static str| {
        let is_copied = move || copied.get() == Some(what);
        view! {
            <Icon path=Signal::derive(move || if is_copied() { shapes::CHECK } else { shapes::LINK })/>
            <span aria-live="polite">{move || if is_copied() { "Copied" } else { label }}</span>
        }
    };
    view! {
        <div class="share">
            <button
                type="button"
                id="copy"
                class="pill"
                on:click=move |_| copy("link", window().location().href().unwrap_or_default())
            >
                {face("link", "Copy link")}
            </button>
            <Show when=move || room.get().is_some()>
                <button
                    type="button"
                    id="copy-naddr"
                    class="pill"
                    title="Its address in Nostr clients"
                    on:click=move |_| if let Some(naddr) = naddr() { copy("naddr", naddr) }
                >
                    {face("naddr", "Nostr link")}
                </button>
            </Show>
        </div>
    }
}
