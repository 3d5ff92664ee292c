//! Screens and windows.
//!
//! X11: screens by GStreamer's `ximagesrc`, windows by our own [`x11`](super::x11). Windows (`d3d11screencapturesrc`)
//! and macOS (`avfvideosrc`) are built for their systems alone, and were not run where this was written.

use gstreamer::{self as gst, prelude::*};
use skylark_protocol::studio::{Canvas, Input, Rect};

use super::{
    CaptureError, Live, Opening,
    bridge::{Bridge, feeding},
    element,
    feed::Feed,
};

/// A screen that is captured.
struct Screen {
    #[expect(dead_code, reason = "dropped to stop it")]
    bridge: Bridge,
}

impl Live for Screen {
    fn update(&mut self, _input: &Input) -> bool {
        false
    }
}

/// Opens a screen.
pub(super) fn open(opening: Opening, input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    let Input::Screen { device, area, shows_pointer } = input else {
        return Err(CaptureError::Unsupported("this as a screen"));
    };
    element(ELEMENT)?;
    let feed = Feed::pictures(&opening)?;
    let (device, area, shows_pointer, canvas) = (device.clone(), *area, *shows_pointer, opening.canvas);
    let taker = feed.clone();
    let build = Box::new(move || {
        let source = source(&device, area, shows_pointer)?;
        pipeline(&source, canvas, &taker).map_err(|error| error.to_string())
    });
    let bridge = Bridge::start(build, feed, opening.reporter, "The screen is not captured")?;
    Ok(Box::new(Screen { bridge }))
}

/// As many pictures as the canvas has frames, as they come.
fn pipeline(source: &gst::Element, canvas: Canvas, feed: &Feed) -> Result<gst::Pipeline, CaptureError> {
    let rate = gst::Fraction::new(i32::try_from(canvas.frame_rate).unwrap_or(30), 1);
    let caps = gst::Caps::builder("video/x-raw").field("framerate", rate).build();
    let sink = feeding(feed, Some(&caps), false);
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([source, sink.upcast_ref()])?;
    source.link(&sink)?;
    Ok(pipeline)
}

#[cfg(target_os = "linux")]
const ELEMENT: &str = "ximagesrc";
#[cfg(target_os = "windows")]
const ELEMENT: &str = "d3d11screencapturesrc";
#[cfg(not(any(target_os = "linux", target_os = "windows")))]
const ELEMENT: &str = "avfvideosrc";

#[cfg(target_os = "linux")]
fn source(device: &str, area: Option<Rect>, shows_pointer: bool) -> Result<gst::Element, String> {
    let place = super::x11::place(device, area)?;
    let edge = |at: i32| u32::try_from(at).unwrap_or(0);
    let (left, top) = (edge(place.x), edge(place.y));
    let source = element(ELEMENT).map_err(|error| error.to_string())?;
    // Whole pictures: what changed would have to be put together, at more cost than it saves.
    source.set_property("use-damage", false);
    source.set_property("show-pointer", shows_pointer);
    source.set_property("startx", left);
    source.set_property("starty", top);
    // Both ends are inclusive.
    source.set_property("endx", left + place.width - 1);
    source.set_property("endy", top + place.height - 1);
    Ok(source)
}

/// Not run where this was written.
#[cfg(target_os = "windows")]
fn source(device: &str, area: Option<Rect>, shows_pointer: bool) -> Result<gst::Element, String> {
    let source = element(ELEMENT).map_err(|error| error.to_string())?;
    source.set_property("show-cursor", shows_pointer);
    source.set_property("monitor-index", device.parse::<i32>().unwrap_or(-1));
    if let Some(area) = area {
        source.set_property("crop-x", u32::try_from(area.x).unwrap_or(0));
        source.set_property("crop-y", u32::try_from(area.y).unwrap_or(0));
        source.set_property("crop-width", area.width);
        source.set_property("crop-height", area.height);
    }
    Ok(source)
}

/// Not run where this was written.
#[cfg(not(any(target_os = "linux", target_os = "windows")))]
fn source(device: &str, area: Option<Rect>, shows_pointer: bool) -> Result<gst::Element, String> {
    let source = element(ELEMENT).map_err(|error| error.to_string())?;
    source.set_property("capture-screen", true);
    source.set_property("capture-screen-cursor", shows_pointer);
    source.set_property("device-index", device.parse::<i32>().unwrap_or(-1));
    if let Some(area) = area {
        source.set_property("screen-crop-x", u32::try_from(area.x).unwrap_or(0));
        source.set_property("screen-crop-y", u32::try_from(area.y).unwrap_or(0));
        source.set_property("screen-crop-width", area.width);
        source.set_property("screen-crop-height", area.height);
    }
    Ok(source)
}
