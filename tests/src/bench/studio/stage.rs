//! What the Studio captures: a screen with a clock on it, a camera that answers for the kernel, a tone as the microphone.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use xtask::child::{self, Orphaned, Running};

use crate::{bench::clock::Clock, studio_window, wait};

/// A screen and a sound system of their own; gone when dropped.
pub(super) struct Stage {
    display: String,
    camera: PathBuf,
    // In the order in which they are ended.
    _clock: Clock,
    _tone: Running,
    _sound: Running,
    _screen: Running,
    folder: TempDir,
}

impl Stage {
    /// Starts it all.
    pub(super) async fn set() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("skylark-stage-").tempdir()?;
        let (screen, display) = studio_window::screen(1280, 720)?;
        let camera = studio_window::camera(folder.path())?;
        let mut session = child::command("bash", Orphaned::Killed);
        session.arg(studio_window::fixtures().join("session.sh")).arg(folder.path()).args(["sleep", "infinity"]);
        session.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let sound =
            Running::spawn("sound", &mut session, Duration::from_secs(2)).context("cannot start the session")?;
        let clock = Clock::show(&display)?;
        let mut tone = in_session("gst-launch-1.0", folder.path(), &display);
        tone.args("-q audiotestsrc is-live=true freq=440 volume=0.2 ! pulsesink device=ss".split(' '));
        tone.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        wait::until("the sound system has its device", Duration::from_secs(10), async || {
            let mut ask = in_session("pactl", folder.path(), &display);
            ask.args(["get-default-sink"]).stdin(Stdio::null()).stderr(Stdio::null());
            ask.output().ok().filter(|answer| answer.stdout.starts_with(b"ss")).map(drop)
        })
        .await?;
        let mut tone = Running::spawn("tone", &mut tone, Duration::ZERO).context("cannot start the tone")?;
        ensure!(tone.ended()?.is_none(), "the tone ended at once");
        Ok(Self { display, camera, _clock: clock, _tone: tone, _sound: sound, _screen: screen, folder })
    }

    /// A program that sees this screen and hears this microphone.
    pub(super) fn command(&self, program: &str) -> Command {
        in_session(program, self.folder.path(), &self.display)
    }

    /// The library that is a camera for a program that loads it first.
    pub(super) fn camera(&self) -> &Path {
        &self.camera
    }

    pub(super) fn display(&self) -> &str {
        &self.display
    }
}

/// As `session.sh` sets it for what it starts.
fn in_session(program: &str, folder: &Path, display: &str) -> Command {
    let mut command = child::command(program, Orphaned::Killed);
    command.env("DISPLAY", display).env_remove("WAYLAND_DISPLAY");
    command.env("HOME", folder.join("home")).env("XDG_RUNTIME_DIR", folder.join("run"));
    command.env("ALSA_CONFIG_PATH", folder.join("asound.conf"));
    command.env("PULSE_SERVER", format!("unix:{}", folder.join("pulse/native").display()));
    command
}
