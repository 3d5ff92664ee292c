//! What there is to know about a live event of another server.

use std::sync::Arc;

use leptos::prelude::*;
use skylark_protocol::{
    api::Phase,
    discover::{Card, FoundEvent, Person},
};

use crate::{
    clock,
    profiles::{Avatar, Name},
    share::{Links, Share},
};

/// Hashtags that are shown.
const MAX_HASHTAGS: usize = 6;

/// Title, host, where it stands, what it is about.
#[component]
pub(super) fn About(event: Memo<Option<Arc<FoundEvent>>>) -> impl IntoView {
    let card = Memo::new(move |_| event.with(|event| event.as_ref().map(|event| event.card.clone())));
    let summary =
        move || event.with(|event| event.as_ref().map(|event| event.summary.clone())).filter(|text| !text.is_empty());
    let source = move || -> Option<String> { event.with(|event| event.as_ref()?.streaming.first().cloned()) };
    Effect::new(move || {
        if let Some(title) = card.get().map(|card| card.title).filter(|title| !title.is_empty()) {
            document().set_title(&format!("{title} · Skylark"));
        }
    });
    let links = move || Links {
        page: window().location().href().unwrap_or_default(),
        naddr: card.get_untracked().and_then(|card| card.naddr),
        embed: None,
    };
    let is_live = move || card.with(|card| card.as_ref().is_some_and(|card| card.phase == Phase::Live));
    view! {
        {move || card.get().map(|card| view! {
            <section class="facts" aria-label="About this stream">
                {card.host.clone().map(|host| view! { <Face host/> })}
                <div class="facts-text">
                    <h1><bdi>{headline(&card)}</bdi></h1>
                    <p>
                        {card.host.clone().map(|host| view! { <Called host/> })}
                        <span class="since">{standing(&card)}</span>
                        {card.hashtags.iter().take(MAX_HASHTAGS).map(|word| view! { <bdi class="tag">{format!("#{word}")}</bdi> }).collect_view()}
                    </p>
                </div>
                <Share links/>
            </section>
        })}
        {move || summary().map(|summary| view! { <p class="summary"><bdi dir="auto">{summary}</bdi></p> })}
        {move || source().filter(|_| is_live()).map(|url| view! {
            <p class="source">
                "Announced on Nostr, streamed from "
                <a class="link" href=url.clone() target="_blank" rel="noopener noreferrer nofollow ugc"><bdi>{site(&url)}</bdi></a>
                ", not from this server."
            </p>
        })}
    }
}

/// The picture that the server knows, or what the event's relays know.
#[component]
fn Face(host: Person) -> impl IntoView {
    match host.picture {
        Some(url) => view! {
            <span class="avatar" aria-hidden="true">
                <img src=url alt="" decoding="async" referrerpolicy="no-referrer"/>
            </span>
        }
        .into_any(),
        None => view! { <Avatar pubkey=host.pubkey/> }.into_any(),
    }
}

#[component]
fn Called(host: Person) -> impl IntoView {
    if host.name.is_empty() {
        view! { <Name pubkey=host.pubkey/> }.into_any()
    } else {
        view! { <bdi class="name">{host.name}</bdi> }.into_any()
    }
}

fn headline(card: &Card) -> String {
    if card.title.is_empty() { "Live event".to_owned() } else { card.title.clone() }
}

fn standing(card: &Card) -> String {
    match card.phase {
        Phase::Live => match card.viewers {
            Some(1) => "Live · 1 watching".to_owned(),
            Some(count) => format!("Live · {count} watching"),
            None => "Live".to_owned(),
        },
        Phase::Planned => card.starts_s.map_or_else(|| "Planned".to_owned(), clock::day_and_time),
        Phase::Ended => {
            card.ends_s.map_or_else(|| "Ended".to_owned(), |at| format!("Ended {}", clock::day_and_time(at)))
        }
    }
}

/// The host in a URL.
fn site(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_named() {
        assert_eq!(site("https://media.example:8443/a/b.m3u8"), "media.example:8443");
        assert_eq!(site("https://media.example?x"), "media.example");
    }
}
