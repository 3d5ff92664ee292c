//! What the window asks for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{edit::Edit, hotkey::HotkeyAction, output::OutputSettings, picture::Picture, scene::SceneId};
use crate::{
    api::StreamDetails,
    event::{Event, EventId, PublicKey, UnsignedEvent},
};

/// Something that somebody typed and nobody else may read: no `Debug` shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Typed(pub String);

impl fmt::Debug for Typed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}

/// What the window asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Changes scenes, sources or the mixer.
    Edit {
        /// How.
        edit: Edit,
    },
    /// Takes the last change back.
    Undo,
    /// Makes it again.
    Redo,
    /// Brings a scene on air with the collection's transition; in studio mode, the one that was on air is prepared next.
    Take {
        /// Which.
        scene: SceneId,
    },
    /// Looks for devices again.
    FindDevices,
    /// Encoding, sending and keeping.
    SetOutput {
        /// How it is from now on.
        output: OutputSettings,
    },
    /// A new key, kept in the keychain.
    CreateIdentity,
    /// A key that somebody has: nsec, hex or ncryptsec.
    ImportIdentity {
        /// The key.
        secret: Typed,
        /// Of an ncryptsec.
        #[serde(default)]
        password: Option<Typed>,
    },
    /// A NIP-46 signer.
    ConnectBunker {
        /// `bunker://…`.
        uri: Typed,
    },
    /// Who streams.
    UseIdentity {
        /// One of the cards.
        pubkey: PublicKey,
    },
    /// Removes a key from the keychain.
    ForgetIdentity {
        /// One of the cards.
        pubkey: PublicKey,
    },
    /// The key, encrypted with a password (NIP-49): [`Outcome::Backup`].
    BackUpIdentity {
        /// One of the cards.
        pubkey: PublicKey,
        /// Encrypts it.
        password: Typed,
    },
    /// Signs what somebody says in a chat, or how a chat is moderated: [`Outcome::Signed`]. Nothing else is signed for
    /// the window.
    Sign {
        /// What to sign; its author is the current identity.
        event: UnsignedEvent,
    },
    /// Pins a chat message to the stream that is on air, or no longer does.
    Pin {
        /// The message.
        message: EventId,
        /// Whether it is pinned.
        is_pinned: bool,
    },
    /// Streams to this origin.
    UseOrigin {
        /// `https://…`.
        address: String,
    },
    /// Starts an origin on this machine, and streams to it.
    UseBuiltInOrigin,
    /// Looks at everything that a broadcast needs.
    Check,
    /// Makes a stream and goes live.
    GoLive {
        /// How it is announced.
        details: StreamDetails,
    },
    /// Says something else of the stream that is on air.
    Describe {
        /// How it is announced from now on.
        details: StreamDetails,
    },
    /// Gives the stream that is on air a small picture.
    Illustrate {
        /// The picture.
        picture: Picture,
    },
    /// Ends the broadcast.
    Stop,
    /// Goes on with the broadcast that an earlier run left on air.
    Resume,
    /// Ends the broadcast that an earlier run left on air.
    Abandon,
    /// Back from the summary.
    Dismiss,
    /// Begins to record.
    StartRecording,
    /// Finishes the recording.
    StopRecording,
    /// Writes what the replay buffer holds to a file: [`Outcome::Saved`].
    SaveReplay,
    /// Another key for something; one that something else has is taken from there.
    SetHotkey {
        /// What it does.
        action: HotkeyAction,
        /// `Ctrl+Alt+M`; empty: none.
        keys: String,
    },
}

/// What a command gives back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It is done; what changed is in the next snapshot.
    Done,
    /// An encrypted key: `ncryptsec1…`.
    Backup {
        /// The key.
        ncryptsec: String,
    },
    /// A signed event.
    Signed {
        /// The event.
        event: Event,
    },
    /// A file.
    Saved {
        /// Where it is.
        path: String,
    },
}

/// Why something could not be done, in words that a person can act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Stable name, such as `keychain-locked`.
    pub code: String,
    /// A sentence or two.
    pub message: String,
}

impl Problem {
    /// A problem.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}
