//! Publishers: ffmpeg and GStreamer, pushing a clip as it is.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use tempfile::NamedTempFile;
use xtask::child::{self, Orphaned, Running, Signal};

use crate::{flv::OwnTag, wait};

/// A publishing program; killed when dropped.
#[derive(Debug)]
pub struct Publisher {
    running: Running,
    log: NamedTempFile,
}

impl Publisher {
    /// Starts a program that publishes; what it prints is kept.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(name: &str, command: &mut Command) -> Result<Self> {
        Self::spawn_fed(name, command, Stdio::null())
    }

    /// The same with something to read.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn_fed(name: &str, command: &mut Command, food: Stdio) -> Result<Self> {
        let log = NamedTempFile::new()?;
        command.stdin(food).stdout(log.reopen()?).stderr(log.reopen()?);
        let running = Running::spawn(name, command, Duration::ZERO).with_context(|| format!("cannot start {name}"))?;
        Ok(Self { running, log })
    }

    /// What it has printed.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.log.path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it goes on.
    pub async fn ended(&mut self, patience: Duration) -> Result<ExitStatus> {
        let running = &mut self.running;
        wait::until("the publisher ends by itself", patience, async || running.ended().ok().flatten()).await
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// It is still publishing.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        matches!(self.running.ended(), Ok(None))
    }

    /// Ends it properly, as a user who presses stop: SIGINT.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self) -> Result<()> {
        self.running.signal(Signal::INT);
        self.running.wait(Duration::from_secs(5))?.context("the publisher did not stop")?;
        Ok(())
    }

    /// Stops it where it is without closing its connection, as a network that fails: SIGSTOP.
    pub fn freeze(&mut self) {
        self.running.signal(Signal::STOP);
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) {
        self.running.kill();
    }
}

/// ffmpeg with a clip in real time, not re-encoded.
fn ffmpeg(clip: &Path) -> Command {
    let mut command = child::command("ffmpeg", Orphaned::Killed);
    command.args(["-hide_banner", "-loglevel", "info", "-nostdin", "-re", "-i"]).arg(clip).args(["-c", "copy"]);
    command
}

/// ffmpeg pushing a clip by RTMP.
///
/// # Errors
/// When it cannot be started.
pub fn ffmpeg_rtmp(clip: &Path, url: &str) -> Result<Publisher> {
    ffmpeg_rtmp_with(clip, &[], url)
}

/// ffmpeg pushing a clip by RTMP, with more output options.
///
/// # Errors
/// When it cannot be started.
pub fn ffmpeg_rtmp_with(clip: &Path, options: &[&str], url: &str) -> Result<Publisher> {
    let mut command = ffmpeg(clip);
    command.args(options).args(["-f", "flv", url]);
    Publisher::spawn("ffmpeg (RTMP)", &mut command)
}

/// librtmp sending tags as they are, each at its time.
///
/// # Errors
/// When it cannot be started.
pub fn tags_by_rtmp(tags: Vec<OwnTag>, url: &str) -> Result<Publisher> {
    let (food, mut feeder) = std::io::pipe()?;
    let mut command = child::command("gst-launch-1.0", Orphaned::Killed);
    command.args(["fdsrc", "!", "rtmpsink"]).arg(format!("location={url}"));
    let publisher = Publisher::spawn_fed("gst-launch", &mut command, food.into())?;
    std::thread::spawn(move || {
        let begin = Instant::now();
        for tag in tags {
            let due = Duration::from_millis(tag.timestamp_ms.into());
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
            // Whoever read is gone when the test is over.
            if feeder.write_all(&tag.bytes).is_err() {
                return;
            }
        }
    });
    Ok(publisher)
}

/// ffmpeg pushing a clip by SRT as MPEG-TS.
///
/// # Errors
/// When it cannot be started.
pub fn ffmpeg_srt(clip: &Path, url: &str) -> Result<Publisher> {
    let mut command = ffmpeg(clip);
    command.args(["-f", "mpegts", url]);
    Publisher::spawn("ffmpeg (SRT)", &mut command)
}

/// ffmpeg pushing a transport stream by SRT from its first packet on, keyframe or not.
///
/// # Errors
/// When it cannot be started.
pub fn ffmpeg_srt_as_it_is(stream: &Path, url: &str) -> Result<Publisher> {
    let mut command = ffmpeg(stream);
    command.args(["-copyinkf", "-f", "mpegts", url]);
    Publisher::spawn("ffmpeg (SRT)", &mut command)
}

/// ffmpeg pushing several clips by SRT, each as a program of one transport stream: one picture in several qualities.
///
/// # Errors
/// When it cannot be started.
pub fn ffmpeg_srt_programs(clips: &[&Path], url: &str) -> Result<Publisher> {
    let mut command = child::command("ffmpeg", Orphaned::Killed);
    command.args(["-hide_banner", "-loglevel", "info", "-nostdin"]);
    for clip in clips {
        command.args(["-re", "-i"]).arg(clip);
    }
    for index in 0..clips.len() {
        command.args(["-map", &format!("{index}:v"), "-map", &format!("{index}:a")]);
        command.args(["-program", &format!("title=quality{index}:st={}:st={}", 2 * index, 2 * index + 1)]);
    }
    command.args(["-c", "copy", "-f", "mpegts", url]);
    Publisher::spawn("ffmpeg (SRT, several programs)", &mut command)
}

/// Which GStreamer element sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// GStreamer's own RTMP client.
    Rtmp2,
    /// librtmp's RTMP client.
    LibRtmp,
    /// libsrt's caller.
    Srt,
}

/// GStreamer pushing a clip.
///
/// # Errors
/// When it cannot be started.
pub fn gstreamer(clip: &Path, sink: Sink, url: &str) -> Result<Publisher> {
    let clip = clip.to_str().context("the clip's path is not UTF-8")?;
    let send = match sink {
        Sink::Rtmp2 => format!("flvmux name=mux streamable=true ! rtmp2sink location={url}"),
        Sink::LibRtmp => format!("flvmux name=mux streamable=true ! rtmpsink location={url}"),
        Sink::Srt => {
            // In its URI, GStreamer would take the stream id's # for the beginning of a fragment.
            let (address, stream_id) = url.split_once("?streamid=").context("an SRT URL has a stream id")?;
            let stream_id = stream_id.split('&').next().unwrap_or_default();
            format!("mpegtsmux name=mux alignment=7 ! srtsink uri={address}?mode=caller streamid=\"{stream_id}\"")
        }
    };
    let pipeline = format!(
        "{send} filesrc location={clip} ! qtdemux name=demux \
         demux.video_0 ! queue ! h264parse config-interval=-1 ! clocksync ! mux. \
         demux.audio_0 ! queue ! aacparse ! clocksync ! mux."
    );
    let mut command = child::command("gst-launch-1.0", Orphaned::Killed);
    command.args(pipeline.split_whitespace());
    Publisher::spawn("gst-launch", &mut command)
}
