//! Sources of the Studio: what comes out of their pads.
#![expect(clippy::unwrap_used, reason = "all of this is a test")]

mod again;
mod cameras;
mod films;
mod measured;
mod screens;
mod sounds;
mod stage;
mod stills;

use std::process::Command;

/// Runs ffmpeg.
fn ffmpeg(arguments: &[&str]) {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]).args(arguments);
    let output = ffmpeg.output().expect("ffmpeg is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
