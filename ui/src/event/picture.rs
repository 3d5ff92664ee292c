//! The picture of a live event of another server, or what stands in its place.

use std::sync::Arc;

use leptos::{html, prelude::*};
use skylark_protocol::discover::FoundEvent;
use wasm_bindgen::prelude::*;

use super::show::Show;
use crate::{
    brand::{Icon, Mark, shapes},
    chat::Room,
    clock::{self, duration},
    engine::Engine,
    player::PlayerElsewhere,
};

/// The picture.
#[component]
pub(super) fn Picture(
    event: Memo<Option<Arc<FoundEvent>>>,
    room: RwSignal<Option<Room>>,
    now: RwSignal<u64>,
) -> impl IntoView {
    let host = window().location().hostname().unwrap_or_default();
    // Only when this changes is the picture another.
    let show = Memo::new(move |_| event.with(|event| event.as_ref().map(|event| Show::of(event, &host))));
    let warning =
        Memo::new(move |_| event.with(|event| event.as_ref().and_then(|event| event.card.content_warning.clone())));
    let is_accepted = RwSignal::new(false);
    move || match (show.get(), warning.get()) {
        (None, _) => view! { <Words spins=true title="" text=""/> }.into_any(),
        (Some(_), Some(why)) if !is_accepted.get() => view! { <Warning why accepted=is_accepted/> }.into_any(),
        (Some(show), _) => picture(show, room, now),
    }
}

fn picture(show: Show, room: RwSignal<Option<Room>>, now: RwSignal<u64>) -> AnyView {
    match show {
        Show::Live(url) => view! { <PlayerElsewhere url room/> }.into_any(),
        Show::Recording(url) => view! { <Recording url is_playlist=true/> }.into_any(),
        Show::File(url) => view! { <Recording url is_playlist=false/> }.into_any(),
        Show::Frame { url, of } => view! {
            <div class="stage" id="player" data-state="frame">
                // YouTube plays nothing for pages that do not say who they are.
                <iframe
                    src=url
                    title=format!("{of} player")
                    referrerpolicy="strict-origin-when-cross-origin"
                    allow="autoplay; encrypted-media; fullscreen; picture-in-picture"
                    allowfullscreen
                ></iframe>
            </div>
        }
        .into_any(),
        Show::Link(url) => view! {
            <Words title="It plays elsewhere" text="This stream cannot be shown on this page.">
                <Away url label="Open it in a new tab"/>
            </Words>
        }
        .into_any(),
        Show::Wait(starts) => view! { <Countdown starts now/> }.into_any(),
        Show::Nowhere => view! {
            <Words title="Live, but nobody says where" text="The announcement names no stream. The chat is open."/>
        }
        .into_any(),
        Show::Over => view! {
            <Words title="The stream has ended" text="There is no recording of it.">
                <a class="pill" href="/">"See what is live"</a>
            </Words>
        }
        .into_any(),
    }
}

/// Words where the picture would be.
#[component]
fn Words(
    title: &'static str,
    text: &'static str,
    #[prop(optional)] spins: bool,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="stage" id="player" data-state="words">
            <div class="message" role="status">
                <div class="message-art" class:spins=spins><Mark/></div>
                <h2>{title}</h2>
                <p>{text}</p>
                {children.map(|children| children())}
            </div>
        </div>
    }
}

#[component]
fn Away(url: String, label: &'static str) -> impl IntoView {
    view! {
        <a class="pill" id="away" href=url target="_blank" rel="noopener noreferrer nofollow ugc">
            <Icon path=shapes::LINK/>{label}
        </a>
    }
}

#[component]
fn Warning(why: String, accepted: RwSignal<bool>) -> impl IntoView {
    let why = if why.is_empty() { "The streamer says that not everybody wants to see this.".to_owned() } else { why };
    view! {
        <div class="stage" id="player" data-state="warning">
            <div class="message">
                <div class="message-art"><Icon path=shapes::WARNING/></div>
                <h2>"Sensitive content"</h2>
                <p><bdi>{why}</bdi></p>
                <button type="button" class="pill" id="accept" on:click=move |_| accepted.set(true)>"Show it"</button>
            </div>
        </div>
    }
}

#[component]
fn Countdown(starts: Option<u64>, now: RwSignal<u64>) -> impl IntoView {
    let left = move || match starts {
        None => "Soon".to_owned(),
        Some(starts) => match starts.saturating_sub(now.get()) {
            0 => "Any moment".to_owned(),
            left if left < 24 * 3600 => duration(left as f64 * 1000.0),
            left => clock::span(left),
        },
    };
    view! {
        <div class="stage" id="player" data-state="planned">
            <div class="message">
                <div class="message-art"><Mark/></div>
                <p>"Starts in"</p>
                <p class="countdown" role="timer">{left}</p>
                <p>{starts.map(clock::day_and_time)}</p>
                <p>"Keep this page open: it starts by itself when the stream does."</p>
            </div>
        </div>
    }
}

/// What is over, with the browser's own controls.
#[component]
fn Recording(url: String, is_playlist: bool) -> impl IntoView {
    let video = NodeRef::<html::Video>::new();
    let source = (!is_playlist).then(|| url.clone());
    let playlist = is_playlist.then_some(url);
    Effect::new(move |started: Option<bool>| {
        let (Some(video), Some(playlist)) = (video.get(), &playlist) else { return false };
        if started != Some(true) {
            let nobody_listens = Closure::<dyn FnMut(String, f64, String)>::new(|_, _, _| {}).into_js_value();
            // It plays as long as its page is there.
            Engine::new(&video, nobody_listens.unchecked_ref()).load(playlist);
        }
        true
    });
    view! {
        <div class="stage" id="player" data-state="recording">
            <video id="video" node_ref=video src=source controls playsinline preload="metadata"></video>
        </div>
    }
}
