//! Integer time: media time in 90 kHz ticks, wall-clock time in microseconds.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

/// Ticks of [`MediaTime`] in a second: the clock of MPEG-TS, and exact for RTMP's milliseconds.
pub const TICKS_PER_SECOND: i64 = 90_000;

/// A point on, or a span of, a media timeline in 90 kHz ticks. Arithmetic saturates, so that no input can overflow it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(i64);

impl MediaTime {
    /// The timeline's origin; no time at all.
    pub const ZERO: Self = Self(0);

    /// From 90 kHz ticks.
    #[must_use]
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    /// From milliseconds, exactly.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(TICKS_PER_SECOND / 1000))
    }

    /// From microseconds, rounded down to a tick.
    #[must_use]
    pub const fn from_us(us: i64) -> Self {
        Self(us.saturating_mul(9).div_euclid(100))
    }

    /// 90 kHz ticks.
    #[must_use]
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// Whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_ms(self) -> i64 {
        self.0.div_euclid(TICKS_PER_SECOND / 1000)
    }

    /// Microseconds, rounded down.
    #[must_use]
    pub const fn as_us(self) -> i64 {
        self.0.saturating_mul(100).div_euclid(9)
    }

    /// The same span in `timescale` ticks per second, rounded to the nearest.
    #[must_use]
    pub fn rescale(self, timescale: u32) -> i64 {
        let scaled = i128::from(self.0) * i128::from(timescale);
        let rounded = (scaled + i128::from(TICKS_PER_SECOND / 2)).div_euclid(i128::from(TICKS_PER_SECOND));
        i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
    }
}

impl Add for MediaTime {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for MediaTime {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Now, as the owner of the clock tells it: microseconds since the Unix epoch on a clock that never goes back (the
/// wall-clock time at the start of the process plus what a monotonic clock has counted since).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// From microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_us(us: i64) -> Self {
        Self(us)
    }

    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(1000))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_us(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_ms(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Time passed since `earlier`; zero if that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for UnixTime {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_are_exact_where_they_can_be() {
        assert_eq!(MediaTime::from_ms(33).ticks(), 2970);
        assert_eq!(MediaTime::from_ticks(-1).as_ms(), -1);
        assert_eq!(MediaTime::from_ticks(90_000).rescale(48_000), 48_000);
        assert_eq!(MediaTime::from_ticks(i64::MAX).rescale(u32::MAX), i64::MAX);
        assert_eq!(MediaTime::from_us(1_000_000), MediaTime::from_ms(1000));
    }
}
