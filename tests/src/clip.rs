//! The test picture: every frame carries its number, every second begins with a white flash and a beep.
//!
//! The picture is a grid of 16 × 9 cells. The top row is the frame's number in binary, least significant bit on the
//! left. The bottom row is white for the first 100 ms of every second, exactly while a 1 kHz tone sounds. Clips are
//! encoded once and kept in the cache; publishers push them as they are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use anyhow::{Context as _, Result, ensure};
use tempfile::NamedTempFile;

/// Changes whenever the same parameters make another clip.
const VERSION: u32 = 1;
/// Bits of the frame counter: one per column of the grid.
pub const COUNTER_BITS: u32 = 16;
/// Columns of the grid.
pub const COLUMNS: usize = 16;
/// Rows of the grid.
pub const ROWS: usize = 9;
/// Encoding the same clip twice at once would waste both cores.
static ENCODING: Mutex<()> = Mutex::new(());

/// What a clip is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clip {
    /// Picture width, pixels; a multiple of 16.
    pub width: u32,
    /// Picture height, pixels; a multiple of 9.
    pub height: u32,
    /// Frames per second.
    pub frame_rate: u32,
    /// Frames from keyframe to keyframe.
    pub gop: u32,
    /// B-frames in a row.
    pub b_frames: u32,
    /// Length, seconds.
    pub seconds: u32,
    /// Picture bitrate, bits per second.
    pub bitrate_bps: u32,
}

impl Default for Clip {
    fn default() -> Self {
        Self { width: 640, height: 360, frame_rate: 30, gop: 60, b_frames: 2, seconds: 90, bitrate_bps: 1_000_000 }
    }
}

impl Clip {
    /// The clip's file (MP4, H.264 and AAC), encoded now if it is not in the cache.
    ///
    /// # Errors
    /// When ffmpeg fails.
    pub fn file(&self) -> Result<PathBuf> {
        let folder = xtask::cache_folder().context("HOME is not set")?.join("clips");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let Self { width, height, frame_rate, gop, b_frames, seconds, bitrate_bps } = self;
        let name = format!(
            "v{VERSION}-{width}x{height}-{frame_rate}fps-gop{gop}-b{b_frames}-{seconds}s-{}k.mp4",
            bitrate_bps / 1000
        );
        let path = folder.join(name);
        // Whoever held this and panicked left no half-written clip: they are renamed into place when complete.
        let _turn = ENCODING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !path.is_file() {
            let unfinished = path.with_extension(format!("{}.mp4", std::process::id()));
            self.encode(&unfinished)?;
            fs::rename(&unfinished, &path)?;
        }
        Ok(path)
    }

    /// The clip as an MPEG transport stream.
    ///
    /// # Errors
    /// When ffmpeg fails.
    pub fn transport_stream(&self) -> Result<NamedTempFile> {
        let file = tempfile::Builder::new().suffix(".ts").tempfile()?;
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-i"]).arg(self.file()?);
        let status = ffmpeg.args(["-c", "copy", "-f", "mpegts"]).arg(file.path()).stdin(Stdio::null()).status()?;
        ensure!(status.success(), "ffmpeg cannot make a transport stream: {status}");
        Ok(file)
    }

    fn encode(&self, path: &Path) -> Result<()> {
        let Self { width, height, frame_rate, gop, b_frames, seconds, bitrate_bps } = self;
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
        ffmpeg.args(["-f", "lavfi", "-i", &format!("testsrc2=size={width}x{height}:rate={frame_rate}")]);
        ffmpeg.args(["-f", "lavfi", "-i", BEEPS]);
        ffmpeg.args(["-vf", &drawing(*frame_rate), "-t", &seconds.to_string()]);
        ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-sc_threshold", "0"]);
        ffmpeg.args(["-g", &gop.to_string(), "-keyint_min", &gop.to_string(), "-bf", &b_frames.to_string()]);
        for option in ["-b:v", "-maxrate", "-bufsize"] {
            ffmpeg.args([option, &bitrate_bps.to_string()]);
        }
        ffmpeg.args(["-c:a", "aac", "-b:a", "128k", "-f", "mp4"]).arg(path);
        let output = ffmpeg.stdin(Stdio::null()).output().context("cannot start ffmpeg")?;
        ensure!(output.status.success(), "ffmpeg cannot make the clip: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// A beep of 100 ms at the start of every second.
pub const BEEPS: &str =
    "aevalsrc=exprs='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':sample_rate=48000:channel_layout=stereo";

/// The ffmpeg filters that draw number and flash.
#[must_use]
pub fn drawing(frame_rate: u32) -> String {
    let mut filters = vec!["drawbox=x=0:y=0:w=iw:h=ih/9:color=black:t=fill".to_owned()];
    for bit in 0..COUNTER_BITS {
        let value = 1_u32 << bit;
        filters.push(format!(
            "drawbox=x=iw*{bit}/16:y=0:w=iw/16:h=ih/9:color=white:t=fill:enable='gt(bitand(n,{value}),0)'"
        ));
    }
    let flash_frames = frame_rate / 10;
    filters.push("drawbox=x=0:y=ih*8/9:w=iw:h=ih/9:color=black:t=fill".to_owned());
    filters.push(format!(
        "drawbox=x=0:y=ih*8/9:w=iw:h=ih/9:color=white:t=fill:enable='lt(mod(n,{frame_rate}),{flash_frames})'"
    ));
    filters.join(",")
}
