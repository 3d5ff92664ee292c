//! The streams: who publishes, what is live, and what viewers can be given of it. Readers never wait for a writer.
//!
//! | module | what |
//! |---|---|
//! | [`state`] | offline, live, reconnecting, ended; who may publish: pure rules |
//! | [`stream`] | a stream as viewers and the API see it |
//! | [`broadcast`] | one run of a stream: renditions, playlists |
//! | [`writer`] | the windows' only writer: stores, then announces |
//! | [`publisher`] | the right to publish, held by one session |
//! | [`admission`] | from a key to a [`Publisher`], or a [`Refusal`] |
//! | [`keeper`] | time passing: reconnect time-outs, retention, revoked keys, new streams |

pub mod admission;
pub mod broadcast;
pub mod keeper;
pub mod publisher;
pub mod state;
pub mod stream;
pub mod writer;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU64},
};

use arc_swap::ArcSwap;
use skylark_protocol::{StreamId, StreamState};
use tokio::sync::{Semaphore, watch};

pub use admission::Refusal;
pub use broadcast::{Broadcast, Published, Rendition};
pub use keeper::LiveConfig;
pub use publisher::{Publisher, Stop};
pub use stream::LiveStream;

use crate::{clock::Clock, db::Db, store::Store};

/// Every stream that this origin knows.
#[derive(Debug)]
pub struct Live {
    config: LiveConfig,
    clock: Clock,
    store: Store,
    db: Db,
    streams: ArcSwap<HashMap<StreamId, Arc<LiveStream>>>,
    publishers: Arc<Semaphore>,
    next_session: AtomicU64,
    stopping: watch::Sender<bool>,
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
            next_session: AtomicU64::new(0),
            stopping: watch::Sender::new(false),
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

    /// The clock that the streams' media is stamped with.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The stream with this id, known from now on.
    fn know(&self, id: &StreamId) -> Arc<LiveStream> {
        if let Some(known) = self.get(id) {
            return known;
        }
        let fresh = Arc::new(LiveStream::new(id.clone(), self.clock, self.config.rules()));
        self.streams.rcu(|streams| {
            let mut streams = HashMap::clone(streams);
            streams.entry(id.clone()).or_insert_with(|| Arc::clone(&fresh));
            streams
        });
        // Another task may have been quicker: theirs is the one that everybody has.
        self.get(id).unwrap_or(fresh)
    }
}
