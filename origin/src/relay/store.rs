//! Events on disk.
//!
//! | module | what |
//! |---|---|
//! | `write` | one writer: many events in one transaction |
//! | `known` | which events are here: many questions, one statement |
//! | `queue` | what those two have in common |
//! | `query` | filters → SQL |
//!
//! Everything else of the relay sees [`Store`] alone.

mod known;
mod query;
mod queue;
mod write;

use std::sync::Arc;

use nostr::{Filter, Timestamp};
use skylark_protocol::{
    address::Address,
    event::{EventId, PublicKey},
};
use sqlx::{Sqlite, query::Query, sqlite::SqliteArguments};
use tokio::sync::Semaphore;

pub(super) use query::{Found, Readable};
pub(super) use write::Outcome;

use self::{
    known::Knowing,
    queue::Queue,
    write::{Incoming, Writing},
};
use super::Announced;
use crate::db::{Db, DbError};

/// Queries at once: the database has few connections, and others need them, too.
const MAX_QUERIES: usize = 2;
/// Events that one clean-up takes away at once, so that it does not hold up the writer.
const CLEANUP_BATCH: i64 = 1000;

/// One part in so many of [`Room::max_events`] may be events that can be replaced: profiles, contacts, presence. Of
/// hosts they stay whatever happens.
const REPLACEABLE_SHARE: i64 = 4;

/// How much is kept. What has expired goes first, then the oldest messages, reactions and whatever else nothing
/// replaces; of what can be replaced, that which was not renewed for longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Events that nothing replaces.
    pub max_events: u64,
    /// The database's size beyond which the oldest of them go, too, bytes.
    pub max_bytes: u64,
}

/// The relay's events.
#[derive(Debug, Clone)]
pub(super) struct Store {
    db: Db,
    writer: Queue<Writing>,
    known: Queue<Knowing>,
    queries: Arc<Semaphore>,
}

impl Store {
    /// Over a database; its tasks run as long as this lives.
    pub(super) fn new(db: Db) -> Self {
        Self {
            writer: Queue::start(Writing(db.clone())),
            known: Queue::start(Knowing(db.clone())),
            db,
            queries: Arc::new(Semaphore::new(MAX_QUERIES)),
        }
    }

    /// Keeps an event, and does what it asks for: a newer version replaces, a deletion deletes.
    /// It waits for these outside relays from then on.
    pub(super) async fn keep(&self, announced: Arc<Announced>, relays: Arc<[String]>) -> Result<Outcome, DbError> {
        self.writer.ask(Incoming { announced, relays }).await
    }

    /// Events that match any of the filters, newest first, each once.
    pub(super) async fn find(&self, filters: &[Filter], readable: &Readable) -> Result<Vec<Found>, DbError> {
        let _turn = self.queries.acquire().await;
        query::find(self.db.pool(), filters, readable, Timestamp::now().as_secs()).await
    }

    /// How many events match any of the filters; counting ends at a limit.
    pub(super) async fn count(&self, filters: &[Filter], readable: &Readable) -> Result<u64, DbError> {
        let _turn = self.queries.acquire().await;
        query::count(self.db.pool(), filters, readable, Timestamp::now().as_secs()).await
    }

    /// The newest event of an address, as it was sent.
    pub(super) async fn newest(&self, address: &Address) -> Result<Option<String>, DbError> {
        let sql = "SELECT json FROM events WHERE kind = ? AND pubkey = ? AND identifier = ?";
        let row = sqlx::query_scalar(sql)
            .bind(address.kind)
            .bind(address.pubkey.as_bytes().as_slice())
            .bind(&address.identifier);
        Ok(row.fetch_optional(self.db.pool()).await?)
    }

    /// Whether there is an event of this address.
    pub(super) async fn has_address(&self, address: &Address) -> Result<bool, DbError> {
        let sql = "SELECT 1 FROM events WHERE kind = ? AND pubkey = ? AND identifier = ?";
        let row =
            sqlx::query(sql).bind(address.kind).bind(address.pubkey.as_bytes().as_slice()).bind(&address.identifier);
        Ok(row.fetch_optional(self.db.pool()).await?.is_some())
    }

    /// Whether there is this event.
    pub(super) async fn has_event(&self, id: &EventId) -> Result<bool, DbError> {
        self.known.ask(*id).await
    }

    /// Whether there is any event of this author.
    pub(super) async fn has_author(&self, author: &PublicKey) -> Result<bool, DbError> {
        let row = sqlx::query("SELECT 1 FROM events WHERE pubkey = ? LIMIT 1").bind(author.as_bytes().as_slice());
        Ok(row.fetch_optional(self.db.pool()).await?.is_some())
    }

