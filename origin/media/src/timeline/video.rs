//! Decode and presentation times of a picture.

use super::{BACK_MAX, GAP_MAX, ROUNDING, cadence::Cadence};
use crate::time::MediaTime;

/// Least distance of two frames: a millisecond, so that no player takes them for one.
const MIN_STEP: MediaTime = MediaTime::from_ms(1);
/// A presentation time further from the decode time than this is not believed.
const MAX_COMPOSITION: MediaTime = MediaTime::from_ms(5000);
/// How long a frame lasts as long as nothing tells.
const DEFAULT_INTERVAL: MediaTime = MediaTime::from_ticks(3000);
/// Longest interval that is expected to come again.
const MAX_INTERVAL: MediaTime = MediaTime::from_ms(2000);

/// The clock of one picture.
#[derive(Debug)]
pub(crate) struct VideoClock {
    offset: MediaTime,
    cadence: Cadence,
    last_raw: Option<MediaTime>,
    /// The next frame has to be placed here or later.
    earliest: MediaTime,
    committed: Option<MediaTime>,
}

/// What is expected of the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// Its decode time, if frames come regularly.
    pub(crate) next: Option<MediaTime>,
    /// About how long a frame lasts.
    pub(crate) interval: MediaTime,
}

impl VideoClock {
    /// A clock that adds `offset`, and places nothing before `start`; `frame_rate` as the parameter sets declare it.
    pub(crate) fn new(offset: MediaTime, frame_rate: Option<(u32, u32)>, start: MediaTime) -> Self {
        Self { offset, cadence: Cadence::new(frame_rate), last_raw: None, earliest: start, committed: None }
    }

    /// What this clock adds to the publisher's.
    pub(crate) fn offset(&self) -> MediaTime {
        self.offset
    }

    /// By how much a frame with this decode time jumps, too far to be placed.
    pub(crate) fn jump(&self, raw_dts: MediaTime) -> Option<MediaTime> {
        let step = raw_dts - self.last_raw?;
        (step > GAP_MAX || MediaTime::ZERO - step > BACK_MAX).then_some(step)
    }

    /// Places the next frame in decoding order: its decode time, later than that of the frame before, and its
    /// presentation time minus that.
    pub(crate) fn place(&mut self, raw_dts: MediaTime, raw_pts: MediaTime) -> (MediaTime, MediaTime) {
        self.last_raw = Some(raw_dts);
        let told = raw_dts + self.offset;
        let smooth = self.cadence.smooth(told);
        let dts = self.committed.take().unwrap_or(smooth.max(self.earliest));
        self.earliest = dts + MIN_STEP;
        // What rounding took from the decode time it took from the presentation time, too.
        let off = (dts - told).ticks().abs();
        let pts = if off <= ROUNDING.ticks() { raw_pts - raw_dts + dts } else { raw_pts + self.offset };
        let composition = Some(pts - dts).filter(|span| span.ticks().abs() <= MAX_COMPOSITION.ticks());
        (dts, composition.unwrap_or_default())
    }

    /// A frame's duration has been written before the next one came: that one starts where it ends, and only its
    /// presentation time tells the difference.
    pub(crate) fn commit(&mut self, end: MediaTime) {
        self.committed = Some(end);
    }

    /// What is expected of the next frame.
    pub(crate) fn ahead(&self) -> Ahead {
        let next = self.cadence.next().filter(|next| *next >= self.earliest);
        let interval = self.cadence.interval().unwrap_or(DEFAULT_INTERVAL).clamp(MIN_STEP, MAX_INTERVAL);
        Ahead { next, interval }
    }

    /// Frames per second × 1000 over the last frames.
    pub(crate) fn rate_millis(&self) -> Option<u32> {
        self.cadence.rate_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(clock: &mut VideoClock, dts_ms: i64, pts_ms: i64) -> (i64, i64) {
        assert_eq!(clock.jump(MediaTime::from_ms(dts_ms)), None);
        let (dts, composition) = clock.place(MediaTime::from_ms(dts_ms), MediaTime::from_ms(pts_ms));
        (dts.as_ms(), composition.as_ms())
    }

    #[test]
    fn frames_that_stand_still_or_go_back_a_little_still_follow_each_other() {
        let mut clock = VideoClock::new(MediaTime::from_ms(1000), None, MediaTime::ZERO);
        assert_eq!(at(&mut clock, 100, 100), (1100, 0));
        assert_eq!(at(&mut clock, 100, 100), (1101, 0));
        assert_eq!(at(&mut clock, 60, 140), (1102, 38));
        assert_eq!(at(&mut clock, 140, 140), (1140, 0));
    }

    #[test]
    fn a_far_step_is_a_jump() {
        let mut clock = VideoClock::new(MediaTime::ZERO, None, MediaTime::ZERO);
        at(&mut clock, 10_000, 10_000);
        assert_eq!(clock.jump(MediaTime::from_ms(9000)), Some(MediaTime::from_ms(-1000)));
        assert_eq!(clock.jump(MediaTime::from_ms(16_000)), Some(MediaTime::from_ms(6000)));
        assert_eq!(clock.jump(MediaTime::from_ms(14_000)), None);
    }

    #[test]
    fn a_committed_end_moves_the_next_frame_but_not_when_it_is_shown() {
        let mut clock = VideoClock::new(MediaTime::ZERO, None, MediaTime::ZERO);
        at(&mut clock, 0, 0);
        clock.commit(MediaTime::from_ms(33));
        assert_eq!(at(&mut clock, 45, 45), (33, 12));
        assert_eq!(at(&mut clock, 78, 78), (78, 0));
    }
}
