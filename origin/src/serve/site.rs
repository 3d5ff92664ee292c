//! `/`, `/s/{id}`, `/e/{naddr}`, `/embed/{id}`, `/studio-web`, `/assets/…`: the site that is embedded in the binary.

use std::{net::IpAddr, time::Duration};

use axum::{
    body::Body,
    extract::{
        Path, Request, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use skylark_protocol::{StreamId, discover::FoundEvent};
use tokio::time::timeout;

use super::{
    api::{Rooms, address},
    peer::Peer,
    preview::Preview,
};
use crate::site::{self, Asset};

/// Scripts and styles come from this origin alone. People's pictures and other people's streams come from anywhere; a
/// remote signer is reached over its own relays, and one on this machine without TLS.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data: https:; font-src 'self'; media-src 'self' blob: https:; \
     connect-src 'self' https: wss: ws://127.0.0.1:* ws://localhost:*; worker-src 'self' blob:; \
     frame-src https://www.youtube-nocookie.com https://player.twitch.tv; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The player alone, which stands in pages of any site: nobody signs in there, and nothing of others is loaded.
const EMBED_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data:; font-src 'self'; media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; \
     base-uri 'none'; form-action 'none'; frame-ancestors *";
const PERMISSIONS_POLICY: &str = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), \
     fullscreen=(self \"https://www.youtube-nocookie.com\" \"https://player.twitch.tv\"), \
     picture-in-picture=(self \"https://www.youtube-nocookie.com\" \"https://player.twitch.tv\"), \
     autoplay=(self \"https://www.youtube-nocookie.com\" \"https://player.twitch.tv\")";
/// How long a page waits for what its head is to say of a live event of another server.
const PREVIEW_PATIENCE: Duration = Duration::from_millis(800);
/// Asset names carry a hash of their content.
const ASSET_CACHE: &str = "public, max-age=31536000, immutable";
/// The page names the assets of this version of the site.
const PAGE_CACHE: &str = "no-cache";

/// The viewers' page.
const INDEX: &str = "index.html";
/// The page of a live event of another server.
const EVENT: &str = "event.html";

/// What a relay describes itself as (NIP-11).
const RELAY_INFORMATION: &str = "application/nostr+json";

/// `GET /`: to browsers the site, to Nostr clients the relay.
pub(super) async fn home(
    State(rooms): State<Rooms>,
    parts: Parts,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let headers = &parts.headers;
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match upgrade {
        Ok(upgrade) => {
            let address = Peer::of(&parts).unwrap_or(IpAddr::from([0; 4]));
            rooms.relay.welcome(upgrade, header(header::HOST).to_owned(), address)
        }
        Err(_) if header(header::ACCEPT).contains(RELAY_INFORMATION) => relay_information(&rooms),
        Err(_) => {
            let mut response = page("discover.html", StatusCode::OK, headers);
            response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
            response
        }
    }
}

fn relay_information(rooms: &Rooms) -> Response {
    let mut response = Response::new(Body::from(rooms.relay.information()));
    for (name, value) in [
        (header::CONTENT_TYPE, RELAY_INFORMATION),
        (header::VARY, "Accept"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, OPTIONS"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `GET /s/{id}`: the page says itself what became of the stream; caches and crawlers go by the status.
pub(super) async fn watch(State(rooms): State<Rooms>, Path(id): Path<String>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let Some(id) = known(&rooms, &id) else { return page(INDEX, StatusCode::NOT_FOUND, &parts.headers) };
    // Without the database the page still plays.
    let event = rooms.discovery.card(&id).await.ok().flatten();
    page_about(INDEX, event.as_ref(), &rooms, &parts)
}

/// `GET /e/{naddr}`: a live event, whoever announced it.
pub(super) async fn event(State(rooms): State<Rooms>, Path(naddr): Path<String>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let Ok(Some(address)) = address(&naddr) else { return page(EVENT, StatusCode::NOT_FOUND, &parts.headers) };
    // The page itself looks further: the browser can ask the relays that the link names.
    let event = timeout(PREVIEW_PATIENCE, rooms.discovery.find(&address)).await;
    page_about(EVENT, event.ok().and_then(Result::ok).as_ref(), &rooms, &parts)
}

/// `GET /embed/{id}`: the player alone, for pages of any site.
pub(super) async fn embed(State(rooms): State<Rooms>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let status = if known(&rooms, &id).is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let mut response = page(INDEX, status, &headers);
    let policy = HeaderValue::from_static(EMBED_SECURITY_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response.headers_mut().remove(header::X_FRAME_OPTIONS);
    response
}

fn known(rooms: &Rooms, id: &str) -> Option<StreamId> {
    id.parse().ok().filter(|id| rooms.live.get(id).is_some())
}

/// A page whose head says what it is about, if that is known.
fn page_about(name: &str, event: Option<&FoundEvent>, rooms: &Rooms, parts: &Parts) -> Response {
    let written = event.and_then(|event| {
        let html = std::str::from_utf8(site::get(name)?.bytes).ok()?;
        Preview::of(event, &rooms.site, parts).written_into(html)
    });
    let mut response = page(name, StatusCode::OK, &parts.headers);
    if let Some(html) = written.filter(|_| response.status() == StatusCode::OK) {
        response.headers_mut().remove(header::CONTENT_ENCODING);
        *response.body_mut() = Body::from(html);
    }
    response
}

/// `GET /studio-web`: where streamers are at home.
pub(super) async fn dashboard(headers: HeaderMap) -> Response {
    page("dashboard.html", StatusCode::OK, &headers)
}

/// `GET /assets/{file}`
pub(super) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match site::get(&format!("assets/{path}")) {
        Some(asset) => send(asset, &headers, ASSET_CACHE),
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}

fn page(name: &str, status: StatusCode, headers: &HeaderMap) -> Response {
    let Some(index) = site::get(name) else {
        return (StatusCode::NOT_FOUND, "this origin was built without its site\n").into_response();
    };
    let mut response = send(index, headers, PAGE_CACHE);
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    for (name, value) in [
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("permissions-policy", PERMISSIONS_POLICY),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The smallest form of `asset` that the browser takes.
fn send(asset: &'static Asset, headers: &HeaderMap, cache: &'static str) -> Response {
    let accepts = |coding| accepts(headers, coding);
    let (bytes, coding) = match (asset.brotli, asset.gzip) {
        (Some(brotli), _) if accepts("br") => (brotli, Some("br")),
        (_, Some(gzip)) if accepts("gzip") => (gzip, Some("gzip")),
        _ => (asset.bytes, None),
    };
    let mut response = Response::new(Body::from(Bytes::from_static(bytes)));
    let answered = response.headers_mut();
    answered.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    answered.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    answered.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(coding) = coding {
        answered.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

/// Whether `Accept-Encoding` allows `coding` (RFC 9110 §12.5.3).
pub(super) fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(|list| {
        list.split(',').any(|one| {
            let mut words = one.split(';').map(str::trim);
            let refused = |weight: &str| weight.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
            words.next().is_some_and(|name| name.eq_ignore_ascii_case(coding)) && !words.any(refused)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_sent_only_to_those_who_take_them() {
        let with =
            |value: &'static str| HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
        assert!(accepts(&with("gzip, deflate, br, zstd"), "br"));
        assert!(accepts(&with("gzip;q=1.0, BR;q=0.5"), "br"));
        assert!(!accepts(&with("gzip, br;q=0"), "br"));
        assert!(!accepts(&with("brotli"), "br"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }
}
