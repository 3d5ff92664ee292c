//! Keyframes at the same frames of all renditions.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// When keyframes are due: on a grid of time, so that all renditions have them at the same frames.
#[derive(Debug)]
pub(super) struct Keyframes {
    interval_ns: AtomicU64,
    /// Of the last frame: which interval of the grid it was in.
    slot: AtomicU64,
}

impl Default for Keyframes {
    fn default() -> Self {
        Self { interval_ns: AtomicU64::new(2_000_000_000), slot: AtomicU64::new(0) }
    }
}

impl Keyframes {
    /// Another distance from one to the next.
    pub(super) fn set_interval(&self, interval: Duration) {
        self.interval_ns.store(u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether a frame begins an interval.
    pub(super) fn is_due(&self, pts_ns: u64) -> bool {
        let slot = pts_ns / self.interval_ns.load(Ordering::Relaxed).max(1);
        self.slot.swap(slot, Ordering::Relaxed) != slot
    }

    /// The next frame is due, whenever it comes.
    pub(super) fn ask(&self) {
        self.slot.store(u64::MAX, Ordering::Relaxed);
    }
}
