//! What readers see of a window.

use std::sync::Arc;

use bytes::Bytes;

use super::{Bandwidth, Position};
use crate::{
    pipeline::{Init, PackageConfig, Part},
    time::{MediaTime, TICKS_PER_SECOND, UnixTime},
};

/// Delta updates may leave out what is further from the end than so many target durations (rfc8216bis §4.4.3.8 asks
/// for at least 6).
const SKIP_TARGET_DURATIONS: u32 = 6;
/// Parts are listed up to so many target durations from the end (rfc8216bis §6.2.2).
const PART_TARGET_DURATIONS: u32 = 3;
/// A reload may be blocked for a segment up to so many after the last one (rfc8216bis §6.2.5.2).
const MAX_SEGMENTS_AHEAD: u64 = 2;

/// A media segment.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    /// Media sequence number.
    pub(crate) msn: u64,
    /// Number of its init segment.
    pub(crate) init: u32,
    /// `EXT-X-DISCONTINUITY` stands before it.
    pub(crate) discontinuity: bool,
    /// How many of those stood before segments before it.
    pub(crate) discontinuity_sequence: u64,
    /// At least one.
    pub(crate) parts: Vec<Part>,
    /// Sum of its parts'.
    pub(crate) duration: MediaTime,
    /// Sum of its parts'.
    pub(crate) bytes: u64,
}

impl Segment {
    /// A segment without parts.
    pub(super) fn open(at: Position) -> Self {
        Self {
            msn: at.msn,
            init: at.init,
            discontinuity: at.discontinuity,
            discontinuity_sequence: at.discontinuity_sequence,
            parts: Vec::new(),
            duration: MediaTime::ZERO,
            bytes: 0,
        }
    }

    pub(super) fn push(&mut self, part: Part) {
        self.duration = self.duration + part.duration;
        self.bytes = self.bytes.saturating_add(part.data.len() as u64);
        self.parts.push(part);
    }

    /// Wall-clock time of its first sample.
    pub(crate) fn program_date_time(&self) -> UnixTime {
        self.parts.first().map_or(UnixTime::default(), |part| part.program_date_time)
    }

    /// Where it ends on the broadcast's timeline.
    pub(super) fn end(&self) -> MediaTime {
        self.parts.last().map_or(MediaTime::ZERO, |part| part.start + part.duration)
    }
}

/// A segment that left the playlist; its media is not held any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retired {
    pub(super) msn: u64,
    pub(super) init: u32,
    bytes: u64,
    pub(super) end: MediaTime,
}

impl From<&Segment> for Retired {
    fn from(segment: &Segment) -> Self {
        Self { msn: segment.msn, init: segment.init, bytes: segment.bytes, end: segment.end() }
    }
}

/// An unchanging view of a window.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) package: PackageConfig,
    /// Complete segments, oldest first.
    pub(super) segments: Arc<[Arc<Segment>]>,
    /// Those that were listed before them not long ago, oldest first.
    pub(super) retired: Arc<[Retired]>,
    /// The segment that still grows.
    pub(super) open: Option<Arc<Segment>>,
    /// Init segments that kept segments need, by number.
    inits: Arc<[(u32, Arc<Init>)]>,
    /// Media sequence number and part number of what comes next.
    pub(super) next: (u64, u32),
    pub(super) bandwidth: Bandwidth,
    pub(super) ended: bool,
}

/// Where something a viewer asked for is.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup<T> {
    /// Here it is.
    Here(T),
    /// Not yet, but it is the next to come (or close): hold the request.
    Wait,
    /// It may come later, but nobody was told of it: 404 for now.
    NotYet,
    /// It was, or will never be: 404.
    Gone,
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

impl Snapshot {
    pub(super) fn empty(package: PackageConfig, at: Position) -> Self {
        Self {
            package,
            segments: Arc::new([]),
            retired: Arc::new([]),
            open: None,
            inits: Arc::new([]),
            next: (at.msn, 0),
            bandwidth: Bandwidth::default(),
            ended: false,
        }
    }

    /// The bytes of part `part` of segment `msn`.
    #[must_use]
    pub fn part(&self, msn: u64, part: u32) -> Lookup<Bytes> {
        let found = self.find(msn).and_then(|segment| segment.parts.get(part as usize));
        match found {
            Some(part) => Lookup::Here(part.data.clone()),
            None if self.ended => Lookup::Gone,
            None if (msn, part) == self.next => Lookup::Wait,
            // Should the current segment end here, this is next.
            None if part == 0 && self.next.0.checked_add(1) == Some(msn) => Lookup::Wait,
            None if (msn, part) > self.next => Lookup::NotYet,
            None => Lookup::Gone,
        }
    }

