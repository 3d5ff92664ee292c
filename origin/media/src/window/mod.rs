//! The live window of one rendition: which segments and parts exist, under which numbers, and "here, wait or gone?".
//!
//! [`Window`] is the only writer; readers take a [`Snapshot`], which costs a few reference counts and no media bytes.
//! Segments that left the playlist are remembered but not held: whoever wrote them down can still serve them.
//! Numbers never go back: not within a window, nor from a window to the one that continues it after a restart.

mod bitrate;
mod snapshot;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use bitrate::Bandwidth;
use bitrate::Meter;
use snapshot::Retired;
pub(crate) use snapshot::Segment;
pub use snapshot::{Lookup, Reload, Snapshot};

use crate::{
    pipeline::{Init, PackageConfig, Part},
    time::MediaTime,
};

/// A playlist must keep at least so many target durations (rfc8216bis §6.2.2).
const MIN_TARGET_DURATIONS: u32 = 3;
/// Most parts of a segment: as many as fit in its longest duration, if each is at least a frame of 240 per second.
const MAX_PARTS: usize = 2048;

/// How much a window keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowConfig {
    /// Sizes that the playlist promises.
    pub package: PackageConfig,
    /// Complete segments listed, in seconds of media (default 30 s); at least three target durations are kept.
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
pub struct Window {
    now: Snapshot,
    length: MediaTime,
    meter: Meter,
    /// What the next part's segment is, if it has none yet.
    next: Position,
    /// `push_init` and `push_discontinuity` have to make a discontinuity: something came before.
    begun: bool,
}

impl Window {
    /// An empty window whose first segment will have `first_msn`.
    #[must_use]
    pub fn new(config: WindowConfig, first_msn: u64) -> Self {
        Self::continued(config, Position { msn: first_msn, ..Position::default() })
    }

    /// An empty window whose first part will be part 0 of the segment `at` is in, with its numbers; the next
    /// [`Window::push_init`] gets number `at.init`. For a restarted origin, which then pushes what its store kept.
    #[must_use]
    pub fn continued(config: WindowConfig, at: Position) -> Self {
        let now = Snapshot::empty(config.package, at);
        let least = MediaTime::from_ms(1000 * i64::from(MIN_TARGET_DURATIONS * now.target_duration()));
        Self {
            now,
            length: config.length.max(least),
            meter: Meter::default(),
            next: Position { part: 0, ..at },
            begun: false,
        }
    }

    /// Where the next part goes.
    #[must_use]
    pub fn position(&self) -> Position {
        match &self.now.open {
            Some(open) => Position {
                msn: open.msn,
                part: u32::try_from(open.parts.len()).unwrap_or(u32::MAX),
                init: open.init,
                discontinuity: open.discontinuity,
                discontinuity_sequence: open.discontinuity_sequence,
            },
            None => self.next,
        }
    }

    /// Media sequence number of the oldest segment that somebody may ask for, listed or retired; that of the next one
    /// if there is none.
    #[must_use]
    pub fn first_msn(&self) -> u64 {
        let held = self.now.segments.first().or(self.now.open.as_ref()).map(|segment| segment.msn);
        self.now.retired.first().map(|retired| retired.msn).or(held).unwrap_or(self.next.msn)
    }

    /// Parts that follow need this init segment; opens a new segment, with a discontinuity unless it is the first. The
    /// same bytes as before keep their number.
    pub fn push_init(&mut self, init: Arc<Init>) {
        if self.begun {
            self.push_discontinuity();
        }
        self.begun = true;
        self.meter.declare(init.bitrate_bps);
        match self.now.latest_init() {
            Some(current) if current.data == init.data => self.next.init = self.now.latest_init_number(),
            Some(_) => {
                self.next.init = self.now.latest_init_number().saturating_add(1);
                self.now.push_init(self.next.init, init);
            }
            None => self.now.push_init(self.next.init, init),
        }
        self.now.bandwidth = self.meter.bandwidth();
    }

    /// The next segment starts with `EXT-X-DISCONTINUITY`; ends the current one.
    pub fn push_discontinuity(&mut self) {
        self.end_segment();
        self.next.discontinuity = true;
    }

    /// Appends a part to the current segment and evicts what is past the window's length.
    pub fn push_part(&mut self, part: Part) {
        if self.now.ended {
            return;
        }
        self.begun = true;
        if self.now.open.as_ref().is_some_and(|open| open.parts.len() >= MAX_PARTS) {
            self.end_segment();
        }
        let next = self.next;
        let open = self.now.open.get_or_insert_with(|| Arc::new(Segment::open(next)));
        Arc::make_mut(open).push(part);
        self.now.bandwidth = self.meter.estimate(open);
        self.now.next = (open.msn, u32::try_from(open.parts.len()).unwrap_or(u32::MAX));
        self.evict();
    }

    /// Completes the current segment.
    pub fn end_segment(&mut self) {
        let Some(complete) = self.now.open.take() else {
            return;
        };
        self.meter.count(&complete, self.now.target_duration());
        self.now.bandwidth = self.meter.bandwidth();
        self.next = Position {
            msn: complete.msn.saturating_add(1),
            part: 0,
            init: complete.init,
            discontinuity: false,
            discontinuity_sequence: complete.discontinuity_sequence + u64::from(complete.discontinuity),
        };
        self.now.next = (self.next.msn, 0);
        self.now.segments = self.now.segments.iter().cloned().chain([complete]).collect();
        self.evict();
    }

    /// No more will come: `EXT-X-ENDLIST`.
    pub fn end(&mut self) {
        self.end_segment();
        self.now.ended = true;
    }

    /// Lets go of segments that the window can do without, and forgets those that nobody may ask for any more.
    fn evict(&mut self) {
        let mut listed = self.now.segments.iter().fold(MediaTime::ZERO, |sum, segment| sum + segment.duration);
        // The one that still grows does not count (rfc8216bis §6.2.2 speaks of Media Segments).
        let surplus = self.now.segments.iter().take_while(|segment| {
            listed = listed - segment.duration;
            listed >= self.length
        });
        let surplus: Vec<Retired> = surplus.map(|segment| Retired::from(&**segment)).collect();
        if surplus.is_empty() {
            return;
        }
        // A segment stays available for its own duration and that of the longest playlist with it (rfc8216bis §6.2.2).
        let longest = MediaTime::from_ms(1000 * i64::from(self.now.target_duration()));
        let oldest = self.now.end() - self.length - self.length - longest - longest;
        self.now.segments = self.now.segments.iter().skip(surplus.len()).cloned().collect();
        let retired = self.now.retired.iter().copied().chain(surplus);
        self.now.retired = retired.filter(|retired| retired.end >= oldest).collect();
        self.now.forget_inits();
    }

    /// Panics with a description of the first invariant that does not hold; for tests and fuzzing.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.now.check_invariants();
        let position = self.position();
        assert_eq!((position.msn, position.part), self.now.next, "the hint is where the next part goes");
    }

    /// What readers see from now on.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::new(self.now.clone())
    }
}
