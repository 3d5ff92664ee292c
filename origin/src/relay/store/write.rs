//! The one writer: what waits is written together, in one transaction, and answered when it is written.

use std::sync::Arc;

use nostr::{Event, JsonUtil as _};
use skylark_protocol::event::kind;
use sqlx::{Row as _, Sqlite, SqliteConnection, Transaction};
use tokio::sync::{mpsc, oneshot};

use crate::{
    db::{Db, DbError},
    mirror::outbox,
};

/// Events that may wait for the writer; who sends more waits.
const QUEUE: usize = 1024;
/// Events of one transaction.
const MAX_BATCH: usize = 256;
/// Longest value of a tag that filters can ask for, bytes.
const MAX_INDEXED_BYTES: usize = 512;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::relay) enum Outcome {
    /// It is kept.
    Stored,
    /// It was there already.
    Duplicate,
    /// There is a newer version of it.
    Superseded,
    /// Its author has deleted it.
    Deleted,
}

/// Hands events to the writer's task.
#[derive(Debug, Clone)]
pub(in crate::relay) struct Writer(mpsc::Sender<Waiting>);

struct Waiting {
    event: Event,
    /// The outside relays that it goes to.
    relays: Arc<[String]>,
    answer: oneshot::Sender<Result<Outcome, String>>,
}

impl Writer {
    /// Starts the task; it ends with the last handle.
    pub(super) fn start(db: Db) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(run(db, receiver));
        Self(sender)
    }

    /// Returns when the event is written, or is not going to be.
    pub(super) async fn keep(&self, event: Event, relays: Arc<[String]>) -> Result<Outcome, DbError> {
        let (answer, answered) = oneshot::channel();
        let gone = |_| DbError::Statement(sqlx::Error::WorkerCrashed);
        self.0
            .send(Waiting { event, relays, answer })
            .await
            .map_err(|_| DbError::Statement(sqlx::Error::WorkerCrashed))?;
        answered.await.map_err(gone)?.map_err(|reason| DbError::Statement(sqlx::Error::Protocol(reason)))
    }
}

async fn run(db: Db, mut waiting: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, MAX_BATCH).await > 0 {
        match write(&db, &batch).await {
            Ok(outcomes) => {
                for (one, outcome) in batch.drain(..).zip(outcomes) {
                    _ = one.answer.send(Ok(outcome));
                }
            }
            Err(error) => {
                tracing::error!(%error, events = batch.len(), "events could not be written");
                for one in batch.drain(..) {
                    _ = one.answer.send(Err(error.to_string()));
                }
            }
        }
    }
}

async fn write(db: &Db, batch: &[Waiting]) -> Result<Vec<Outcome>, sqlx::Error> {
    let mut transaction: Transaction<'_, Sqlite> = db.pool().begin_with("BEGIN IMMEDIATE").await?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for one in batch {
        outcomes.push(insert(&mut transaction, &one.event, &one.relays).await?);
    }
    transaction.commit().await?;
    Ok(outcomes)
}

async fn insert(connection: &mut SqliteConnection, event: &Event, relays: &[String]) -> Result<Outcome, sqlx::Error> {
    if is_deleted(connection, event).await? {
        return Ok(Outcome::Deleted);
    }
    let identifier = identifier(event);
    if let Some(identifier) = &identifier
        && let Some(outcome) = replace(connection, event, identifier).await?
    {
        return Ok(outcome);
    }
    let sql = "INSERT OR IGNORE INTO events (id, pubkey, kind, created_at, identifier, expires_at, json) \
               VALUES (?, ?, ?, ?, ?, ?, ?)";
    let inserted = sqlx::query(sql)
        .bind(event.id.as_bytes().as_slice())
        .bind(event.pubkey.as_bytes().as_slice())
        .bind(event.kind.as_u16())
        .bind(seconds(event.created_at))
        .bind(identifier)
        .bind(event.tags.expiration().copied().map(seconds))
        .bind(event.as_json())
        .execute(&mut *connection)
        .await?;
    if inserted.rows_affected() == 0 {
        return Ok(Outcome::Duplicate);
    }
    let row = inserted.last_insert_rowid();
    index_tags(connection, event, row).await?;
    outbox::enqueue(connection, row, relays).await?;
    if event.kind.as_u16() == kind::DELETION {
        delete(connection, event).await?;
    }
    Ok(Outcome::Stored)
}

