//! An open source in the running graph: its capture, the tee that shares its picture, and what is shown while it is away.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::Sender,
    },
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use skylark_protocol::studio::{Canvas, Color, Crop, Input, Source, SourceId, SourceState, SourceStatus};

use super::{
    GraphError, Order,
    wiring::{discard, make},
};
use crate::capture::{self, Capture, Watcher};

/// How long after a failure a source is tried again, and how that grows.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(8);

/// Width and height of a source's picture, pixels; 0 while unknown.
#[derive(Debug, Default)]
pub(super) struct PictureSize(AtomicU64);

impl PictureSize {
    fn set(&self, width: u32, height: u32) {
        self.0.store(u64::from(width) << 32 | u64::from(height), Ordering::Release);
    }

    fn get(&self) -> (u32, u32) {
        let both = self.0.load(Ordering::Acquire);
        ((both >> 32) as u32, both as u32)
    }

    /// A crop that leaves at least two pixels of the picture: `videocrop` fails on anything larger.
    pub(super) fn clamp(&self, crop: Crop) -> Crop {
        let (width, height) = self.get();
        let both = |first: u32, second: u32, side: u32| {
            let room = side.saturating_sub(2);
            let first = first.min(room);
            (first, second.min(room - first))
        };
        let (left, right) = both(crop.left, crop.right, width);
        let (top, bottom) = both(crop.top, crop.bottom, height);
        Crop { left, top, right, bottom }
    }
}

/// An open source.
pub(super) struct OpenSource {
    source: Source,
    canvas: Canvas,
    /// None while there is nothing, not even a placeholder.
    capture: Option<Capture>,
    /// What is captured stands for the source while it is away.
    is_placeholder: bool,
    /// Where its picture is shared.
    picture: Option<gst::Element>,
    /// Where its sound is shared: it stays when the capture is opened anew.
    sound: Option<gst::Element>,
    last: Arc<Mutex<Option<gst::Sample>>>,
    size: Arc<PictureSize>,
    status: SourceStatus,
    retry: Duration,
    retry_at: Option<Instant>,
    /// Counts openings: what an earlier one still reports is not believed.
    opening: u64,
}

/// Tells the graph's thread how a capture is.
struct Reporter {
    source: SourceId,
    opening: u64,
    size: Arc<PictureSize>,
    orders: Sender<Order>,
}

impl Watcher for Reporter {
    fn running(&self, width: u32, height: u32) {
        self.size.set(width, height);
        self.orders.send(Order::Running { source: self.source, opening: self.opening }).ok();
    }

    fn lost(&self, reason: &str) {
        let reason = reason.to_owned();
        self.orders.send(Order::Lost { source: self.source, opening: self.opening, reason }).ok();
    }
}

/// Of placeholders: how they are does not matter.
struct Unwatched;

impl Watcher for Unwatched {
    fn running(&self, _: u32, _: u32) {}
    fn lost(&self, reason: &str) {
        tracing::warn!(reason, "a placeholder stopped");
    }
}

impl OpenSource {
    /// Opens a source; when that fails, its placeholder is shown and it is tried again.
    pub(super) fn open(
        pipeline: &gst::Pipeline,
        source: Source,
        canvas: Canvas,
        orders: &Sender<Order>,
        now: Instant,
    ) -> Self {
        let mut open = Self {
            source,
            canvas,
            capture: None,
            is_placeholder: false,
            picture: None,
            sound: None,
            last: Arc::default(),
            size: Arc::default(),
            status: SourceStatus::Starting,
            retry: FIRST_RETRY,
            retry_at: None,
            opening: 0,
        };
        if let Err(error) = open.add_tees(pipeline) {
            tracing::warn!(%error, "a source cannot be shared");
        }
        open.start(pipeline, orders, now);
        open
    }

    pub(super) fn id(&self) -> SourceId {
        self.source.id
    }

    /// Where its picture is shared.
    pub(super) fn picture(&self) -> Option<&gst::Element> {
        self.picture.as_ref()
    }

    pub(super) fn size(&self) -> &Arc<PictureSize> {
        &self.size
    }

    /// Where its sound is shared.
    pub(super) fn sound(&self) -> Option<&gst::Element> {
        self.sound.as_ref()
    }

    pub(super) fn state(&self) -> SourceState {
        let (width, height) = self.size.get();
        SourceState { source: self.source.id, status: self.status.clone(), width, height }
    }

    /// When it is to be tried again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Another device, file, text or colour. True: its bin is another one now.
    pub(super) fn change(
        &mut self,
        pipeline: &gst::Pipeline,
        source: Source,
        orders: &Sender<Order>,
        now: Instant,
    ) -> bool {
        self.source = source;
        let input = self.source.input.clone();
        if !self.is_placeholder && self.capture.as_mut().is_some_and(|capture| capture.update(&input)) {
            return false;
        }
        self.retry = FIRST_RETRY;
        self.stop(pipeline);
        self.start(pipeline, orders, now);
        true
    }

    /// It delivers.
    pub(super) fn running(&mut self, opening: u64) {
        if opening == self.opening {
            self.status = SourceStatus::Running;
            self.retry = FIRST_RETRY;
            self.retry_at = None;
        }
    }

    /// It does not deliver any more: its placeholder is shown, and it is tried again later. False: that is no news.
    pub(super) fn lost(&mut self, pipeline: &gst::Pipeline, opening: u64, reason: String, now: Instant) -> bool {
        if opening != self.opening || self.is_placeholder {
            return false;
        }
        tracing::info!(source = self.source.id.0, reason, "a source is away");
        self.stop(pipeline);
        // What it still says is of the past.
        self.opening += 1;
        self.show_placeholder(pipeline);
        self.miss(reason, now);
        true
    }

