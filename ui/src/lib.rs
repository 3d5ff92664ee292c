//! The viewer site.
//!
//! | module | part |
//! |---|---|
//! | [`playback`] | what the player decides; pure, tested on the host |
//! | `player` | the page of a stream: video, controls, messages |
//! | `chat` | what is said beside it |
//! | `discover` | the front page; a program of its own |
//! | `dashboard` | a streamer's own streams; a program of its own |
//! | `studio` | the Studio's window |
//! | `identity` | who has signed in; keys are in JavaScript, in `ui/identity` |
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
mod discover;
pub mod engine;
mod identity;
pub mod playback;
mod player;
mod profiles;
mod relay;
mod studio;

use leptos::prelude::*;
use skylark_protocol::StreamId;

/// Puts the site into the document's body.
pub fn mount() {
    let location = window().location();
    let (origin, path) = (location.origin().unwrap_or_default(), location.pathname().unwrap_or_default());
    leptos::mount::mount_to_body(move || {
        provide();
        let page = match route(&origin, &path) {
            Route::Studio => view! { <studio::Studio/> }.into_any(),
            Route::Watch(id) => view! { <player::Watch id/> }.into_any(),
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

/// Puts the front page into the document's body.
pub fn mount_discover() {
    leptos::mount::mount_to_body(|| {
        provide();
        view! { <discover::Discover/> <identity::SignIn/> }
    });
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
    Studio,
    Watch(StreamId),
}

/// `origin` is that of the page: in the Studio's window one of its own kind.
fn route(origin: &str, path: &str) -> Route {
    if matches!(origin, "tauri://localhost" | "http://tauri.localhost" | "https://tauri.localhost") {
        return Route::Studio;
    }
    match path.strip_prefix("/s/").map(|id| id.trim_end_matches('/').parse()) {
        Some(Ok(id)) => Route::Watch(id),
        _ => Route::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_pages() {
        let id: StreamId = "abc123def456".parse().unwrap();
        assert_eq!(route("https://a.tv", "/s/abc123def456"), Route::Watch(id.clone()));
        assert_eq!(route("http://localhost", "/s/abc123def456/"), Route::Watch(id));
        for path in ["/", "", "/s/", "/s/ABC", "/s/abc123def456/more"] {
            assert_eq!(route("http://127.0.0.1:8080", path), Route::Unknown, "{path}");
        }
        assert_eq!(route("tauri://localhost", "/"), Route::Studio);
    }
}
