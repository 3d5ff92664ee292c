//! What page and session say to each other.

use skylark_protocol::StreamStatus;

use super::recovery::Failure;

/// What the page hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The origin answered.
    Status(Box<StreamStatus>),
    /// The origin does not know the stream.
    UnknownStream,
    /// The viewer may not watch any more.
    ShownOut,
    /// The origin did not answer.
    Unreachable,
    /// Media was appended to the buffer, in which `trough_s` was left to play before.
    Arrived {
        /// Seconds of buffer before the arrival.
        trough_s: f64,
    },
    /// The playlist says that nothing follows.
    PlaylistEnded,
    /// Playing cannot go on by itself.
    Failed(Failure),
    /// The `<video>` plays.
    Playing,
    /// The `<video>` ran out of data.
    Waiting,
    /// The `<video>` played the last frame there is.
    Finished,
    /// The viewer wants it to play.
    Play,
    /// The viewer wants it to stop.
    Pause,
    /// The viewer wants the newest picture.
    GoLive,
    /// The viewer wants another try.
    Retry,
    /// Time went by.
    Tick,
}

/// What the page shall do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Load this multivariant playlist, instead of anything loaded before.
    Load(String),
    /// Let go of what is loaded.
    Unload,
    /// Move the playhead, if a position is given, and play.
    Begin(Option<f64>),
    /// Stop the playhead without a word.
    Hold,
    /// Move the playhead.
    Seek(f64),
    /// Play at this speed.
    SetRate(f64),
    /// Go on with less quality, where the viewer has left that to us.
    Lower,
    /// Give the decoder a fresh start.
    RecoverMedia,
    /// Ask for the status now.
    AskStatus,
}
