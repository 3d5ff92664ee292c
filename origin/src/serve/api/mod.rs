//! `/api/v1/…`, `/healthz`, `/readyz`, `/metrics`: what programs ask.
//!
//! | module | what |
//! |---|---|
//! | `streams` | streams that belong to a Nostr key |
//! | `watch` | where a stream stands, pushed |
//! | `discover` | live events to be found, and one by its address |
//! | `multitrack` | what OBS is to send when it sends several qualities |
//! | `caller` | who calls (NIP-98), and how often |
//! | `site_url` | under which address this server is known |
//! | `failure` | errors |
//! | `openapi` | the description of all this |

mod caller;
mod discover;
mod failure;
mod multitrack;
mod openapi;
mod site_url;
mod streams;
mod watch;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRef, Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use skylark_protocol::{LiveStreams, StreamId, StreamStatus, mirror::OutsideRelays};
use tokio::sync::watch::Receiver;

pub(super) use discover::address;
pub use site_url::SiteUrl;

use self::{caller::Callers, failure::Failure, watch::Sessions};
use super::{counters::Counters, site};
use crate::{
    discovery::Discovery,
    live::{Live, LiveStream},
    metrics::Page,
    mirror::Mirror,
    relay::Relay,
    streams::{Refused, Streams, guests::Visitor},
};

/// Largest body of a request to the API, bytes.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// A question that `/readyz` asks before it says yes: `Err` says in a few words what is wrong.
pub type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// The ports that publishers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestPorts {
    /// RTMP.
    pub rtmp: u16,
    /// SRT.
    pub srt: u16,
}

/// What the handlers read.
#[derive(Clone)]
pub struct Rooms {
    /// The streams.
    pub live: Arc<Live>,
    /// The relay.
    pub relay: Arc<Relay>,
    /// The outside relays.
    pub mirror: Arc<Mirror>,
    /// Streams that belong to a Nostr key.
    pub streams: Arc<Streams>,
    /// Live events to be found.
    pub discovery: Arc<Discovery>,
    /// Under which address this server is known.
    pub site: SiteUrl,
    /// Where publishers are taken.
    pub ingest: IngestPorts,
    /// Signed requests that one key may send in a minute.
    pub requests_per_minute: u32,
    /// Becomes true when the server stops.
    pub stop: Receiver<bool>,
    /// What has to be in order for `/readyz`, each with its name.
    pub probes: Arc<[(&'static str, Probe)]>,
    /// What `/metrics` begins with: the counts of the other rooms.
    pub metrics: Arc<dyn Fn() -> Page + Send + Sync>,
}

impl fmt::Debug for Rooms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Rooms").field("live", &self.live).finish_non_exhaustive()
    }
}

/// What the router's handlers share.
#[derive(Clone)]
struct Shared {
    rooms: Rooms,
    counters: Arc<Counters>,
    callers: Arc<Callers>,
    sessions: Sessions,
}

impl FromRef<Shared> for Rooms {
    fn from_ref(shared: &Shared) -> Self {
        shared.rooms.clone()
    }
}

/// Everything but media.
pub(super) fn router(rooms: Rooms, counters: Arc<Counters>) -> Router {
    let api = Router::new()
        .nest("/streams", streams::routes())
        .route("/openapi.json", get(openapi::document))
        .route("/relays", get(relays))
        .route("/multitrack", post(multitrack::configure))
        .route("/discover", get(discover::discover))
        .route("/events/{naddr}", get(discover::event))
        .route("/streams/live", get(live_streams))
        .route("/streams/{id}/ws", get(watch::watch))
        .route("/streams/{id}/status", get(status))
        .route("/streams/{id}/health", get(health))
        .method_not_allowed_fallback(|| async {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this address does not take this method")
        })
        .fallback(|| async { Failure::new(StatusCode::NOT_FOUND, "not-found", "there is nothing at this address") })
        .layer(map_response(open_to_all_sites));
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(|| async { plain(StatusCode::OK, "ok\n") }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/", get(site::home))
        .route("/s/{id}", get(site::watch))
        .route("/e/{naddr}", get(site::event))
        .route("/embed/{id}", get(site::embed))
        .route("/studio-web", get(site::dashboard))
        .route("/assets/{*path}", get(site::asset))
        .fallback(|| async { plain(StatusCode::NOT_FOUND, "not found\n") })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Shared {
            callers: Arc::new(Callers::new(rooms.requests_per_minute)),
            rooms,
            counters,
            sessions: Sessions::default(),
        })
}

