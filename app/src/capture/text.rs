//! Words and the time of day.

use std::time::Duration;

use gstreamer::{self as gst, glib, prelude::*};
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use skylark_protocol::studio::{Canvas, Color, Input};

use super::{
    CaptureError, Live, Opening, element,
    still::{Drawn, Picture, Still},
};

/// How often a clock looks at the time: how late a second can be seen to change.
const TICK: Duration = Duration::from_millis(100);
/// Drawing words takes milliseconds; this is a machine that hangs.
const DRAWING: gst::ClockTime = gst::ClockTime::from_seconds(5);
/// Letters are at least and at most so high, pixels.
const LETTER_SIZES: std::ops::RangeInclusive<u32> = 4..=1000;
/// Text is at most so many times as wide or as high as the canvas.
const MAX_CANVASES: u32 = 2;

/// Words as they are drawn.
#[derive(Clone, PartialEq)]
struct Words {
    text: String,
    size: u32,
    color: Color,
}

/// Opens a text or a clock.
pub(super) fn open(opening: Opening, input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    element("textoverlay")?;
    let canvas = opening.canvas;
    let mut last: Option<(Words, u32)> = None;
    Still::start(
        &opening,
        input,
        Box::new(move |input| {
            let (words, changes_in) = match input {
                Input::Text { text, size, color } => (Words { text: text.clone(), size: *size, color: *color }, None),
                Input::Clock { format, size, color } => {
                    (Words { text: time_of_day(format)?, size: *size, color: *color }, Some(TICK))
                }
                _ => return Err("these are no words".into()),
            };
            if last.as_ref().is_some_and(|(known, _)| *known == words) {
                return Ok(Drawn { picture: None, changes_in });
            }
            // A clock never becomes narrower while its letters stay the same: its digits would dance.
            let width = match &last {
                Some((known, width)) if changes_in.is_some() && known.size == words.size => *width,
                _ => 0,
            };
            let picture = draw(&words, canvas, width)?;
            last = Some((words, picture.info.width()));
            Ok(Drawn { picture: Some(picture), changes_in })
        }),
    )
}

/// Now, in this machine's zone.
fn time_of_day(format: &str) -> Result<String, String> {
    let now = glib::DateTime::now_local().map_err(|error| format!("the time is unknown: {error}"))?;
    now.format(format).map(Into::into).map_err(|_error| format!("“{format}” is no format of a time"))
}

/// Draws words, as small as they fit, at least `min_width` wide.
fn draw(words: &Words, canvas: Canvas, min_width: u32) -> Result<Picture, String> {
    let size = words.size.clamp(*LETTER_SIZES.start(), *LETTER_SIZES.end());
    let (room_x, room_y) = ((canvas.width * MAX_CANVASES).max(64), (canvas.height * MAX_CANVASES).max(64));
    let pipeline = gst::Pipeline::new();
    let refused = |error: &dyn std::fmt::Display| format!("words cannot be drawn: {error}");
    let overlay = gst::ElementFactory::make("textoverlay")
        // It reads markup; what people write is none.
        .property("text", glib::markup_escape_text(&words.text).as_str())
        .property("font-desc", format!("Sans {size}px"))
        .property("color", argb(words.color))
        .property("auto-resize", false)
        .property("draw-shadow", false)
        .property("draw-outline", false)
        .property_from_str("halignment", "left")
        .property_from_str("line-alignment", "left")
        .property_from_str("valignment", "top")
        .property("xpad", 0)
        .property("ypad", 0)
        .build()
        .map_err(|error| refused(&error))?;
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Bgra, room_x, room_y)
        .fps(gst::Fraction::new(1, 1))
        .build()
        .map_err(|error| refused(&error))?;
    let caps = info.to_caps().map_err(|error| refused(&error))?;
    let source = gst_app::AppSrc::builder().caps(&caps).format(gst::Format::Time).build();
    let sink = gst_app::AppSink::builder().sync(false).build();
    pipeline.add_many([source.upcast_ref(), &overlay, sink.upcast_ref()]).map_err(|error| refused(&error))?;
    gst::Element::link_many([source.upcast_ref(), &overlay, sink.upcast_ref()]).map_err(|error| refused(&error))?;
    pipeline.set_state(gst::State::Playing).map_err(|error| refused(&error))?;
    let mut blank = gst::Buffer::from_slice(vec![0_u8; info.size()]);
    let stamps = blank.get_mut().expect("nobody else has it yet");
    stamps.set_pts(gst::ClockTime::ZERO);
    stamps.set_duration(gst::ClockTime::SECOND);
    let sample = source.push_buffer(blank).ok().and_then(|_| sink.try_pull_sample(DRAWING));
    // The letters' own rectangle, and how far into the picture it begins.
    let reach = |offset, side| overlay.property::<u32>(side) + overlay.property::<i32>(offset).max(0).unsigned_abs();
    let (width, height) = (reach("text-x", "text-width"), reach("text-y", "text-height"));
    if let Err(error) = pipeline.set_state(gst::State::Null) {
        tracing::warn!(%error, "a drawing cannot be put away");
    }
    let sample = sample.ok_or("words cannot be drawn: nothing came of it")?;
    let pixels = sample.buffer().and_then(|buffer| buffer.map_readable().ok());
    let pixels = pixels.ok_or("words cannot be drawn: there are no pixels")?;
    let even = |side: u32, room: u32| side.next_multiple_of(2).clamp(2, room);
    let (width, height) = (even(width.max(min_width), room_x), even(height, room_y));
    crop(&pixels, room_x, width, height).ok_or_else(|| "words cannot be drawn: they are too large".into())
}

fn crop(pixels: &[u8], stride: u32, width: u32, height: u32) -> Option<Picture> {
    let row = usize::try_from(width).ok()? * 4;
    let rows = pixels.chunks_exact(usize::try_from(stride).ok()? * 4).take(usize::try_from(height).ok()?);
    let cropped: Vec<u8> = rows.flat_map(|line| &line[..row]).copied().collect();
    Picture::new(gst_video::VideoFormat::Bgra, width, height, cropped)
}

fn argb(Color([red, green, blue, opacity]): Color) -> u32 {
    u32::from_be_bytes([opacity, red, green, blue])
}
