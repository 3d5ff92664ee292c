//! Tries encoders: that a plugin is installed says little of the hardware and its driver.

use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use skylark_protocol::studio::EncoderState;

use super::{ENCODERS, Kind};

/// Frames of 1280×720 that are encoded in a trial.
const FRAMES: i32 = 45;
/// How long a trial may take: some drivers never answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// Tries all encoders, the best first. Takes some seconds: not for a thread that others wait for.
#[must_use]
pub fn try_encoders() -> Vec<EncoderState> {
    ENCODERS.iter().map(attempt).collect()
}

fn attempt(kind: &Kind) -> EncoderState {
    let state = |works, speed_fps, reason| EncoderState {
        name: kind.name.into(),
        title: kind.title.into(),
        works,
        speed_fps,
        reason,
    };
    if gst::ElementFactory::find(kind.name).is_none() {
        return state(false, 0.0, Some("is not installed here".into()));
    }
    match encode(kind) {
        Ok(speed_fps) => state(true, speed_fps, None),
        Err(reason) => state(false, 0.0, Some(reason)),
    }
}

/// Frames per second.
fn encode(kind: &Kind) -> Result<f64, String> {
    let encoder = kind.make(2_500_000, 0).map_err(|error| error.to_string())?;
    let pipeline = gst::Pipeline::new();
    let make = |name: &str| crate::graph::wiring::make(name).map_err(|error| error.to_string());
    let source = make("videotestsrc")?;
    source.set_property("num-buffers", FRAMES);
    // What moves, as a camera's picture does.
    source.set_property_from_str("pattern", "ball");
    let caps = "video/x-raw,format=I420,width=1280,height=720,framerate=30/1".parse::<gst::Caps>();
    let filter = make("capsfilter")?;
    filter.set_property("caps", caps.map_err(|error| error.to_string())?);
    let convert = make("videoconvert")?;
    let sink = make("fakesink")?;
    let elements = [&source, &filter, &convert, &encoder, &sink];
    pipeline.add_many(elements).map_err(|error| error.to_string())?;
    gst::Element::link_many(elements).map_err(|error| error.to_string())?;
    let bus = pipeline.bus().ok_or("no bus")?;
    let outcome = (|| {
        pipeline.set_state(gst::State::Paused).map_err(|_| "does not start".to_owned())?;
        if pipeline.state(gst::ClockTime::from_mseconds(PATIENCE.as_millis() as u64)).1 != gst::State::Paused {
            return Err("does not start".to_owned());
        }
        let start = Instant::now();
        pipeline.set_state(gst::State::Playing).map_err(|_| "does not run".to_owned())?;
        let patience = gst::ClockTime::from_mseconds(PATIENCE.as_millis() as u64);
        let message = bus.timed_pop_filtered(patience, &[gst::MessageType::Eos, gst::MessageType::Error]);
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => Ok(f64::from(FRAMES) / start.elapsed().as_secs_f64().max(1e-3)),
            Some(gst::MessageView::Error(error)) => Err(error.error().to_string()),
            _ => Err(format!("did not encode {FRAMES} frames within {} s", PATIENCE.as_secs())),
        }
    })();
    pipeline.set_state(gst::State::Null).ok();
    outcome
}
