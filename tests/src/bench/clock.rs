//! A running clock: each frame carries the millisecond in which it was made, until the viewer sees it.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use xtask::child::{self, Orphaned, Running};

use crate::clip::{COLUMNS, ROWS};

const WIDTH: usize = 1280;
const HEIGHT: usize = 720;
const FRAME_RATE: u32 = 30;
/// The clock is as wide as the counter of the test picture: it comes round after 65.5 s.
pub const CLOCK_MS: f64 = 65_536.0;

/// A clock that runs: pushed to a server, or shown on a screen.
#[derive(Debug)]
pub struct Clock {
    _program: Running,
    stop: Arc<AtomicBool>,
}

impl Clock {
    /// ffmpeg encodes and pushes it: x264 zerolatency, 30 frames a second, a keyframe every 2 s, 2.5 Mbit/s.
    ///
    /// # Errors
    /// When ffmpeg does not start.
    pub fn push(url: &str) -> Result<Self> {
        let mut ffmpeg = child::command("ffmpeg", Orphaned::Killed);
        ffmpeg.args(["-hide_banner", "-loglevel", "error"]);
        ffmpeg.args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", &format!("{WIDTH}x{HEIGHT}")]);
        ffmpeg.args(["-framerate", &FRAME_RATE.to_string(), "-probesize", "32", "-i", "pipe:0"]);
        // Not `-re`: it would start its own clock while ffmpeg starts, and the pictures would wait for the sound for ever.
        ffmpeg.args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]);
        ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-g", "60"]);
        ffmpeg.args(["-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "1250k", "-c:a", "aac", "-b:a", "128k"]);
        ffmpeg.args(["-flush_packets", "1", "-f", "flv", url]);
        Self::run("ffmpeg (clock)", ffmpeg)
    }

    /// A window as large as the screen.
    ///
    /// # Errors
    /// When GStreamer does not start.
    pub fn show(display: &str) -> Result<Self> {
        let mut window = child::command("gst-launch-1.0", Orphaned::Killed);
        let pipeline = format!(
            "-q fdsrc fd=0 ! rawvideoparse format=i420 width={WIDTH} height={HEIGHT} framerate={FRAME_RATE}/1 ! \
             videoconvert ! ximagesink sync=false display={display}"
        );
        window.args(pipeline.split_whitespace());
        Self::run("gst-launch (clock)", window)
    }

    /// Draws into a program's standard input until one of the two ends.
    fn run(name: &str, mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut program =
            Running::spawn(name, &mut command, Duration::ZERO).with_context(|| format!("cannot start {name}"))?;
        let mut pipe = program.child().stdin.take().context("its input was asked for")?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            let mut picture = Picture::new();
            let start = Instant::now();
            for index in 0.. {
                thread::sleep(
                    (start + Duration::from_secs(1) * index / FRAME_RATE).saturating_duration_since(Instant::now()),
                );
                // The program hangs up when it ends.
                if stopped.load(Ordering::Relaxed) || pipe.write_all(picture.draw(index as usize)).is_err() {
                    break;
                }
            }
        });
        Ok(Self { _program: program, stop })
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A frame in planes of YUV 4:2:0: noise that drifts, and the clock in the top row of the grid.
struct Picture {
    noise: Vec<u8>,
    frame: Vec<u8>,
}

impl Picture {
    fn new() -> Self {
        let mut state = 0x2545_f491_u32;
        let noise = (0..2 * WIDTH)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                64 + state.to_le_bytes()[1] / 2
            })
            .collect();
        Self { noise, frame: vec![128; WIDTH * HEIGHT * 3 / 2] }
    }

    /// The frame of this very moment.
    fn draw(&mut self, index: usize) -> &[u8] {
        for (line, row) in self.frame[..WIDTH * HEIGHT].chunks_exact_mut(WIDTH).enumerate() {
            let drift = (index * 2 + line / 16 * 37) % WIDTH;
            row.copy_from_slice(&self.noise[drift..drift + WIDTH]);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u16;
        for row in self.frame[..WIDTH * HEIGHT / ROWS].chunks_exact_mut(WIDTH) {
            for (bit, cell) in row.chunks_exact_mut(WIDTH / COLUMNS).enumerate() {
                cell.fill(if now >> bit & 1 == 1 { 235 } else { 16 });
            }
        }
        &self.frame
    }
}
