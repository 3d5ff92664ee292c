//! Screens and windows.

use gstreamer::{self as gst, prelude::*};
use skylark_protocol::studio::{Canvas, Input};

use super::{
    CaptureError, Live, Opening,
    bridge::{Bridge, feeding},
    element,
    feed::Feed,
};

/// A screen or window that is captured.
struct Screen {
    #[expect(dead_code, reason = "dropped to stop it")]
    bridge: Bridge,
}

impl Live for Screen {
    fn update(&mut self, _input: &Input) -> bool {
        false
    }
}

/// Opens a screen or a window.
pub(super) fn open(opening: Opening, input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    let feed = Feed::pictures(&opening)?;
    let source = source(input)?;
    let caps = picture_caps(opening.canvas);
    let sink = feeding(&feed, Some(&caps), false);
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([&source, sink.upcast_ref()])?;
    source.link(&sink)?;
    let bridge = Bridge::start(pipeline, feed, opening.reporter, "The screen cannot be captured")?;
    Ok(Box::new(Screen { bridge }))
}

/// As many pictures as the canvas has frames.
fn picture_caps(canvas: Canvas) -> gst::Caps {
    let rate = gst::Fraction::new(i32::try_from(canvas.frame_rate).unwrap_or(30), 1);
    gst::Caps::builder("video/x-raw").field("framerate", rate).build()
}

fn source(input: &Input) -> Result<gst::Element, CaptureError> {
    let source = element("ximagesrc")?;
    source.set_property("use-damage", false);
    match input {
        Input::Screen { area, shows_pointer, .. } => {
            source.set_property("show-pointer", *shows_pointer);
            if let Some(area) = area {
                let edge = |at: i32| u32::try_from(at.max(0)).unwrap_or(0);
                let (left, top) = (edge(area.x), edge(area.y));
                source.set_property("startx", left);
                source.set_property("starty", top);
                source.set_property("endx", left + area.width.max(1) - 1);
                source.set_property("endy", top + area.height.max(1) - 1);
            }
        }
        Input::Window { device } => {
            let window = device.parse::<u64>().unwrap_or(0);
            source.set_property("xid", window);
            source.set_property("show-pointer", false);
        }
        _ => return Err(CaptureError::Unsupported("this as a screen")),
    }
    Ok(source)
}
