//! What viewers can be given of a broadcast.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use skylark_media::{UnixTime, unit::RenditionId, window::Snapshot};
use tokio::sync::watch;

use super::gate::Epochs;

/// One run of a stream, from its first media to `ended`.
#[derive(Debug)]
pub struct Broadcast {
    id: String,
    started_at: UnixTime,
    multivariant: ArcSwap<Bytes>,
    renditions: ArcSwap<Vec<(RenditionId, Arc<Rendition>)>>,
}

impl Broadcast {
    pub(super) fn new(id: String, started_at: UnixTime) -> Self {
        Self { id, started_at, multivariant: ArcSwap::default(), renditions: ArcSwap::default() }
    }

    /// Its id, as it stands in media URLs.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When its first media arrived.
    #[must_use]
    pub fn started_at(&self) -> UnixTime {
        self.started_at
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

    pub(super) fn show_multivariant(&self, playlist: Bytes) {
        self.multivariant.store(Arc::new(playlist));
    }

    pub(super) fn show_renditions(&self, renditions: Vec<(RenditionId, Arc<Rendition>)>) {
        self.renditions.store(Arc::new(renditions));
    }
}

/// One quality of a broadcast.
#[derive(Debug)]
pub struct Rendition {
    published: watch::Sender<Arc<Published>>,
}

impl Rendition {
    pub(super) fn new(published: Published) -> Self {
        Self { published: watch::Sender::new(Arc::new(published)) }
    }

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

    pub(super) fn publish(&self, published: Published) {
        self.published.send_replace(Arc::new(published));
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
    /// What a private stream's media is asked for with.
    pub epochs: Epochs,
}

impl Published {
    pub(super) fn new(snapshot: Arc<Snapshot>, epochs: Epochs, playlist: String, delta: Option<String>) -> Self {
        Self {
            snapshot,
            etag: etag(&playlist),
            delta_etag: delta.as_deref().map_or(0, etag),
            playlist: Bytes::from(playlist),
            delta: delta.map(Bytes::from),
            epochs,
        }
    }
}

/// FNV-1a, 64 bits: the same for the same text after a restart, too.
fn etag(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
