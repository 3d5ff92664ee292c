//! What a host, and the moderators whom the host names, want of a stream's chat: application data (kind 30078, NIP-78)
//! that other clients can honour, too. A moderator's settings are read for bans and removals only.

use std::collections::BTreeSet;

use super::set;
use crate::{
    address::Address,
    event::{Event, EventId, PublicKey, ReadError, UnsignedEvent, kind, tag},
    text,
};

/// What the `d` tag begins with; the live event's own `d` follows.
const PREFIX: &str = "skylark:";
/// Names of the roles in `p` tags.
const MODERATOR: &str = "moderator";
const BANNED: &str = "banned";

/// The settings of one stream's chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSettings {
    /// The `d` of the live event.
    pub identifier: String,
    /// People may write.
    pub is_chat_on: bool,
    /// People may react.
    pub are_reactions_on: bool,
    /// People may write with a key made for the moment. Pages ask this; a relay cannot tell.
    pub are_guests_welcome: bool,
    /// Only those who follow the host may write.
    pub is_followers_only: bool,
    /// Messages may be made of emoji only.
    pub is_emotes_only: bool,
    /// Least time between two messages of one person, seconds.
    pub slow_s: u32,
    /// Words that messages must not have, in lower case.
    pub words: BTreeSet<String>,
    /// Who keeps order.
    pub moderators: BTreeSet<PublicKey>,
    /// Who may not write.
    pub banned: BTreeSet<PublicKey>,
    /// Messages that were removed; the newest last.
    pub removed: Vec<EventId>,
}

impl ChatSettings {
    /// Most words.
    pub const MAX_WORDS: usize = 200;
    /// Longest word, characters.
    pub const MAX_WORD_CHARS: usize = 50;
    /// Most moderators.
    pub const MAX_MODERATORS: usize = 50;
    /// Most bans.
    pub const MAX_BANNED: usize = 500;
    /// Most removed messages that are named; the oldest are forgotten first.
    pub const MAX_REMOVED: usize = 500;
    /// Longest time between two messages, seconds.
    pub const MAX_SLOW_S: u32 = 3600;

    /// What holds where the host has said nothing.
    #[must_use]
    pub fn new(identifier: &str) -> Self {
        Self {
            identifier: identifier.to_owned(),
            is_chat_on: true,
            are_reactions_on: true,
            are_guests_welcome: true,
            is_followers_only: false,
            is_emotes_only: false,
            slow_s: 0,
            words: BTreeSet::new(),
            moderators: BTreeSet::new(),
            banned: BTreeSet::new(),
            removed: Vec::new(),
        }
    }

    /// The address of these settings when `author` writes them.
    #[must_use]
    pub fn address(author: PublicKey, identifier: &str) -> Address {
        Address { kind: kind::APPLICATION_DATA, pubkey: author, identifier: format!("{PREFIX}{identifier}") }
    }

    /// Reads settings. What makes no sense is as if it were not said.
    ///
    /// # Errors
    /// When it is none: other programs keep their own data under the same kind.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::APPLICATION_DATA)?;
        let tags = event.tags();
        let identifier = tags.value("d").and_then(|d| d.strip_prefix(PREFIX)).ok_or(ReadError::Tag("d"))?;
        let is_off = |name| tags.value(name).is_some_and(|value| value.eq_ignore_ascii_case("off"));
        let has_mode = |mode: &str| tags.values("mode").any(|value| value.eq_ignore_ascii_case(mode));
        let with_role = |wanted: &'static str, max| {
            let matching =
                tags.all("p").filter(move |rest| rest.get(2).is_some_and(|role| role.eq_ignore_ascii_case(wanted)));
            set(matching.filter_map(|rest| rest.first()?.parse().ok()).take(max))
        };
        let word = |word: &str| text::line(&word.to_lowercase(), Self::MAX_WORD_CHARS);
        let mut removed: Vec<EventId> = tags.values("e").filter_map(|id| id.parse().ok()).collect();
        removed.drain(..removed.len().saturating_sub(Self::MAX_REMOVED));
        Ok(Self {
            identifier: identifier.to_owned(),
            is_chat_on: !is_off("chat"),
            are_reactions_on: !is_off("reactions"),
            are_guests_welcome: !is_off("guests"),
            is_followers_only: has_mode("followers"),
            is_emotes_only: has_mode("emotes"),
            slow_s: tags.parsed::<u32>("slow").unwrap_or(0).min(Self::MAX_SLOW_S),
            words: set(tags.values("word").map(word).filter(|word| !word.is_empty()).take(Self::MAX_WORDS)),
            moderators: with_role(MODERATOR, Self::MAX_MODERATORS),
            banned: with_role(BANNED, Self::MAX_BANNED),
            removed,
        })
    }

    /// The settings, for `author` to sign. `stream` is the live event they are for.
    #[must_use]
    pub fn unsigned(&self, author: PublicKey, created_at: u64, stream: &Address) -> UnsignedEvent {
        let mut tags = vec![tag(["d", &format!("{PREFIX}{}", self.identifier)]), tag(["a", &stream.to_string()])];
        let switches =
            [("chat", self.is_chat_on), ("reactions", self.are_reactions_on), ("guests", self.are_guests_welcome)];
        tags.extend(switches.into_iter().filter(|(_, is_on)| !is_on).map(|(name, _)| tag([name, "off"])));
        let modes = [("followers", self.is_followers_only), ("emotes", self.is_emotes_only)];
        tags.extend(modes.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| tag(["mode", name])));
        if self.slow_s > 0 {
            tags.push(tag(["slow", &self.slow_s.to_string()]));
        }
        tags.extend(self.words.iter().take(Self::MAX_WORDS).map(|word| tag(["word", word])));
        let people = |keys: &BTreeSet<PublicKey>, role: &str, max| -> Vec<Vec<String>> {
            keys.iter().take(max).map(|key| tag(["p", &key.to_string(), "", role])).collect()
        };
        tags.extend(people(&self.moderators, MODERATOR, Self::MAX_MODERATORS));
        tags.extend(people(&self.banned, BANNED, Self::MAX_BANNED));
        let forgotten = self.removed.len().saturating_sub(Self::MAX_REMOVED);
        tags.extend(self.removed.iter().skip(forgotten).map(|id| tag(["e", &id.to_string()])));
        UnsignedEvent { pubkey: author, created_at, kind: kind::APPLICATION_DATA, tags, content: String::new() }
    }
}
