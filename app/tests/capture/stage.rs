//! A live pipeline around one source, and what comes out of it.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use skylark_protocol::studio::{Canvas, Input, Source, SourceId};
use skylark_studio::capture::{Capture, Watcher, open};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Buffers that wait for the test.
const MAX_BUFFERS: usize = 4000;

/// What a watcher was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// It delivers.
    Running(u32, u32),
    /// It does not.
    Lost(String),
}

struct Notes(Mutex<mpsc::Sender<(Instant, Told)>>);

impl Notes {
    fn note(&self, told: Told) {
        // A test that is over hears nothing any more.
        drop(self.0.lock().unwrap().send((Instant::now(), told)));
    }
}

impl Watcher for Notes {
    fn running(&self, width: u32, height: u32) {
        self.note(Told::Running(width, height));
    }

    fn lost(&self, reason: &str) {
        self.note(Told::Lost(reason.to_owned()));
    }
}

/// A buffer that came out.
pub(crate) struct Came {
    /// What is in it.
    pub(crate) sample: gst::Sample,
    /// Its timestamp, running time.
    pub(crate) at: gst::ClockTime,
    /// When it came, running time.
    pub(crate) came: gst::ClockTime,
}

impl Came {
    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.sample.buffer().unwrap().map_readable().unwrap().to_vec()
    }

    /// Its picture format.
    pub(crate) fn format(&self) -> gst_video::VideoInfo {
        gst_video::VideoInfo::from_caps(self.sample.caps().unwrap()).unwrap()
    }

    /// A pixel of a picture with four bytes each.
    pub(crate) fn pixel(&self, x: usize, y: usize) -> [u8; 4] {
        let info = self.format();
        let begin = y * info.stride()[0].unsigned_abs() as usize + x * 4;
        self.bytes()[begin..begin + 4].try_into().unwrap()
    }

    /// The left samples of sound.
    pub(crate) fn left(&self) -> Vec<f32> {
        let bytes = self.bytes();
        bytes.as_chunks::<8>().0.iter().map(|pair| f32::from_le_bytes([pair[0], pair[1], pair[2], pair[3]])).collect()
    }

    /// How much later than captured it came, milliseconds.
    pub(crate) fn age_ms(&self) -> f64 {
        (self.came.nseconds() as f64 - self.at.nseconds() as f64) / 1e6
    }
}

/// A source that plays.
pub(crate) struct Stage {
    pub(crate) capture: Option<Capture>,
    pub(crate) pipeline: gst::Pipeline,
    pub(crate) pictures: mpsc::Receiver<Came>,
    pub(crate) sounds: mpsc::Receiver<Came>,
    pub(crate) told: mpsc::Receiver<(Instant, Told)>,
}

pub(crate) const CANVAS: Canvas = Canvas { width: 640, height: 360, frame_rate: 30 };

impl Stage {
    pub(crate) fn new(input: Input) -> Self {
        Self::with_canvas(input, CANVAS)
    }

    pub(crate) fn with_canvas(input: Input, canvas: Canvas) -> Self {
        gst::init().unwrap();
        let (tell, told) = mpsc::channel();
        let (see, pictures) = mpsc::sync_channel(MAX_BUFFERS);
        let (hear, sounds) = mpsc::sync_channel(MAX_BUFFERS);
        let pipeline = gst::Pipeline::new();
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        pipeline.set_state(gst::State::Playing).unwrap();
        let source = Source { id: SourceId(7), name: "It".into(), input, strip: None };
        let capture = open(&source, canvas, Arc::new(Notes(Mutex::new(tell)))).unwrap();
        pipeline.add(capture.bin()).unwrap();
        for (pad, sender) in [("video", see), ("audio", hear)] {
            let Some(pad) = capture.bin().static_pad(pad) else { continue };
            let sink = sink(sender);
            pipeline.add(&sink).unwrap();
            pad.link(&sink.static_pad("sink").unwrap()).unwrap();
            sink.sync_state_with_parent().unwrap();
        }
        capture.bin().sync_state_with_parent().unwrap();
        Self { capture: Some(capture), pipeline, pictures, sounds, told }
    }

