//! Cameras, by nokhwa.
//!
//! A driver's call can hang for ever, and nothing ends it from outside. So each camera has a thread of its own that
//! nobody waits for; while one hangs there, its camera is not opened again.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use nokhwa::{
    Camera, NokhwaError,
    utils::{ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType},
};
use skylark_protocol::studio::{Canvas, Device, DeviceKind, Input};

use super::{
    CaptureError, Live, Opening,
    bridge::feeding,
    element,
    feed::{Feed, Reporter},
    worker::{Pulse, Stop, Watchdog, Worker},
};

/// Formats that are understood, the cheapest first.
const FORMATS: [FrameFormat; 6] = [
    FrameFormat::YUYV,
    FrameFormat::NV12,
    FrameFormat::MJPEG,
    FrameFormat::RAWRGB,
    FrameFormat::RAWBGR,
    FrameFormat::GRAY,
];
/// A picture that claims to be older has a wrong clock.
const MAX_AGE: Duration = Duration::from_millis(200);
/// Pictures in a row that cannot be used before the camera is given up.
const MAX_BAD_PICTURES: u32 = 30;
/// Cameras that a thread is busy with, be it stuck there.
static BUSY: Mutex<Option<HashSet<String>>> = Mutex::new(None);

/// A camera that is captured.
struct Source {
    #[expect(dead_code, reason = "dropped to stop it")]
    worker: Worker,
    #[expect(dead_code, reason = "dropped to stop it")]
    watchdog: Watchdog,
}

impl Live for Source {
    fn update(&mut self, _input: &Input) -> bool {
        false
    }
}

/// One thread per camera.
struct Turn(String);

impl Turn {
    fn take(id: &str) -> Option<Self> {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        busy.get_or_insert_default().insert(id.to_owned()).then(|| Self(id.to_owned()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(busy) = BUSY.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            busy.remove(&self.0);
        }
    }
}

/// Opens a camera.
pub(super) fn open(opening: Opening, input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    let Input::Camera { device } = input else { return Err(CaptureError::Unsupported("this as a camera")) };
    let feed = Feed::pictures(&opening)?;
    let Opening { canvas, reporter, .. } = opening;
    let (watchdog, pulse) = Watchdog::start("The camera", reporter.clone())?;
    let device = device.clone();
    let worker = Worker::start("capture camera", move |stop| {
        // The driver's binding panics where it could fail.
        let run = AssertUnwindSafe(|| film(&device, canvas, &feed, &reporter, &pulse, stop));
        match catch_unwind(run) {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => reporter.lost(&reason),
            Err(_panic) => reporter.lost("The camera's driver failed."),
        }
    })?;
    Ok(Box::new(Source { worker, watchdog }))
}

fn film(id: &str, canvas: Canvas, feed: &Feed, reporter: &Reporter, pulse: &Pulse, stop: &Stop) -> Result<(), String> {
    if feed.wait(stop).is_none() {
        return Ok(());
    }
    let (index, found) = find(id)?;
    let _turn = Turn::take(&found.id).ok_or("The camera does not answer, or another source shows it.")?;
    let refused = |error: NokhwaError| format!("The camera cannot be opened: {error}");
    // It wants a format to be opened with; which ones there are can only be asked then.
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &FORMATS);
    let mut camera = Camera::new(index, any).map_err(refused)?;
    let formats = camera.compatible_camera_formats().map_err(refused)?;
    let format = choose(&formats, canvas).ok_or("The camera has no format that is understood.")?;
    if camera.camera_format() != format {
        let exactly = RequestedFormat::with_formats(RequestedFormatType::Exact(format), &FORMATS);
        camera.set_camera_requset(exactly).map_err(refused)?;
    }
    let format = camera.camera_format();
    camera.open_stream().map_err(refused)?;
    let outlet = Outlet::new(format, feed)?;
    let mut bad = 0;
    while !stop.is_asked() && !reporter.is_lost() {
        let picture = camera.frame().map_err(|error| format!("The camera has stopped: {error}"))?;
        pulse.beat();
        let Some(now) = feed.now() else { continue };
        let age = picture.capture_timestamp().and_then(age).unwrap_or_default();
        let at = now.saturating_sub(gst::ClockTime::try_from(age).unwrap_or_default());
        if outlet.push(gst::Buffer::from_slice(picture.buffer_bytes()), at)? {
            bad = 0;
        } else {
            bad += 1;
            if bad > MAX_BAD_PICTURES {
                return Err("The camera sends pictures that are too small.".into());
            }
        }
    }
    Ok(())
}

