//! Pictures that change rarely: the same buffer is fed again and again, a few times a second.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gstreamer as gst;
use gstreamer_video as gst_video;
use skylark_protocol::studio::{Color, Input};

use super::{
    CaptureError, Live, Opening,
    feed::Feed,
    worker::{Stop, Worker},
};

/// How long a fed picture lasts: how late a change can be seen, against how often a compositor is bothered.
const SHOWN: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// How much earlier than it is due a picture is fed. One always waits while the one before is shown: a compositor holds a frame
/// up to its deadline for an input that has nothing waiting, though what it has is still good.
const AHEAD: gst::ClockTime = gst::ClockTime::from_mseconds(150);
/// One colour needs no more pixels than this: compositors scale. Small formats want even sides.
const COLOR_SIDE: u32 = 16;

/// A picture with its format.
#[derive(Clone)]
pub(super) struct Picture {
    pub(super) info: gst_video::VideoInfo,
    pub(super) buffer: gst::Buffer,
}

impl Picture {
    /// From rows of pixels without padding.
    pub(super) fn new(format: gst_video::VideoFormat, width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let info = gst_video::VideoInfo::builder(format, width, height).fps(rate()).build().ok()?;
        (info.size() == pixels.len()).then(|| Self { info, buffer: gst::Buffer::from_slice(pixels) })
    }
}

/// Frames per second that stills claim.
pub(super) fn rate() -> gst::Fraction {
    gst::Fraction::new(i32::try_from(1000 / SHOWN.mseconds()).expect("a handful of frames"), 1)
}

/// What is drawn next, and when to ask again.
pub(super) struct Drawn {
    /// Another picture than before.
    pub(super) picture: Option<Picture>,
    /// After this, it may look otherwise although nothing was asked for.
    pub(super) changes_in: Option<Duration>,
}

/// Makes pictures from inputs, on the still's own thread.
pub(super) type Draw = Box<dyn FnMut(&Input) -> Result<Drawn, String> + Send>;

/// A source whose picture is drawn anew only when its input changes.
pub(super) struct Still {
    input: Arc<Mutex<Input>>,
    worker: Worker,
}

impl Still {
    /// Begins to feed what `draw` makes of the input.
    pub(super) fn start(opening: &Opening, input: &Input, draw: Draw) -> Result<Box<dyn Live>, CaptureError> {
        let feed = Feed::pictures(opening)?;
        let reporter = opening.reporter.clone();
        let input = Arc::new(Mutex::new(input.clone()));
        let shared = Arc::clone(&input);
        let worker = Worker::start("capture still", move |stop| {
            if let Err(reason) = run(&feed, &shared, draw, stop) {
                reporter.lost(&reason);
            }
        })?;
        Ok(Box::new(Self { input, worker }))
    }
}

impl Live for Still {
    fn update(&mut self, input: &Input) -> bool {
        let mut known = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::discriminant(&*known) != std::mem::discriminant(input) {
            return false;
        }
        *known = input.clone();
        drop(known);
        self.worker.wake();
        true
    }
}

fn run(feed: &Feed, shared: &Mutex<Input>, mut draw: Draw, stop: &Stop) -> Result<(), String> {
    let read = || shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut drawn_input = read();
    let mut drawn = draw(&drawn_input)?;
    let mut picture = drawn.picture.take();
    let Some(mut due) = feed.wait(stop) else { return Ok(()) };
    let mut asked = feed.now();
    while !stop.is_asked() {
        let Some(now) = feed.wait(stop) else { return Ok(()) };
        let input = read();
        let is_over = drawn.changes_in.zip(asked).is_some_and(|(after, asked)| {
            now.saturating_sub(asked).nseconds() >= u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)
        });
        if input != drawn_input || is_over {
            drawn = draw(&input)?;
            asked = Some(now);
            drawn_input = input;
            if let Some(next) = drawn.picture.take() {
                picture = Some(next);
                // Seen at once where the one before is over; it is not where it still waits.
                due = due.min(now);
            }
        }
        if now + AHEAD >= due {
            if let Some(picture) = &picture {
                // After a pause of the whole machine, what was missed is not fed.
                due = due.max(now.saturating_sub(SHOWN));
                if !feed.push_picture(&picture.info, stamped(&picture.buffer, due)) {
                    return Ok(());
                }
            }
            due += SHOWN;
        }
        let pause = due.saturating_sub(AHEAD).saturating_sub(feed.now().unwrap_or(now)).max(gst::ClockTime::MSECOND);
        stop.rest(drawn.changes_in.map_or(pause.into(), |after| after.min(pause.into())));
    }
    Ok(())
}

/// The same pixels at another time.
fn stamped(buffer: &gst::Buffer, at: gst::ClockTime) -> gst::Buffer {
    let mut buffer = buffer.copy();
    let stamps = buffer.make_mut();
    stamps.set_pts(at);
    stamps.set_duration(SHOWN);
    buffer
}

/// One colour.
pub(super) fn open_color(opening: Opening, input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    let canvas = opening.canvas;
    Still::start(
        &opening,
        input,
        Box::new(move |input| {
            let Input::Color { color } = input else { return Err("this is no colour".into()) };
            let side = |side: u32| side.clamp(COLOR_SIDE, 8192);
            let picture = plain(*color, side(canvas.width), side(canvas.height));
            Ok(Drawn { picture, changes_in: None })
        }),
    )
}

/// A picture of one colour; opaque ones have no alpha, so that nobody blends them.
fn plain(Color([red, green, blue, opacity]): Color, width: u32, height: u32) -> Option<Picture> {
    let format = if opacity == u8::MAX { gst_video::VideoFormat::Bgrx } else { gst_video::VideoFormat::Bgra };
    let pixels = [blue, green, red, opacity].repeat(usize::try_from(u64::from(width) * u64::from(height)).ok()?);
    Picture::new(format, width, height, pixels)
}
