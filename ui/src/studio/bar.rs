//! The bar over everything: how it stands, what one should know, who streams.

use leptos::prelude::*;
use skylark_protocol::studio::{BroadcastState, Command};

use wasm_bindgen::JsCast as _;

use super::{Doors, backstage::Backstage, people::called, settings::OpenWizard, shapes, words};
use crate::{
    brand::{Icon, Mark},
    clock,
};

/// The bar.
#[component]
pub(super) fn Bar() -> impl IntoView {
    let stage = Backstage::get();
    let doors = Doors::get();
    let trouble = doors.trouble;
    let can = stage.part(|now| (now.can_undo, now.can_redo));
    view! {
        <header class="bar">
            <h1 class="bar-brand"><Mark/>"Skylark"</h1>
            <div class="tool-row">
                <button type="button" id="undo" class="tool" aria-label="Undo" title="Undo (Ctrl+Z)" disabled=move || !can.get().0 on:click=move |_| stage.act(trouble, Command::Undo)><Icon path=shapes::UNDO/></button>
                <button type="button" id="redo" class="tool" aria-label="Redo" title="Redo (Ctrl+Shift+Z)" disabled=move || !can.get().1 on:click=move |_| stage.act(trouble, Command::Redo)><Icon path=shapes::REDO/></button>
            </div>
            <span class="spacer"></span>
            <Badge/>
            <span class="spacer"></span>
            <OpenWizard/>
            <Notices/>
            <Who/>
            {move || trouble.get().map(|trouble: String| view! { <p class="trouble" role="alert">{trouble}</p> })}
        </header>
        <Show when=move || doors.is_slow.get()><p class="banner" role="status">"The Studio is slow to answer…"</p></Show>
    }
}

/// Whether viewers can watch: the origin's word.
#[component]
fn Badge() -> impl IntoView {
    let stage = Backstage::get();
    let doors = Doors::get();
    let state = stage.part(|now| match (now.broadcast.state, &now.broadcast.preflight) {
        // What was checked stays to be read, and nothing is under way.
        (BroadcastState::Preflight, Some(preflight)) if preflight.is_done => BroadcastState::Idle,
        (state, _) => state,
    });
    let facts = stage.part(|now| (now.broadcast.live_since_ms, now.broadcast.viewers));
    let is_on = move || matches!(state.get(), BroadcastState::Live | BroadcastState::Reconnecting);
    view! {
        <p class="air" id="badge" role="status" data-state=move || words::state(state.get()).0>
            <i class="lamp" aria-hidden="true"></i>
            <b>{move || words::state(state.get()).1}</b>
        </p>
        {move || is_on().then(|| view! {
            <p class="air-facts">
                <span id="duration">{move || facts.get().0.map(|since| clock::duration(doors.now_ms.get() - since as f64))}</span>
                <span>{move || match facts.get().1 { 1 => "1 viewer".to_owned(), count => format!("{count} viewers") }}</span>
            </p>
        })}
    }
}

/// A quiet list of what one should know.
#[component]
fn Notices() -> impl IntoView {
    let stage = Backstage::get();
    let open = RwSignal::new(false);
    let notices = stage.part(|now| now.notices.clone());
    let worst = move || notices.with(|notices| notices.iter().map(|notice| notice.severity).max());
    let count = move || notices.with(Vec::len);
    // As long as the window.
    let _ = window_event_listener(leptos::ev::pointerdown, move |event| {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        if target.is_none_or(|target| target.closest(".menu-root").ok().flatten().is_none()) {
            open.set(false);
        }
    });
    view! {
        <div
            class="menu-root"
            on:keydown=move |event| { if event.key() == "Escape" { open.set(false) } }
        >
            <button
                type="button"
                id="notices"
                class="tool"
                aria-label=move || format!("Notices: {}", count())
                title="Notices"
                data-worst=move || worst().map(words::severity)
                aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)
            >
                <Icon path=shapes::BELL/>
                {move || (count() > 0).then(|| view! { <i class="dot">{count()}</i> })}
            </button>
            <div class="popover" class:hidden=move || !open.get()>
                <h3>"Notices"</h3>
                <ul class="notice-list">
                    {move || notices.get().into_iter().rev().map(|notice| view! {
                        <li data-code=notice.code data-severity=words::severity(notice.severity)>
                            <i class="lamp" aria-hidden="true"></i>
                            <p>{notice.message}<small>{clock::time_of_day(u64::try_from(notice.since_ms / 1000).unwrap_or(0))}</small></p>
                        </li>
                    }).collect_view()}
                </ul>
                <Show when=move || count() == 0><p class="hint">"All is well."</p></Show>
            </div>
        </div>
        <p class="unseen" role="status">{move || notices.with(|notices| notices.last().map(|notice| notice.message.clone()))}</p>
    }
}

/// The identity that streams.
#[component]
fn Who() -> impl IntoView {
    let stage = Backstage::get();
    let doors = Doors::get();
    let card = stage.part(|now| {
        let current = now.identity.current?;
        now.identity.cards.iter().find(|card| card.pubkey == current).cloned()
    });
    view! {
        <button type="button" id="who" class="who" title="Identity" on:click=move |_| doors.settings.set(Some("identity"))>
            {move || match card.get() {
                Some(card) => {
                    let (name, letter) = called(&card);
                    view! {
                        <span class="avatar" data-tint=(card.pubkey.as_bytes()[0] % 8).to_string() aria-hidden="true">
                            {letter}
                            {card.picture.filter(|url| url.starts_with("https://")).map(|url| view! { <img src=url alt="" referrerpolicy="no-referrer"/> })}
                        </span>
                        <bdi>{name}</bdi>
                    }
                    .into_any()
                }
                None => view! { <bdi>"No identity yet"</bdi> }.into_any(),
            }}
        </button>
    }
}