/// How long ago a moment since 1970 was, if that can be true.
fn age(since_epoch: Duration) -> Option<Duration> {
    let age = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.checked_sub(since_epoch)?;
    (age <= MAX_AGE).then_some(age)
}

/// Where a camera's pictures go: as they are, or through a decoder.
enum Outlet {
    Raw { info: gst_video::VideoInfo, feed: Feed, duration: gst::ClockTime },
    Jpeg { source: gst_app::AppSrc, pipeline: gst::Pipeline, duration: gst::ClockTime },
}

impl Outlet {
    fn new(format: CameraFormat, feed: &Feed) -> Result<Self, String> {
        let (width, height) = (format.width(), format.height());
        let rate = gst::Fraction::new(i32::try_from(format.frame_rate().max(1)).unwrap_or(30), 1);
        let duration = gst::ClockTime::SECOND / u64::from(format.frame_rate().max(1));
        let raw = match format.format() {
            FrameFormat::MJPEG => return Self::jpeg(width, height, rate, duration, feed).map_err(|e| e.to_string()),
            FrameFormat::YUYV => gst_video::VideoFormat::Yuy2,
            FrameFormat::NV12 => gst_video::VideoFormat::Nv12,
            FrameFormat::RAWRGB => gst_video::VideoFormat::Rgb,
            FrameFormat::RAWBGR => gst_video::VideoFormat::Bgr,
            FrameFormat::GRAY => gst_video::VideoFormat::Gray8,
        };
        let info = gst_video::VideoInfo::builder(raw, width, height).fps(rate);
        // Whatever their size: webcams that say nothing else mean this (USB Video Class 1.5, 3.9.2.6), where GStreamer would
        // take larger pictures for high-definition television.
        let webcam = gst_video::VideoColorimetry::new(
            gst_video::VideoColorRange::Range16_235,
            gst_video::VideoColorMatrix::Bt601,
            gst_video::VideoTransferFunction::Bt709,
            gst_video::VideoColorPrimaries::Bt709,
        );
        let is_yuv = matches!(format.format(), FrameFormat::YUYV | FrameFormat::NV12);
        let info = if is_yuv { info.colorimetry(&webcam) } else { info }.build();
        let info = info.map_err(|error| format!("The camera's format is not understood: {error}"))?;
        Ok(Self::Raw { info, feed: feed.clone(), duration })
    }

    fn jpeg(
        width: u32,
        height: u32,
        rate: gst::Fraction,
        duration: gst::ClockTime,
        feed: &Feed,
    ) -> Result<Self, CaptureError> {
        let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
        let caps = gst::Caps::builder("image/jpeg")
            .field("width", side(width))
            .field("height", side(height))
            .field("framerate", rate)
            .build();
        let source = gst_app::AppSrc::builder()
            .caps(&caps)
            .format(gst::Format::Time)
            .max_buffers(2)
            .max_bytes(0)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .build();
        let decoder = element("jpegdec")?;
        // A broken picture is left out, as often as there is one.
        decoder.set_property("max-errors", -1);
        let sink = feeding(feed, None, false);
        let pipeline = gst::Pipeline::new();
        let chain = [source.upcast_ref(), &decoder, sink.upcast_ref()];
        pipeline.add_many(chain)?;
        gst::Element::link_many(chain)?;
        let started = pipeline.set_state(gst::State::Playing);
        started.map_err(|_error| gst::glib::bool_error!("the decoder does not start"))?;
        Ok(Self::Jpeg { source, pipeline, duration })
    }

    /// Hands a picture on. False: it is not a whole one.
    fn push(&self, mut buffer: gst::Buffer, at: gst::ClockTime) -> Result<bool, String> {
        let stamps = buffer.get_mut().expect("nobody else has it yet");
        stamps.set_pts(at);
        match self {
            Self::Raw { info, feed, duration } => {
                stamps.set_duration(*duration);
                if stamps.size() < info.size() {
                    return Ok(false);
                }
                // Drivers round their buffers up.
                stamps.set_size(info.size());
                feed.push_picture(info, buffer);
            }
            Self::Jpeg { source, pipeline, duration } => {
                stamps.set_duration(*duration);
                if source.push_buffer(buffer).is_err() {
                    let failure = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
                    return Err(format!("The camera's pictures cannot be decoded: {failure:?}"));
                }
            }
        }
        Ok(true)
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        if let Self::Jpeg { pipeline, .. } = self
            && let Err(error) = pipeline.set_state(gst::State::Null)
        {
            tracing::warn!(%error, "a camera's decoder cannot be stopped");
        }
    }
}

