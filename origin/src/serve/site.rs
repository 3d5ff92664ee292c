//! `/`, `/s/{id}`, `/studio-web`, `/assets/…`: the site that is embedded in the binary.

use std::net::IpAddr;

use axum::{
    body::Body,
    extract::{
        Path, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use skylark_protocol::StreamId;

use super::{api::Rooms, peer::Peer};
use crate::site::{self, Asset};

/// Scripts and styles come from this origin alone. People's pictures and other people's streams come from anywhere; a
/// remote signer is reached over its own relays, and one on this machine without TLS.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data: https:; font-src 'self'; media-src 'self' blob: https:; \
     connect-src 'self' https: wss: ws://127.0.0.1:* ws://localhost:*; worker-src 'self' blob:; \
     frame-src https://www.youtube-nocookie.com https://player.twitch.tv; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PERMISSIONS_POLICY: &str = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), \
     fullscreen=(self), picture-in-picture=(self), autoplay=(self)";
/// Asset names carry a hash of their content.
const ASSET_CACHE: &str = "public, max-age=31536000, immutable";
/// The page names the assets of this version of the site.
const PAGE_CACHE: &str = "no-cache";

/// The viewers' page.
const INDEX: &str = "index.html";

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
pub(super) async fn watch(State(rooms): State<Rooms>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let known = id.parse::<StreamId>().is_ok_and(|id| rooms.live.get(&id).is_some());
    page(INDEX, if known { StatusCode::OK } else { StatusCode::NOT_FOUND }, &headers)
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
