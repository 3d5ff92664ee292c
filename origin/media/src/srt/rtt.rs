//! Round-trip time (draft-sharabayko-srt-01 §4.10).

use std::time::Duration;

/// A smoothed round-trip time and its variance.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundTrip {
    smoothed_us: u32,
    variance_us: u32,
    measured: bool,
}

impl RoundTrip {
    /// Longest sample that is believed, microseconds.
    const MAX_US: u32 = 10_000_000;

    /// What to assume before the first measurement.
    pub(super) const fn new() -> Self {
        Self { smoothed_us: 100_000, variance_us: 50_000, measured: false }
    }

    /// Takes a measurement.
    pub(super) fn sample(&mut self, sample: Duration) {
        let sample = u32::try_from(sample.as_micros()).unwrap_or(u32::MAX).min(Self::MAX_US);
        if self.measured {
            self.variance_us = (self.variance_us * 3 + self.smoothed_us.abs_diff(sample)) / 4;
            self.smoothed_us = (self.smoothed_us * 7 + sample) / 8;
        } else {
            *self = Self { smoothed_us: sample, variance_us: sample / 2, measured: true };
        }
    }

    /// `None` before the first measurement.
    pub(super) fn measured(self) -> Option<Duration> {
        self.measured.then_some(self.smoothed())
    }

    pub(super) fn smoothed(self) -> Duration {
        Duration::from_micros(self.smoothed_us.into())
    }

    pub(super) fn variance(self) -> Duration {
        Duration::from_micros(self.variance_us.into())
    }
}