    /// The parts that make up the complete segment `msn`, to be sent one after the other.
    #[must_use]
    pub fn segment(&self, msn: u64) -> Lookup<Vec<Bytes>> {
        match self.complete(msn) {
            Some(segment) => Lookup::Here(segment.parts.iter().map(|part| part.data.clone()).collect()),
            None if !self.ended && msn == self.next.0 => Lookup::Wait,
            None if !self.ended && msn > self.next.0 => Lookup::NotYet,
            None => Lookup::Gone,
        }
    }

    /// How many bytes the segment `msn` has that left the playlist not long ago: whoever has an older playlist may ask
    /// for it (rfc8216bis §6.2.2).
    #[must_use]
    pub fn retired_bytes(&self, msn: u64) -> Option<u64> {
        let at = msn.checked_sub(self.retired.first()?.msn)?;
        self.retired.get(usize::try_from(at).ok()?).map(|retired| retired.bytes)
    }

    /// Init segment `number`.
    #[must_use]
    pub fn init(&self, number: u32) -> Option<Bytes> {
        self.inits.iter().find(|(known, _)| *known == number).map(|(_, init)| init.data.clone())
    }

    /// Whether a blocking playlist reload for `msn` (and `part`) can be answered (rfc8216bis §6.2.5.2). A part number
    /// past the end of a complete segment means the first part of the next one.
    #[must_use]
    pub fn reload(&self, msn: u64, part: Option<u32>) -> Reload {
        let (next_msn, next_part) = self.next;
        if self.ended || msn < next_msn && (part.is_none() || self.has_part(msn, part)) {
            return Reload::Ready;
        }
        let (msn, part) = match part {
            Some(_) if msn < next_msn => (msn.saturating_add(1), Some(0)),
            _ => (msn, part),
        };
        match part {
            _ if msn < next_msn => Reload::Ready,
            Some(part) if msn == next_msn && part < next_part => Reload::Ready,
            Some(part) if msn == next_msn && u64::from(part) >= u64::from(next_part) + self.parts_ahead() => {
                Reload::TooFar
            }
            _ if msn > self.last_msn().saturating_add(MAX_SEGMENTS_AHEAD) => Reload::TooFar,
            _ => Reload::Wait,
        }
    }

    /// A part in a complete segment; those that were forgotten had all parts that anybody asks for.
    fn has_part(&self, msn: u64, part: Option<u32>) -> bool {
        self.complete(msn).is_none_or(|segment| part.is_some_and(|part| (part as usize) < segment.parts.len()))
    }

    /// The Advance Part Limit (rfc8216bis §6.2.5.2).
    fn parts_ahead(&self) -> u64 {
        let target = self.package.part_target.ticks().max(1);
        if target < TICKS_PER_SECOND { u64::try_from(3 * TICKS_PER_SECOND / target).unwrap_or(3) } else { 3 }
    }

    fn last_msn(&self) -> u64 {
        let (next_msn, next_part) = self.next;
        if next_part > 0 { next_msn } else { next_msn.saturating_sub(1) }
    }

    /// `EXT-X-TARGETDURATION`, seconds: the longest segment, rounded up. It never changes in a broadcast.
    #[must_use]
    pub fn target_duration(&self) -> u32 {
        self.package.target_duration_s()
    }

    /// The last part that exists, as media sequence number and part number: what a rendition report says.
    #[must_use]
    pub fn last(&self) -> Option<(u64, u32)> {
        let last = self.open.as_ref().or(self.segments.last())?;
        Some((last.msn, u32::try_from(last.parts.len()).unwrap_or(u32::MAX).saturating_sub(1)))
    }

    /// Where the last part ends on the broadcast's timeline: the base of a publisher who returns.
    #[must_use]
    pub fn end(&self) -> MediaTime {
        self.open.as_ref().or(self.segments.last()).map_or(MediaTime::ZERO, |segment| segment.end())
    }

    /// A delta update would leave out at least one segment.
    #[must_use]
    pub fn can_skip(&self) -> bool {
        self.skippable() > 0
    }

    /// The init segment in force, once there is one.
    #[must_use]
    pub fn latest_init(&self) -> Option<&Arc<Init>> {
        self.inits.last().map(|(_, init)| init)
    }

