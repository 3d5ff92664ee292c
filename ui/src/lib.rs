//! The viewer site.
//!
//! | module | part |
//! |---|---|
//! | [`playback`] | what the player decides; pure, tested on the host |
//! | `player` | the page of a stream: video, controls, messages |
//! | `home` | the streams that are live |
//! | [`engine`] | hls.js and what the browser offers, as `ui/js/engine.js` wraps them |
//! | `api` | the origin's API |
//! | `brand` | logo and icons |

// Leptos' component macro makes the properties it generates public.
#![allow(unreachable_pub)]

mod api;
mod brand;
pub mod engine;
mod home;
pub mod playback;
mod player;

use leptos::prelude::*;
use skylark_protocol::StreamId;

/// Puts the site into the document's body.
pub fn mount() {
    leptos::mount::mount_to_body(|| match route(&window().location().pathname().unwrap_or_default()) {
        Route::Watch(id) => view! { <player::Watch id/> }.into_any(),
        Route::Home => view! { <home::Home/> }.into_any(),
    });
}

/// Pages of the site.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Home,
    Watch(StreamId),
}

fn route(path: &str) -> Route {
    match path.strip_prefix("/s/").map(|id| id.trim_end_matches('/').parse()) {
        Some(Ok(id)) => Route::Watch(id),
        _ => Route::Home,
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
        for path in ["/", "", "/s/", "/s/ABC", "/s/abc123def456/more"] {
            assert_eq!(route(path), Route::Home, "{path}");
        }
    }
}