    /// Whether `author` follows `host`, by the contacts that are known here.
    pub(super) async fn follows(&self, author: &PublicKey, host: &PublicKey) -> Result<bool, DbError> {
        let sql = "SELECT 1 FROM event_tags AS tag JOIN events AS event ON event.row = tag.event \
                   WHERE tag.name = 'p' AND tag.value = ? AND event.kind = 3 AND event.pubkey = ? LIMIT 1";
        let row = sqlx::query(sql).bind(host.to_string()).bind(author.as_bytes().as_slice());
        Ok(row.fetch_optional(self.db.pool()).await?.is_some())
    }

    /// Takes away messages that a host has removed from a live event's chat. Those of the host stay: a moderator must
    /// not take them away, and the host has a deletion for that.
    pub(super) async fn remove(&self, stream: &Address, ids: &[EventId]) -> Result<u64, DbError> {
        let sql = "DELETE FROM events WHERE pubkey <> ? AND id IN (SELECT unhex(value) FROM json_each(?)) AND row IN \
                   (SELECT event FROM event_tags WHERE name = 'a' AND value = ?)";
        let ids: Vec<String> = ids.iter().map(EventId::to_string).collect();
        let delete = sqlx::query(sql)
            .bind(stream.pubkey.as_bytes().as_slice())
            .bind(serde_json::Value::from(ids).to_string())
            .bind(stream.to_string());
        Ok(delete.execute(self.db.pool()).await?.rows_affected())
    }

    /// Takes away all that belongs to a private live event.
    pub(super) async fn remove_private(&self, stream: &Address) -> Result<(), DbError> {
        let delete = sqlx::query("DELETE FROM events WHERE private_to = ?").bind(stream.to_string());
        delete.execute(self.db.pool()).await?;
        Ok(())
    }

    /// Takes away what has expired and what there is no room for; see [`Room`]. Answers how many.
    pub(super) async fn clean(&self, room: Room, hosts: &[PublicKey]) -> Result<u64, DbError> {
        let now = integer(Timestamp::now().as_secs());
        let expired = "DELETE FROM events WHERE row IN \
                       (SELECT row FROM events WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)";
        let mut removed = self.repeat(|| sqlx::query(expired).bind(now).bind(CLEANUP_BATCH)).await?;
        let surplus = "DELETE FROM events WHERE row IN (SELECT row FROM events WHERE identifier IS NULL ORDER BY created_at \
                       LIMIT min(?, max(0, (SELECT count(*) FROM events WHERE identifier IS NULL) - ?)))";
        let max_events = integer(room.max_events);
        removed += self.repeat(|| sqlx::query(surplus).bind(CLEANUP_BATCH).bind(max_events)).await?;
        let versions = "DELETE FROM events WHERE row IN (SELECT row FROM events WHERE identifier IS NOT NULL \
                        AND pubkey NOT IN (SELECT unhex(value) FROM json_each(?1)) ORDER BY row LIMIT min(?2, max(0, \
                        (SELECT count(*) FROM events WHERE identifier IS NOT NULL) - ?3)))";
        let hosts = serde_json::Value::from(hosts.iter().map(PublicKey::to_string).collect::<Vec<_>>()).to_string();
        let max_versions = max_events / REPLACEABLE_SHARE;
        removed += self.repeat(|| sqlx::query(versions).bind(&hosts).bind(CLEANUP_BATCH).bind(max_versions)).await?;
        while self.used_bytes().await? > room.max_bytes {
            let oldest = "DELETE FROM events WHERE row IN \
                          (SELECT row FROM events WHERE identifier IS NULL ORDER BY created_at LIMIT ?)";
            let oldest = sqlx::query(oldest).bind(CLEANUP_BATCH).execute(self.db.pool()).await?.rows_affected();
            removed += oldest;
            if oldest == 0 {
                tracing::warn!("the database is larger than the relay may make it, and nothing in it can go");
                break;
            }
        }
        Ok(removed)
    }

    /// Deletes in pieces, so that the writer has its turn in between. Answers how many.
    async fn repeat<'q>(&self, delete: impl Fn() -> Query<'q, Sqlite, SqliteArguments>) -> Result<u64, DbError> {
        let mut removed = 0;
        loop {
            let some = delete().execute(self.db.pool()).await?.rows_affected();
            removed += some;
            if some < CLEANUP_BATCH.unsigned_abs() {
                return Ok(removed);
            }
        }
    }

    /// What the database takes on disk, but for what is free in it.
    async fn used_bytes(&self) -> Result<u64, DbError> {
        let sql = "SELECT (page_count.page_count - freelist_count.freelist_count) * page_size.page_size \
                   FROM pragma_page_count() AS page_count, pragma_freelist_count() AS freelist_count, \
                   pragma_page_size() AS page_size";
        let used: i64 = sqlx::query_scalar(sql).fetch_one(self.db.pool()).await?;
        Ok(u64::try_from(used).unwrap_or_default())
    }
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