    /// Bitrates that the multivariant playlist may state.
    #[must_use]
    pub fn bandwidth(&self) -> Bandwidth {
        self.bandwidth
    }

    /// No more will come.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Segments that the playlist lists, oldest first, with the open one.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.iter().chain(&self.open)
    }

    /// Whether `segment` is the one that still grows.
    pub(crate) fn is_open(&self, segment: &Segment) -> bool {
        self.open.as_ref().is_some_and(|open| open.msn == segment.msn)
    }

    /// Media sequence number and part number of what comes next.
    pub(crate) fn next(&self) -> (u64, u32) {
        self.next
    }

    /// `CAN-SKIP-UNTIL`.
    pub(crate) fn skip_until(&self) -> MediaTime {
        self.target_durations(SKIP_TARGET_DURATIONS)
    }

    /// How many of the listed segments a delta update leaves out.
    pub(crate) fn skippable(&self) -> usize {
        // Not by less than a playlist's decimals can tell.
        self.further_from_end_than(self.skip_until() + MediaTime::from_ms(1))
    }

    /// How many of the listed segments come without their parts.
    pub(crate) fn without_parts(&self) -> usize {
        self.further_from_end_than(self.target_durations(PART_TARGET_DURATIONS))
    }

    fn target_durations(&self, count: u32) -> MediaTime {
        MediaTime::from_ms(1000 * i64::from(count) * i64::from(self.target_duration()))
    }

    /// How many listed segments end at least `span` before the end of the playlist.
    fn further_from_end_than(&self, span: MediaTime) -> usize {
        let open = self.open.as_ref().map_or(MediaTime::ZERO, |open| open.duration);
        let mut after = open;
        let mut near = 0;
        for segment in self.segments.iter().rev() {
            if after >= span {
                break;
            }
            after = after + segment.duration;
            near += 1;
        }
        self.segments.len() - near
    }

    fn find(&self, msn: u64) -> Option<&Arc<Segment>> {
        self.open.as_ref().filter(|open| open.msn == msn).or_else(|| self.complete(msn))
    }

    fn complete(&self, msn: u64) -> Option<&Arc<Segment>> {
        let first = self.segments.first()?.msn;
        self.segments.get(usize::try_from(msn.checked_sub(first)?).ok()?)
    }

    pub(super) fn latest_init_number(&self) -> u32 {
        self.inits.last().map_or(0, |(number, _)| *number)
    }

    pub(super) fn push_init(&mut self, number: u32, init: Arc<Init>) {
        self.inits = self.inits.iter().cloned().chain([(number, init)]).collect();
    }

    /// Drops init segments that nothing needs which may be asked for; the latest stays.
    pub(super) fn forget_inits(&mut self) {
        let held = self.segments.first().or(self.open.as_ref()).map(|segment| segment.init);
        let oldest = self.retired.first().map(|retired| retired.init).or(held);
        let oldest = oldest.unwrap_or_else(|| self.latest_init_number());
        if self.inits.first().is_some_and(|(number, _)| *number < oldest) {
            self.inits = self.inits.iter().filter(|(number, _)| *number >= oldest).cloned().collect();
        }
    }

    pub(super) fn check_invariants(&self) {
        let all: Vec<_> = self.segments.iter().chain(&self.open).collect();
        for segment in &all {
            assert!(!segment.parts.is_empty(), "segment {} has no parts", segment.msn);
            let sum = segment.parts.iter().fold(MediaTime::ZERO, |sum, part| sum + part.duration);
            assert_eq!(sum, segment.duration, "segment {} is as long as its parts", segment.msn);
        }
        for pair in all.windows(2) {
            let [earlier, later] = pair else { continue };
            assert_eq!(earlier.msn + 1, later.msn, "media sequence numbers are contiguous");
            assert!(earlier.init <= later.init, "init segments never go back");
            let tags = earlier.discontinuity_sequence + u64::from(earlier.discontinuity);
            assert_eq!(tags, later.discontinuity_sequence, "every discontinuity is counted once");
        }
        let first = all.first().map_or(self.next.0, |first| first.msn);
        for (retired, msn) in self.retired.iter().rev().zip((0..first).rev()) {
            assert_eq!(retired.msn, msn, "retired segments come right before the listed ones");
        }
        if let Some(last) = all.last() {
            let next = if self.open.is_some() { (last.msn, last.parts.len() as u32) } else { (last.msn + 1, 0) };
            assert_eq!(self.next, next, "numbers go on from the last part");
        }
    }
}
