//! What this computer plays. Linux: the monitor of a PulseAudio (or PipeWire) sink. Windows: WASAPI's loopback, built
//! but not run here. macOS has no such thing without a driver of its own.

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use skylark_protocol::studio::{Device, DeviceKind, Input};

use super::{
    CaptureError, Live, Opening,
    bridge::Bridge,
    feed::{Feed, SAMPLE_RATE, sound_caps},
    sound::{self, Inlet, LATENCY},
    worker::{Watchdog, Worker},
};

/// The monitor of whatever sink is the default.
#[cfg(target_os = "linux")]
const DEFAULT_MONITOR: &str = "@DEFAULT_MONITOR@";
/// Sound comes in pieces of so many microseconds.
const PIECE_US: i64 = 20_000;
/// So much may wait at the device, microseconds.
const WAITING_US: i64 = 200_000;

/// Desktop sound that is captured.
struct Desktop {
    #[expect(dead_code, reason = "dropped to stop it")]
    bridge: Bridge,
    #[expect(dead_code, reason = "dropped to stop it")]
    worker: Worker,
    #[expect(dead_code, reason = "dropped to stop it")]
    watchdog: Watchdog,
}

impl Live for Desktop {
    fn update(&mut self, _input: &Input) -> bool {
        false
    }
}

/// Opens what the computer plays.
pub(super) fn open(opening: Opening, input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    let Input::DesktopSound { device } = input else { return Err(CaptureError::Unsupported("this as desktop sound")) };
    let source = source(device)?;
    let feed = Feed::sound(&opening, LATENCY)?;
    let (inlet, outlet) = sound::way();
    let (convert, resample) = (super::element("audioconvert")?, super::element("audioresample")?);
    let sink = listening(&feed, inlet);
    let pipeline = gst::Pipeline::new();
    let chain = [&source, &convert, &resample, sink.upcast_ref()];
    pipeline.add_many(chain)?;
    gst::Element::link_many(chain)?;
    let (watchdog, pulse) = Watchdog::start("Desktop sound", opening.reporter.clone())?;
    let taker = feed.clone();
    let worker = Worker::start("capture desktop", move |stop| outlet.run(SAMPLE_RATE, &taker, &pulse, stop))?;
    let bridge =
        Bridge::start(Box::new(|| Ok((pipeline, None))), feed, opening.reporter, "Desktop sound is not captured")?;
    Ok(Box::new(Desktop { bridge, worker, watchdog }))
}

/// A sink that hands over what comes, with the time of its last sample.
fn listening(feed: &Feed, inlet: Inlet) -> gst_app::AppSink {
    let feed = feed.clone();
    let take = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_error| gst::FlowError::Eos)?;
        let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
        let bytes = buffer.map_readable().map_err(|_error| gst::FlowError::Error)?;
        let Some(now) = feed.now() else { return Ok(gst::FlowSuccess::Ok) };
        let float = |bytes: &[u8]| bytes.try_into().map_or(0.0, f32::from_le_bytes);
        let samples = bytes.as_chunks::<8>().0.iter().map(|pair| [float(&pair[..4]), float(&pair[4..])]);
        let end_s = now.nseconds() as f64 / 1e9;
        if inlet.give(samples, end_s) { Ok(gst::FlowSuccess::Ok) } else { Err(gst::FlowError::Eos) }
    };
    gst_app::AppSink::builder()
        .sync(false)
        .caps(&sound_caps())
        .enable_last_sample(false)
        .callbacks(gst_app::AppSinkCallbacks::builder().new_sample(take).build())
        .build()
}

#[cfg(target_os = "linux")]
fn source(device: &str) -> Result<gst::Element, CaptureError> {
    let source = super::element("pulsesrc")?;
    source.set_property("device", if device.is_empty() { DEFAULT_MONITOR } else { device });
    source.set_property("client-name", "Skylark");
    source.set_property("provide-clock", false);
    // Its timestamps are not used: the drift of the device is ours to correct.
    source.set_property_from_str("slave-method", "none");
    source.set_property("latency-time", PIECE_US);
    source.set_property("buffer-time", WAITING_US);
    Ok(source)
}

#[cfg(target_os = "windows")]
fn source(device: &str) -> Result<gst::Element, CaptureError> {
    let source = super::element("wasapi2src")?;
    source.set_property("loopback", true);
    source.set_property("low-latency", true);
    if !device.is_empty() {
        source.set_property("device", device);
    }
    source.set_property("latency-time", PIECE_US);
    source.set_property("buffer-time", WAITING_US);
    Ok(source)
}

#[cfg(not(any(target_os = "linux", target_os = "windows")))]
fn source(_device: &str) -> Result<gst::Element, CaptureError> {
    Err(CaptureError::Unsupported("What the computer plays"))
}

/// Where this computer plays: to be captured there, and to be listened to.
pub(super) fn devices() -> Vec<Device> {
    let name = if cfg!(target_os = "windows") { "wasapi2deviceprovider" } else { "pulsedeviceprovider" };
    let Some(provider) = gst::DeviceProviderFactory::by_name(name) else { return Vec::new() };
    let known = |device: gst::Device| {
        let properties = device.properties();
        let is_monitor = properties.is_some_and(|properties| {
            properties.get::<String>("device.class").is_ok_and(|class| class == "monitor")
                || properties.get::<bool>("wasapi2.device.loopback").unwrap_or(false)
        });
        let kind = match device.has_classes("Audio/Sink") {
            true => DeviceKind::Listening,
            false if is_monitor => DeviceKind::DesktopSound,
            false => return None,
        };
        let id = device.create_element(None).ok()?.property::<Option<String>>("device")?;
        let name = device.display_name();
        let name = name.strip_prefix("Monitor of ").unwrap_or(&name).to_owned();
        Some(Device { kind, id, name })
    };
    provider.devices().into_iter().filter_map(known).collect()
}
