//! Encodes a picture, or the sound, of the running graph.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use skylark_protocol::studio::{Canvas, RenditionSettings};

use super::{
    Kind,
    beginning::{Beginning, Gate},
    latency::{Captures, Encoded},
};
use crate::{
    encoded::{Outlets, Packet, Track},
    graph::{
        GraphError,
        wiring::{Branch, filter, leaky_queue, make},
    },
};

/// Raw frames that wait for an encoder; when it is slower than the picture for so long, the oldest are lost, and counted.
const WAITING_FRAMES: u32 = 10;
/// Sound that waits for its encoder.
const WAITING_SOUND: Duration = Duration::from_secs(1);
/// Of the sound, hertz: AAC at 48 kHz.
const AAC_ENCODERS: [&str; 3] = ["avenc_aac", "fdkaacenc", "voaacenc"];

/// A picture that is to be encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Picture<'a> {
    /// Where it comes out.
    pub(crate) tee: &'a gst::Element,
    /// What it measures.
    pub(crate) canvas: Canvas,
    /// When what it shows was captured.
    pub(crate) captures: &'a Arc<Captures>,
}

/// How a picture is encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coding {
    pub(crate) kind: &'static Kind,
    pub(crate) rendition: RenditionSettings,
    /// Of x264.
    pub(crate) threads: u32,
}

/// Where what is encoded goes.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'a> {
    pub(crate) track: Track,
    pub(crate) beginning: &'a Arc<Beginning>,
    pub(crate) outlets: &'a Arc<Outlets>,
    /// How much later than they were made pictures are to be shown, nanoseconds: sound may have to be earlier.
    pub(crate) lead_ns: &'a Arc<AtomicU64>,
}

/// An encoder that hangs from the graph.
pub(crate) struct EncodingBranch {
    track: Track,
    branch: Branch,
    tee: gst::Element,
    encoder: gst::Element,
    kind: Option<&'static Kind>,
    encoded: Arc<Encoded>,
}

impl EncodingBranch {
    /// Encodes what comes out of a picture's tee.
    ///
    /// # Errors
    /// A plugin is missing, or the encoder does not start.
    pub(crate) fn video(
        pipeline: &gst::Pipeline,
        from: Picture<'_>,
        coding: Coding,
        to: Destination<'_>,
    ) -> Result<Self, GraphError> {
        let (Picture { tee, canvas, .. }, Coding { kind, rendition, threads }) = (from, coding);
        let encoder = kind.make(rendition.bitrate_bps, threads)?;
        let queue = leaky_queue(WAITING_FRAMES, Duration::ZERO)?;
        let mut elements = vec![queue.clone()];
        if rendition.frame_rate < canvas.frame_rate {
            let rate = make("videorate")?;
            rate.set_property("drop-only", true);
            let caps = gst::Caps::builder("video/x-raw")
                .field("framerate", gst::Fraction::new(rendition.frame_rate.cast_signed(), 1))
                .build();
            elements.extend([rate, filter(&caps)?]);
        }
        if (rendition.width, rendition.height) != (canvas.width, canvas.height) {
            let caps = gst::Caps::builder("video/x-raw")
                .field("width", rendition.width.cast_signed())
                .field("height", rendition.height.cast_signed())
                .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
                .build();
            elements.extend([make("videoscale")?, filter(&caps)?]);
        }
        if kind.name != "x264enc" && kind.name != "openh264enc" {
            elements.push(make("videoconvert")?);
        }
        elements.push(encoder.clone());
        let profile = gst::Caps::builder("video/x-h264").field("profile", "high").build();
        if kind.name == "x264enc" {
            elements.push(filter(&profile)?);
        }
        let parser = make("h264parse")?;
        // Parameter sets before every keyframe.
        parser.set_property("config-interval", -1i32);
        elements.push(parser);
        let caps =
            gst::Caps::builder("video/x-h264").field("stream-format", "byte-stream").field("alignment", "au").build();
        let encoded = Arc::new(Encoded::every(1_000_000 / rendition.frame_rate.max(1)));
        let (gate, captures) = (to.beginning.for_picture(), Some(Arc::clone(from.captures)));
        let waiting = move || queue.property("current-level-buffers");
        let sink = PacketSink::new(&to, gate, captures, &encoded, waiting);
        elements.push(sink.on(&caps).upcast());
        if let Some(pad) = encoder.static_pad("sink") {
            let (counted, before) = (Arc::clone(&encoded), AtomicU64::new(u64::MAX));
            // The canvas makes every frame: a gap is what the queue had no room for.
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                if let Some(pts) = info.buffer().and_then(|buffer| buffer.pts()) {
                    let before = before.swap(pts.useconds(), Ordering::Relaxed);
                    counted.came_after(pts.useconds().saturating_sub(before));
                }
                gst::PadProbeReturn::Ok
            });
        }
        let branch = Branch::hang(pipeline, tee, elements, |_| Ok(()))?;
        Ok(Self { track: to.track, branch, tee: tee.clone(), encoder, kind: Some(kind), encoded })
    }

    /// Encodes what comes out of the mix's tee.
    ///
    /// # Errors
    /// No AAC encoder is installed.
    pub(crate) fn audio(
        pipeline: &gst::Pipeline,
        tee: &gst::Element,
        bitrate_bps: u32,
        to: Destination<'_>,
    ) -> Result<Self, GraphError> {
        let encoder = AAC_ENCODERS.iter().find_map(|name| make(name).ok());
        let encoder = encoder.ok_or_else(|| GraphError::Missing(AAC_ENCODERS[0].into()))?;
        encoder.set_property_from_str("bitrate", &bitrate_bps.to_string());
        let caps = gst::Caps::builder("audio/mpeg")
            .field("mpegversion", 4i32)
            .field("stream-format", "adts")
            .field("framed", true)
            .build();
        // Blocks of sound are never late: who hears them waits for pictures.
        let encoded = Arc::new(Encoded::every(u32::MAX));
        let sink = PacketSink::new(&to, to.beginning.for_sound(), None, &encoded, || 0);
        let elements = vec![
            leaky_queue(0, WAITING_SOUND)?,
            make("audioconvert")?,
            encoder.clone(),
            make("aacparse")?,
            sink.on(&caps).upcast(),
        ];
        let branch = Branch::hang(pipeline, tee, elements, |_| Ok(()))?;
        Ok(Self { track: to.track, branch, tee: tee.clone(), encoder, kind: None, encoded })
    }

    pub(crate) fn track(&self) -> Track {
        self.track
    }

    pub(crate) fn encoded(&self) -> &Arc<Encoded> {
        &self.encoded
    }

    /// Whether an element is this encoder, or beside it.
    pub(crate) fn has(&self, element: &gst::Object) -> bool {
        self.branch.has(element)
    }

    /// Another bitrate from the next frame on, bits per second.
    pub(crate) fn set_bitrate(&self, bitrate_bps: u32) {
        if let Some(kind) = self.kind {
            kind.set_bitrate(&self.encoder, bitrate_bps);
        }
    }

    pub(crate) fn take_off(self, pipeline: &gst::Pipeline) {
        self.branch.take_off(pipeline, &self.tee, || {});
    }
}