/// `GET /api/v1/streams/live`: whoever is live, but for previews and private streams.
async fn live_streams(State(rooms): State<Rooms>) -> Result<Json<LiveStreams>, Failure> {
    let live = rooms.live.list();
    let ids: Vec<_> = live.iter().map(|stream| stream.id().clone()).collect();
    let previews = rooms.streams.previews(&ids).await?;
    let shown = live.iter().filter(|stream| stream.guarded().is_none() && !previews.contains(stream.id()));
    let mut streams: Vec<_> = shown.map(|stream| rooms.streams.seen(stream.status())).collect();
    streams.sort_by_key(|status| std::cmp::Reverse(status.started_at_ms));
    Ok(Json(LiveStreams { streams }))
}

/// `GET /api/v1/relays`: how it goes with the outside relays.
async fn relays(State(rooms): State<Rooms>) -> Result<Json<OutsideRelays>, Failure> {
    Ok(Json(rooms.mirror.relays().await.map_err(Refused::Db)?))
}

async fn status(
    State(rooms): State<Rooms>,
    Path(id): Path<String>,
    visitor: Visitor,
) -> Result<Json<StreamStatus>, Failure> {
    let stream = find(&rooms, &id)?;
    let status = rooms.streams.seen(stream.status());
    let is_guest = stream.guarded().as_deref().is_none_or(|gate| visitor.passes(gate, rooms.live.clock().now()));
    Ok(Json(if is_guest { status } else { status.for_strangers() }))
}

async fn health(State(rooms): State<Rooms>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Failure> {
    const CHALLENGE: &str = "Bearer";
    let key = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(CHALLENGE))
        .map(|(_, key)| key.trim())
        .ok_or_else(|| {
            Failure::unauthorized(CHALLENGE, "key-needed", "send the stream key: Authorization: Bearer <key>")
        })?;
    let id: StreamId = id.parse().map_err(|_| Failure::no_such_stream())?;
    if !rooms.live.owns(&id, key).await {
        return Err(Failure::unauthorized(CHALLENGE, "wrong-key", "this key does not belong to this stream"));
    }
    let stream = find(&rooms, id.as_str())?;
    Ok(Json(rooms.live.health_report(&stream).await).into_response())
}

fn find(rooms: &Rooms, id: &str) -> Result<Arc<LiveStream>, Failure> {
    id.parse().ok().and_then(|id| rooms.live.get(&id)).ok_or_else(Failure::no_such_stream)
}

async fn readyz(State(rooms): State<Rooms>) -> Response {
    let mut wrong = String::new();
    for (name, probe) in rooms.probes.iter() {
        if let Err(reason) = probe().await {
            wrong.push_str(&format!("{name}: {reason}\n"));
        }
    }
    if wrong.is_empty() { plain(StatusCode::OK, "ready\n") } else { plain(StatusCode::SERVICE_UNAVAILABLE, wrong) }
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let mut page = (shared.rooms.metrics)();
    shared.counters.render(&mut page);
    let mut response = page.finish().into_response();
    let value = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn plain(status: StatusCode, text: impl IntoResponse) -> Response {
    let mut response = (status, text).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What the API says is public (or needs a key that no browser sends by itself), and of this moment.
async fn open_to_all_sites(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
