//! Whom somebody does not want to hear (kind 10000, NIP-51). Other clients hide from a live event's chat whom its host
//! has on this list.

use std::collections::BTreeSet;

use super::set;
use crate::event::{Event, PublicKey, ReadError, UnsignedEvent, kind, tag};

/// Keys and words that are kept of a list.
const MAX_ENTRIES: usize = 5000;

/// The public part of a mute list; the private part stays encrypted and untouched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MuteList {
    /// Whom.
    pub pubkeys: BTreeSet<PublicKey>,
    /// Words, in lower case.
    pub words: BTreeSet<String>,
}

impl MuteList {
    /// Reads a list.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::MUTE_LIST)?;
        let tags = event.tags();
        Ok(Self {
            pubkeys: set(tags.values("p").filter_map(|key| key.parse().ok()).take(MAX_ENTRIES)),
            words: set(tags.values("word").map(str::to_lowercase).take(MAX_ENTRIES)),
        })
    }

    /// The newest list with one key added or taken away, for its owner to sign: all other tags and the private part are
    /// as they were.
    #[must_use]
    pub fn edited(
        owner: PublicKey,
        created_at: u64,
        newest: Option<&Event>,
        pubkey: &PublicKey,
        is_muted: bool,
    ) -> UnsignedEvent {
        let hex = pubkey.to_string();
        let names_them = |one: &Vec<String>| one.first().is_some_and(|name| name == "p") && one.get(1) == Some(&hex);
        let old = newest.map(|event| event.tags.as_slice()).unwrap_or_default();
        let mut tags: Vec<_> = old.iter().filter(|one| is_muted || !names_them(one)).cloned().collect();
        if is_muted && !tags.iter().any(names_them) {
            tags.push(tag(["p", &hex]));
        }
        let content = newest.map(|event| event.content.clone()).unwrap_or_default();
        UnsignedEvent { pubkey: owner, created_at, kind: kind::MUTE_LIST, tags, content }
    }
}