/// Where encoded frames leave the graph.
struct PacketSink<W> {
    track: Track,
    outlets: Arc<Outlets>,
    gate: Gate,
    encoded: Arc<Encoded>,
    lead_ns: Arc<AtomicU64>,
    /// Of pictures.
    captures: Option<Arc<Captures>>,
    /// Frames that wait for the encoder.
    waiting: W,
}

impl<W: Fn() -> u32 + Send + 'static> PacketSink<W> {
    fn new(
        to: &Destination<'_>,
        gate: Gate,
        captures: Option<Arc<Captures>>,
        encoded: &Arc<Encoded>,
        waiting: W,
    ) -> Self {
        let (outlets, lead_ns) = (Arc::clone(to.outlets), Arc::clone(to.lead_ns));
        Self { track: to.track, outlets, gate, encoded: Arc::clone(encoded), lead_ns, captures, waiting }
    }

    fn on(mut self, caps: &gst::Caps) -> gst_app::AppSink {
        // A sink that waits for its first picture takes the running pipeline's state with it until then.
        let sink = gst_app::AppSink::builder().caps(caps).sync(false).async_(false).build();
        sink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    self.give(&sample, sink.current_running_time());
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        );
        sink
    }

    fn give(&mut self, sample: &gst::Sample, now: Option<gst::ClockTime>) {
        self.encoded.lives();
        let lead_ns = self.lead_ns.load(Ordering::Relaxed);
        let later_ns = if self.captures.is_some() { lead_ns } else { 0 };
        let Some(packet) = packet(sample, self.track, later_ns) else { return };
        // The picture that is shown at the same time was composed then.
        let composed_ns = packet.pts_ns.saturating_sub(lead_ns);
        let was_open = self.gate.is_open();
        if !self.gate.lets(composed_ns, packet.is_keyframe, &self.waiting) {
            return;
        }
        if !was_open {
            self.encoded.begin();
        }
        let captured_ns = self.captures.as_ref().map_or(packet.pts_ns, |captures| captures.of(composed_ns));
        let latency_us = now.map_or(0, |now| now.nseconds().saturating_sub(captured_ns) / 1000);
        self.encoded.took(u32::try_from(latency_us).unwrap_or(u32::MAX));
        self.outlets.give(&packet);
    }
}

/// A sample as a packet; none if it has no time.
fn packet(sample: &gst::Sample, track: Track, lead_ns: u64) -> Option<Packet> {
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let buffer = sample.buffer_owned()?;
    // x264enc counts from a thousand hours on, and its segment takes that back.
    let pts_ns = segment.to_running_time(buffer.pts()?)?.nseconds() + lead_ns;
    let dts = buffer.dts().and_then(|dts| segment.to_running_time(dts));
    let dts_ns = dts.map_or(pts_ns, |dts| (dts.nseconds() + lead_ns).min(pts_ns));
    let is_keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
    let duration_ns = buffer.duration().map_or(0, gst::ClockTime::nseconds);
    let data = Bytes::from_owner(buffer.into_mapped_buffer_readable().ok()?);
    Some(Packet { track, pts_ns, dts_ns, duration_ns, is_keyframe, data })
}
