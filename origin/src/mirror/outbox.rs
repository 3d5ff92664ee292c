//! What waits for outside relays, on disk: written with the event itself, gone when the relay has answered.

use std::collections::HashMap;

use nostr::{Event, JsonUtil as _};
use sqlx::{Row as _, SqliteConnection};

use crate::db::{Db, DbError, now_ms};

/// Events that may wait for one relay; the oldest go first.
const MAX_WAITING: i64 = 10_000;

/// Puts an event that is being stored into the outbox of each relay.
pub(crate) async fn enqueue(connection: &mut SqliteConnection, event: i64, relays: &[String]) -> sqlx::Result<()> {
    for relay in relays {
        sqlx::query("INSERT OR IGNORE INTO outbox (relay, event, due_at) VALUES (?, ?, ?)")
            .bind(relay)
            .bind(event)
            .bind(now_ms())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// An event on its way to a relay.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    row: i64,
    pub(super) event: Event,
    /// How often it was sent in vain.
    pub(super) attempts: u32,
}

/// All relays' outboxes.
#[derive(Debug, Clone)]
pub(super) struct Outbox(Db);

impl Outbox {
    pub(super) fn new(db: Db) -> Self {
        Self(db)
    }

    /// What is due, the oldest first.
    pub(super) async fn due(&self, relay: &str, limit: u32) -> Result<Vec<Letter>, DbError> {
        let sql = "SELECT outbox.event, outbox.attempts, events.json FROM outbox JOIN events ON events.row = outbox.event \
                   WHERE outbox.relay = ? AND outbox.due_at <= ? ORDER BY outbox.due_at, outbox.event LIMIT ?";
        let rows = sqlx::query(sql).bind(relay).bind(now_ms()).bind(limit).fetch_all(self.0.pool()).await?;
        let mut letters = Vec::with_capacity(rows.len());
        for row in rows {
            let event = Event::from_json(row.try_get::<&str, _>("json")?);
            let event = event.map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            letters.push(Letter { row: row.try_get("event")?, event, attempts: row.try_get("attempts")? });
        }
        Ok(letters)
    }

    /// When the next will be due, Unix milliseconds.
    pub(super) async fn next_due_ms(&self, relay: &str) -> Result<Option<i64>, DbError> {
        let next = sqlx::query_scalar("SELECT min(due_at) FROM outbox WHERE relay = ?").bind(relay);
        Ok(next.fetch_one(self.0.pool()).await?)
    }

    /// The relay has answered for good.
    pub(super) async fn settle(&self, relay: &str, letter: &Letter) -> Result<(), DbError> {
        let sql = "DELETE FROM outbox WHERE relay = ? AND event = ?";
        sqlx::query(sql).bind(relay).bind(letter.row).execute(self.0.pool()).await?;
        Ok(())
    }

    /// It is sent again later.
    pub(super) async fn put_off(&self, relay: &str, letter: &Letter, due_ms: i64) -> Result<(), DbError> {
        let sql = "UPDATE outbox SET due_at = ?, attempts = attempts + 1 WHERE relay = ? AND event = ?";
        sqlx::query(sql).bind(due_ms).bind(relay).bind(letter.row).execute(self.0.pool()).await?;
        Ok(())
    }

    /// How many wait, by relay.
    pub(super) async fn waiting(&self) -> Result<HashMap<String, u64>, DbError> {
        let rows = sqlx::query("SELECT relay, count(*) AS waiting FROM outbox GROUP BY relay");
        let rows = rows.fetch_all(self.0.pool()).await?;
        let pair = |row: &sqlx::sqlite::SqliteRow| {
            let waiting: i64 = row.try_get("waiting")?;
            Ok((row.try_get("relay")?, u64::try_from(waiting).unwrap_or_default()))
        };
        rows.iter().map(pair).collect()
    }

    /// Takes away what is too much for one relay, the oldest first. Answers how many.
    pub(super) async fn trim(&self, relay: &str) -> Result<u64, DbError> {
        let sql = "DELETE FROM outbox WHERE relay = ?1 AND event IN (SELECT event FROM outbox WHERE relay = ?1 \
                   ORDER BY event LIMIT max(0, (SELECT count(*) FROM outbox WHERE relay = ?1) - ?2))";
        let trimmed = sqlx::query(sql).bind(relay).bind(MAX_WAITING).execute(self.0.pool()).await?;
        Ok(trimmed.rows_affected())
    }
}
