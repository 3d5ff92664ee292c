//! A stream as viewers and the API see it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use skylark_media::UnixTime;
use skylark_protocol::{Health, StreamId, StreamState, StreamStatus};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{
    broadcast::Broadcast,
    gate::Gate,
    publisher::Stop,
    state::{Rules, State},
    writer::BroadcastWriter,
};
use crate::{clock::Clock, db::LoggedError};

/// One stream: the broadcast that is on, or the last one.
#[derive(Debug)]
pub struct LiveStream {
    id: StreamId,
    clock: Clock,
    shown: ArcSwap<Shown>,
    health: ArcSwapOption<Health>,
    /// Who may watch, if not everybody.
    gate: Arc<ArcSwapOption<Gate>>,
    desk: Mutex<Desk>,
    /// Held while a part is stored and announced, and while a broadcast begins or ends.
    pub(super) writers: tokio::sync::Mutex<Writers>,
}

/// The writers of a stream's broadcasts.
#[derive(Debug, Default)]
pub(super) struct Writers {
    /// Of the one that is on.
    pub(super) current: Option<BroadcastWriter>,
    /// Of those that ended and can still be played, with the time of their end, oldest first.
    pub(super) ended: Vec<(UnixTime, BroadcastWriter)>,
}

/// What readers see, replaced as a whole.
#[derive(Debug, Clone, Default)]
struct Shown {
    state: Option<StreamState>,
    /// Id and start of the broadcast that is on, or the last one.
    last: Option<(String, UnixTime)>,
    /// Those whose media is kept, newest first; the first is the one that is on, or the last one.
    broadcasts: Vec<Arc<Broadcast>>,
}

/// Who publishes; locked only for a moment, never across an await.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) state: State,
    /// To end the session that holds the stream.
    pub(super) bell: Option<watch::Sender<Option<Stop>>>,
    /// The key that the session came with.
    pub(super) key: Option<i64>,
    /// The session's place among the publishers.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// What a publisher may read of its own stream.
#[derive(Debug, Clone, serde::Serialize)]
pub struct HealthReport {
    /// Where the stream stands.
    pub state: StreamState,
    /// What arrives, while something does.
    pub health: Option<Health>,
    /// The newest entries of the error log, newest first.
    pub errors: Vec<LoggedError>,
}

impl LiveStream {
    pub(super) fn new(id: StreamId, clock: Clock, rules: Rules, gate: Option<Arc<Gate>>) -> Self {
        Self {
            id,
            clock,
            shown: ArcSwap::default(),
            health: ArcSwapOption::empty(),
            gate: Arc::new(ArcSwapOption::new(gate)),
            desk: Mutex::new(Desk { state: State::new(rules), bell: None, key: None, place: None }),
            writers: tokio::sync::Mutex::default(),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &StreamId {
        &self.id
    }

    /// What the API says of it.
    #[must_use]
    pub fn status(&self) -> StreamStatus {
        let shown = self.shown.load();
        let state = shown.state.unwrap_or(StreamState::Offline);
        let is_private = self.gate.load().is_some();
        let playable = !is_private && !shown.broadcasts.is_empty();
        StreamStatus {
            id: self.id.clone(),
            state,
            playlist: playable.then(|| format!("/live/{}/index.m3u8", self.id)),
            broadcast: shown.last.as_ref().map(|(id, _)| id.clone()),
            started_at_ms: shown.last.as_ref().map(|(_, started_at)| started_at.as_ms()),
            now_ms: self.clock.now().as_ms(),
            health: self.health.load().as_deref().filter(|_| state == StreamState::Live).cloned(),
            viewers: None,
            is_paused: false,
            is_private,
        }
    }

    /// Who may watch, if not everybody.
    pub(super) fn gate(&self) -> Arc<ArcSwapOption<Gate>> {
        Arc::clone(&self.gate)
    }

    /// Who may watch at the moment, if not everybody.
    #[must_use]
    pub fn guarded(&self) -> arc_swap::Guard<Option<Arc<Gate>>> {
        self.gate.load()
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> StreamState {
        self.shown.load().state.unwrap_or(StreamState::Offline)
    }

    /// The broadcast with this id, while its media is kept.
    #[must_use]
    pub fn broadcast(&self, id: &str) -> Option<Arc<Broadcast>> {
        self.shown.load().broadcasts.iter().find(|broadcast| broadcast.id() == id).cloned()
    }

    /// The broadcast that is on, or the last one while its media is kept.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Broadcast>> {
        self.shown.load().broadcasts.first().cloned()
    }

    /// Locks the desk. Its rules cannot panic half-way, so what a panicking holder left is whole.
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows readers where the stream stands.
    pub(super) fn show_state(&self) {
        // Asked inside: when two show at once, what the later one finds remains.
        self.shown.rcu(|shown| Shown { state: Some(self.desk().state.stream_state()), ..Shown::clone(shown) });
    }

    /// Shows readers that this broadcast is on, in one step: a page that sees `live` finds the new broadcast.
    pub(super) fn show(&self, broadcast: &Arc<Broadcast>) {
        self.shown.rcu(|shown| {
            let mut broadcasts = vec![Arc::clone(broadcast)];
            broadcasts.extend(shown.broadcasts.iter().filter(|other| other.id() != broadcast.id()).cloned());
            Shown {
                state: Some(self.desk().state.stream_state()),
                last: Some((broadcast.id().to_owned(), broadcast.started_at())),
                broadcasts,
            }
        });
    }

    /// Readers don't see this broadcast any more.
    pub(super) fn hide(&self, id: &str) {
        self.shown.rcu(|shown| {
            let mut shown = Shown::clone(shown);
            shown.broadcasts.retain(|broadcast| broadcast.id() != id);
            shown
        });
    }

    pub(super) fn show_health(&self, health: Option<Health>) {
        self.health.store(health.map(Arc::new));
    }
}
