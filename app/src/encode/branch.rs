//! Encodes a picture, or the sound, of the running graph.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use skylark_protocol::studio::{Canvas, RenditionSettings};

use super::Kind;
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
/// An encoder that gives nothing for so long is stuck.
const SILENCE: Duration = Duration::from_secs(3);
/// Latencies that are kept for percentiles: ten minutes of 30 frames a second.
const KEPT_LATENCIES: usize = 18_000;
/// Of the sound, hertz: AAC at 48 kHz.
const AAC_ENCODERS: [&str; 3] = ["avenc_aac", "fdkaacenc", "voaacenc"];

/// What a track's encoder did.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// Between two frames.
    interval_us: u32,
    since: Instant,
    made: AtomicU64,
    dropped: AtomicU64,
    latencies: Mutex<Latencies>,
}

#[derive(Debug, Default)]
struct Latencies {
    ring_us: Vec<u32>,
    next: usize,
    longest_us: u32,
    /// When the last frame was made.
    newest: Option<Instant>,
}

/// How long frames take from their capture until they are encoded, in the last ten minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Latency {
    /// Half of the frames take less, milliseconds.
    pub p50_ms: f64,
    /// 95 of 100 frames take less, milliseconds.
    pub p95_ms: f64,
    /// The longest since the encoder runs, milliseconds.
    pub max_ms: f64,
    /// Frames that took more than a frame's interval longer than half of them.
    pub late_frames: u64,
    /// Frames that were lost on the way to the encoder, since it runs.
    pub dropped_frames: u64,
    /// Frames that it made.
    pub made_frames: u64,
}

impl Encoded {
    fn every(interval_us: u32) -> Self {
        let (made, dropped, latencies) = Default::default();
        Self { interval_us, since: Instant::now(), made, dropped, latencies }
    }

    /// Frames that never came to the encoder: it had no time for them.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// A frame came to the encoder so long after the one before: what would fit in between is lost.
    fn came_after(&self, step_us: u64) {
        let interval_us = u64::from(self.interval_us.max(1));
        let steps = (step_us + interval_us / 2) / interval_us;
        self.dropped.fetch_add(steps.saturating_sub(1), Ordering::Relaxed);
    }

    fn took(&self, latency_us: u32) {
        let mut all = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        all.newest = Some(Instant::now());
        all.longest_us = all.longest_us.max(latency_us);
        let next = all.next;
        match all.ring_us.get_mut(next) {
            Some(place) => *place = latency_us,
            None => all.ring_us.push(latency_us),
        }
        all.next = (next + 1) % KEPT_LATENCIES;
    }

    pub(crate) fn latency(&self) -> Latency {
        let all = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut sorted, longest_us) = (all.ring_us.clone(), all.longest_us);
        drop(all);
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0);
        let ms = |us: u32| f64::from(us) / 1000.0;
        let in_time_us = at(50).saturating_add(self.interval_us);
        Latency {
            p50_ms: ms(at(50)),
            p95_ms: ms(at(95)),
            max_ms: ms(longest_us),
            late_frames: (sorted.len() - sorted.partition_point(|us| *us <= in_time_us)) as u64,
            dropped_frames: self.dropped(),
            made_frames: self.made(),
        }
    }
}

/// A picture that is to be encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Picture<'a> {
    /// Where it comes out.
    pub(crate) tee: &'a gst::Element,
    /// What it measures.
    pub(crate) canvas: Canvas,
    /// How much later than it was made it is to be shown, nanoseconds: sound may have to be earlier.
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
        track: Track,
        kind: &'static Kind,
        rendition: RenditionSettings,
        outlets: &Arc<Outlets>,
    ) -> Result<Self, GraphError> {
        let Picture { tee, canvas, lead_ns } = from;
        let encoder = kind.make(rendition.bitrate_bps)?;
        let mut elements = vec![leaky_queue(WAITING_FRAMES, Duration::ZERO)?];
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
        elements.push(outlet(&caps, track, outlets, lead_ns, &encoded).upcast());
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
        Ok(Self { track, branch, tee: tee.clone(), encoder, kind: Some(kind), encoded })
    }

    /// Encodes what comes out of the mix's tee.
    ///
    /// # Errors
    /// No AAC encoder is installed.
    pub(crate) fn audio(
        pipeline: &gst::Pipeline,
        tee: &gst::Element,
        bitrate_bps: u32,
        outlets: &Arc<Outlets>,
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
        let sink = outlet(&caps, Track::Audio, outlets, &Arc::default(), &encoded);
        let elements = vec![
            leaky_queue(0, WAITING_SOUND)?,
            make("audioconvert")?,
            encoder.clone(),
            make("aacparse")?,
            sink.upcast(),
        ];
        let branch = Branch::hang(pipeline, tee, elements, |_| Ok(()))?;
        Ok(Self { track: Track::Audio, branch, tee: tee.clone(), encoder, kind: None, encoded })
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

    /// It has given nothing for so long that nothing will come.
    pub(crate) fn is_stuck(&self) -> bool {
        let newest = self.encoded.latencies.lock().unwrap_or_else(PoisonError::into_inner).newest;
        newest.unwrap_or(self.encoded.since).elapsed() > SILENCE
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
fn outlet(
    caps: &gst::Caps,
    track: Track,
    outlets: &Arc<Outlets>,
    lead_ns: &Arc<AtomicU64>,
    encoded: &Arc<Encoded>,
) -> gst_app::AppSink {
    // A sink that waits for its first picture takes the running pipeline's state with it until then.
    let sink = gst_app::AppSink::builder().caps(caps).sync(false).async_(false).build();
    let (outlets, lead_ns, encoded) = (Arc::clone(outlets), Arc::clone(lead_ns), Arc::clone(encoded));
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                encoded.made.fetch_add(1, Ordering::Relaxed);
                let lead_ns = lead_ns.load(Ordering::Relaxed);
                if let Some(packet) = packet(&sample, track, lead_ns) {
                    if let Some(now) = sink.current_running_time() {
                        let latency_us = now.nseconds().saturating_sub(packet.pts_ns - lead_ns) / 1000;
                        encoded.took(u32::try_from(latency_us).unwrap_or(u32::MAX));
                    }
                    outlets.give(&packet);
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    sink
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
