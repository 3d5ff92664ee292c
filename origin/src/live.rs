//! The streams: what is live, and what viewers can be given of it. Readers never wait for a writer.

use std::{collections::HashMap, sync::Arc};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use skylark_media::{unit::RenditionId, window::Snapshot};
use skylark_protocol::{StreamId, StreamState, StreamStatus};
use tokio::sync::watch;

/// Every stream that this origin knows.
#[derive(Debug, Default)]
pub struct Live {
    streams: ArcSwap<HashMap<StreamId, Arc<LiveStream>>>,
}

impl Live {
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

    /// Whether `key` is a stream key of this stream, and not revoked.
    pub async fn owns(&self, _id: &StreamId, _key: &str) -> bool {
        false
    }
}

/// One stream: the broadcast that is on, or the last one.
#[derive(Debug)]
pub struct LiveStream {
    status: ArcSwap<StreamStatus>,
    current: ArcSwapOption<Broadcast>,
}

impl LiveStream {
    /// What the API says of it.
    #[must_use]
    pub fn status(&self) -> StreamStatus {
        self.status.load().as_ref().clone()
    }

    /// What its publisher may read: health and the error log.
    #[must_use]
    pub fn health_report(&self) -> impl serde::Serialize {
        self.status.load().health.clone()
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> StreamState {
        self.status.load().state
    }

    /// The broadcast with this id, while its media is kept.
    #[must_use]
    pub fn broadcast(&self, id: &str) -> Option<Arc<Broadcast>> {
        self.current().filter(|broadcast| broadcast.id() == id)
    }

    /// The broadcast that is on, or the last one.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Broadcast>> {
        self.current.load_full()
    }
}

/// One run of a stream, from its first media to `ended`.
#[derive(Debug)]
pub struct Broadcast {
    id: String,
    multivariant: ArcSwap<Bytes>,
    renditions: ArcSwap<Vec<(RenditionId, Arc<Rendition>)>>,
}

impl Broadcast {
    /// Its id, as it stands in media URLs.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The multivariant playlist; empty until there is a rendition to list.
    #[must_use]
    pub fn multivariant(&self) -> Bytes {
        self.multivariant.load().as_ref().clone()
    }

    /// The rendition with this id.
    #[must_use]
    pub fn rendition(&self, id: RenditionId) -> Option<Arc<Rendition>> {
        self.renditions.load().iter().find(|(known, _)| *known == id).map(|(_, rendition)| Arc::clone(rendition))
    }
}

/// One quality of a broadcast.
#[derive(Debug)]
pub struct Rendition {
    published: watch::Sender<Arc<Published>>,
}

impl Rendition {
    /// What viewers can be given now.
    #[must_use]
    pub fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published.borrow())
    }

    /// To wait for more.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<Published>> {
        self.published.subscribe()
    }
}

/// A rendition between one part and the next: rendered once, shared by all viewers.
#[derive(Debug)]
pub struct Published {
    /// Segments and parts.
    pub snapshot: Arc<Snapshot>,
    /// The media playlist.
    pub playlist: Bytes,
    /// Its delta update, if something can be skipped.
    pub delta: Option<Bytes>,
    /// Tells `playlist` from every other that this rendition had or will have (a hash of its content).
    pub etag: u64,
    /// The same for `delta`.
    pub delta_etag: u64,
}