    /// The next picture.
    pub(crate) fn picture(&self) -> Came {
        self.pictures.recv_timeout(PATIENCE).unwrap_or_else(|_error| panic!("no picture; told: {:?}", self.heard()))
    }

    /// The next piece of sound.
    pub(crate) fn sound(&self) -> Came {
        self.sounds.recv_timeout(PATIENCE).unwrap_or_else(|_error| panic!("no sound; told: {:?}", self.heard()))
    }

    /// What the watcher is told next.
    pub(crate) fn told(&self) -> Told {
        self.told.recv_timeout(PATIENCE).expect("the watcher is told something").1
    }

    /// What the watcher was told and nobody has asked for.
    pub(crate) fn heard(&self) -> Vec<Told> {
        self.told.try_iter().map(|(_, told)| told).collect()
    }

    /// The next picture that is like this.
    pub(crate) fn picture_like(&self, what: &str, is_it: impl Fn(&Came) -> bool) -> Came {
        let begun = Instant::now();
        loop {
            let came = self.picture();
            if is_it(&came) {
                return came;
            }
            assert!(begun.elapsed() < PATIENCE, "no picture {what}");
        }
    }

    /// Waits until a tone is heard, whatever comes before it.
    pub(crate) fn wait_for_tone(&self, frequency_hz: f64) {
        let begun = Instant::now();
        let mut samples = Vec::new();
        while samples.len() < 9600 || loudness_of(&samples[samples.len() - 9600..], frequency_hz) < 0.4 {
            samples.extend(self.sound().left());
            assert!(begun.elapsed() < PATIENCE, "{frequency_hz} Hz is not heard");
        }
    }

    /// So much sound in one piece, as left samples, and when it began. Timestamps must follow each other.
    pub(crate) fn hear(&self, seconds: f64) -> (gst::ClockTime, Vec<f32>) {
        let mut samples = Vec::new();
        let first = self.sound();
        let begin = first.at;
        let mut next = Some(first);
        while (samples.len() as f64) < seconds * 48_000.0 {
            let came = next.take().unwrap_or_else(|| self.sound());
            let due_ns = begin.nseconds() as f64 + samples.len() as f64 / 48_000.0 * 1e9;
            let off_ms = (came.at.nseconds() as f64 - due_ns) / 1e6;
            assert!(off_ms.abs() < 1.0, "{off_ms:.2} ms are missing after {} samples", samples.len());
            samples.extend(came.left());
        }
        (begin, samples)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The Studio has a queue behind every source. Here sinks take from it directly: one that stops first would hold up the
        // thread that the source's own end waits for.
        if let Some(capture) = self.capture.take() {
            let bin = capture.bin().clone();
            drop(capture);
            let begun = Instant::now();
            while bin.parent().is_some() && begun.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

fn sink(sender: mpsc::SyncSender<Came>) -> gst::Element {
    let sink = gst_app::AppSink::builder().sync(false).async_(false).enable_last_sample(false).build();
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_error| gst::FlowError::Eos)?;
                let came = sink.current_running_time().unwrap_or_default();
                let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>().cloned());
                let at = sample.buffer().and_then(|buffer| buffer.pts()).unwrap_or_default();
                let at = segment.and_then(|segment| segment.to_running_time(at)).unwrap_or(at);
                // Whoever does not look misses it.
                drop(sender.try_send(Came { sample, at, came }));
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    sink.upcast()
}

/// How loud a frequency is, 1 for a full-scale sine (Goertzel's algorithm).
pub(crate) fn loudness_of(samples: &[f32], frequency_hz: f64) -> f64 {
    let turn = 2.0 * (std::f64::consts::TAU * frequency_hz / 48_000.0).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        let next = f64::from(*sample) + turn * last - before;
        before = last;
        last = next;
    }
    2.0 * (last * last + before * before - turn * last * before).max(0.0).sqrt() / samples.len() as f64
}
