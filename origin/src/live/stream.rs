//! A stream as viewers and the API see it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use skylark_protocol::{Health, StreamId, StreamState, StreamStatus};
use tokio::sync::watch;

use super::{
    broadcast::Broadcast,
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
    desk: Mutex<Desk>,
    /// Held while a part is stored and announced, and while a broadcast begins or ends.
    pub(super) writer: tokio::sync::Mutex<Option<BroadcastWriter>>,
}

/// What readers see, replaced as a whole.
#[derive(Debug, Default)]
struct Shown {
    state: Option<StreamState>,
    /// Newest first; the first is the one that is on, or the last one.
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
    pub(super) fn new(id: StreamId, clock: Clock, rules: Rules) -> Self {
        Self {
            id,
            clock,
            shown: ArcSwap::default(),
            health: ArcSwapOption::empty(),
            desk: Mutex::new(Desk { state: State::new(rules), bell: None, key: None }),
            writer: tokio::sync::Mutex::new(None),
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
        let current = shown.broadcasts.first();
        StreamStatus {
            id: self.id.clone(),
            state,
            playlist: current.map(|_| format!("/live/{}/index.m3u8", self.id)),
            broadcast: current.map(|broadcast| broadcast.id().to_owned()),
            started_at_ms: current.map(|broadcast| broadcast.started_at().as_ms()),
            now_ms: self.clock.now().as_ms(),
            health: self.health.load().as_deref().filter(|_| state == StreamState::Live).cloned(),
        }
    }

    /// What its publisher may read: health and the error log.
    #[must_use]
    pub fn health_report(&self) -> HealthReport {
        let status = self.status();
        HealthReport { state: status.state, health: status.health, errors: Vec::new() }
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
        let state = self.desk().state.stream_state();
        self.shown.rcu(|shown| Shown { state: Some(state), broadcasts: shown.broadcasts.clone() });
    }

    /// Shows readers a broadcast, before all others.
    pub(super) fn show_broadcast(&self, broadcast: &Arc<Broadcast>) {
        self.shown.rcu(|shown| {
            let mut broadcasts = vec![Arc::clone(broadcast)];
            broadcasts.extend(shown.broadcasts.iter().filter(|other| other.id() != broadcast.id()).cloned());
            Shown { state: shown.state, broadcasts }
        });
    }

    /// Readers don't see this broadcast any more.
    pub(super) fn hide_broadcast(&self, id: &str) {
        self.shown.rcu(|shown| Shown {
            state: shown.state,
            broadcasts: shown.broadcasts.iter().filter(|other| other.id() != id).cloned().collect(),
        });
    }

    pub(super) fn show_health(&self, health: Option<Health>) {
        self.health.store(health.map(Arc::new));
    }
}
