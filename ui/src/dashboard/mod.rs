//! `/studio-web`: what a streamer does whose encoder is OBS or another program.
//!
//! | module | part |
//! |---|---|
//! | `details` | what a streamer says of a stream: the form |
//! | `access` | where and how to publish |
//! | `announcer` | the live event that tells the world, and its end |
//! | `guests` | whom the host of a private stream lets in |
//! | `desk` | one stream: picture, health, chat, going live and ending |
//! | `order`, `reports` | order in its chat; what viewers object to |
//! | `relays` | outside relays that carry it |
//! | `picture` | its small picture |

mod access;
mod announcer;
mod desk;
mod details;
mod guests;
mod order;
mod picture;
mod relays;
mod reports;

use std::time::Duration;

use leptos::prelude::*;
use skylark_protocol::{
    StreamId,
    api::{CreatedStream, Phase, Stream, StreamAccess, StreamDetails},
    event::PublicKey,
};

use crate::{
    api,
    brand::{Header, Icon, shapes},
    clock,
    identity::{AccountMenu, Identity},
};
use desk::Desk;
use details::DetailsForm;

/// The page's address.
const PATH: &str = "/studio-web";
/// What the address asks for, before the id of a stream.
const STREAM_QUERY: &str = "?stream=";

/// Does something again and again, as long as the part of the page is there.
fn every(interval: Duration, act: impl Fn() + 'static) {
    let ticking = set_interval_with_handle(act, interval);
    on_cleanup(move || {
        if let Ok(handle) = ticking {
            handle.clear();
        }
    });
}

/// A stream on the desk; with its key when it was made a moment ago.
type Chosen = (StreamId, Option<StreamAccess>);

/// The page.
#[component]
pub(crate) fn Dashboard() -> impl IntoView {
    let identity = Identity::get();
    let query = window().location().search().unwrap_or_default();
    let asked = query.strip_prefix(STREAM_QUERY).and_then(|id| id.parse::<StreamId>().ok());
    let chosen = RwSignal::new(asked.map(|id| (id, None::<StreamAccess>)));
    document().set_title("Your streams · Skylark");
    view! {
        <div class="page">
            <Header><AccountMenu/></Header>
            {move || match (identity.pubkey(), chosen.get()) {
                (None, _) => view! { <Welcome identity/> }.into_any(),
                (Some(me), None) => view! { <Streams me identity chosen/> }.into_any(),
                (Some(me), Some((id, access))) => view! { <Desk id me access/> }.into_any(),
            }}
        </div>
    }
}

#[component]
fn Welcome(identity: Identity) -> impl IntoView {
    view! {
        <main class="home">
            <div class="empty">
                <div class="message-art"><Icon path=shapes::BROADCAST/></div>
                <h1>"Your streams are yours"</h1>
                <p>"Sign in with your Nostr key to set up a stream and go live from OBS."</p>
                <button type="button" id="dashboard-sign-in" class="pill primary" on:click=move |_| identity.ask()>
                    "Sign in"
                </button>
            </div>
        </main>
    }
}

#[component]
fn Streams(me: PublicKey, identity: Identity, chosen: RwSignal<Option<Chosen>>) -> impl IntoView {
    let streams = RwSignal::new(None::<Vec<Stream>>);
    let trouble = RwSignal::new(None::<String>);
    leptos::task::spawn_local(async move {
        match api::streams_of(identity, &me).await {
            Ok(found) => _ = streams.try_set(Some(found)),
            Err(error) => {
                let sentence = format!("Your streams could not be loaded. Reload the page to try again. {error}");
                _ = trouble.try_set(Some(sentence));
            }
        }
    });
    let create = Callback::new(move |details: StreamDetails| {
        leptos::task::spawn_local(async move {
            let made = api::signed::<CreatedStream>(identity, "POST", "/api/v1/streams/create", &details).await;
            match made {
                Ok(CreatedStream { stream, access }) => {
                    // A reload comes back to this stream; its key is shown this once.
                    let address = format!("{PATH}{STREAM_QUERY}{}", stream.id);
                    window()
                        .history()
                        .and_then(|history| history.replace_state_with_url(&"".into(), "", Some(&address)))
                        .ok();
                    chosen.set(Some((stream.id, Some(access))));
                }
                Err(error) => _ = trouble.try_set(Some(error)),
            }
        });
    });
    view! {
        <main class="home dashboard-home">
            <section class="panel" aria-labelledby="new-stream">
                <h1 id="new-stream">"New stream"</h1>
                <DetailsForm details=StreamDetails::default() action="Create stream" may_schedule=true save=create/>
                <p class="trouble" role="alert">{move || trouble.get()}</p>
            </section>
            <section class="panel" aria-labelledby="my-streams">
                <h2 id="my-streams">"Your streams"</h2>
                {move || match streams.get() {
                    None => ().into_any(),
                    Some(found) if found.is_empty() => view! { <p class="notice">"None yet."</p> }.into_any(),
                    Some(found) => view! {
                        <ul class="rows">{found.into_iter().map(|stream| view! { <Row stream/> }).collect_view()}</ul>
                    }
                    .into_any(),
                }}
            </section>
        </main>
    }
}

#[component]
fn Row(stream: Stream) -> impl IntoView {
    let (phase, when) = match stream.phase {
        Phase::Live => ("Live", stream.started_at_ms),
        Phase::Ended => ("Ended", stream.ended_at_ms),
        Phase::Planned => ("Planned", stream.details.starts_at_s.and_then(|at| i64::try_from(at * 1000).ok())),
    };
    let when = when.and_then(|at_ms| u64::try_from(at_ms / 1000).ok()).map(clock::day_and_time);
    view! {
        <li>
            <a class="row" href=format!("{PATH}{STREAM_QUERY}{}", stream.id)>
                <span class="phase" data-phase=phase.to_lowercase()>{phase}</span>
                <bdi class="clamp">{stream.details.title}</bdi>
                <span class="count">{when}</span>
            </a>
        </li>
    }
}
