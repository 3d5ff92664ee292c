//! Pictures and tones that tests can measure: what arrives at a viewer says when it was made.
//!
//! The counter is the grid that `tests` reads: 16 × 9 cells, the top row the number of the frame in binary (least
//! significant bit on the left), the bottom row white for the first tenth of every second. The tone is silent for the
//! last tenth of every second, so that it begins with the flash. Both go by the production's running time.

use std::{
    f32::consts::TAU,
    sync::{Arc, Mutex, PoisonError},
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_video::{self as gst_video, prelude::*};
use skylark_protocol::studio::{Canvas, Input, Pattern};

use super::{
    CaptureError, Live, Opening, element,
    feed::{Feed, SAMPLE_RATE, expose},
    worker::{Stop, Worker},
};

/// Columns of the counter's grid: bits of the number.
const COLUMNS: u32 = 16;
/// Rows of the counter's grid.
const ROWS: u32 = 9;
/// Luma of the grid.
const BLACK: u8 = 16;
/// Luma of the grid.
const WHITE: u8 = 235;
/// Luma between number and flash.
const GREY: u8 = 90;
/// Chroma of grey.
const NEUTRAL: u8 = 128;
/// The tone is fed in blocks of so many samples: 20 ms.
const BLOCK: u32 = SAMPLE_RATE / 50;
/// Blocks of a second that the tone sounds; it is silent in the rest.
const LOUD_BLOCKS: u32 = 45;
/// Bytes of a stereo sample.
const SAMPLE_BYTES: usize = 8;

/// A thread that makes what it feeds.
struct Maker {
    #[expect(dead_code, reason = "dropped to stop it")]
    worker: Worker,
}

impl Live for Maker {
    fn update(&mut self, _input: &Input) -> bool {
        false
    }
}

/// An element that makes it.
struct Element;

impl Live for Element {
    fn update(&mut self, _input: &Input) -> bool {
        false
    }
}

/// Opens a test picture.
pub(super) fn open_picture(opening: Opening, pattern: Pattern) -> Result<Box<dyn Live>, CaptureError> {
    let name = match pattern {
        Pattern::Bars => "smpte",
        Pattern::Ball => "ball",
        Pattern::Snow => "snow",
        Pattern::Counter => return open_counter(&opening),
    };
    let source = element("videotestsrc")?;
    source.set_property_from_str("pattern", name);
    source.set_property("is-live", true);
    let filter = element("capsfilter")?;
    let Canvas { width, height, frame_rate } = opening.canvas;
    let rate = gst::Fraction::new(i32::try_from(frame_rate).unwrap_or(30), 1);
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height).fps(rate).build()?;
    filter.set_property("caps", info.to_caps()?);
    opening.bin.add_many([&source, &filter])?;
    source.link(&filter)?;
    expose(&opening, &filter, "video")?;
    let reporter = opening.reporter.clone();
    let pad = filter.static_pad("src").ok_or_else(|| gst::glib::bool_error!("a filter without a src pad"))?;
    pad.add_probe(gst::PadProbeType::BUFFER, move |_pad, _info| {
        reporter.running(width, height);
        gst::PadProbeReturn::Remove
    });
    Ok(Box::new(Element))
}

fn open_counter(opening: &Opening) -> Result<Box<dyn Live>, CaptureError> {
    let feed = Feed::pictures(opening)?;
    let canvas = opening.canvas;
    let worker = Worker::start("capture counter", move |stop| count(&feed, canvas, stop))?;
    Ok(Box::new(Maker { worker }))
}

fn count(feed: &Feed, canvas: Canvas, stop: &Stop) {
    let rate = u64::from(canvas.frame_rate.max(1));
    let fraction = gst::Fraction::new(i32::try_from(rate).unwrap_or(30), 1);
    let builder = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, canvas.width, canvas.height);
    let Ok(info) = builder.fps(fraction).build() else { return };
    let at = |number: u64| gst::ClockTime::from_nseconds(number * gst::ClockTime::SECOND.nseconds() / rate);
    let Some(now) = feed.wait(stop) else { return };
    let mut number = now.nseconds() * rate / gst::ClockTime::SECOND.nseconds() + 1;
    let pool = gst::BufferPool::new();
    let mut config = pool.config();
    let size = u32::try_from(info.size()).unwrap_or(u32::MAX);
    config.set_params(info.to_caps().ok().as_ref(), size, 2, 0);
    if pool.set_config(config).is_err() || pool.set_active(true).is_err() {
        return;
    }
    while let Some(now) = feed.wait(stop) {
        if now < at(number) {
            stop.rest((at(number) - now).into());
            continue;
        }
        // Frames that nobody could see any more are not drawn.
        number = number.max(now.nseconds() * rate / gst::ClockTime::SECOND.nseconds());
        let Ok(mut buffer) = pool.acquire_buffer(None) else { break };
        {
            let Some(buffer) = buffer.get_mut() else { break };
            buffer.set_pts(at(number));
            buffer.set_duration(at(number + 1) - at(number));
            let Ok(mut frame) = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, &info) else { break };
            draw(&mut frame, number, rate);
        }
        if !feed.push_picture(&info, buffer) {
            break;
        }
        number += 1;
    }
    if let Err(error) = pool.set_active(false) {
        tracing::warn!(%error, "the counter's pictures cannot be put away");
    }
}

