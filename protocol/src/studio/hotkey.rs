//! Keys that work while another program is in front.

use serde::{Deserialize, Serialize};

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum HotkeyAction {
    /// Goes live as the last stream was announced; ends the stream that is on air.
    Broadcast,
    /// Begins to record, or finishes the recording.
    Record,
    /// Keeps what the replay buffer holds.
    SaveReplay,
    /// Mutes all microphones; when all are muted, none.
    MuteMicrophones,
    /// The scene after the one on air; after the last, the first.
    NextScene,
    /// The scene before the one on air; before the first, the last.
    PreviousScene,
    /// The scene at this place of the list.
    Scene {
        /// 0 is the first.
        at: u8,
    },
}

/// A key, and whether it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hotkey {
    /// What it does.
    #[serde(flatten)]
    pub action: HotkeyAction,
    /// As people read it, `Ctrl+Alt+M`; empty: none.
    pub keys: String,
    /// Why it does not work: what the system said when it was asked for the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Hotkey {
    /// Scenes that can have a key.
    pub const MAX_SCENES: u8 = 9;
    /// Longest name of a key, characters.
    pub const MAX_KEYS_CHARS: usize = 40;
}
