//! The pipeline, and the thread that changes it.

use std::{
    collections::BTreeMap,
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use skylark_protocol::studio::{Canvas, Meters, SourceId, View};
use tokio::sync::watch;

use super::{
    EncodingState, GraphError, Order, Plan, Told,
    drawing::Drawing,
    keyframes::Keyframes,
    loudness::Meter,
    picture::PictureBranch,
    plan::{Step, steps},
    source::OpenSource,
    strip::{self, OpenStrip},
    wiring::{filter, make},
};
use crate::{
    encode::{self, Beginning, Coding, Destination, EncodingBranch, EncodingPlan, Kind},
    encoded::{Outlets, Track},
};

/// How often meters are read.
const METER_INTERVAL: Duration = Duration::from_millis(50);
/// How often a fade goes on.
const FADE_INTERVAL: Duration = Duration::from_millis(16);
/// How often the encoders are looked at.
const ENCODING_INTERVAL: Duration = Duration::from_millis(500);
/// A mixed block of sound, nanoseconds.
const MIX_BLOCK_NS: u64 = 20_000_000;
/// How late a microphone's sound may come to the mix, nanoseconds.
const MIX_LATENCY_NS: u64 = 40_000_000;
/// Width of the composed preview, pixels.
const PREVIEW_WIDTH: u32 = 640;
/// What is told of an encoder that is stuck.
const STUCK: &str = "an encoder gives no frames any more; begin again, or choose another one in the settings";

/// The pipeline and all in it.
pub(super) struct Production {
    canvas: Canvas,
    plan: Plan,
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    outlets: Arc<Outlets>,
    orders: Sender<Order>,
    told: Told,
    sources: BTreeMap<SourceId, OpenSource>,
    strips: BTreeMap<SourceId, OpenStrip>,
    monitor: String,
    program: Drawing,
    preview: Option<Drawing>,
    mixer: gst::Element,
    sound: gst::Element,
    program_meter: Arc<Mutex<Meter>>,
    pictures: BTreeMap<View, PictureBranch>,
    encoders: Vec<EncodingBranch>,
    encoder_failure: Option<String>,
    keyframes: Arc<Keyframes>,
    lead_ns: Arc<AtomicU64>,
    fading: bool,
    next_meters: Instant,
    next_encoding: Instant,
}

impl Production {
    pub(super) fn new(
        canvas: Canvas,
        outlets: Arc<Outlets>,
        orders: Sender<Order>,
        told: Told,
    ) -> Result<Self, GraphError> {
        let pipeline = gst::Pipeline::new();
        // The same clock as everybody's: never one of a sound card that may be pulled.
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        // It runs before anything is in it. Elements that start together with their pipeline have its clock a moment earlier
        // than its base time, and a live compositor that looks in between runs ahead of the clock, for seconds.
        pipeline.set_state(gst::State::Playing)?;
        let program = Drawing::new(&pipeline, canvas, canvas)?;
        let mixer = gst::ElementFactory::make("audiomixer")
            .property("force-live", true)
            .property("ignore-inactive-pads", true)
            .property("latency", MIX_LATENCY_NS)
            .property("output-buffer-duration", MIX_BLOCK_NS)
            .build()
            .map_err(|_| GraphError::Missing("audiomixer".into()))?;
        let caps = filter(&strip::format())?;
        let sound = make("tee")?;
        sound.set_property("allow-not-linked", true);
        let elements = [&mixer, &caps, &sound];
        pipeline.add_many(elements)?;
        gst::Element::link_many(elements)?;
        for element in elements.into_iter().rev() {
            element.sync_state_with_parent()?;
        }
        let program_meter = Arc::new(Mutex::new(Meter::default()));
        strip::measure(&sound, &program_meter);
        let keyframes = Arc::new(Keyframes::default());
        if let Some(pad) = program.pad() {
            keyframes.announce(&pad);
        }
        let bus = pipeline.bus().ok_or_else(|| GraphError::Missing("a bus".into()))?;
        let now = Instant::now();
        Ok(Self {
            canvas,
            plan: Plan { canvas, ..Plan::default() },
            pipeline,
            bus,
            outlets,
            orders,
            told,
            sources: BTreeMap::new(),
            strips: BTreeMap::new(),
            monitor: String::new(),
            program,
            preview: None,
            mixer,
            sound,
            program_meter,
            pictures: BTreeMap::new(),
            encoders: Vec::new(),
            encoder_failure: None,
            keyframes,
            lead_ns: Arc::default(),
            fading: false,
            next_meters: now,
            next_encoding: now,
        })
    }

    /// Does what it is ordered, and what time asks for, until it is stopped.
    pub(super) fn run(mut self, inbox: &Receiver<Order>) {
        loop {
            match inbox.recv_timeout(self.patience()) {
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.read_bus();
            self.tick(Instant::now());
        }
        self.pipeline.set_state(gst::State::Null).ok();
    }

    /// How long nothing is to be done, as far as is known.
    fn patience(&self) -> Duration {
        if self.fading { FADE_INTERVAL } else { self.next_meters.saturating_duration_since(Instant::now()) }
    }

    fn obey(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Apply(plan) => self.apply(*plan, now),
            Order::Encode(plan) => {
                if let Err(error) = self.encode(&plan) {
                    self.encoder_failure = Some(format!("nothing can be encoded: {error}"));
                    self.tell_encoding();
                }
            }
            Order::StopEncoding => self.stop_encoding(),
            Order::SetBitrate(track, bitrate_bps) => {
                for encoder in self.encoders.iter().filter(|encoder| encoder.track() == track) {
                    encoder.set_bitrate(bitrate_bps);
                }
            }
            Order::AskKeyframe => _ = self.keyframes.ask(),
            Order::Look(view, width, latest) => self.look(view, width, latest),
            Order::Running { source, opening } => {
                if let Some(open) = self.sources.get_mut(&source) {
                    open.running(opening);
                    self.program.refit();
                    if let Some(preview) = &self.preview {
                        preview.refit();
                    }
                }
                self.tell_sources();
            }
            Order::Lost { source, opening, reason } => self.lose(source, opening, reason, now),
            Order::TryAgain => {
                let away: Vec<_> =
                    self.sources.values().filter(|open| open.retry_at().is_some()).map(OpenSource::id).collect();
                for source in away {
                    self.retry(source, now);
                }
                self.listen();
            }
            Order::Listen(device) => {
                self.monitor = device;
                self.listen();
            }
            Order::Stop => {}
        }
    }

    fn apply(&mut self, plan: Plan, now: Instant) {
        if plan.canvas != self.canvas {
            tracing::warn!("a plan of another canvas needs another graph");
            return;
        }
        let steps = steps(&self.plan, &plan);
        self.plan = plan;
        self.lead_ns.store(u64::from(self.plan.lead_ms()) * 1_000_000, Ordering::Relaxed);
        for step in steps {
            self.take(step, now);
        }
        self.mix();
        self.tell_sources();
    }

    fn take(&mut self, step: Step, now: Instant) {
        match step {
            Step::Open(source) => {
                let id = source.id;
                let open = OpenSource::open(&self.pipeline, source, self.canvas, &self.orders, now);
                self.sources.insert(id, open);
            }
            Step::Change(source) => {
                let id = source.id;
                if let Some(open) = self.sources.get_mut(&id) {
                    open.change(&self.pipeline, source, &self.orders, now);
                }
            }
            Step::Close(id) => {
                self.close_strip(id);
                if let Some(open) = self.sources.remove(&id) {
                    open.close(&self.pipeline);
                }
            }
            // All strips at once, below.
            Step::Mix(..) => {}
            Step::Draw { view: View::Program, layers, fade_ms } => {
                let fade = Duration::from_millis(fade_ms.into());
                self.program.draw(&self.pipeline, &self.sources, &layers, fade, now);
                self.fading = true;
            }
            Step::Draw { view: View::Preview, layers, .. } => self.draw_preview(&layers, now),
            Step::EndPreview => self.end_preview(),
        }
    }

    fn draw_preview(&mut self, layers: &[super::plan::Layer], now: Instant) {
        if self.preview.is_none() {
            let height = (PREVIEW_WIDTH * self.canvas.height / self.canvas.width).max(2) & !1;
            let size = Canvas { width: PREVIEW_WIDTH, height, frame_rate: self.canvas.frame_rate.min(30) };
            match Drawing::new(&self.pipeline, self.canvas, size) {
                Ok(drawing) => self.preview = Some(drawing),
                Err(error) => tracing::warn!(%error, "the preview cannot be drawn"),
            }
            self.rehang_pictures();
        }
        if let Some(preview) = &mut self.preview {
            preview.draw(&self.pipeline, &self.sources, layers, Duration::ZERO, now);
            self.fading = true;
        }
    }

    fn end_preview(&mut self) {
        let Some(preview) = self.preview.take() else { return };
        // Those who look at the preview see the program from now on.
        self.rehang_pictures();
        preview.close(&self.pipeline);
    }

    /// The tee and size that a view's pictures are made of.
    fn view(&self, view: View) -> (gst::Element, Canvas) {
        match (&self.preview, view) {
            (Some(preview), View::Preview) => (preview.tee().clone(), preview.size()),
            _ => (self.program.tee().clone(), self.canvas),
        }
    }

    fn look(&mut self, view: View, width: u32, latest: watch::Sender<Option<Bytes>>) {
        if let Some(before) = self.pictures.remove(&view) {
            // Whoever looked before looks elsewhere: one size of each view is enough.
            before.take_off(&self.pipeline);
        }
        let (tee, size) = self.view(view);
        match PictureBranch::hang(&self.pipeline, &tee, size, width, latest) {
            Ok(branch) => {
                self.pictures.insert(view, branch);
            }
            Err(error) => tracing::warn!(%error, ?view, "no pictures can be made"),
        }
    }

    fn rehang_pictures(&mut self) {
        if let Some(branch) = self.pictures.remove(&View::Preview) {
            let width = branch.width();
            let latest = branch.take_off(&self.pipeline);
            self.look(View::Preview, width, latest);
        }
    }

    /// Opens, changes and closes strips, as the plan has them and the sources have sound.
    fn mix(&mut self) {
        let lead_ms = self.plan.lead_ms();
        let gone: Vec<_> = self.strips.keys().filter(|id| !self.plan.strips.contains_key(id)).copied().collect();
        for id in gone {
            self.close_strip(id);
        }
        for (id, heard) in self.plan.strips.clone() {
            if self.strips.get_mut(&id).is_some_and(|strip| strip.change(heard, lead_ms)) {
                continue;
            }
            self.close_strip(id);
            let Some(sound) = self.sources.get(&id).and_then(OpenSource::sound) else { continue };
            match OpenStrip::open(&self.pipeline, &self.mixer, sound, heard, lead_ms) {
                Ok(strip) => {
                    self.strips.insert(id, strip);
                }
                Err(error) => tracing::warn!(source = id.0, %error, "a source cannot be heard"),
            }
        }
        self.listen();
    }

    /// Plays for the streamer what is monitored.
    fn listen(&mut self) {
        let mut deafness = None;
        for strip in self.strips.values_mut() {
            if let Err(error) = strip.listen(&self.pipeline, &self.monitor) {
                deafness = Some(error.to_string());
            }
        }
        self.told.deafness.send_if_modified(|told| std::mem::replace(told, deafness.clone()) != deafness);
    }

    fn close_strip(&mut self, id: SourceId) {
        if let Some(strip) = self.strips.remove(&id) {
            strip.close(&self.pipeline, &self.mixer);
        }
    }

    fn lose(&mut self, source: SourceId, opening: u64, reason: String, now: Instant) {
        if let Some(open) = self.sources.get_mut(&source) {
            open.lost(&self.pipeline, opening, reason, now);
        }
        self.tell_sources();
    }

    fn retry(&mut self, source: SourceId, now: Instant) {
        if let Some(open) = self.sources.get_mut(&source) {
            open.retry(&self.pipeline, &self.orders, now);
        }
        self.tell_sources();
    }

    fn encode(&mut self, plan: &EncodingPlan) -> Result<(), GraphError> {
        self.stop_encoding();
        self.encoder_failure = None;
        let kind = Kind::named(&plan.encoder).ok_or_else(|| GraphError::Missing(plan.encoder.clone()))?;
        self.keyframes.set_interval(Duration::from_millis(plan.keyframe_interval_ms.into()));
        let all: Vec<_> = plan.renditions.iter().chain(&plan.recording).copied().collect();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let beginning = Beginning::of(all.len(), &self.keyframes);
        let (outlets, lead_ns) = (&self.outlets, &self.lead_ns);
        let destination = |track| Destination { track, beginning: &beginning, outlets, lead_ns };
        let built = (|| {
            for (index, rendition) in all.iter().copied().enumerate() {
                let is_sent = index < plan.renditions.len();
                let to = destination(if is_sent { Track::Video(index) } else { Track::Recording });
                let coding = Coding { kind, rendition, threads: encode::threads_for(rendition, &all, cores) };
                let from = self.program.picture();
                self.encoders.push(EncodingBranch::video(&self.pipeline, from, coding, to)?);
            }
            let (bitrate_bps, to) = (plan.audio_bitrate_bps, destination(Track::Audio));
            self.encoders.push(EncodingBranch::audio(&self.pipeline, &self.sound, bitrate_bps, to)?);
            Ok(())
        })();
        if built.is_err() {
            self.stop_encoding();
        }
        built
    }

    fn stop_encoding(&mut self) {
        for encoder in std::mem::take(&mut self.encoders) {
            encoder.take_off(&self.pipeline);
        }
        self.tell_encoding();
    }

    /// What elements said since.
    fn read_bus(&mut self) {
        while let Some(message) = self.bus.pop() {
            match message.view() {
                gst::MessageView::Error(error) => {
                    let Some(element) = message.src() else { continue };
                    self.fail(element, &error.error().to_string(), error.debug().as_deref());
                }
                gst::MessageView::Latency(_) => {
                    if let Err(error) = self.pipeline.recalculate_latency() {
                        tracing::debug!(%error, "the latency is not known yet");
                    }
                }
                gst::MessageView::Warning(warning) => {
                    tracing::debug!(warning = %warning.error(), debug = ?warning.debug(), "GStreamer warns");
                }
                _ => {}
            }
        }
    }

    fn fail(&mut self, element: &gst::Object, reason: &str, details: Option<&str>) {
        tracing::warn!(element = %element.name(), reason, details, "an element failed");
        if let Some(open) = self.sources.values().find(|open| open.has(element)) {
            let (id, opening) = (open.id(), open.opening());
            self.lose(id, opening, reason.to_owned(), Instant::now());
        } else if self.encoders.iter().any(|encoder| encoder.has(element)) {
            self.encoder_failure = Some(format!("the encoder failed: {reason}"));
            self.tell_encoding();
        }
    }

    fn tick(&mut self, now: Instant) {
        if self.fading {
            let program = self.program.advance(&self.pipeline, now);
            let preview = self.preview.as_mut().is_some_and(|preview| preview.advance(&self.pipeline, now));
            self.fading = program || preview;
        }
        let due: Vec<_> = self
            .sources
            .values()
            .filter(|open| open.retry_at().is_some_and(|at| at <= now))
            .map(OpenSource::id)
            .collect();
        for source in due {
            self.retry(source, now);
        }
        if now >= self.next_meters {
            self.next_meters = now + METER_INTERVAL;
            let program = self.program_meter.lock().unwrap_or_else(PoisonError::into_inner).read();
            let strips = self.strips.iter().map(|(id, strip)| (*id, strip.level())).collect();
            self.told.meters.send_replace(Meters { strips, program });
            for strip in self.strips.values_mut() {
                if let Some(reason) = strip.deafness(&self.pipeline) {
                    self.told.deafness.send_replace(Some(reason));
                }
            }
            let unwatched: Vec<_> =
                self.pictures.iter().filter(|(_, branch)| branch.is_unwatched()).map(|(view, _)| *view).collect();
            for view in unwatched {
                if let Some(branch) = self.pictures.remove(&view) {
                    branch.take_off(&self.pipeline);
                }
            }
        }
        if now >= self.next_encoding {
            self.next_encoding = now + ENCODING_INTERVAL;
            self.tell_encoding();
        }
    }

    fn tell_sources(&self) {
        let states: Vec<_> = self.sources.values().map(OpenSource::state).collect();
        self.told.sources.send_if_modified(|told| {
            let is_new = *told != states;
            *told = states;
            is_new
        });
    }

    fn tell_encoding(&self) {
        let first = self.encoders.iter().find(|encoder| encoder.track() == Track::Video(0));
        let stuck = self.encoders.iter().any(|encoder| encoder.encoded().is_silent()).then(|| STUCK.to_owned());
        let state = EncodingState {
            is_running: !self.encoders.is_empty(),
            frames: first.map_or(0, |encoder| encoder.encoded().made()),
            dropped_frames: self
                .encoders
                .iter()
                .filter(|encoder| encoder.track() != Track::Audio)
                .map(|encoder| encoder.encoded().dropped())
                .sum(),
            latencies: self.encoders.iter().map(|encoder| (encoder.track(), encoder.encoded().latency())).collect(),
            failure: self.encoder_failure.clone().or(stuck),
        };
        self.told.encoding.send_replace(state);
    }
}
