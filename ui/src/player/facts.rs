//! What there is to know about the stream, below the picture.

use leptos::prelude::*;
use skylark_protocol::{StreamId, StreamState, nip19::Entity};

use super::driver::Player;
use crate::{
    brand::Mark,
    chat::Room,
    clock::duration,
    profiles::{Avatar, Name},
    share::{Links, Share},
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
    let links = {
        let page = window().location().origin().unwrap_or_default();
        let (page, embed) = (format!("{page}/s/{id}"), format!("{page}/embed/{id}"));
        let links = StoredValue::new((page, embed));
        move || {
            let (page, embed) = links.get_value();
            let room = room.get_untracked();
            let naddr = room.map(|room| Entity::naddr(&room.stream(), &[room.relay_url()]));
            Links { page, naddr, embed: Some(embed) }
        }
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
            <Share links/>
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
