//! The one way from a source's threads into the production's pipeline.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::{CaptureError, Opening, Watcher, worker::Stop};

/// Pictures that wait for the graph: one, and the one that takes its place.
const MAX_PICTURES: u64 = 2;
/// Sound that waits for the graph.
const MAX_SOUND: gst::ClockTime = gst::ClockTime::from_mseconds(500);
/// A picture from exactly a frame's beginning can be rounded to be of the one before.
const INTO_FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(1);
/// How often a source looks whether its pipeline runs yet.
const START_POLL: Duration = Duration::from_millis(5);

/// Samples per second of all sound in the graph.
pub(super) const SAMPLE_RATE: u32 = 48_000;

/// Tells the watcher what it should know, once.
#[derive(Clone)]
pub(super) struct Reporter(Arc<Report>);

struct Report {
    watcher: Arc<dyn Watcher>,
    /// Width and height that were told, or `UNTOLD`.
    size: AtomicU64,
    is_lost: AtomicBool,
}

const UNTOLD: u64 = u64::MAX;

impl Reporter {
    pub(super) fn new(watcher: Arc<dyn Watcher>) -> Self {
        Self(Arc::new(Report { watcher, size: AtomicU64::new(UNTOLD), is_lost: AtomicBool::new(false) }))
    }

