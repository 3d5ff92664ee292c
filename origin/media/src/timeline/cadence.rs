//! The regular interval of a picture's frames, and timestamps without the rounding of their container.

use std::collections::VecDeque;

use super::ROUNDING;
use crate::time::{MediaTime, TICKS_PER_SECOND};

/// Frames that are looked at to find a rate nobody declared: enough to tell 60 from 59.94 per second in milliseconds.
const MEASURED_FRAMES: usize = 192;
/// Fewer of them do for a health report.
const REPORTED_FRAMES: usize = 16;
/// So many frames on time, and the next one is expected to be.
const STEADY_FRAMES: u32 = 8;
/// So many frames in a row off the grid, and the rate is forgotten.
const MAX_MISSES: u32 = 4;
/// Rates that encoders use, as fractions.
const RATES: [(u32, u32); 15] = [
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (48, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
    (10, 1),
    (12, 1),
    (15, 1),
    (20, 1),
    (120, 1),
    (5, 1),
];
/// Declared rates outside of this are not believed, frames per second.
const SANE_RATES: std::ops::RangeInclusive<u32> = 1..=300;

/// Follows the decode times of a picture.
#[derive(Debug)]
pub(super) struct Cadence {
    rate: Option<(u32, u32)>,
    /// The grid: `origin` plus whole multiples of the interval, `index` of them so far.
    origin: MediaTime,
    index: i64,
    hits: u32,
    misses: u32,
    recent: VecDeque<MediaTime>,
}

impl Cadence {
    /// With the rate that parameter sets declare; it is given up when frames do not keep it.
    pub(super) fn new(declared: Option<(u32, u32)>) -> Self {
        let sane = |(frames, seconds): &(u32, u32)| *seconds > 0 && SANE_RATES.contains(&(frames / seconds));
        Self {
            rate: declared.filter(sane),
            origin: MediaTime::ZERO,
            index: 0,
            hits: 0,
            misses: 0,
            recent: VecDeque::with_capacity(MEASURED_FRAMES),
        }
    }

    /// The next frame's time without rounding, if it is on the grid; its own time otherwise.
    pub(super) fn smooth(&mut self, time: MediaTime) -> MediaTime {
        let expected = (!self.recent.is_empty()).then(|| self.grid(1)).flatten();
        if self.recent.len() == MEASURED_FRAMES {
            self.recent.pop_front();
        }
        self.recent.push_back(time);
        if let Some(expected) = expected.filter(|expected| near(*expected, time)) {
            (self.index, self.hits, self.misses) = (self.index + 1, self.hits.saturating_add(1), 0);
            return expected;
        }
        (self.origin, self.index, self.hits) = (time, 0, 0);
        let measured = self.measured();
        if self.rate.is_none() || measured.is_some_and(|measured| self.rate != Some(measured)) {
            (self.rate, self.misses) = (measured, 0);
        } else if self.recent.len() > 1 {
            self.misses += 1;
            if self.misses >= MAX_MISSES {
                (self.rate, self.misses) = (None, 0);
                self.recent.clear();
                self.recent.push_back(time);
            }
        }
        time
    }

    /// When the next frame is due, if frames come regularly.
    pub(super) fn next(&self) -> Option<MediaTime> {
        self.grid(1).filter(|_| self.hits >= STEADY_FRAMES)
    }

    /// About how long a frame lasts.
    pub(super) fn interval(&self) -> Option<MediaTime> {
        match self.rate {
            Some((frames, seconds)) => Some(MediaTime::from_ticks(multiple(1, frames, seconds))),
            None => {
                let last = self.recent.len().checked_sub(2)?;
                Some(*self.recent.back()? - *self.recent.get(last)?)
            }
        }
    }

    /// Frames per second × 1000 over the last frames.
    pub(super) fn rate_millis(&self) -> Option<u32> {
        let (intervals, span) = self.span().filter(|(intervals, _)| *intervals >= REPORTED_FRAMES)?;
        let millis = intervals as i128 * i128::from(TICKS_PER_SECOND) * 1000 / i128::from(span.ticks());
        u32::try_from(millis).ok()
    }

    fn grid(&self, ahead: i64) -> Option<MediaTime> {
        let (frames, seconds) = self.rate?;
        Some(self.origin + MediaTime::from_ticks(multiple(self.index + ahead, frames, seconds)))
    }

    /// The usual rate that the last frames keep, if they keep one.
    fn measured(&self) -> Option<(u32, u32)> {
        let (intervals, span) = self.span().filter(|(intervals, _)| intervals + 1 == MEASURED_FRAMES)?;
        let mean = span.ticks() / i64::try_from(intervals).ok()?;
        let steps = self.recent.iter().zip(self.recent.iter().skip(1)).map(|(earlier, later)| *later - *earlier);
        let mut steps = steps.map(|step| (step.ticks() - mean).abs());
        if !steps.all(|off| off <= 2 * ROUNDING.ticks()) {
            return None;
        }
        let off = |&(frames, seconds): &(u32, u32)| {
            (multiple(i64::try_from(intervals).unwrap_or(0), frames, seconds) - span.ticks()).abs()
        };
        RATES.into_iter().min_by_key(off).filter(|rate| off(rate) <= 2 * ROUNDING.ticks())
    }

    /// Intervals between the last frames, and how long they took.
    fn span(&self) -> Option<(usize, MediaTime)> {
        let span = *self.recent.back()? - *self.recent.front()?;
        Some((self.recent.len() - 1, span)).filter(|(_, span)| *span > MediaTime::ZERO)
    }
}

/// `count` frames at a rate, in ticks.
fn multiple(count: i64, frames: u32, seconds: u32) -> i64 {
    let ticks = i128::from(count) * i128::from(TICKS_PER_SECOND) * i128::from(seconds);
    i64::try_from((ticks + i128::from(frames / 2)).div_euclid(i128::from(frames.max(1)))).unwrap_or(i64::MAX)
}

fn near(expected: MediaTime, time: MediaTime) -> bool {
    (expected - time).ticks().abs() <= ROUNDING.ticks()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(frames: u32, seconds: u32, count: i64) -> impl Iterator<Item = MediaTime> {
        (0..count).map(move |n| MediaTime::from_ms(multiple(n, frames, seconds) / 90))
    }

    #[test]
    fn rounded_milliseconds_become_a_regular_grid() {
        let mut cadence = Cadence::new(Some((30, 1)));
        for (n, time) in milliseconds(30, 1, 300).enumerate() {
            assert_eq!(cadence.smooth(time).ticks(), n as i64 * 3000);
        }
        assert_eq!(cadence.next(), Some(MediaTime::from_ticks(900_000)));
    }

    #[test]
    fn a_rate_that_nobody_declared_is_found() {
        for (frames, seconds) in [(30_000, 1001), (30, 1), (25, 1), (60_000, 1001)] {
            let mut cadence = Cadence::new(None);
            milliseconds(frames, seconds, 300).for_each(|time| {
                cadence.smooth(time);
            });
            assert_eq!(cadence.rate, Some((frames, seconds)));
            assert!(cadence.next().is_some());
        }
    }

    #[test]
    fn a_false_declaration_is_given_up_and_times_stay_true() {
        let mut cadence = Cadence::new(Some((50, 1)));
        for time in milliseconds(25, 1, 40) {
            assert_eq!(cadence.smooth(time), time);
        }
        assert_eq!(cadence.next(), None);
        assert_eq!(cadence.rate_millis(), Some(25_000));
    }
}
