//! What the streamer hears of a strip. Headphones come and go: they play in a pipeline of their own, and what goes wrong
//! in it never reaches the mix.

use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::{
    GraphError,
    wiring::{Branch, leaky_queue, make},
};

/// What a streamer hears may be late by so much at most.
const HOLDS: Duration = Duration::from_millis(200);
/// Sound waits at the device for so long, microseconds.
const DEVICE_US: i64 = 60_000;
/// It is handed to the device in pieces of so many microseconds.
const PIECE_US: i64 = 10_000;

/// A strip that is monitored.
pub(super) struct Monitor {
    tee: gst::Element,
    branch: Branch,
    ears: gst::Pipeline,
    bus: gst::Bus,
    device: String,
}

impl Monitor {
    /// Plays what a tee shares on a device; empty: where this computer plays by itself.
    ///
    /// # Errors
    /// A plugin is missing, or the device is not there.
    pub(super) fn open(pipeline: &gst::Pipeline, tee: &gst::Element, device: &str) -> Result<Self, GraphError> {
        let ears = gst::Pipeline::new();
        let inlet = gst_app::AppSrc::builder()
            .caps(&super::strip::format())
            .format(gst::Format::Time)
            .is_live(true)
            // By when it comes: the mix is later than this.
            .do_timestamp(true)
            .max_bytes(0)
            .max_time(gst::ClockTime::try_from(HOLDS).unwrap_or(gst::ClockTime::ZERO))
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .build();
        let (convert, resample, sink) = (make("audioconvert")?, make("audioresample")?, sink(device)?);
        let elements = [inlet.upcast_ref(), &convert, &resample, &sink];
        ears.add_many(elements)?;
        gst::Element::link_many(elements)?;
        let bus = ears.bus().ok_or_else(|| GraphError::Missing("a bus".into()))?;
        ears.set_state(gst::State::Playing)?;
        let hung = Branch::hang(pipeline, tee, vec![leaky_queue(0, HOLDS)?, outlet(inlet).upcast()], |_| Ok(()));
        match hung {
            Ok(branch) => Ok(Self { tee: tee.clone(), branch, ears, bus, device: device.to_owned() }),
            Err(error) => {
                stop(&ears);
                Err(error)
            }
        }
    }

    /// The device that it was opened on.
    pub(super) fn device(&self) -> &str {
        &self.device
    }

    /// Why nothing is heard any more.
    pub(super) fn failure(&self) -> Option<String> {
        let message = self.bus.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().message().to_owned()),
            _ => None,
        }
    }

    /// Takes it off.
    pub(super) fn close(self, pipeline: &gst::Pipeline) {
        self.branch.take_off(pipeline, &self.tee, || {});
        stop(&self.ears);
    }
}

fn stop(ears: &gst::Pipeline) {
    if let Err(error) = ears.set_state(gst::State::Null) {
        tracing::warn!(%error, "a monitor's pipeline cannot be stopped");
    }
}

/// The end of the branch: hands on what comes, whether it is taken or not.
fn outlet(inlet: gst_app::AppSrc) -> gst_app::AppSink {
    let hand_on = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_error| gst::FlowError::Eos)?;
        if let Some(mut buffer) = sample.buffer_owned() {
            let header = buffer.make_mut();
            header.set_pts(gst::ClockTime::NONE);
            header.set_dts(gst::ClockTime::NONE);
            // A device that is gone is noticed elsewhere.
            inlet.push_buffer(buffer).ok();
        }
        Ok(gst::FlowSuccess::Ok)
    };
    gst_app::AppSink::builder()
        .sync(false)
        .async_(false)
        .max_buffers(8)
        .enable_last_sample(false)
        .callbacks(gst_app::AppSinkCallbacks::builder().new_sample(hand_on).build())
        .build()
}

fn sink(device: &str) -> Result<gst::Element, GraphError> {
    let Some(factory) = factory().filter(|_| !device.is_empty()) else { return make("autoaudiosink") };
    let sink = make(factory)?;
    sink.set_property("device", device);
    sink.set_property("buffer-time", DEVICE_US);
    sink.set_property("latency-time", PIECE_US);
    if sink.has_property("client-name") {
        sink.set_property("client-name", "Skylark");
    }
    Ok(sink)
}

/// What plays on a device that was chosen; none: this system's cannot be.
fn factory() -> Option<&'static str> {
    if cfg!(target_os = "linux") {
        Some("pulsesink")
    } else if cfg!(target_os = "windows") {
        Some("wasapi2sink")
    } else {
        None
    }
}
