//! Breaks that hosts take: pages show a card instead of the picture, while the encoder may go on sending.

use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

use skylark_protocol::{StreamId, StreamStatus, api::Phase, event::PublicKey};

use super::{Refused, Streams};
use crate::db::OwnedStream;

/// The streams whose hosts take a break, as the database has them: every status that is sent asks.
#[derive(Debug)]
pub(super) struct Paused(RwLock<HashSet<StreamId>>);

impl Paused {
    /// These are.
    pub(super) fn new(streams: Vec<StreamId>) -> Self {
        Self(RwLock::new(streams.into_iter().collect()))
    }

    /// Whether this one is.
    fn has(&self, id: &StreamId) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// This one is from now on, or is no more.
    pub(super) fn set(&self, id: &StreamId, is_paused: bool) {
        let mut streams = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if is_paused { _ = streams.insert(id.clone()) } else { _ = streams.remove(id) }
    }
}

impl Streams {
    /// Its host takes a break. It ends with [`Streams::resume`], or with the stream; a restart does not end it.
    ///
    /// # Errors
    /// When it is not live, or not the owner's.
    pub async fn pause(&self, who: &PublicKey, id: &StreamId) -> Result<OwnedStream, Refused> {
        self.set_paused(who, id, true).await
    }

    /// The break is over.
    ///
    /// # Errors
    /// When it is not live, or not the owner's.
    pub async fn resume(&self, who: &PublicKey, id: &StreamId) -> Result<OwnedStream, Refused> {
        self.set_paused(who, id, false).await
    }

    async fn set_paused(&self, who: &PublicKey, id: &StreamId, is_paused: bool) -> Result<OwnedStream, Refused> {
        let stream = self.mine_to_use(who, id).await?;
        if stream.phase() != Phase::Live {
            return Err(Refused::NotLive);
        }
        self.db.set_paused(id, is_paused).await?;
        self.paused.set(id, is_paused);
        Ok(stream)
    }

    /// A status as viewers see it: with how many they are, and whether the host takes a break.
    #[must_use]
    pub fn seen(&self, status: StreamStatus) -> StreamStatus {
        let viewers = self.audience.viewers(&status.id).map_or(0, |viewers| viewers.now);
        StreamStatus { viewers: Some(viewers), is_paused: self.paused.has(&status.id), ..status }
    }
}
