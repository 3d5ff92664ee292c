//! The one owner of timestamps: from a publisher's clocks to the broadcast's timeline, which never goes back.
//!
//! | what happens | what is done |
//! |---|---|
//! | a session begins | its first keyframe is placed where the broadcast ended, or later by the wall clock |
//! | sound and picture | share one offset, so that they stay together as the publisher meant |
//! | timestamps rounded to milliseconds | video is snapped to its frame rate, audio counts samples |
//! | video time stands still or goes back a little | each frame is still later than the one before |
//! | sound is missing or too much, by whole frames | silence is put in, frames are left out |
//! | a gap of up to [`GAP_MAX`] | stays a gap |
//! | a larger one, or back by more than [`BACK_MAX`] | a discontinuity: placed anew by the wall clock |

mod audio;
mod cadence;
mod video;
mod wall;

use std::time::Duration;

pub(crate) use audio::{AudioClock, AudioPlace, sample_time};
pub(crate) use video::{Ahead, VideoClock};
pub(crate) use wall::WallClock;

use crate::time::{MediaTime, UnixTime};

/// Longest step forward that is taken for what it says.
pub const GAP_MAX: MediaTime = MediaTime::from_ms(5000);
/// Longest step back that is repaired in place.
pub const BACK_MAX: MediaTime = MediaTime::from_ms(500);
/// How far FLV's milliseconds may be from the truth: one of them, and a little.
pub(crate) const ROUNDING: MediaTime = MediaTime::from_ticks(100);

/// The offset of a publishing session's clock. Its renditions share it, so that players can switch between them.
#[derive(Debug)]
pub struct Timeline {
    base: MediaTime,
    /// When the session's first media arrived; it stands at `base`.
    began: Option<UnixTime>,
    offset: Option<MediaTime>,
}

/// Where a rendition can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// Add this to the publisher's timestamps.
    Offset(MediaTime),
    /// This unit lies before what the timeline already has: a later one may do.
    TooEarly,
}

impl Timeline {
    /// A session whose media is placed from `base` on.
    #[must_use]
    pub fn new(base: MediaTime) -> Self {
        Self { base: base.max(MediaTime::ZERO), began: None, offset: None }
    }

    /// Where a unit with the timestamp `raw` that arrived at `arrived` is placed, if a rendition that ends at `end`
    /// starts with it: with what the other renditions use if that fits, otherwise anew. `jumped`: the publisher's
    /// clock is known to have changed.
    pub(crate) fn anchor(&mut self, raw: MediaTime, arrived: UnixTime, end: MediaTime, jumped: bool) -> Anchor {
        let floor = end.max(self.base);
        let elapsed = arrived.since(*self.began.get_or_insert(arrived));
        let by_wall = self.base + media_time(elapsed);
        if let Some(offset) = self.offset {
            let placed = raw + offset;
            let near = placed - by_wall <= GAP_MAX && by_wall - placed <= GAP_MAX;
            if placed >= floor && (near || !jumped) {
                return Anchor::Offset(offset);
            }
            if !jumped && floor - placed <= GAP_MAX {
                return Anchor::TooEarly;
            }
        }
        let offset = floor.max(by_wall) - raw;
        self.offset = Some(offset);
        Anchor::Offset(offset)
    }
}

/// A span of time in ticks.
pub(crate) fn media_time(span: Duration) -> MediaTime {
    MediaTime::from_us(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(i64) -> MediaTime = |seconds| MediaTime::from_ms(seconds * 1000);

    #[test]
    fn renditions_of_one_publisher_share_an_offset() {
        let mut timeline = Timeline::new(S(7));
        let now = UnixTime::from_ms(1_000_000);
        assert_eq!(timeline.anchor(S(100), now, S(0), false), Anchor::Offset(S(-93)));
        assert_eq!(timeline.anchor(S(101), now, S(0), false), Anchor::Offset(S(-93)));
        assert_eq!(timeline.anchor(S(99), now, S(0), false), Anchor::TooEarly);
    }

    #[test]
    fn after_a_jump_the_wall_clock_decides_but_nothing_goes_back() {
        let mut timeline = Timeline::new(S(0));
        let at = |seconds: i64| UnixTime::from_ms(1_000_000 + seconds * 1000);
        timeline.anchor(S(0), at(0), S(0), false);
        assert_eq!(timeline.anchor(S(5000), at(20), S(10), true), Anchor::Offset(S(-4980)), "10 s without media");
        assert_eq!(timeline.anchor(S(0), at(30), S(32), true), Anchor::Offset(S(32)), "media was ahead of time");
        assert_eq!(timeline.anchor(S(1), at(31), S(32), true), Anchor::Offset(S(32)), "another rendition follows");
    }
}
