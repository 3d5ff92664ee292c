//! Keeping order in a chat. The relay and every viewer's page apply the same rules, so that what comes by another relay
//! is treated alike.
//!
//! | module | what |
//! |---|---|
//! | `settings` | [`ChatSettings`]: the host's wishes for one stream, as an event (kind 30078) |
//! | `mute_list` | [`MuteList`]: whom somebody does not want to hear (kind 10000) |
//! | `rules` | [`ChatRules`]: what all of that makes of a message |
//!
//! Deletions (kind 5) and reports (kind 1984) stand here.

mod mute_list;
mod rules;
mod settings;

use std::collections::BTreeSet;

use crate::{
    address::Address,
    event::{Event, EventId, PublicKey, ReadError, UnsignedEvent, kind, tag},
    text,
};

pub use mute_list::MuteList;
pub use rules::{ChatRules, Circumstances, Objection};
pub use settings::ChatSettings;

/// Longest reason that is kept, characters.
const MAX_REASON_CHARS: usize = 500;
/// Events and addresses that one deletion may name.
const MAX_DELETED: usize = 500;

/// A set, filled one by one: collecting would bring a way to sort for each type into the viewers' page, which is small.
fn set<T: Ord>(items: impl Iterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// Somebody takes back what they published (NIP-09). It holds for their own events only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Whose events.
    pub author: PublicKey,
    /// When, Unix seconds: of addresses, later versions stay.
    pub created_at: u64,
    /// Events.
    pub events: Vec<EventId>,
    /// Addresses; only the author's own are here.
    pub addresses: Vec<Address>,
}

/// Somebody objects to somebody or something (NIP-56).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Who objects.
    pub author: PublicKey,
    /// To whom.
    pub reported: PublicKey,
    /// To what, if not to the person.
    pub event: Option<EventId>,
    /// Why, in one of the NIP's words.
    pub category: String,
    /// Why, in their own words.
    pub reason: String,
}

/// What can be said of a report's why (NIP-56).
pub const REPORT_CATEGORIES: [&str; 7] =
    ["nudity", "malware", "profanity", "illegal", "spam", "impersonation", "other"];

impl Deletion {
    /// Reads a deletion.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::DELETION)?;
        let tags = event.tags();
        let own = Address::named(tags).into_iter().filter(|address| address.pubkey == event.pubkey);
        Ok(Self {
            author: event.pubkey,
            created_at: event.created_at,
            events: tags.values("e").filter_map(|id| id.parse().ok()).take(MAX_DELETED).collect(),
            addresses: own.take(MAX_DELETED).collect(),
        })
    }

    /// Takes back an event, for its author to sign.
    #[must_use]
    pub fn unsigned(author: PublicKey, created_at: u64, event: &EventId, event_kind: u16) -> UnsignedEvent {
        let tags = vec![tag(["e", &event.to_string()]), tag(["k", &event_kind.to_string()])];
        UnsignedEvent { pubkey: author, created_at, kind: kind::DELETION, tags, content: String::new() }
    }
}

impl Report {
    /// Reads a report. An unknown category is `other`.
    ///
    /// # Errors
    /// When it is none, or names nobody.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::REPORT)?;
        let tags = event.tags();
        let third = |name| tags.all(name).find_map(|rest: &[String]| rest.get(1));
        let category = third("e").or_else(|| third("p")).map(|word| word.to_lowercase());
        let known = |word: &String| REPORT_CATEGORIES.contains(&word.as_str());
        Ok(Self {
            author: event.pubkey,
            reported: tags.parsed("p").ok_or(ReadError::Tag("p"))?,
            event: tags.parsed("e"),
            category: category.filter(known).unwrap_or_else(|| "other".to_owned()),
            reason: text::block(&event.content, MAX_REASON_CHARS),
        })
    }

    /// A report of a chat message, for its author to sign.
    #[must_use]
    pub fn unsigned(
        author: PublicKey,
        created_at: u64,
        (event, reported): (&EventId, &PublicKey),
        stream: &Address,
        category: &str,
        reason: &str,
    ) -> UnsignedEvent {
        let tags = vec![
            tag(["e", &event.to_string(), category]),
            tag(["p", &reported.to_string(), category]),
            tag(["a", &stream.to_string()]),
        ];
        UnsignedEvent { pubkey: author, created_at, kind: kind::REPORT, tags, content: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests;
