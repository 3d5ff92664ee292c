//! Nostr events (NIP-01): signed as they travel, and unsigned as a signer takes them.
//!
//! | module | what |
//! |---|---|
//! | `hex` | [`EventId`], [`PublicKey`], [`Signature`] |
//! | [`kind`] | the kinds that Skylark knows |
//! | `tags` | looking into tags, whatever they hold |
//!
//! Reading is tolerant: a tag that makes no sense is as good as absent. Signatures are checked by whoever has the means
//! (the origin does, for everything that goes through its relay).

mod hex;
pub mod kind;
mod tags;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use hex::{EventId, InvalidHex, PublicKey, Signature};
pub(crate) use tags::{Tags, tag};

/// How far ahead of the clock an update may be dated to come after the version it replaces, seconds. Relays refuse what
/// is dated a quarter of an hour ahead, and clients hide what is dated five minutes ahead.
pub const MAX_AHEAD_S: u64 = 240;

/// An event as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Hash of everything but the signature.
    pub id: EventId,
    /// Who signed it.
    pub pubkey: PublicKey,
    /// When, by the author's word; Unix seconds.
    pub created_at: u64,
    /// What it is.
    pub kind: u16,
    /// Its tags.
    pub tags: Vec<Vec<String>>,
    /// Its text.
    pub content: String,
    /// Schnorr signature of the id.
    pub sig: Signature,
}

/// An event before it is signed: what NIP-07's `signEvent` and NIP-46's `sign_event` take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsignedEvent {
    /// Who is to sign it.
    pub pubkey: PublicKey,
    /// Its date; Unix seconds.
    pub created_at: u64,
    /// What it is.
    pub kind: u16,
    /// Its tags.
    pub tags: Vec<Vec<String>>,
    /// Its text.
    pub content: String,
}

/// An event cannot be read as what it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is of another kind.
    #[error("this is an event of kind {found}, not {wanted}")]
    Kind {
        /// The kind it should have.
        wanted: u16,
        /// The kind it has.
        found: u16,
    },
    /// It lacks what it cannot be without.
    #[error("the event has no usable `{0}` tag")]
    Tag(&'static str),
    /// Its content is not what the kind asks for.
    #[error("the event's content is not {0}")]
    Content(&'static str),
}

/// The version to be replaced is dated so far ahead that relays would refuse anything later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the last update is dated {ahead_s} s ahead of the clock: one of the clocks is wrong")]
pub struct ClockSkew {
    /// By how much.
    pub ahead_s: u64,
}

/// The date of an update that replaces an event dated `previous`: later than it, because of two events with the same
/// date relays keep the one with the lower id, whichever that is.
///
/// `now` is the time by the best clock there is; a browser whose clock is wrong should use its origin's.
///
/// # Errors
/// When that date would be so far ahead that relays refuse it.
pub fn update_time(now: u64, previous: Option<u64>) -> Result<u64, ClockSkew> {
    let at = previous.map_or(now, |previous| now.max(previous.saturating_add(1)));
    match at - now {
        ahead_s if ahead_s > MAX_AHEAD_S => Err(ClockSkew { ahead_s }),
        _ => Ok(at),
    }
}

impl Event {
    /// Whether `id` is the hash of the rest. Says nothing of the signature.
    #[must_use]
    pub fn has_true_id(&self) -> bool {
        self.id == hash(&self.pubkey, self.created_at, self.kind, &self.tags, &self.content)
    }

    /// Whether this version replaces `other` of the same address: it is later, or as old and of a lower id.
    #[must_use]
    pub fn replaces(&self, other: &Self) -> bool {
        (self.created_at, std::cmp::Reverse(self.id)) > (other.created_at, std::cmp::Reverse(other.id))
    }

    /// When it is not to be served any more (NIP-40), Unix seconds.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.tags().parsed("expiration")
    }

    pub(crate) fn tags(&self) -> Tags<'_> {
        Tags(&self.tags)
    }

    pub(crate) fn expect_kind(&self, wanted: u16) -> Result<(), ReadError> {
        if self.kind == wanted { Ok(()) } else { Err(ReadError::Kind { wanted, found: self.kind }) }
    }
}

impl UnsignedEvent {
    /// What the signature will be of.
    #[must_use]
    pub fn id(&self) -> EventId {
        hash(&self.pubkey, self.created_at, self.kind, &self.tags, &self.content)
    }

    /// The signed event.
    #[must_use]
    pub fn with_signature(self, sig: Signature) -> Event {
        let id = self.id();
        let Self { pubkey, created_at, kind, tags, content } = self;
        Event { id, pubkey, created_at, kind, tags, content, sig }
    }
}

/// SHA-256 of the compact JSON form. Control characters that NIP-01 does not name are escaped as every client does it,
/// by the rules of JSON.
fn hash(pubkey: &PublicKey, created_at: u64, kind: u16, tags: &[Vec<String>], content: &str) -> EventId {
    let mut sink = HashSink(Sha256::new());
    // Neither these types nor the sink can fail.
    _ = serde_json::to_writer(&mut sink, &(0, pubkey, created_at, kind, tags, content));
    EventId::from_bytes(sink.0.finalize().into())
}

struct HashSink(Sha256);

impl std::io::Write for HashSink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
