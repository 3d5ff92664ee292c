//! Windows of other programs. X11 only so far: Windows' `d3d11screencapturesrc` takes a window's handle, which is built
//! for that system alone and was not run where this was written.

use skylark_protocol::studio::Input;

use super::{CaptureError, Live, Opening, feed::Feed};

/// Opens a window.
#[cfg(target_os = "linux")]
pub(super) fn open(opening: Opening, input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    let Input::Window { device } = input else { return Err(CaptureError::Unsupported("This as a window")) };
    let feed = Feed::pictures(&opening)?;
    let Opening { canvas, reporter, .. } = opening;
    if super::portal::is_needed() {
        let (taker, reporter) = (feed.clone(), reporter);
        let build = Box::new(move || super::screen::from_portal(super::portal::Kind::Window, true, canvas, &taker));
        let bridge = super::bridge::Bridge::start(build, feed, reporter, "The window is not captured")?;
        return Ok(Box::new(Window { worker: bridge }));
    }
    let device = device.clone();
    let worker = super::worker::Worker::start("capture window", move |stop| {
        if let Err(reason) = super::x11::film(&device, canvas, &feed, &reporter, stop) {
            reporter.lost(&reason);
        }
    })?;
    Ok(Box::new(Window { worker }))
}

/// Opens a window. Not run where this was written.
#[cfg(target_os = "windows")]
pub(super) fn open(opening: Opening, input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    use gstreamer::{self as gst, prelude::*};

    let Input::Window { device } = input else { return Err(CaptureError::Unsupported("This as a window")) };
    let source = super::element("d3d11screencapturesrc")?;
    source.set_property("window-handle", device.parse::<u64>().unwrap_or(0));
    let feed = Feed::pictures(&opening)?;
    let taker = feed.clone();
    let build = Box::new(move || {
        let sink = super::bridge::feeding(&taker, None, false);
        let pipeline = gst::Pipeline::new();
        let joined = pipeline.add_many([&source, sink.upcast_ref()]).and_then(|()| source.link(&sink));
        joined.map(|()| (pipeline, None)).map_err(|error| error.to_string())
    });
    let bridge = super::bridge::Bridge::start(build, feed, opening.reporter, "The window is not captured")?;
    Ok(Box::new(Window { worker: bridge }))
}

/// There is no way yet.
#[cfg(not(any(target_os = "linux", target_os = "windows")))]
pub(super) fn open(_opening: Opening, _input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    Err(CaptureError::Unsupported("A window"))
}

/// A window that is captured.
#[cfg(any(target_os = "linux", target_os = "windows"))]
struct Window<T> {
    #[expect(dead_code, reason = "dropped to stop it")]
    worker: T,
}

#[cfg(any(target_os = "linux", target_os = "windows"))]
impl<T: Send> Live for Window<T> {
    fn update(&mut self, _input: &Input) -> bool {
        false
    }
}
