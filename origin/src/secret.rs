//! Stream keys and passphrases: what must never be printed, logged or stored in clear.

use std::{fmt, fmt::Write as _};

use sha2::{Digest, Sha256};

/// Every stream key starts with it, so that a leaked one is recognised by people and scanners.
pub const KEY_PREFIX: &str = "sky_live_";
/// Random bytes in a key.
const KEY_BYTES: usize = 20;
/// Longest text that is looked at as a key, bytes.
pub const MAX_KEY_LEN: usize = 128;

/// A stream key in clear: exists only between its making and its being shown.
pub struct StreamKey(String);

impl StreamKey {
    /// A new random key.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut random = [0; KEY_BYTES];
        getrandom::fill(&mut random)?;
        let mut text = String::from(KEY_PREFIX);
        for byte in random {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// The key itself, for the one who asked for it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StreamKey(…)")
    }
}

/// SHA-256 of a stream key. Keys are random and long, so a fast hash gives nothing away; and looking one up by its
/// hash takes as long for a nearly right key as for any other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of what somebody presents as a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyHash(…)")
    }
}

/// An SRT passphrase.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

/// The text cannot be an SRT passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an SRT passphrase has 10 to 79 characters, this has {len}")]
pub struct InvalidPassphrase {
    len: usize,
}

impl Passphrase {
    /// Takes a passphrase as it stands in a file; line ends after it don't count.
    ///
    /// # Errors
    /// When it is shorter than 10 or longer than 79 bytes (libsrt's limits).
    pub fn new(text: &str) -> Result<Self, InvalidPassphrase> {
        let text = text.trim_end_matches(['\r', '\n']);
        if (10..=79).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPassphrase { len: text.len() })
        }
    }

    /// The passphrase itself, for the handshake.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Passphrase(…)")
    }
}
