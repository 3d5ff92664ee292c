//! Who watches: the open sessions of each stream. A viewer with many tabs is one viewer, and so is each of many viewers
//! behind one address: what counts is the token that a page keeps.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use skylark_protocol::{StreamId, api::Viewers};

/// Viewers of one stream that are told apart; beyond it the total is not exact.
const MAX_SEEN: usize = 100_000;

/// The viewers of all streams.
#[derive(Debug, Default)]
pub struct Audience {
    rooms: Mutex<HashMap<StreamId, Room>>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Room {
    /// Viewers, and how many sessions each has open.
    open: HashMap<u64, u32>,
    /// Viewers so far.
    seen: HashSet<u64>,
    viewers: Viewers,
}

/// A viewer's place; it is free again when this is dropped.
#[derive(Debug)]
pub struct Seat {
    audience: Arc<Audience>,
    stream: StreamId,
    viewer: u64,
}

impl Audience {
    /// A viewer comes in. `token` is what the viewer's page calls itself in all of its tabs; `before` is what is known
    /// of the stream from before the server started.
    pub fn enter(self: &Arc<Self>, stream: &StreamId, token: &str, before: Viewers) -> Seat {
        let viewer = self.hasher.hash_one(token);
        let mut rooms = self.rooms();
        let room = rooms.entry(stream.clone()).or_insert_with(|| Room { viewers: before, ..Room::default() });
        *room.open.entry(viewer).or_insert(0) += 1;
        room.viewers.now = room.open.len() as u64;
        room.viewers.peak = room.viewers.peak.max(room.viewers.now);
        if room.seen.len() < MAX_SEEN && room.seen.insert(viewer) {
            room.viewers.total += 1;
        }
        Seat { audience: Arc::clone(self), stream: stream.clone(), viewer }
    }

    /// Who watches a stream; `None` when nobody did since the server started.
    #[must_use]
    pub fn viewers(&self, stream: &StreamId) -> Option<Viewers> {
        self.rooms().get(stream).map(|room| room.viewers)
    }

    /// Forgets a stream's viewers; those who are there may stay.
    pub fn forget(&self, stream: &StreamId) {
        self.rooms().remove(stream);
    }

    /// Consistent between any two statements.
    fn rooms(&self) -> MutexGuard<'_, HashMap<StreamId, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut rooms = self.audience.rooms();
        let Some(room) = rooms.get_mut(&self.stream) else { return };
        if let Some(sessions) = room.open.get_mut(&self.viewer) {
            *sessions -= 1;
            if *sessions == 0 {
                room.open.remove(&self.viewer);
            }
        }
        room.viewers.now = room.open.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabs_are_one_viewer_and_who_returns_is_counted_once() {
        let (audience, stream) = (Arc::new(Audience::default()), "abcdefghijkl".parse().unwrap());
        assert_eq!(audience.viewers(&stream), None);
        let before = Viewers { now: 0, peak: 1, total: 10 };
        let tab = audience.enter(&stream, "ann", before);
        let other_tab = audience.enter(&stream, "ann", before);
        let neighbour = audience.enter(&stream, "ben", before);
        assert_eq!(audience.viewers(&stream), Some(Viewers { now: 2, peak: 2, total: 12 }));
        drop(tab);
        assert_eq!(audience.viewers(&stream).unwrap().now, 2, "the other tab is open");
        drop((other_tab, neighbour));
        let _back = audience.enter(&stream, "ann", before);
        assert_eq!(audience.viewers(&stream), Some(Viewers { now: 1, peak: 2, total: 12 }));
        audience.forget(&stream);
        assert_eq!(audience.viewers(&stream), None);
    }
}
