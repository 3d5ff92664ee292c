//! Pictures from files.

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use skylark_protocol::studio::{Canvas, Input};

use super::{
    CaptureError, Live, Opening,
    still::{Drawn, Picture, Still, rate},
};

/// A picture that takes longer to decode is none.
const DECODING: gst::ClockTime = gst::ClockTime::from_seconds(10);
/// The longest side of a picture that is decoded, pixels.
const MAX_SIDE: u32 = 16_384;

/// Opens a picture.
pub(super) fn open(opening: Opening, input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    let canvas = opening.canvas;
    Still::start(
        &opening,
        input,
        Box::new(move |input| {
            let Input::Image { path } = input else { return Err("this is no image".into()) };
            Ok(Drawn { picture: Some(decode(path, canvas)?), changes_in: None })
        }),
    )
}

/// Decodes a picture: BGRA if something can be seen through it, BGRx otherwise; not larger than the canvas, because
/// what is larger would be scaled down for every frame.
fn decode(path: &str, canvas: Canvas) -> Result<Picture, String> {
    let refused = |error: &dyn std::fmt::Display| format!("{path} cannot be shown: {error}");
    if let Err(error) = std::fs::File::open(path) {
        return Err(refused(&error));
    }
    let pipeline = gst::Pipeline::new();
    let made = |name: &'static str| super::element(name).map_err(|error| refused(&error));
    let (file, decoder, convert) = (made("filesrc")?, made("decodebin")?, made("videoconvert")?);
    file.set_property("location", path);
    let caps = gst_video::VideoCapsBuilder::new().format(gst_video::VideoFormat::Bgra).build();
    let sink = gst_app::AppSink::builder().sync(false).max_buffers(1).caps(&caps).build();
    pipeline.add_many([&file, &decoder, &convert, sink.upcast_ref()]).map_err(|error| refused(&error))?;
    file.link(&decoder).map_err(|error| refused(&error))?;
    convert.link(&sink).map_err(|error| refused(&error))?;
    let target = convert.static_pad("sink").ok_or("a converter takes pictures")?;
    decoder.connect_pad_added(move |_decoder, pad| {
        let is_picture = pad
            .current_caps()
            .is_some_and(|caps| caps.structure(0).is_some_and(|structure| structure.name().starts_with("video/x-raw")));
        if is_picture
            && !target.is_linked()
            && let Err(error) = pad.link(&target)
        {
            tracing::debug!(%error, "a stream of an image file is not taken");
        }
    });
    let picture = pipeline
        .set_state(gst::State::Playing)
        .map_err(|error| refused(&error))
        .and_then(|_| pull(&pipeline, &sink).map_err(|error| refused(&error)))
        .and_then(|sample| shrink(sample, canvas).map_err(|error| refused(&error)));
    if let Err(error) = pipeline.set_state(gst::State::Null) {
        tracing::warn!(%error, "a decoder cannot be put away");
    }
    picture
}

/// The first picture, or why there is none.
fn pull(pipeline: &gst::Pipeline, sink: &gst_app::AppSink) -> Result<gst::Sample, String> {
    let bus = pipeline.bus().ok_or("no messages")?;
    let step = gst::ClockTime::from_mseconds(20);
    for _ in 0..DECODING.mseconds() / step.mseconds() {
        if let Some(sample) = sink.try_pull_sample(step) {
            return Ok(sample);
        }
        if let Some(message) = bus.pop_filtered(&[gst::MessageType::Error])
            && let gst::MessageView::Error(error) = message.view()
        {
            return Err(error.error().message().to_owned());
        }
        if sink.is_eos() {
            break;
        }
    }
    Err("there is no picture in it".into())
}

/// Fits it into the canvas, and drops an alpha channel that hides nothing.
fn shrink(sample: gst::Sample, canvas: Canvas) -> Result<Picture, String> {
    let caps = sample.caps().ok_or("it has no format")?;
    let info = gst_video::VideoInfo::from_caps(caps).map_err(|error| error.to_string())?;
    let (width, height) = (info.width(), info.height());
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(format!("{width} × {height} pixels are too many"));
    }
    let (fit_x, fit_y) = fit(width, height, canvas);
    let wanted = |format| {
        let info = gst_video::VideoInfo::builder(format, fit_x, fit_y).fps(rate());
        info.build().map_err(|error| error.to_string())
    };
    let is_opaque = is_opaque(sample.buffer().ok_or("it has no pixels")?, &info)?;
    let format = if is_opaque { gst_video::VideoFormat::Bgrx } else { gst_video::VideoFormat::Bgra };
    let info = wanted(format)?;
    let caps = info.to_caps().map_err(|error| error.to_string())?;
    let converted = gst_video::convert_sample(&sample, &caps, Some(DECODING)).map_err(|error| error.to_string())?;
    let buffer = converted.buffer_owned().ok_or("it has no pixels")?;
    Ok(Picture { info, buffer })
}

fn is_opaque(buffer: &gst::BufferRef, info: &gst_video::VideoInfo) -> Result<bool, String> {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).map_err(|error| error.to_string())?;
    let pixels = frame.plane_data(0).map_err(|error| error.to_string())?;
    Ok(pixels.as_chunks::<4>().0.iter().all(|pixel| pixel[3] == u8::MAX))
}

/// The same proportions, at most as large as the canvas, at least one pixel.
fn fit(width: u32, height: u32, canvas: Canvas) -> (u32, u32) {
    if width <= canvas.width && height <= canvas.height {
        return (width, height);
    }
    let (width, height) = (u64::from(width), u64::from(height));
    let (room_x, room_y) = (u64::from(canvas.width), u64::from(canvas.height));
    let (fit_x, fit_y) = if width * room_y > height * room_x {
        (room_x, height * room_x / width)
    } else {
        (width * room_y / height, room_y)
    };
    let side = |side: u64| u32::try_from(side.max(1)).expect("no larger than the canvas");
    (side(fit_x), side(fit_y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_proportions_and_are_not_larger_than_the_canvas() {
        let canvas = Canvas { width: 1280, height: 720, frame_rate: 30 };
        assert_eq!(fit(640, 480, canvas), (640, 480));
        assert_eq!(fit(4000, 3000, canvas), (960, 720));
        assert_eq!(fit(4000, 1000, canvas), (1280, 320));
        assert_eq!(fit(1, 10_000, canvas), (1, 720));
    }
}