    /// The source delivers; cheap when nothing is new.
    pub(super) fn running(&self, width: u32, height: u32) {
        let size = u64::from(width) << 32 | u64::from(height);
        let is_new = if size == 0 {
            // The sound of a film says nothing about its picture.
            self.0.size.compare_exchange(UNTOLD, size, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        } else {
            self.0.size.swap(size, Ordering::AcqRel) != size
        };
        if is_new && !self.is_lost() {
            self.0.watcher.running(width, height);
        }
    }

    /// The source does not deliver any more.
    pub(super) fn lost(&self, reason: &str) {
        if !self.0.is_lost.swap(true, Ordering::AcqRel) {
            self.0.watcher.lost(reason);
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.0.is_lost.load(Ordering::Acquire)
    }
}

/// An `appsrc` in the source's bin. When the graph does not take what is fed, the oldest goes.
#[derive(Clone)]
pub(super) struct Feed {
    appsrc: gst_app::AppSrc,
    reporter: Reporter,
    /// How many pictures the production makes of it.
    frame_rate: u64,
}

impl Feed {
    /// The bin's pad `video`.
    pub(super) fn pictures(opening: &Opening) -> Result<Self, CaptureError> {
        let appsrc = gst_app::AppSrc::builder()
            .format(gst::Format::Time)
            .is_live(true)
            .max_buffers(MAX_PICTURES)
            .max_bytes(0)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .build();
        Self::join(opening, appsrc, "video")
    }

    /// The bin's pad `audio`. `latency` is how old the first sample of what is fed can be by then.
    pub(super) fn sound(opening: &Opening, latency: gst::ClockTime) -> Result<Self, CaptureError> {
        let appsrc = gst_app::AppSrc::builder()
            .caps(&sound_caps())
            .format(gst::Format::Time)
            .is_live(true)
            .max_bytes(0)
            .max_time(MAX_SOUND)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .build();
        appsrc.set_latency(latency, gst::ClockTime::NONE);
        Self::join(opening, appsrc, "audio")
    }

    fn join(opening: &Opening, appsrc: gst_app::AppSrc, pad: &str) -> Result<Self, CaptureError> {
        opening.bin.add(&appsrc)?;
        expose(opening, appsrc.upcast_ref(), pad)?;
        let frame_rate = u64::from(opening.canvas.frame_rate.max(1));
        Ok(Self { appsrc, reporter: opening.reporter.clone(), frame_rate })
    }

    /// Running time of the production; none before it runs.
    pub(super) fn now(&self) -> Option<gst::ClockTime> {
        if self.appsrc.current_state() != gst::State::Playing {
            return None;
        }
        self.appsrc.current_running_time()
    }

    /// The production's clock and when its running time began, once it runs.
    pub(super) fn time_base(&self) -> Option<(gst::Clock, gst::ClockTime)> {
        self.now()?;
        Some((self.appsrc.clock()?, self.appsrc.base_time()?))
    }

    /// The last moment up to `until`, in the production's running time, in which a frame of the canvas began: a picture that
    /// is captured so many whole frames later is drawn with the least delay.
    pub(super) fn frame_before(&self, until: gst::ClockTime) -> gst::ClockTime {
        let second = gst::ClockTime::SECOND.nseconds();
        let number = until.saturating_sub(INTO_FRAME).nseconds() * self.frame_rate / second;
        gst::ClockTime::from_nseconds(number * second / self.frame_rate) + INTO_FRAME
    }

    /// Waits until the production runs; none: the source is to stop.
    pub(super) fn wait(&self, stop: &Stop) -> Option<gst::ClockTime> {
        loop {
            if let Some(now) = self.now() {
                return Some(now);
            }
            if !stop.rest(START_POLL) {
                return None;
            }
        }
    }

    /// Timestamps of what is fed from now on count from `offset_ns` of the production's running time.
    pub(super) fn shift(&self, offset_ns: i64) {
        if let Some(pad) = self.appsrc.static_pad("src") {
            pad.set_offset(offset_ns);
        }
    }

    /// Feeds a picture in the format of `caps`. False: the graph takes no more.
    pub(super) fn push_picture(&self, caps: &gst_video::VideoInfo, buffer: gst::Buffer) -> bool {
        if self.reporter.is_lost() {
            return false;
        }
        self.set_format(caps);
        let is_taken = self.push(buffer);
        self.reporter.running(caps.width(), caps.height());
        is_taken
    }

    /// Feeds sound. False: the graph takes no more.
    pub(super) fn push_sound(&self, buffer: gst::Buffer) -> bool {
        if self.reporter.is_lost() {
            return false;
        }
        let is_taken = self.push(buffer);
        self.reporter.running(0, 0);
        is_taken
    }

    /// Feeds what another pipeline made, with its caps.
    pub(super) fn push_sample(&self, sample: &gst::Sample) -> bool {
        if self.reporter.is_lost() {
            return false;
        }
        let is_taken = !matches!(self.appsrc.push_sample(sample), Err(gst::FlowError::Eos));
        let structure = sample.caps().and_then(|caps| caps.structure(0));
        let side = |name| structure.and_then(|one| one.get::<i32>(name).ok()).and_then(|side| u32::try_from(side).ok());
        self.reporter.running(side("width").unwrap_or(0), side("height").unwrap_or(0));
        is_taken
    }

    fn set_format(&self, info: &gst_video::VideoInfo) {
        let is_new = self
            .appsrc
            .caps()
            .is_none_or(|caps| gst_video::VideoInfo::from_caps(&caps).map_or(true, |known| known != *info));
        if is_new && let Ok(caps) = info.to_caps() {
            self.appsrc.set_caps(Some(&caps));
        }
    }

    fn push(&self, buffer: gst::Buffer) -> bool {
        // Flushing is a pipeline that stops or has not started: what follows may be taken.
        !matches!(self.appsrc.push_buffer(buffer), Err(gst::FlowError::Eos))
    }
}

/// Makes an element's `src` a pad of the bin.
pub(super) fn expose(opening: &Opening, element: &gst::Element, name: &str) -> Result<(), CaptureError> {
    let inner = element.static_pad("src").ok_or_else(|| gst::glib::bool_error!("an element without a src pad"))?;
    let pad = gst::GhostPad::builder_with_target(&inner)?.name(name).build();
    opening.bin.add_pad(&pad)?;
    Ok(())
}

/// How all sound in the graph is.
pub(super) fn sound_caps() -> gst::Caps {
    gst::Caps::builder("audio/x-raw")
        .field("format", "F32LE")
        .field("layout", "interleaved")
        .field("rate", i32::try_from(SAMPLE_RATE).expect("48000 is an i32"))
        .field("channels", 2_i32)
        .field("channel-mask", gst::Bitmask::new(0x3))
        .build()
}

/// Takes a bin out of its pipeline and stops it.
pub(super) fn dismantle(bin: &gst::Bin) {
    for pad in bin.src_pads() {
        if let Some(peer) = pad.peer()
            && let Err(error) = pad.unlink(&peer)
        {
            tracing::warn!(%error, "a source cannot be unlinked");
        }
    }
    if let Err(error) = bin.set_state(gst::State::Null) {
        tracing::warn!(%error, "a source cannot be stopped");
    }
    if let Some(parent) = bin.parent().and_then(|parent| parent.downcast::<gst::Bin>().ok())
        && let Err(error) = parent.remove(bin)
    {
        tracing::warn!(%error, "a source cannot be taken out of its pipeline");
    }
}
