//! The viewer site.
//!
//! | module | part |
//! |---|---|
//! | [`playback`] | what the player decides; pure, tested on the host |
//! | `player` | the page of a stream: video, controls, messages |
//! | `chat` | what is said beside it |
//! | `discover` | the front page; a program of its own |
//! | `event` | a live event of another server; a program of its own |
//! | `dashboard` | a streamer's own streams; a program of its own |
//! | `studio` | the Studio's window; a program of its own |
//! | `identity` | who has signed in; keys are in JavaScript, in `ui/identity` |
//! | `details`, `picture` | what a streamer says of a stream, and its small picture |
//! | `share` | how to pass a stream on |
//! | `relay`, `profiles` | the origin's relay; names and pictures of people |
//! | [`engine`] | hls.js and what the browser offers, as `ui/js/engine.js` wraps them |
//! | `api` | the origin's API |
//! | `clock`, `brand` | dates and times; logo and icons |

// Leptos' component macro makes the properties it generates public.
#![allow(unreachable_pub)]

mod api;
mod brand;
mod chat;
mod clock;
mod dashboard;
mod details;
mod discover;
pub mod engine;
mod event;
mod identity;
mod picture;
pub mod playback;
mod player;
mod profiles;
mod relay;
mod share;
mod studio;

use leptos::prelude::*;
use skylark_protocol::StreamId;

/// Puts the site into the document's body.
pub fn mount() {
    let path = window().location().pathname().unwrap_or_default();
    leptos::mount::mount_to_body(move || {
        provide();
        let page = match route(&path) {
            Route::Watch(id) => view! { <player::Watch id/> }.into_any(),
            Route::Embed(id) => view! { <player::Embed id/> }.into_any(),
            Route::Unknown => view! { <player::NotFound/> }.into_any(),
        };
        view! { {page} <identity::SignIn/> }
    });
}

/// Puts the streamers' page into the document's body.
pub fn mount_dashboard() {
    leptos::mount::mount_to_body(|| {
        provide();
        view! { <dashboard::Dashboard/> <identity::SignIn/> }
    });
}

/// Puts the page of a live event into the document's body.
pub fn mount_event() {
    let path = window().location().pathname().unwrap_or_default();
    let naddr = path.trim_start_matches("/e/").trim_end_matches('/').to_owned();
    leptos::mount::mount_to_body(move || {
        provide();
        view! { <event::EventPage naddr/> <identity::SignIn/> }
    });
}

/// Puts the front page into the document's body.
pub fn mount_discover() {
    leptos::mount::mount_to_body(|| {
        provide();
        view! { <discover::Discover/> <identity::SignIn/> }
    });
}

/// Puts the Studio into its window.
pub fn mount_studio() {
    leptos::mount::mount_to_body(|| view! { <studio::Studio/> });
}

/// Gives what all pages share to the components below.
fn provide() {
    identity::Identity::provide();
    relay::Relay::provide();
    profiles::Profiles::provide();
}

/// Pages of the viewers' program.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Unknown,
    Watch(StreamId),
    Embed(StreamId),
}

fn route(path: &str) -> Route {
    let id = |start| path.strip_prefix(start).and_then(|id: &str| id.trim_end_matches('/').parse().ok());
    match (id("/s/"), id("/embed/")) {
        (Some(id), _) => Route::Watch(id),
        (_, Some(id)) => Route::Embed(id),
        _ => Route::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_pages() {
        let id: StreamId = "abc123def456".parse().unwrap();
        assert_eq!(route("/s/abc123def456"), Route::Watch(id.clone()));
        assert_eq!(route("/s/abc123def456/"), Route::Watch(id));
        let embed = route("/embed/abc123def456");
        assert_eq!(embed, Route::Embed("abc123def456".parse().unwrap()));
        for path in ["/", "", "/s/", "/s/ABC", "/s/abc123def456/more"] {
            assert_eq!(route(path), Route::Unknown, "{path}");
        }
    }
}
