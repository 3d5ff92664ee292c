//! What the window draws.

use serde::{Deserialize, Serialize};

use super::{
    broadcast::BroadcastView,
    hotkey::Hotkey,
    identity::IdentityView,
    output::{EncoderState, OutputSettings, RecordingView},
    scene::{Collection, SourceId},
};

/// Everything that the window shows, but for pictures and meters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Scenes, sources and mixer.
    pub collection: Collection,
    /// There is something to undo.
    pub can_undo: bool,
    /// There is something to do again.
    pub can_redo: bool,
    /// How each source is.
    pub sources: Vec<SourceState>,
    /// What can be captured now.
    pub devices: Vec<Device>,
    /// Encoders of this machine, the best first.
    pub encoders: Vec<EncoderState>,
    /// How the picture is encoded, sent and kept.
    pub output: OutputSettings,
    /// Who streams.
    pub identity: IdentityView,
    /// Address of the origin, `https://…`; none: not chosen yet.
    pub origin: Option<String>,
    /// It runs on this machine, and the Studio started it.
    pub origin_is_built_in: bool,
    /// The current broadcast.
    pub broadcast: BroadcastView,
    /// The file that is written.
    pub recording: RecordingView,
    /// Keys that work while another program is in front.
    pub hotkeys: Vec<Hotkey>,
    /// What the streamer should know now, the newest last.
    pub notices: Vec<Notice>,
}

/// How a source is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// Which.
    pub source: SourceId,
    /// Whether it delivers.
    pub status: SourceStatus,
    /// Its picture's width, pixels; 0 while unknown.
    pub width: u32,
    /// Its picture's height, pixels; 0 while unknown.
    pub height: u32,
}

/// Whether a source delivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum SourceStatus {
    /// It was asked to, and nothing came yet.
    Starting,
    /// It does.
    Running,
    /// It does not; a placeholder is shown and it is tried again.
    Missing {
        /// Why, a sentence.
        reason: String,
    },
}

/// Something that can be captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// What kind of source it is for.
    pub kind: DeviceKind,
    /// What an input names it by.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// Kinds of things that can be captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Cameras.
    Camera,
    /// Whole screens.
    Screen,
    /// Windows of other programs.
    Window,
    /// Microphones.
    Microphone,
    /// What this computer plays.
    DesktopSound,
    /// Headphones and loudspeakers, for the streamer's own ears.
    Listening,
}

/// Something the streamer should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Stable name, such as `disk-full`; one notice of each name at a time.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// A sentence: what happened, and what to do.
    pub message: String,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Viewers may notice.
    Warning,
    /// Viewers do not get what they should.
    Failure,
}

/// What the meters show, about 20 times a second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Meters {
    /// Each strip.
    pub strips: Vec<(SourceId, Level)>,
    /// What viewers hear.
    pub program: Level,
}

/// How loud something is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// The highest sample since the last one, decibels below full scale (at most 0).
    pub peak_db: f32,
    /// Mean power, decibels below full scale.
    pub rms_db: f32,
    /// Momentary loudness over 400 ms, LUFS (ITU-R BS.1770).
    pub loudness_lufs: f32,
}

impl Level {
    /// Silence, as far as meters show it.
    pub const SILENT: Self = Self { peak_db: -100.0, rms_db: -100.0, loudness_lufs: -100.0 };
}

impl Default for Level {
    fn default() -> Self {
        Self::SILENT
    }
}

/// Which picture is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// What viewers get.
    Program,
    /// The scene in preparation; without studio mode, the same as the program.
    Preview,
}

/// What the Studio tells its window unasked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "update", content = "value", rename_all = "snake_case")]
pub enum Update {
    /// Something changed.
    Snapshot(Box<Snapshot>),
    /// How loud it is.
    Meters(Meters),
    /// Somebody wants to close the window while it is on air or records.
    CloseAsked,
}
