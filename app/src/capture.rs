//! Where pictures and sound come from: one file per kind of source, one way into the graph for all of them.
//!
//! A [`Capture`] is a bin with a pad `video`, a pad `audio`, or both. Inside is hardly more than an `appsrc`: what
//! can fail or block (a driver, an X server, a decoder) runs beside the production's pipeline, on threads and in
//! pipelines of its own, so that none of it can stop the production. Nobody waits for such a thread: a device that
//! never answers is left alone with it.
//!
//! | module | does |
//! |---|---|
//! | `feed`, `worker` | the way into the graph; threads that nobody waits for |
//! | `bridge` | pipelines of our own beside the production's |
//! | `camera`, `microphone`, `desktop`, `sound` | devices |
//! | `screen`, `window`, `x11`, `portal` | screens and windows |
//! | `media`, `image`, `text`, `still` | files, words and the clock; what changes rarely costs little |
//! | `test` | pictures and tones that tests can measure |
//! | `devices` | what is there now, and what comes and goes |
//! | `drift`, `resample` | a microphone's clock is not the production's |
//! | `rest` | how long its thread sleeps between two blocks |

mod bridge;
mod camera;
mod desktop;
mod devices;
mod drift;
mod feed;
mod image;
mod media;
mod microphone;
#[cfg(target_os = "linux")]
mod portal;
mod resample;
mod rest;
mod screen;
mod sound;
mod still;
mod test;
mod text;
mod window;
mod worker;
#[cfg(target_os = "linux")]
mod x11;

use std::sync::Arc;

use gstreamer::{self as gst, prelude::*};
use skylark_protocol::studio::{Canvas, Input, Source};

pub use self::devices::{DeviceWatch, devices, watch_devices};
use self::feed::Reporter;

/// Told how an open source is doing, from threads of the source: it must not wait.
pub trait Watcher: Send + Sync {
    /// It delivers, pictures of this many pixels (0 × 0: sound alone). Called again when the size changes.
    fn running(&self, width: u32, height: u32);
    /// It does not deliver any more, or never began: a sentence that says why. Called once; afterwards the source has
    /// to be opened anew.
    fn lost(&self, reason: &str);
}

/// Why a source cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// A part of GStreamer is not installed.
    #[error("GStreamer has no {0} here: install its plugin")]
    MissingElement(&'static str),
    /// This operating system has no way to do it.
    #[error("{0} cannot be captured on this system")]
    Unsupported(&'static str),
    /// GStreamer refused.
    #[error("GStreamer refused: {0}")]
    Graph(#[from] gst::glib::BoolError),
    /// The system has no thread left.
    #[error("no thread can be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// What every kind of source has in common once it is open. Dropping it stops it, without waiting.
trait Live: Send {
    /// Takes another text, colour or device in its stride; false: it has to be opened anew.
    fn update(&mut self, input: &Input) -> bool;
}

/// What a kind of source is opened with.
struct Opening {
    /// What its elements go into, and its pads on.
    bin: gst::Bin,
    /// Size and pace that are of use.
    canvas: Canvas,
    /// Who is told how it is doing.
    reporter: Reporter,
}

/// One open source. Dropping it stops its threads and devices, and takes its bin out of the pipeline, without waiting
/// for either.
pub struct Capture {
    bin: gst::Bin,
    input: Input,
    live: Option<Box<dyn Live>>,
}

impl Capture {
    /// To be added to the production's live pipeline, then `sync_state_with_parent`. It has the pads `video`
    /// (`video/x-raw`; BGRA where something can be seen through) and `audio` (`audio/x-raw`, F32LE, interleaved,
    /// 48 kHz, stereo) as far as the input has picture and sound. Buffers are live: their timestamps are the
    /// pipeline's running time when they were captured.
    #[must_use]
    pub fn bin(&self) -> &gst::Bin {
        &self.bin
    }

    /// Takes another text, colour, device… without a new bin; false: it has to be opened anew.
    pub fn update(&mut self, input: &Input) -> bool {
        if *input == self.input {
            return true;
        }
        let is_taken = self.live.as_mut().is_some_and(|live| live.update(input));
        if is_taken {
            self.input = input.clone();
        }
        is_taken
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // First what feeds the bin, so that nothing is pushed into a bin that stops.
        self.live = None;
        self.bin.set_locked_state(true);
        let bin = self.bin.clone();
        // A change of state waits for streaming threads; whoever drops this must not.
        let stopping = std::thread::Builder::new().name("capture end".into()).spawn(move || feed::dismantle(&bin));
        if stopping.is_err() {
            feed::dismantle(&self.bin);
        }
    }
}

/// Opens a source. What takes time (drivers, files) happens on threads of its own: this returns at once, and
/// `watcher` is told how it went.
///
/// # Errors
/// When this machine lacks what the source is made of.
pub fn open(source: &Source, canvas: Canvas, watcher: Arc<dyn Watcher>) -> Result<Capture, CaptureError> {
    gst::init().map_err(|error| gst::glib::bool_error!("{error}"))?;
    let bin = gst::Bin::builder().name(format!("source-{}", source.id.0)).build();
    let opening = Opening { bin: bin.clone(), canvas, reporter: Reporter::new(watcher) };
    let live: Box<dyn Live> = match &source.input {
        Input::Text { .. } | Input::Clock { .. } => text::open(opening, &source.input)?,
        Input::Color { .. } => still::open_color(opening, &source.input)?,
        Input::Image { .. } => image::open(opening, &source.input)?,
        Input::Test { pattern } => test::open_picture(opening, *pattern)?,
        Input::Tone { .. } => test::open_tone(opening, &source.input)?,
        Input::Screen { .. } => screen::open(opening, &source.input)?,
        Input::Window { .. } => window::open(opening, &source.input)?,
        Input::Camera { .. } => camera::open(opening, &source.input)?,
        Input::Microphone { .. } => microphone::open(opening, &source.input)?,
        Input::DesktopSound { .. } => desktop::open(opening, &source.input)?,
        Input::Media { .. } => media::open(opening, &source.input)?,
    };
    Ok(Capture { bin, input: source.input.clone(), live: Some(live) })
}

/// An element, or a word about the plugin that is not installed.
fn element(name: &'static str) -> Result<gst::Element, CaptureError> {
    gst::ElementFactory::make(name).build().map_err(|_error| CaptureError::MissingElement(name))
}
