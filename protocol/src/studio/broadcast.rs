//! A broadcast, as the window shows it.

use serde::{Deserialize, Serialize};

use crate::{
    Health, StreamId,
    api::{Analytics, Stream, StreamDetails},
};

/// Where a broadcast stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BroadcastState {
    /// Nothing is on air.
    #[default]
    Idle,
    /// What it needs is being looked at.
    Preflight,
    /// The stream is made and announced, the origin does not have media yet.
    Planned,
    /// Viewers can play it: the origin says so.
    Live,
    /// The origin does not get media, and waits for it.
    Reconnecting,
    /// Over.
    Ended,
}

/// The current broadcast.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BroadcastView {
    /// Where it stands, by what the origin says.
    pub state: BroadcastState,
    /// The stream at the origin, as it last said.
    pub stream: Option<Stream>,
    /// Its page, for sharing.
    pub page_url: Option<String>,
    /// The relay that its chat is on: the origin's.
    pub relay_url: Option<String>,
    /// Since when viewers can play it, Unix milliseconds.
    pub live_since_ms: Option<i64>,
    /// What the origin says arrives.
    pub health: Option<Health>,
    /// Who watches, by the origin.
    pub viewers: u64,
    /// What is sent, bits per second.
    pub sent_bps: u64,
    /// What the encoders are asked for, bits per second: less than the settings say while the link is bad.
    pub target_bps: u64,
    /// Media that waits to be sent, milliseconds.
    pub queued_ms: u32,
    /// Frames that were encoded.
    pub frames: u64,
    /// Frames that were not encoded, or not sent.
    pub dropped_frames: u64,
    /// Round-trip time to the origin, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Packets that had to be sent again, of those sent, in 0..=1.
    pub loss_ratio: Option<f64>,
    /// Seconds since the origin was last heard of, when that is too long ago.
    pub origin_silent_s: Option<u32>,
    /// A broadcast that an earlier run left on air.
    pub resumable: Option<Resumable>,
    /// How the last stream was announced: what the next one begins with.
    pub last: Option<StreamDetails>,
    /// The check before going live.
    pub preflight: Option<Preflight>,
    /// After the end.
    pub summary: Option<Summary>,
}

/// A broadcast that an earlier run of the Studio left on air.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumable {
    /// The stream.
    pub stream: StreamId,
    /// How it was announced.
    pub details: StreamDetails,
    /// Until when the origin waits for it, Unix milliseconds. Afterwards it goes on as a new stream.
    pub until_ms: i64,
}

/// What was looked at before going live.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// In the order in which they are shown.
    pub checks: Vec<Check>,
    /// All have an outcome.
    pub is_done: bool,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Stable name: `encoder`, `upload`, `clock`, `disk`, `relays`, `microphone`, `picture`, `identity`, `origin`.
    pub code: String,
    /// What people call it.
    pub title: String,
    /// How it is.
    pub outcome: CheckOutcome,
    /// A sentence: what was measured, and what to do.
    pub message: String,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// Being looked at.
    Running,
    /// As it should be.
    Good,
    /// One can go live, and should know.
    Doubtful,
    /// One cannot go live.
    Bad,
}

/// What there is to say after the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The stream.
    pub stream: Stream,
    /// How long it was live, seconds.
    pub duration_s: u64,
    /// Over time, as the origin kept it.
    pub analytics: Option<Analytics>,
    /// Frames that viewers did not get.
    pub dropped_frames: u64,
    /// The file on this computer.
    pub recording: Option<String>,
}
