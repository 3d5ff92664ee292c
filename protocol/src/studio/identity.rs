//! Who streams. Keys stay where they are; the window only ever sees who somebody is.

use serde::{Deserialize, Serialize};

use crate::event::PublicKey;

/// The identities of this Studio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityView {
    /// All of them, in the order they came.
    pub cards: Vec<IdentityCard>,
    /// The one that streams.
    pub current: Option<PublicKey>,
    /// Whether keys can be kept.
    pub keychain: KeychainState,
}

/// One identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityCard {
    /// Who.
    pub pubkey: PublicKey,
    /// The same, as people pass it on.
    pub npub: String,
    /// Where its key is.
    pub kind: IdentityKind,
    /// What the profile (kind 0) says, once it was found.
    pub name: Option<String>,
    /// Picture of the profile, `https://…`.
    pub picture: Option<String>,
}

/// Where a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// In the operating system's keychain.
    Keychain,
    /// With a NIP-46 signer.
    Bunker,
}

/// Whether keys can be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum KeychainState {
    /// They can.
    Ready,
    /// The keychain is there but locked.
    Locked {
        /// What a person can do, a sentence.
        advice: String,
    },
    /// There is none.
    Missing {
        /// What a person can do, a sentence.
        advice: String,
    },
}