/// Draws one frame of the counter, planar 4:2:0.
fn draw(frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>, number: u64, rate: u64) {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let stride = frame.plane_stride()[0].unsigned_abs() as usize;
    let is_flashing = number % rate < rate / 10;
    let Ok(luma) = frame.plane_data_mut(0) else { return };
    let (top, bottom) = (height.div_ceil(ROWS as usize), height * (ROWS as usize - 1) / ROWS as usize);
    for (y, line) in luma.chunks_mut(stride).take(height).enumerate() {
        let Some(line) = line.get_mut(..width) else { break };
        if y < top {
            for (x, pixel) in line.iter_mut().enumerate() {
                let bit = x * COLUMNS as usize / width;
                *pixel = if number >> bit & 1 == 1 { WHITE } else { BLACK };
            }
        } else {
            line.fill(if y < bottom {
                GREY
            } else if is_flashing {
                WHITE
            } else {
                BLACK
            });
        }
    }
    for plane in 1..3 {
        if let Ok(chroma) = frame.plane_data_mut(plane) {
            chroma.fill(NEUTRAL);
        }
    }
}

/// A tone that can be changed while it sounds.
struct Tone {
    second: Arc<Mutex<gst::Buffer>>,
    #[expect(dead_code, reason = "dropped to stop it")]
    worker: Worker,
}

impl Live for Tone {
    fn update(&mut self, input: &Input) -> bool {
        let Input::Tone { frequency_hz, level_db } = input else { return false };
        *self.second.lock().unwrap_or_else(PoisonError::into_inner) = second(*frequency_hz, *level_db);
        true
    }
}

/// Opens a tone.
pub(super) fn open_tone(opening: Opening, input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    let Input::Tone { frequency_hz, level_db } = input else { return Err(CaptureError::Unsupported("this as a tone")) };
    let feed = Feed::sound(&opening, gst::ClockTime::ZERO)?;
    let second = Arc::new(Mutex::new(second(*frequency_hz, *level_db)));
    let shared = Arc::clone(&second);
    let worker = Worker::start("capture tone", move |stop| sound(&feed, &shared, stop))?;
    Ok(Box::new(Tone { second, worker }))
}

/// One second of the tone: whole hertz make it fit its own end.
fn second(frequency_hz: u32, level_db: i32) -> gst::Buffer {
    let amplitude = 10_f32.powf(level_db.min(0) as f32 / 20.0);
    let sample = |index: u32| {
        let is_loud = index / BLOCK < LOUD_BLOCKS;
        // Phase in whole samples of the second first: no precision is lost towards its end.
        let phase = u64::from(index) * u64::from(frequency_hz) % u64::from(SAMPLE_RATE);
        if is_loud { amplitude * (TAU * phase as f32 / SAMPLE_RATE as f32).sin() } else { 0.0 }
    };
    let bytes: Vec<u8> = (0..SAMPLE_RATE).flat_map(|index| [sample(index).to_le_bytes(); 2]).flatten().collect();
    gst::Buffer::from_slice(bytes)
}

fn sound(feed: &Feed, second: &Mutex<gst::Buffer>, stop: &Stop) {
    let blocks = u64::from(SAMPLE_RATE / BLOCK);
    let at = |block: u64| gst::ClockTime::from_nseconds(block * gst::ClockTime::SECOND.nseconds() / blocks);
    let Some(now) = feed.wait(stop) else { return };
    let mut block = now.nseconds() * blocks / gst::ClockTime::SECOND.nseconds() + 1;
    while let Some(now) = feed.wait(stop) {
        // A block is fed one block early: no mixer waits for it.
        if now + at(1) < at(block) {
            stop.rest((at(block) - at(1) - now).into());
            continue;
        }
        block = block.max(now.nseconds() * blocks / gst::ClockTime::SECOND.nseconds());
        let whole = second.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bytes = BLOCK as usize * SAMPLE_BYTES;
        let begin = usize::try_from(block % blocks).expect("fewer than blocks") * bytes;
        let Ok(mut buffer) = whole.copy_region(gst::BufferCopyFlags::MEMORY, begin..begin + bytes) else { break };
        if let Some(stamps) = buffer.get_mut() {
            stamps.set_pts(at(block));
            stamps.set_duration(at(1));
        }
        if !feed.push_sound(buffer) {
            break;
        }
        block += 1;
    }
}
