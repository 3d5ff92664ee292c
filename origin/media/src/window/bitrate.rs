//! What the multivariant playlist says of a rendition's bitrate.

use super::Segment;
use crate::time::TICKS_PER_SECOND;

/// Headroom over what was measured or declared, for segments to come: percent.
const HEADROOM_PERCENT: u64 = 20;
/// Figures are rounded up to this, so that they rarely change: bits per second.
const STEP_BPS: u64 = 50_000;

/// Bitrates of a rendition, bits per second (rfc8216bis §4.4.6.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// No segment so far needed more, with headroom for those to come. An estimate until a segment is complete; from
    /// then on it never shrinks.
    pub peak_bps: u64,
    /// Over all segments of the broadcast; `None` until the first is complete.
    pub average_bps: Option<u64>,
}

/// Measures complete segments.
#[derive(Debug, Default)]
pub(super) struct Meter {
    declared_bps: u64,
    peak_bps: u64,
    bytes: u64,
    ticks: u64,
}

impl Meter {
    /// The publisher says what it sends.
    pub(super) fn declare(&mut self, bitrate_bps: Option<u64>) {
        self.declared_bps = self.declared_bps.max(bitrate_bps.unwrap_or(0));
    }

    /// Takes a complete segment into account. Those shorter than half a target duration are no peak of their own.
    pub(super) fn count(&mut self, segment: &Segment, target_duration_s: u32) {
        let ticks = u64::try_from(segment.duration.ticks()).unwrap_or(0);
        self.bytes = self.bytes.saturating_add(segment.bytes);
        self.ticks = self.ticks.saturating_add(ticks);
        let long_enough = ticks.saturating_mul(2) >= u64::from(target_duration_s) * TICKS_PER_SECOND as u64;
        if long_enough || self.peak_bps == 0 {
            self.peak_bps = self.peak_bps.max(bits_per_second(segment.bytes, ticks));
        }
    }

    pub(super) fn bandwidth(&self) -> Bandwidth {
        let average_bps = (self.ticks > 0).then(|| bits_per_second(self.bytes, self.ticks));
        let peak = self.peak_bps.max(self.declared_bps).max(average_bps.unwrap_or(0));
        Bandwidth {
            peak_bps: step_up(peak.saturating_mul(100 + HEADROOM_PERCENT) / 100),
            average_bps: average_bps.map(step_up),
        }
    }

    /// As long as no segment is complete, the open one has to do.
    pub(super) fn estimate(&self, open: &Segment) -> Bandwidth {
        let mut bandwidth = self.bandwidth();
        if bandwidth.peak_bps == STEP_BPS {
            let so_far = bits_per_second(open.bytes, u64::try_from(open.duration.ticks()).unwrap_or(0));
            bandwidth.peak_bps = step_up(so_far);
        }
        bandwidth
    }
}

fn bits_per_second(bytes: u64, ticks: u64) -> u64 {
    let bits = u128::from(bytes) * 8 * TICKS_PER_SECOND as u128;
    (bits / u128::from(ticks.max(1))).try_into().unwrap_or(u64::MAX)
}

fn step_up(bps: u64) -> u64 {
    bps.div_ceil(STEP_BPS).max(1).saturating_mul(STEP_BPS)
}