/// Makes room for a newer version; says so if this is none.
async fn replace(
    connection: &mut SqliteConnection,
    event: &Event,
    identifier: &str,
) -> Result<Option<Outcome>, sqlx::Error> {
    let sql = "SELECT row, id, created_at FROM events WHERE kind = ? AND pubkey = ? AND identifier = ?";
    let known = sqlx::query(sql)
        .bind(event.kind.as_u16())
        .bind(event.pubkey.as_bytes().as_slice())
        .bind(identifier)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(known) = known else { return Ok(None) };
    let (row, id, created_at): (i64, Vec<u8>, i64) =
        (known.try_get("row")?, known.try_get("id")?, known.try_get("created_at")?);
    if id == event.id.as_bytes() {
        return Ok(Some(Outcome::Duplicate));
    }
    // Of two with one date the lower id counts (NIP-01).
    let at = seconds(event.created_at);
    if created_at > at || (created_at == at && id.as_slice() < event.id.as_bytes().as_slice()) {
        return Ok(Some(Outcome::Superseded));
    }
    sqlx::query("DELETE FROM events WHERE row = ?").bind(row).execute(connection).await?;
    Ok(None)
}

async fn index_tags(connection: &mut SqliteConnection, event: &Event, row: i64) -> Result<(), sqlx::Error> {
    let is_indexed = |name: &str, value: &str| {
        name.len() == 1 && name.bytes().all(|b| b.is_ascii_alphabetic()) && value.len() <= MAX_INDEXED_BYTES
    };
    let tags = event.tags.iter().map(|tag| tag.as_slice());
    let pairs: Vec<[&str; 2]> = tags
        .filter_map(|tag| match tag {
            [name, value, ..] if is_indexed(name, value) => Some([name.as_str(), value.as_str()]),
            _ => None,
        })
        .collect();
    if pairs.is_empty() {
        return Ok(());
    }
    let sql = "INSERT OR IGNORE INTO event_tags (name, value, created_at, event) \
               SELECT value ->> 0, value ->> 1, ?, ? FROM json_each(?)";
    let pairs = serde_json::to_string(&pairs).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query(sql).bind(seconds(event.created_at)).bind(row).bind(pairs).execute(connection).await?;
    Ok(())
}

/// Whether the author has deleted this event, or this address at a later date (NIP-09).
async fn is_deleted(connection: &mut SqliteConnection, event: &Event) -> Result<bool, sqlx::Error> {
    if event.kind.as_u16() == kind::DELETION {
        return Ok(false);
    }
    let by_tag = "SELECT 1 FROM event_tags AS tag JOIN events AS event ON event.row = tag.event \
                  WHERE tag.name = ? AND tag.value = ? AND tag.created_at >= ? AND event.kind = 5 AND event.pubkey = ?";
    let mut names = vec![("e", event.id.to_hex(), 0)];
    if let Some(identifier) = identifier(event) {
        let address = format!("{}:{}:{identifier}", event.kind.as_u16(), event.pubkey);
        names.push(("a", address, seconds(event.created_at)));
    }
    for (name, value, from) in names {
        let found = sqlx::query(by_tag).bind(name).bind(value).bind(from).bind(event.pubkey.as_bytes().as_slice());
        if found.fetch_optional(&mut *connection).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes what the author asks for, of their own. A deletion cannot be deleted.
async fn delete(connection: &mut SqliteConnection, event: &Event) -> Result<(), sqlx::Error> {
    let pubkey = event.pubkey.as_bytes().as_slice();
    let by_id = "DELETE FROM events WHERE pubkey = ? AND kind <> 5 AND id IN \
                 (SELECT unhex(value) FROM event_tags WHERE event = (SELECT row FROM events WHERE id = ?) AND name = 'e')";
    sqlx::query(by_id).bind(pubkey).bind(event.id.as_bytes().as_slice()).execute(&mut *connection).await?;
    let by_address = "DELETE FROM events WHERE pubkey = ? AND identifier IS NOT NULL AND created_at <= ? AND \
                      kind || ':' || ? || ':' || identifier IN \
                      (SELECT value FROM event_tags WHERE event = (SELECT row FROM events WHERE id = ?) AND name = 'a')";
    sqlx::query(by_address)
        .bind(pubkey)
        .bind(seconds(event.created_at))
        .bind(event.pubkey.to_hex())
        .bind(event.id.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// The last part of the event's address, if it has one.
fn identifier(event: &Event) -> Option<String> {
    match event.kind.as_u16() {
        kind if kind::is_replaceable(kind) => Some(String::new()),
        kind if kind::is_addressable(kind) => Some(event.tags.identifier().unwrap_or_default().to_owned()),
        _ => None,
    }
}

fn seconds(time: nostr::Timestamp) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
