//! A strip of the mixer: one source's sound on its way to the mix.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as gst_audio;
use skylark_protocol::studio::{Level, Strip};

use super::{
    GraphError,
    loudness::{CHANNELS, Meter, SAMPLE_RATE},
    monitor::Monitor,
    plan::HeardStrip,
    wiring::{discard, leaky_queue, make},
};

/// How much sound a strip holds: its longest offset, and what all others are later by, and some to breathe.
const HOLDS: Duration = Duration::from_millis(2 * Strip::MAX_OFFSET_MS.unsigned_abs() as u64 + 1000);
/// 1 dB below full scale.
const LIMIT: f32 = 0.891;

/// The format of everything that is mixed.
pub(super) fn format() -> gst::Caps {
    gst_audio::AudioCapsBuilder::new_interleaved()
        .format(gst_audio::AudioFormat::F32le)
        .rate(SAMPLE_RATE.cast_signed())
        .channels(CHANNELS as i32)
        .build()
}

/// One strip.
pub(super) struct OpenStrip {
    heard: HeardStrip,
    elements: Vec<gst::Element>,
    source: gst::Element,
    source_pad: gst::Pad,
    volume: gst::Element,
    pad: gst::Pad,
    tee: gst::Element,
    monitor: Option<Monitor>,
    meter: Arc<Mutex<Meter>>,
}

impl OpenStrip {
    /// Takes a source's sound, which a tee shares, to the mixer.
    ///
    /// # Errors
    /// A plugin is missing, or the source has another kind of sound.
    pub(super) fn open(
        pipeline: &gst::Pipeline,
        mixer: &gst::Element,
        sound: &gst::Element,
        heard: HeardStrip,
        lead_ms: u32,
    ) -> Result<Self, GraphError> {
        let elements = chain(&heard.strip)?;
        let volume = make("volume")?;
        let mut all = elements;
        all.push(volume.clone());
        if heard.strip.limiter {
            all.push(dynamics("hard-knee", LIMIT, 0.0)?);
        }
        let tee = make("tee")?;
        all.push(tee.clone());
        let linked = (|| {
            pipeline.add_many(&all)?;
            gst::Element::link_many(&all)?;
            let pad = mixer.request_pad_simple("sink_%u").ok_or_else(|| GraphError::Missing("a mixer pad".into()))?;
            // Behind the tee, so that a mix that waits does not keep the streamer from hearing.
            let queue = leaky_queue(0, HOLDS)?;
            pipeline.add(&queue)?;
            all.push(queue.clone());
            tee.link(&queue)?;
            let end = queue.static_pad("src").ok_or_else(|| GraphError::Missing("a source pad".into()))?;
            end.link(&pad)?;
            Ok(pad)
        })();
        let pad = match linked {
            Ok(pad) => pad,
            Err(error) => {
                discard(pipeline, &all);
                return Err(error);
            }
        };
        let meter = Arc::new(Mutex::new(Meter::default()));
        measure(&tee, &meter);
        for element in all.iter().rev() {
            element.sync_state_with_parent()?;
        }
        let first = all.first().and_then(|first| first.static_pad("sink"));
        let source_pad =
            sound.request_pad_simple("src_%u").ok_or_else(|| GraphError::Missing("a pad of the tee".into()))?;
        let strip =
            Self { heard, elements: all, source: sound.clone(), source_pad, volume, pad, tee, monitor: None, meter };
        strip.set(heard, lead_ms);
        strip.source_pad.link(&first.ok_or_else(|| GraphError::Missing("a sink pad".into()))?)?;
        Ok(strip)
    }

    /// Sounds like this from now on. False: that takes other elements.
    pub(super) fn change(&mut self, heard: HeardStrip, lead_ms: u32) -> bool {
        let shape = |strip: &Strip| (strip.noise_suppression, strip.compressor, strip.limiter);
        if shape(&heard.strip) != shape(&self.heard.strip) {
            return false;
        }
        self.heard = heard;
        self.set(heard, lead_ms);
        true
    }

