//! Keyframes at the same frames of all renditions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gstreamer as gst;
use gstreamer::prelude::*;

/// When keyframes are due: on a grid of time, so that all renditions have them at the same frames.
#[derive(Debug)]
pub(crate) struct Keyframes {
    interval_ns: AtomicU64,
    /// Of the last frame: which interval of the grid it was in.
    slot: AtomicU64,
    /// When the last frame was composed for.
    newest_ns: AtomicU64,
}

/// Asked for, but there was no frame since.
const ASKED: u64 = u64::MAX;

impl Default for Keyframes {
    fn default() -> Self {
        Self { interval_ns: AtomicU64::new(2_000_000_000), slot: AtomicU64::new(0), newest_ns: AtomicU64::new(0) }
    }
}

impl Keyframes {
    /// Another distance from one to the next.
    pub(super) fn set_interval(&self, interval: Duration) {
        self.interval_ns.store(u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// From now on, encoders are told just before each frame of a pad that is due.
    pub(super) fn announce(self: &Arc<Self>, pad: &gst::Pad) {
        let keyframes = Arc::clone(self);
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let pts = info.buffer().and_then(|buffer| buffer.pts());
            if pts.is_some_and(|pts| keyframes.is_due(pts.nseconds())) {
                let event = gstreamer_video::DownstreamForceKeyUnitEvent::builder().all_headers(true).build();
                pad.push_event(event);
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Whether a frame begins an interval, or was asked for.
    pub(crate) fn is_due(&self, pts_ns: u64) -> bool {
        let slot = pts_ns / self.interval_ns.load(Ordering::Relaxed).max(1);
        self.newest_ns.store(pts_ns, Ordering::Release);
        self.slot.swap(slot, Ordering::AcqRel) != slot
    }

    /// The next frame is due, whenever it comes: it is after the one whose time is answered, nanoseconds.
    pub(crate) fn ask(&self) -> u64 {
        let newest_ns = self.newest_ns.load(Ordering::Acquire);
        self.slot.store(ASKED, Ordering::Release);
        newest_ns
    }
}
