//! What this relay is for: live events, and what belongs to them. Everything else is refused.

use nostr::{Event, Filter};
use serde::{Deserialize, Serialize};
use skylark_protocol::{
    address::Address,
    event::{self, EventId, PublicKey, kind},
};

use super::{
    Rejected,
    chats::Chats,
    limits::MAX_TAGS,
    store::{Readable, Store},
};
use crate::db::DbError;

/// References that are followed to see whether an event belongs here.
const MAX_REFERENCES: usize = 20;

/// Whose live events the relay carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Those of keys that have a stream here.
    Own,
    /// Anybody's.
    Live,
}

/// An event as [`skylark_protocol`] reads it.
pub(crate) fn plain(event: &Event) -> event::Event {
    event::Event {
        id: EventId::from_bytes(event.id.to_bytes()),
        pubkey: PublicKey::from_bytes(event.pubkey.to_bytes()),
        created_at: event.created_at.as_secs(),
        kind: event.kind.as_u16(),
        tags: event.tags.iter().take(MAX_TAGS).map(|tag| tag.as_slice().to_vec()).collect(),
        content: event.content.clone(),
        sig: event::Signature::from_bytes(event.sig.serialize()),
    }
}

/// Whether events of this kind are about others, which they may name without saying to which live event those belong.
fn is_about_events(kind: u16) -> bool {
    matches!(kind, kind::REACTION | kind::ZAP_RECEIPT | kind::REPORT | kind::DELETION)
}

/// What an event refers to.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Live events.
    pub(super) streams: Vec<Address>,
    events: Vec<EventId>,
    people: Vec<PublicKey>,
    /// There are more of them than are followed.
    pub(super) names_more: bool,
    /// One of the events is here, as far as they were followed.
    has_event: bool,
}

impl References {
    /// Reads `a`, `e` and `p`.
    pub(super) fn of(event: &event::Event) -> Self {
        let mut references = Self::default();
        for tag in &event.tags {
            let [name, value, ..] = tag.as_slice() else { continue };
            match name.as_str() {
                "a" => references.streams.extend(value.parse().ok().filter(|a: &Address| a.kind == kind::LIVE_EVENT)),
                "e" => references.events.extend(value.parse::<EventId>().ok()),
                "p" => references.people.extend(value.parse::<PublicKey>().ok()),
                _ => {}
            }
        }
        references.names_more = references.streams.len() > MAX_REFERENCES
            || (matches!(event.kind, kind::REACTION | kind::ZAP_RECEIPT) && references.events.len() > MAX_REFERENCES);
        references.streams.truncate(MAX_REFERENCES);
        references.events.truncate(MAX_REFERENCES);
        references.people.truncate(MAX_REFERENCES);
        references
    }

    /// A reaction may name nothing but what it is about: it belongs to the live event that this belongs to.
    pub(super) async fn follow(&mut self, store: &Store, kind: u16) -> Result<(), DbError> {
        if !is_about_events(kind) || self.events.is_empty() {
            return Ok(());
        }
        let ids = self.events.iter().map(|id| nostr::EventId::from_byte_array(*id.as_bytes()));
        for found in store.find(&[Filter::new().ids(ids)], &Readable::Everything).await? {
            self.has_event = true;
            // It may itself name no more than a message.
            self.streams.extend(found.private_to.as_deref().and_then(|stream| stream.parse().ok()));
            let Some(event) = found.read() else { continue };
            if event.kind == kind::LIVE_EVENT {
                self.streams.extend(Address::of(&event));
            }
            self.streams.extend(Self::of(&event).streams);
        }
        self.streams.sort_unstable();
        self.streams.dedup();
        Ok(())
    }

    async fn has_stream(&self, chats: &Chats, store: &Store) -> Result<bool, DbError> {
        for stream in &self.streams {
            if chats.has_live_event(store, stream).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn has_any_event(&self, store: &Store) -> Result<bool, DbError> {
        for id in &self.events {
            if store.has_event(id).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn has_person(&self, store: &Store) -> Result<bool, DbError> {
        for person in &self.people {
            if store.has_author(person).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether an event belongs here. `is_host` says whether its author has a stream here, `is_known` whether the client is
/// authenticated as its author.
pub(super) async fn check(
    (chats, store): (&Chats, &Store),
    scope: Scope,
    event: &event::Event,
    references: &References,
    is_host: bool,
    is_known: bool,
) -> Result<(), Rejected> {
    let belongs = match event.kind {
        kind::LIVE_EVENT => match scope {
            Scope::Own if !is_host => {
                return Err(Rejected::restricted("only who has a stream here can announce one here"));
            }
            _ => Address::of(event).is_some(),
        },
        kind::CHAT | kind::RAID | kind::CLIP | kind::PRESENCE => references.has_stream(chats, store).await?,
        kind::REACTION | kind::ZAP_RECEIPT => references.has_event || references.has_stream(chats, store).await?,
        kind::REPORT => {
            references.has_stream(chats, store).await?
                || references.has_any_event(store).await?
                || references.has_person(store).await?
        }
        kind::DELETION => {
            let author = || store.has_author(&event.pubkey);
            is_host || author().await?
        }
        kind::PROFILE | kind::CONTACTS | kind::MUTE_LIST | kind::RELAY_LIST | kind::ZAP_GOAL => {
            is_host || is_known || store.has_author(&event.pubkey).await?
        }
        kind::APPLICATION_DATA => references.has_stream(chats, store).await? || is_host,
        kind::AUTHENTICATION => return Err(Rejected::invalid("an authentication is sent with AUTH")),
        _ => false,
    };
    if belongs { Ok(()) } else { Err(Rejected::blocked("this relay carries live events and what belongs to them")) }
}