    /// The level since this was last asked.
    pub(super) fn level(&self) -> Level {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner).read()
    }

    /// Plays it for the streamer, or no longer does. The mix hears nothing of that.
    ///
    /// # Errors
    /// The device cannot be opened.
    pub(super) fn listen(&mut self, pipeline: &gst::Pipeline, device: &str) -> Result<(), GraphError> {
        let is_wanted = self.heard.strip.is_monitored;
        if let Some(monitor) = self.monitor.take_if(|monitor| !is_wanted || monitor.device() != device) {
            monitor.close(pipeline);
        }
        if is_wanted && self.monitor.is_none() {
            self.monitor = Some(Monitor::open(pipeline, &self.tee, device)?);
        }
        Ok(())
    }

    /// Why the streamer does not hear it any more. It is silent until it is listened to again.
    pub(super) fn deafness(&mut self, pipeline: &gst::Pipeline) -> Option<String> {
        let reason = self.monitor.as_ref()?.failure()?;
        if let Some(monitor) = self.monitor.take() {
            monitor.close(pipeline);
        }
        Some(reason)
    }

    /// Takes it off.
    pub(super) fn close(self, pipeline: &gst::Pipeline, mixer: &gst::Element) {
        if let Some(monitor) = self.monitor {
            monitor.close(pipeline);
        }
        super::wiring::unlink_when_still(&self.source_pad);
        self.source.release_request_pad(&self.source_pad);
        mixer.release_request_pad(&self.pad);
        discard(pipeline, &self.elements);
    }

    fn set(&self, heard: HeardStrip, lead_ms: u32) {
        self.volume.set_property("volume", 10f64.powf(f64::from(heard.strip.gain_db) / 20.0));
        self.pad.set_property("mute", !heard.is_on_air);
        let late_ms = i64::from(heard.strip.offset_ms) + i64::from(lead_ms);
        self.pad.set_offset(late_ms * 1_000_000);
    }
}

/// What makes a strip's sound better before its gain.
fn chain(strip: &Strip) -> Result<Vec<gst::Element>, GraphError> {
    let mut chain = vec![leaky_queue(0, HOLDS)?];
    if strip.noise_suppression {
        let cleaner = make("webrtcdsp")?;
        for off in ["echo-cancel", "gain-control", "limiter"] {
            cleaner.set_property(off, false);
        }
        cleaner.set_property("noise-suppression", true);
        cleaner.set_property("high-pass-filter", true);
        chain.extend([make("audioconvert")?, cleaner, make("audioconvert")?]);
        let stereo = super::wiring::filter(&format())?;
        chain.push(stereo);
    }
    if strip.compressor {
        // From -18 dB on a third of what is above, and 6 dB back.
        chain.push(dynamics("soft-knee", 0.126, 0.33)?);
        let makeup = make("volume")?;
        makeup.set_property("volume", 2.0f64);
        chain.push(makeup);
    }
    Ok(chain)
}

fn dynamics(knee: &str, threshold: f32, ratio: f32) -> Result<gst::Element, GraphError> {
    let dynamics = make("audiodynamic")?;
    dynamics.set_property_from_str("mode", "compressor");
    dynamics.set_property_from_str("characteristics", knee);
    dynamics.set_property("threshold", threshold);
    dynamics.set_property("ratio", ratio);
    Ok(dynamics)
}

/// Measures what goes through an element.
pub(super) fn measure(element: &gst::Element, meter: &Arc<Mutex<Meter>>) {
    let Some(pad) = element.static_pad("sink") else { return };
    let meter = Arc::clone(meter);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(map) = info.buffer().and_then(|buffer| buffer.map_readable().ok()) {
            // A frame at a time: the meter needs no aligned view of the bytes.
            let samples: Vec<f32> =
                map.chunks_exact(4).filter_map(|bytes| bytes.try_into().ok()).map(f32::from_le_bytes).collect();
            meter.lock().unwrap_or_else(PoisonError::into_inner).hear(&samples);
        }
        gst::PadProbeReturn::Ok
    });
}
