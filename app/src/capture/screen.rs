//! Screens and windows.
//!
//! X11: screens by GStreamer's `ximagesrc`, windows by our own [`x11`](super::x11). Wayland: what its portal gives, by
//! `pipewiresrc`; the area is not used there. That, Windows (`d3d11screencapturesrc`)
//! and macOS (`avfvideosrc`), built for their systems alone, were not run where this was written.

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
    let feed = Feed::pictures(&opening)?;
    let (device, area, shows_pointer, canvas) = (device.clone(), *area, *shows_pointer, opening.canvas);
    let taker = feed.clone();
    let build = Box::new(move || {
        #[cfg(target_os = "linux")]
        if super::portal::is_needed() {
            return from_portal(super::portal::Kind::Screen, shows_pointer, canvas, &taker);
        }
        let source = source(&device, area, shows_pointer)?;
        let pipeline = pipeline(&source, canvas, &taker).map_err(|error| error.to_string())?;
        Ok((pipeline, None))
    });
    let bridge = Bridge::start(build, feed, opening.reporter, "The screen is not captured")?;
    Ok(Box::new(Screen { bridge }))
}

/// What somebody chooses in Wayland's dialogue.
#[cfg(target_os = "linux")]
pub(super) fn from_portal(
    kind: super::portal::Kind,
    shows_pointer: bool,
    canvas: Canvas,
    feed: &Feed,
) -> Result<(gst::Pipeline, super::bridge::Kept), String> {
    let (source, session) = super::portal::source(kind, shows_pointer)?;
    // PipeWire sends pictures when something changes; the graph wants none more often than it draws.
    let rate = element("videorate").map_err(|error| error.to_string())?;
    rate.set_property("drop-only", true);
    rate.set_property("max-rate", i32::try_from(canvas.frame_rate).unwrap_or(30));
    let sink = feeding(feed, Some(&gst::Caps::builder("video/x-raw").build()), false);
    let pipeline = gst::Pipeline::new();
    let chain = [&source, &rate, sink.upcast_ref()];
    let joined = pipeline.add_many(chain).and_then(|()| gst::Element::link_many(chain));
    joined.map(|()| (pipeline, Some(session))).map_err(|error| error.to_string())
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