    /// Tries again to open it.
    pub(super) fn retry(&mut self, pipeline: &gst::Pipeline, orders: &Sender<Order>, now: Instant) {
        self.stop(pipeline);
        self.start(pipeline, orders, now);
    }

    /// Whether `element` is a part of it.
    pub(super) fn has(&self, element: &gst::Object) -> bool {
        self.capture.as_ref().is_some_and(|capture| element.has_as_ancestor(capture.bin()))
    }

    /// Which opening of it is the current one.
    pub(super) fn opening(&self) -> u64 {
        self.opening
    }

    /// Gives a new branch the last picture at once: a still source would have it wait for the next one.
    pub(super) fn show_last_picture_to(&self, pad: &gst::Pad) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (Some(sample), Some(tee)) = (last, &self.picture) else { return };
        let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps_owned()) else { return };
        let Some(now) = tee.current_running_time() else { return };
        let mut buffer = buffer.copy();
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(now);
            buffer.set_dts(gst::ClockTime::NONE);
        }
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        pad.send_event(gst::event::StreamStart::new("last-picture"));
        pad.send_event(gst::event::Caps::new(&caps));
        pad.send_event(gst::event::Segment::new(&segment));
        if let Err(error) = pad.chain(buffer) {
            tracing::debug!(%error, "the last picture was not taken");
        }
    }

    /// Takes it out of the pipeline.
    pub(super) fn close(mut self, pipeline: &gst::Pipeline) {
        self.stop(pipeline);
        let tees: Vec<_> = self.picture.take().into_iter().chain(self.sound.take()).collect();
        discard(pipeline, &tees);
    }

    fn add_tees(&mut self, pipeline: &gst::Pipeline) -> Result<(), GraphError> {
        let add = || {
            let tee = make("tee")?;
            tee.set_property("allow-not-linked", true);
            pipeline.add(&tee)?;
            tee.sync_state_with_parent()?;
            Ok::<_, GraphError>(tee)
        };
        if self.source.input.has_sound() {
            self.sound = Some(add()?);
        }
        if !self.source.input.has_picture() {
            return Ok(());
        }
        let tee = add()?;
        let last = Arc::clone(&self.last);
        if let Some(pad) = tee.static_pad("sink") {
            pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
                if let (Some(buffer), Some(caps)) = (info.buffer(), pad.current_caps()) {
                    let sample = gst::Sample::builder().buffer(buffer).caps(&caps).build();
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(sample);
                }
                gst::PadProbeReturn::Ok
            });
        }
        self.picture = Some(tee);
        Ok(())
    }

    fn start(&mut self, pipeline: &gst::Pipeline, orders: &Sender<Order>, now: Instant) {
        self.opening += 1;
        self.retry_at = None;
        self.is_placeholder = false;
        let reporter = Reporter {
            source: self.source.id,
            opening: self.opening,
            size: Arc::clone(&self.size),
            orders: orders.clone(),
        };
        let opened = capture::open(&self.source, self.canvas, Arc::new(reporter));
        match opened.map_err(|error| error.to_string()).and_then(|capture| self.join(pipeline, capture)) {
            Ok(()) => {
                if matches!(self.status, SourceStatus::Running) {
                    self.status = SourceStatus::Starting;
                }
            }
            Err(reason) => {
                self.stop(pipeline);
                self.show_placeholder(pipeline);
                self.miss(reason, now);
            }
        }
    }

    /// Adds a capture to the pipeline.
    fn join(&mut self, pipeline: &gst::Pipeline, capture: Capture) -> Result<(), String> {
        let bin = capture.bin().clone();
        self.capture = Some(capture);
        pipeline.add(&bin).map_err(|error| error.to_string())?;
        for (tee, name) in [(&self.picture, "video"), (&self.sound, "audio")] {
            let (Some(tee), Some(end)) = (tee, bin.static_pad(name)) else { continue };
            let sink = tee.static_pad("sink").ok_or("a tee without a pad")?;
            end.link(&sink).map_err(|error| format!("its {name} cannot be taken: {error}"))?;
        }
        bin.sync_state_with_parent().map_err(|_| "it does not start".to_owned())
    }

    fn stop(&mut self, pipeline: &gst::Pipeline) {
        let Some(capture) = self.capture.take() else { return };
        let bin = capture.bin().clone();
        bin.set_locked_state(true);
        if let Err(error) = bin.set_state(gst::State::Null) {
            tracing::warn!(source = self.source.id.0, %error, "a source does not stop");
        }
        for end in ["video", "audio"].into_iter().filter_map(|name| bin.static_pad(name)) {
            if let Some(peer) = end.peer() {
                end.unlink(&peer).ok();
            }
        }
        if bin.parent().is_some() {
            pipeline.remove(&bin).ok();
        }
        drop(capture);
    }

    fn miss(&mut self, reason: String, now: Instant) {
        self.status = SourceStatus::Missing { reason };
        self.retry_at = Some(now + self.retry);
        self.retry = (self.retry * 2).min(LAST_RETRY);
    }

    /// Words where the picture should be: viewers see that something is missing, and nothing freezes.
    fn show_placeholder(&mut self, pipeline: &gst::Pipeline) {
        if self.picture.is_none() {
            return;
        }
        let input = Input::Text {
            text: format!("{}\nis away", self.source.name),
            size: 64,
            color: Color([0xa8, 0xb0, 0xc0, 0xff]),
        };
        let words = Source { input, strip: None, ..self.source.clone() };
        self.is_placeholder = true;
        let shown = capture::open(&words, self.canvas, Arc::new(Unwatched)).map_err(|error| error.to_string());
        if let Err(reason) = shown.and_then(|capture| self.join(pipeline, capture)) {
            tracing::warn!(reason, "no placeholder can be shown");
            self.stop(pipeline);
        }
    }
}
