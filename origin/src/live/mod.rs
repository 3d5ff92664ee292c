//! The streams: who publishes, what is live, and what viewers can be given of it. Readers never wait for a writer.
//!
//! | module | what |
//! |---|---|
//! | [`state`] | offline, live, reconnecting, ended; who may publish: pure rules |
//! | [`stream`] | a stream as viewers and the API see it |
//! | [`gate`] | who may watch a private stream |
//! | [`broadcast`] | one run of a stream: renditions, playlists |
//! | [`writer`] | the windows' only writer: stores, then announces |
//! | [`publisher`] | the right to publish, held by one session |
//! | [`admission`] | from a key to a [`Publisher`], or a [`Refusal`] |
//! | [`config`] | what all of it depends on |
//! | [`owner`] | what a stream's owner may do to it |
//! | [`keeper`] | time passing: reconnect time-outs, retention, revoked keys, new streams, error logs |

pub mod admission;
pub mod broadcast;
pub mod config;
pub mod gate;
pub mod keeper;
pub mod owner;
pub mod publisher;
pub mod state;
pub mod stream;
pub mod writer;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use skylark_media::RenditionId;
use skylark_protocol::{StreamId, StreamState};
use tokio::sync::{Semaphore, watch};

pub use admission::Refusal;
pub use broadcast::{Broadcast, Published, Rendition};
pub use config::LiveConfig;
pub use publisher::{Publisher, Stop};
pub use stream::{HealthReport, LiveStream};

use self::{gate::Gate, keeper::ErrorQueue};
use crate::{clock::Clock, db::Db, metrics::Metrics, store::Store};

/// Every stream that this origin knows.
#[derive(Debug)]
pub struct Live {
    config: LiveConfig,
    clock: Clock,
    store: Store,
    db: Db,
    streams: ArcSwap<HashMap<StreamId, Arc<LiveStream>>>,
    /// Of all private streams, so that none is ever known without.
    gates: Mutex<BTreeMap<StreamId, Arc<Gate>>>,
    publishers: Arc<Semaphore>,
    next_session: AtomicU64,
    stopping: watch::Sender<bool>,
    metrics: Metrics,
    errors: ErrorQueue,
}

impl Live {
    /// An origin without streams; [`Live::run`] makes time pass for it.
    #[must_use]
    pub fn new(config: LiveConfig, store: Store, db: Db) -> Arc<Self> {
        Arc::new(Self {
            publishers: Arc::new(Semaphore::new(config.max_publishers)),
            config,
            clock: Clock::system(),
            store,
            db,
            streams: ArcSwap::default(),
            gates: Mutex::default(),
            next_session: AtomicU64::new(0),
            stopping: watch::Sender::new(false),
            metrics: Metrics::default(),
            errors: ErrorQueue::default(),
        })
    }

    /// The stream with this id.
    #[must_use]
    pub fn get(&self, id: &StreamId) -> Option<Arc<LiveStream>> {
        self.streams.load().get(id).cloned()
    }

    /// Streams that are live or reconnecting, in no order.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<LiveStream>> {
        let listed = |stream: &Arc<LiveStream>| matches!(stream.state(), StreamState::Live | StreamState::Reconnecting);
        self.streams.load().values().filter(|stream| listed(stream)).cloned().collect()
    }

    /// All streams, whatever their state, in no order.
    #[must_use]
    pub fn streams(&self) -> Vec<Arc<LiveStream>> {
        self.streams.load().values().cloned().collect()
    }

    /// How many streams there are, whatever their state, and how many there may be.
    #[must_use]
    pub fn occupancy(&self) -> (usize, usize) {
        (self.streams.load().len(), self.config.max_streams)
    }

    /// The clock that the streams' media is stamped with.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The server's counters.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Streams that somebody holds, and streams in each state.
    #[must_use]
    pub fn census(&self) -> Census {
        let mut census = Census::default();
        for stream in self.streams.load().values() {
            census.publishers += u64::from(stream.desk().state.is_held());
            match stream.state() {
                StreamState::Offline => census.offline += 1,
                StreamState::Live => census.live += 1,
                StreamState::Reconnecting => census.reconnecting += 1,
                StreamState::Ended => census.ended += 1,
            }
        }
        census
    }

    /// A segment that left its playlist not long ago, as far as the store has it (rfc8216bis §6.2.2).
    pub async fn late_segment(
        &self,
        stream: &LiveStream,
        broadcast: &Broadcast,
        rendition: RenditionId,
        msn: u64,
    ) -> Option<Bytes> {
        let bytes = broadcast.rendition(rendition)?.published().snapshot.retired_bytes(msn)?;
        self.store.segment(stream.id(), broadcast.id(), rendition, msn, bytes).await
    }

    /// What a stream's publisher may read of it: health and the error log.
    pub async fn health_report(&self, stream: &LiveStream) -> HealthReport {
        let status = stream.status();
        let errors = self.db.errors(stream.id()).await.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read an error log");
            Vec::new()
        });
        HealthReport { state: status.state, health: status.health, errors }
    }

    /// The stream with this id, known from now on.
    fn know(&self, id: &StreamId) -> Option<Arc<LiveStream>> {
        if let Some(known) = self.get(id) {
            return Some(known);
        }
        if self.streams.load().len() >= self.config.max_streams {
            return None;
        }
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.get(id).cloned();
        let fresh = Arc::new(LiveStream::new(id.clone(), self.clock, self.config.rules(), gate));
        self.streams.rcu(|streams| {
            let mut streams = HashMap::clone(streams);
            streams.entry(id.clone()).or_insert_with(|| Arc::clone(&fresh));
            streams
        });
        // Another task may have been quicker: theirs is the one that everybody has.
        self.get(id)
    }
}

/// How many streams are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Streams that a session holds.
    pub publishers: u64,
    /// Never published to since the start.
    pub offline: u64,
    /// Live.
    pub live: u64,
    /// Waiting for their publisher.
    pub reconnecting: u64,
    /// Over.
    pub ended: u64,
}

#[cfg(test)]
mod tests;
