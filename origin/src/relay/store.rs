//! Events on disk.
//!
//! | module | what |
//! |---|---|
//! | `write` | one writer: many events in one transaction |
//! | `query` | filters → SQL |
//!
//! Everything else of the relay sees [`Store`] alone.

mod query;
mod write;

use std::sync::Arc;

use nostr::{Event, Filter, Timestamp};
use skylark_protocol::{
    address::Address,
    event::{EventId, PublicKey},
};
use tokio::sync::Semaphore;

pub(super) use query::Found;
pub(super) use write::{Outcome, Writer};

use crate::db::{Db, DbError};

/// Queries at once: the database has few connections, and others need them, too.
const MAX_QUERIES: usize = 2;
/// Events that one clean-up takes away at once, so that it does not hold up the writer.
const CLEANUP_BATCH: i64 = 1000;

/// The relay's events.
#[derive(Debug, Clone)]
pub(super) struct Store {
    db: Db,
    writer: Writer,
    queries: Arc<Semaphore>,
}

impl Store {
    /// Over a database; the writer runs as long as this lives.
    pub(super) fn new(db: Db) -> Self {
        Self { writer: Writer::start(db.clone()), db, queries: Arc::new(Semaphore::new(MAX_QUERIES)) }
    }

    /// Keeps an event, and does what it asks for: a newer version replaces, a deletion deletes.
    /// It waits for these outside relays from then on.
    pub(super) async fn keep(&self, event: Event, relays: Arc<[String]>) -> Result<Outcome, DbError> {
        self.writer.keep(event, relays).await
    }

    /// Events that match any of the filters, newest first, each once.
    pub(super) async fn find(&self, filters: &[Filter]) -> Result<Vec<Found>, DbError> {
        let _turn = self.queries.acquire().await;
        query::find(self.db.pool(), filters, Timestamp::now().as_secs()).await
    }

    /// How many events match any of the filters; counting ends at a limit.
    pub(super) async fn count(&self, filters: &[Filter]) -> Result<u64, DbError> {
        let _turn = self.queries.acquire().await;
        query::count(self.db.pool(), filters, Timestamp::now().as_secs()).await
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
        let row = sqlx::query("SELECT 1 FROM events WHERE id = ?").bind(id.as_bytes().as_slice());
        Ok(row.fetch_optional(self.db.pool()).await?.is_some())
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

    /// Takes away what has expired, and the oldest beyond `max_events`; what can be replaced stays. Answers how many.
    pub(super) async fn clean(&self, max_events: u64) -> Result<u64, DbError> {
        let now = i64::try_from(Timestamp::now().as_secs()).unwrap_or(i64::MAX);
        let expired = "DELETE FROM events WHERE row IN \
                       (SELECT row FROM events WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)";
        let expired = sqlx::query(expired).bind(now).bind(CLEANUP_BATCH).execute(self.db.pool()).await?;
        let surplus = "DELETE FROM events WHERE row IN (SELECT row FROM events WHERE identifier IS NULL \
                       ORDER BY created_at LIMIT min(?, max(0, (SELECT count(*) FROM events) - ?)))";
        let max_events = i64::try_from(max_events).unwrap_or(i64::MAX);
        let surplus = sqlx::query(surplus).bind(CLEANUP_BATCH).bind(max_events).execute(self.db.pool()).await?;
        Ok(expired.rows_affected() + surplus.rows_affected())
    }
}
