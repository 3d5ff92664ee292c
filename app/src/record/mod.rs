//! Files on this computer: the recording, and the replay buffer.
//!
//! | module | does |
//! |---|---|
//! | `recorder` | writes what it takes, part after part, and watches over it |
//! | `replay` | holds the last seconds in memory, and writes them when asked |
//! | `writer` | one MP4 file: in fragments while it grows, plain when it is finished |
//! | `fragment` | what GStreamer leaves out of them |
//! | `check` | reads a finished file back: every frame that was given is in it |
//! | `disk` | room on a disk |
//!
//! A recording has a pipeline and a thread of its own: whatever happens to it happens to nothing else.

mod check;
mod disk;
mod fragment;
mod recorder;
mod replay;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use recorder::Recorder;
pub use replay::{MAX_REPLAY, MAX_REPLAY_BYTES, Replay};

/// Why there is no recording, or not a whole one.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The disk says no.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// GStreamer says no.
    #[error("{path}: {reason}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What it says.
        reason: String,
    },
    /// What was read back is not what was written.
    #[error("{path} was read back and is not whole: {reason}")]
    NotWhole {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is not enough room.
    #[error("{path}: only {free_mib} MiB are left on the disk")]
    Full {
        /// The folder.
        path: PathBuf,
        /// What is left, mebibytes.
        free_mib: u64,
    },
    /// No keyframe came: there is nothing to keep.
    #[error("no picture came, so there is no file")]
    Empty,
}

/// A path for a new file that is not there yet: `name.mp4`, `name (2).mp4`, …
fn fresh_path(folder: &Path, name: &str) -> PathBuf {
    let name: String = name.chars().map(|letter| if "/\\:*?\"<>|\0".contains(letter) { '-' } else { letter }).collect();
    let name = if name.trim_matches(['.', ' ']).is_empty() { "Recording" } else { name.as_str() };
    let numbered = (2..u32::MAX).map(|number| folder.join(format!("{name} ({number}).mp4")));
    let mut paths = std::iter::once(folder.join(format!("{name}.mp4"))).chain(numbered);
    paths.find(|path| !path.exists()).unwrap_or_else(|| folder.join(format!("{name}.mp4")))
}
