//! `/api/v1/streams/{id}/ws`: where a stream stands, pushed to whoever watches it. Whoever holds one open is a viewer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{
        Path, Query, Request, State,
        ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use skylark_protocol::{StreamId, StreamStatus, api::Viewers};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::{Rooms, Shared, failure::Failure};
use crate::{
    audience::Seat,
    live::{LiveStream, gate::Gate},
    places::{Place, Places},
    serve::peer::Peer,
};

/// Sessions at once.
const MAX_SESSIONS: usize = 16_384;
/// Sessions at once from one address.
const MAX_SESSIONS_PER_ADDRESS: usize = 1024;
/// Longest name of a viewer, characters.
const MAX_VIEWER_CHARS: usize = 64;
/// Largest message from a viewer, bytes: nothing that they say is needed.
const MAX_MESSAGE_BYTES: usize = 1024;
/// How often it is looked whether there is something to say.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// What only changes in a publisher's health is said so seldom.
const HEALTH_INTERVAL: Duration = Duration::from_secs(5);
/// A viewer is asked for a sign of life at this distance.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A viewer who gives no sign of life for so long is gone.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// A viewer who does not take a message for so long is gone.
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// The sessions that there may be.
#[derive(Debug, Clone)]
pub(super) struct Sessions {
    places: Places,
    /// Names those who give themselves no name.
    next: Arc<AtomicU64>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { places: Places::new(MAX_SESSIONS, MAX_SESSIONS_PER_ADDRESS), next: Arc::default() }
    }
}

/// What a viewer says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Introduction {
    /// A random name that the viewer's browser keeps, so that its tabs are one viewer.
    viewer: Option<String>,
    /// What a guest of a private stream has; who has none is told, but does not watch.
    ticket: Option<String>,
}

/// `GET /api/v1/streams/{id}/ws?viewer=…`
pub(super) async fn watch(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(introduction): Query<Introduction>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Result<Response, Failure> {
    let id: StreamId = id.parse().map_err(|_| Failure::no_such_stream())?;
    let stream = shared.rooms.live.get(&id).ok_or_else(Failure::no_such_stream)?;
    let upgrade = upgrade.map_err(|_| {
        Failure::new(StatusCode::UPGRADE_REQUIRED, "websocket-needed", "this address is for a WebSocket")
    })?;
    let (parts, _) = request.into_parts();
    let place = match Peer::of(&parts).map(|address| shared.sessions.places.enter(address)) {
        Some(None) => return Err(Failure::too_fast(SILENCE_LIMIT)),
        Some(place) => place,
        None => None,
    };
    let name = introduction.viewer.filter(|name| !name.is_empty() && name.chars().count() <= MAX_VIEWER_CHARS);
    let name = name.unwrap_or_else(|| format!("\0{}", shared.sessions.next.fetch_add(1, Ordering::Relaxed)));
    let before = match shared.rooms.streams.get(&id).await {
        Ok(owned) => Viewers { now: 0, peak: owned.peak_viewers, total: owned.total_viewers },
        Err(_) => Viewers::default(),
    };
    let stop = shared.rooms.stop.clone();
    let ticket = introduction.ticket.unwrap_or_default();
    let mut session = Session { rooms: shared.rooms, stream, ticket, seat: None, _place: place };
    if session.watches() {
        session.seat = Some(session.rooms.streams.audience().enter(&id, &name, before));
    }
    Ok(upgrade.max_message_size(MAX_MESSAGE_BYTES).on_upgrade(|socket| session.run(socket, stop)))
}

/// What a viewer was told last.
struct Said {
    at: Instant,
    status: StreamStatus,
}

struct Session {
    rooms: Rooms,
    stream: Arc<LiveStream>,
    /// What a guest of a private stream showed; empty for none.
    ticket: String,
    /// Held by whoever watches.
    seat: Option<Seat>,
    _place: Option<Place>,
}

impl Session {
    async fn run(mut self, mut socket: WebSocket, mut stop: watch::Receiver<bool>) {
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pings = interval(PING_INTERVAL);
        let (mut said, mut last_sign) = (None, Instant::now());
        let stopped = async move { _ = stop.wait_for(|stop| *stop).await };
        tokio::pin!(stopped);
        loop {
            let message = tokio::select! {
                _ = looks.tick() => match self.news(&mut said) {
                    Some(text) => Message::Text(text),
                    None => continue,
                },
                _ = pings.tick() => {
                    if last_sign.elapsed() > SILENCE_LIMIT {
                        return;
                    }
                    Message::Ping(axum::body::Bytes::new())
                }
                received = socket.recv() => match received {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => {
                        last_sign = Instant::now();
                        continue;
                    }
                },
                () = &mut stopped => Message::Close(None),
            };
            let is_last = matches!(message, Message::Close(_));
            if !matches!(timeout(SEND_LIMIT, socket.send(message)).await, Ok(Ok(()))) || is_last {
                return;
            }
        }
    }

    /// Whether whoever listens may watch, at this moment.
    fn watches(&self) -> bool {
        let now = self.rooms.live.clock().now();
        self.stream.guarded().as_deref().is_none_or(|gate: &Gate| gate.takes(&self.ticket, now))
    }

    /// Where the stream stands, if that is not what was `said` last.
    fn news(&mut self, said: &mut Option<Said>) -> Option<Utf8Bytes> {
        let mut status = self.rooms.streams.seen(self.stream.status());
        if !self.watches() {
            self.seat = None;
            status = status.for_strangers();
        }
        let is_news = said.as_ref().is_none_or(|said| {
            let same = |status: &StreamStatus| StreamStatus { now_ms: 0, health: None, ..status.clone() };
            let is_due = said.at.elapsed() >= HEALTH_INTERVAL;
            same(&said.status) != same(&status) || (is_due && said.status.health != status.health)
        });
        if !is_news {
            return None;
        }
        let text = serde_json::to_string(&status).ok()?;
        *said = Some(Said { at: Instant::now(), status });
        Some(text.into())
    }
}
