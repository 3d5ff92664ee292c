//! The live window of one rendition: which segments and parts exist, under which numbers, and "here, wait or gone?".

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    pipeline::{Init, PackageConfig, Part},
    time::MediaTime,
};

/// How much a window keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowConfig {
    /// Sizes that the playlist promises.
    pub package: PackageConfig,
    /// Complete segments listed, in seconds of media (default 30 s).
    pub length: MediaTime,
}

/// Where the next part of a window goes: what a store has to write down to go on after a restart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Media sequence number of its segment.
    pub msn: u64,
    /// Its number within that segment.
    pub part: u32,
    /// The init segment in force.
    pub init: u32,
    /// Its segment carries `EXT-X-DISCONTINUITY`.
    pub discontinuity: bool,
    /// How many `EXT-X-DISCONTINUITY` the segments before its own carried since the broadcast began.
    pub discontinuity_sequence: u64,
}

/// The only writer of a rendition's window.
#[derive(Debug)]
pub struct Window {}

impl Window {
    /// An empty window whose first segment will have `first_msn`.
    #[must_use]
    pub fn new(_config: WindowConfig, _first_msn: u64) -> Self {
        todo!()
    }

    /// An empty window whose first part will be part 0 of the segment `at` is in, with its numbers; the next
    /// [`Window::push_init`] gets number `at.init`. For a restarted origin, which then pushes what its store kept.
    #[must_use]
    pub fn continued(_config: WindowConfig, _at: Position) -> Self {
        todo!()
    }

    /// Where the next part goes.
    #[must_use]
    pub fn position(&self) -> Position {
        todo!()
    }

    /// Media sequence number of the oldest segment that is kept; that of the next one if there is none.
    #[must_use]
    pub fn first_msn(&self) -> u64 {
        todo!()
    }

    /// Parts that follow need this init segment; opens a new segment, with a discontinuity unless it is the first.
    pub fn push_init(&mut self, _init: Arc<Init>) {
        todo!()
    }

    /// The next segment starts with `EXT-X-DISCONTINUITY`; ends the current one.
    pub fn push_discontinuity(&mut self) {
        todo!()
    }

    /// Appends a part to the current segment and evicts what is past the window's length.
    pub fn push_part(&mut self, _part: Part) {
        todo!()
    }

    /// Completes the current segment.
    pub fn end_segment(&mut self) {
        todo!()
    }

    /// No more will come: `EXT-X-ENDLIST`.
    pub fn end(&mut self) {
        todo!()
    }

    /// Panics with a description of the first invariant that does not hold; for tests and fuzzing.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        todo!()
    }

    /// What readers see from now on.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        todo!()
    }
}

/// An unchanging view of a window.
#[derive(Debug)]
pub struct Snapshot {}

/// Where something a viewer asked for is.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup<T> {
    /// Here it is.
    Here(T),
    /// Not yet, but it is the next to come (or close): hold the request.
    Wait,
    /// It was, or will never be: 404.
    Gone,
}

impl Snapshot {
    /// The bytes of part `part` of segment `msn`.
    #[must_use]
    pub fn part(&self, _msn: u64, _part: u32) -> Lookup<Bytes> {
        todo!()
    }

    /// The parts that make up the complete segment `msn`, to be sent one after the other.
    #[must_use]
    pub fn segment(&self, _msn: u64) -> Lookup<Vec<Bytes>> {
        todo!()
    }

    /// Init segment `number`.
    #[must_use]
    pub fn init(&self, _number: u32) -> Option<Bytes> {
        todo!()
    }

    /// Whether a blocking playlist reload for `msn` (and `part`) can be answered (rfc8216bis §6.2.5.2).
    #[must_use]
    pub fn reload(&self, _msn: u64, _part: Option<u32>) -> Reload {
        todo!()
    }

    /// `EXT-X-TARGETDURATION`, seconds.
    #[must_use]
    pub fn target_duration(&self) -> u32 {
        todo!()
    }

    /// The last part that exists, as media sequence number and part number: what a rendition report says.
    #[must_use]
    pub fn last(&self) -> Option<(u64, u32)> {
        todo!()
    }

    /// A delta update would leave out at least one segment.
    #[must_use]
    pub fn can_skip(&self) -> bool {
        todo!()
    }

    /// The init segment in force, once there is one.
    #[must_use]
    pub fn latest_init(&self) -> Option<&Arc<Init>> {
        todo!()
    }

    /// Bitrates that the multivariant playlist may state. Grows in coarse steps, and never shrinks in a broadcast.
    #[must_use]
    pub fn bandwidth(&self) -> Bandwidth {
        todo!()
    }

    /// No more will come.
    #[must_use]
    pub fn ended(&self) -> bool {
        todo!()
    }
}

/// Bitrates of a rendition, bits per second (rfc8216bis §4.4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bandwidth {
    /// No segment so far needed more, with headroom for those to come.
    pub peak_bps: u64,
    /// Over all segments of the broadcast; `None` until the first is complete.
    pub average_bps: Option<u64>,
}

/// What becomes of a blocking playlist reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The playlist has what was asked for.
    Ready,
    /// It will soon.
    Wait,
    /// Nobody can know of that yet: 400.
    TooFar,
}