/// The format that fits a canvas: fast enough before large enough, then no more of either, then the cheapest.
fn choose(formats: &[CameraFormat], canvas: Canvas) -> Option<CameraFormat> {
    let rank = |format: &CameraFormat| {
        let cost = FORMATS.iter().position(|known| *known == format.format())?;
        let lacking = |wanted: u32, given: u32| wanted.saturating_sub(given);
        let (width, height) = (format.width(), format.height());
        Some((
            lacking(canvas.frame_rate, format.frame_rate()),
            lacking(canvas.width, width).max(lacking(canvas.height, height)),
            lacking(format.frame_rate(), canvas.frame_rate),
            lacking(width, canvas.width) + lacking(height, canvas.height),
            cost,
        ))
    };
    formats
        .iter()
        .filter_map(|format| Some((rank(format)?, *format)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, best)| best)
}

/// A camera by its id; the first if that is empty.
fn find(id: &str) -> Result<(CameraIndex, Device), String> {
    let mut all = list();
    if all.is_empty() {
        return Err("There is no camera.".into());
    }
    let position = all.iter().position(|(_, device)| id.is_empty() || device.id == id);
    Ok(all.swap_remove(position.ok_or("The camera is not plugged in.")?))
}

/// Cameras that are there now.
pub(super) fn devices() -> Vec<Device> {
    list().into_iter().map(|(_, device)| device).collect()
}

/// Cameras with their numbers, which change when one is plugged in again; names do not, so they are the ids. Of equal
/// ones, the second has a number in it.
fn list() -> Vec<(CameraIndex, Device)> {
    // It panics where a file's name is not UTF-8.
    let Ok(Ok(mut infos)) = catch_unwind(|| nokhwa::query(ApiBackend::Auto)) else { return Vec::new() };
    infos.sort_by_key(|info| info.index().as_index().unwrap_or(u32::MAX));
    let mut all: Vec<(CameraIndex, Device)> = Vec::new();
    for info in infos.into_iter().filter(|info| is_a_camera(info.index())) {
        let name = info.human_name().trim().to_owned();
        let count =
            all.iter().filter(|(_, device)| device.name == name || device.id.starts_with(&format!("{name} ("))).count();
        let id = if count == 0 { name.clone() } else { format!("{name} ({})", count + 1) };
        all.push((info.index().clone(), Device { kind: DeviceKind::Camera, name: id.clone(), id }));
    }
    all
}

/// A camera has several device files; those after the first do not film.
#[cfg(target_os = "linux")]
fn is_a_camera(index: &CameraIndex) -> bool {
    let path = format!("/sys/class/video4linux/video{}/index", index.as_string());
    std::fs::read_to_string(path).map_or(true, |number| number.trim() == "0")
}

#[cfg(not(target_os = "linux"))]
fn is_a_camera(_index: &CameraIndex) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(width: u32, height: u32, format: FrameFormat, rate: u32) -> CameraFormat {
        CameraFormat::new_from(width, height, format, rate)
    }

    const CANVAS: Canvas = Canvas { width: 1280, height: 720, frame_rate: 30 };

    #[test]
    fn a_camera_films_as_fast_as_the_canvas_and_no_larger() {
        use FrameFormat::{GRAY, MJPEG, YUYV};
        let usual = [
            format(640, 480, YUYV, 30),
            format(1280, 720, YUYV, 10),
            format(1920, 1080, YUYV, 5),
            format(1280, 720, MJPEG, 60),
            format(1280, 720, MJPEG, 30),
            format(1920, 1080, MJPEG, 30),
        ];
        assert_eq!(choose(&usual, CANVAS), Some(format(1280, 720, MJPEG, 30)));
        let quick = [format(1280, 720, MJPEG, 30), format(1280, 720, YUYV, 30), format(1280, 720, GRAY, 30)];
        assert_eq!(choose(&quick, CANVAS), Some(format(1280, 720, YUYV, 30)));
        assert_eq!(choose(&[format(320, 240, YUYV, 15)], CANVAS), Some(format(320, 240, YUYV, 15)));
        assert_eq!(choose(&[], CANVAS), None);
    }

    #[test]
    fn a_camera_whose_thread_is_stuck_is_not_opened_again() {
        let turn = Turn::take("stuck");
        assert!(turn.is_some());
        assert!(Turn::take("stuck").is_none());
        assert!(Turn::take("another").is_some());
        drop(turn);
        assert!(Turn::take("stuck").is_some());
    }
}
