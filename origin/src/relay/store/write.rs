//! The one writer: what waits is written together, in one transaction and few statements, and answered when it is
//! written.

use std::{collections::HashMap, sync::Arc};

use nostr::Event;
use skylark_protocol::event::kind;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, Transaction};

use super::queue::Work;
use crate::{db::Db, mirror::outbox, relay::Announced};

/// Longest value of a tag that filters can ask for, bytes.
const MAX_INDEXED_BYTES: usize = 512;
/// Rows of one statement.
const MAX_ROWS: usize = 64;

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

/// An event that is to be kept.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) announced: Arc<Announced>,
    /// The outside relays that it goes to.
    pub(super) relays: Arc<[String]>,
}

/// Writes events.
#[derive(Debug)]
pub(super) struct Writing(pub(super) Db);

impl Work for Writing {
    type Item = Incoming;
    type Outcome = Outcome;

    async fn run(&self, items: &[Incoming]) -> Result<Vec<Outcome>, sqlx::Error> {
        let mut transaction: Transaction<'_, Sqlite> = self.0.pool().begin_with("BEGIN IMMEDIATE").await?;
        let mut outcomes = Vec::with_capacity(items.len());
        // What takes others away is written by itself, so that each finds what came before it.
        for run in items.chunk_by(|a, b| stands_alone(a) && stands_alone(b)) {
            outcomes.extend(write(&mut transaction, run).await?);
        }
        transaction.commit().await?;
        Ok(outcomes)
    }
}

fn stands_alone(incoming: &Incoming) -> bool {
    let event = &incoming.announced.event;
    event.kind.as_u16() != kind::DELETION && identifier(event).is_none()
}

/// Writes events that stand alone, or one that does not.
async fn write(connection: &mut SqliteConnection, run: &[Incoming]) -> Result<Vec<Outcome>, sqlx::Error> {
    let mut outcomes = vec![Outcome::Duplicate; run.len()];
    let deleted = deleted(connection, run).await?;
    for (outcome, is_deleted) in outcomes.iter_mut().zip(&deleted) {
        if *is_deleted {
            *outcome = Outcome::Deleted;
        }
    }
    if let ([one], [false]) = (run, deleted.as_slice())
        && let Some(outcome) = make_room(connection, &one.announced.event).await?
    {
        return Ok(vec![outcome]);
    }
    let wanted: Vec<&Incoming> =
        run.iter().zip(&deleted).filter(|(_, deleted)| !**deleted).map(|(one, _)| one).collect();
    let mut rows = insert(connection, &wanted).await?;
    let mut tags = Vec::new();
    for (incoming, outcome) in run.iter().zip(&mut outcomes) {
        let event = &incoming.announced.event;
        // Of several that are the same, the first is the new one.
        let Some(row) = rows.remove(event.id.as_bytes().as_slice()) else { continue };
        *outcome = Outcome::Stored;
        tags.extend(indexed(event).map(|[name, value]| (name, value, seconds(event.created_at), row)));
        outbox::enqueue(connection, row, &incoming.relays).await?;
    }
    index(connection, &tags).await?;
    if let ([one], [Outcome::Stored]) = (run, outcomes.as_slice())
        && one.announced.event.kind.as_u16() == kind::DELETION
    {
        delete(connection, &one.announced.event).await?;
    }
    Ok(outcomes)
}

/// Inserts those that are not there yet; answers their rows by id.
async fn insert(connection: &mut SqliteConnection, events: &[&Incoming]) -> Result<HashMap<Vec<u8>, i64>, sqlx::Error> {
    let mut rows = HashMap::with_capacity(events.len());
    for some in statements(events) {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "INSERT OR IGNORE INTO events (id, pubkey, kind, created_at, identifier, expires_at, json, private_to) ",
        );
        sql.push_values(some, |mut row, incoming| {
            let event = &incoming.announced.event;
            row.push_bind(event.id.as_bytes().as_slice())
                .push_bind(event.pubkey.as_bytes().as_slice())
                .push_bind(event.kind.as_u16())
                .push_bind(seconds(event.created_at))
                .push_bind(identifier(event))
                .push_bind(event.tags.expiration().copied().map(seconds))
                .push_bind(incoming.announced.json.as_str())
                .push_bind(incoming.announced.private_to.as_ref().map(ToString::to_string));
        });
        sql.push(" RETURNING id, row");
        for row in sql.build().fetch_all(&mut *connection).await? {
            rows.insert(row.try_get("id")?, row.try_get("row")?);
        }
    }
    Ok(rows)
}

/// Tags that filters can ask for.
fn indexed(event: &Event) -> impl Iterator<Item = [&str; 2]> {
    let is_indexed = |name: &str, value: &str| {
        name.len() == 1 && name.bytes().all(|b| b.is_ascii_alphabetic()) && value.len() <= MAX_INDEXED_BYTES
    };
    event.tags.iter().filter_map(move |tag| match tag.as_slice() {
        [name, value, ..] if is_indexed(name, value) => Some([name.as_str(), value.as_str()]),
        _ => None,
    })
}

async fn index(connection: &mut SqliteConnection, tags: &[(&str, &str, i64, i64)]) -> Result<(), sqlx::Error> {
    for some in statements(tags) {
        let mut sql = QueryBuilder::<Sqlite>::new("INSERT OR IGNORE INTO event_tags (name, value, created_at, event) ");
        sql.push_values(some, |mut row, (name, value, created_at, event)| {
            row.push_bind(*name).push_bind(*value).push_bind(*created_at).push_bind(*event);
        });
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Pieces for one statement each. They come in few lengths, so that the prepared statements are found again.
fn statements<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = 1 << rest.len().min(MAX_ROWS).checked_ilog2()?;
        let (some, others) = rest.split_at(length);
        rest = others;
        Some(some)
    })
}

/// Which of these their authors have deleted, or, of one with an address, that address at a later date (NIP-09).
async fn deleted(connection: &mut SqliteConnection, run: &[Incoming]) -> Result<Vec<bool>, sqlx::Error> {
    let mut wanted = Vec::with_capacity(run.len());
    for (index, incoming) in run.iter().enumerate() {
        let event = &incoming.announced.event;
        // A deletion cannot be deleted.
        if event.kind.as_u16() == kind::DELETION {
            continue;
        }
        let author = event.pubkey.to_hex();
        wanted.push(("e", event.id.to_hex(), author.clone(), 0, index));
        if let Some(identifier) = identifier(event) {
            let address = format!("{}:{author}:{identifier}", event.kind.as_u16());
            wanted.push(("a", address, author, seconds(event.created_at), index));
        }
    }
    let wanted = serde_json::to_string(&wanted).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    // One answer for each, however many deletions name it.
    let sql = "SELECT DISTINCT wanted.value ->> 4 FROM json_each(?) AS wanted WHERE EXISTS (\
               SELECT 1 FROM event_tags AS tag CROSS JOIN events AS event ON event.row = tag.event \
               WHERE tag.name = wanted.value ->> 0 AND tag.value = wanted.value ->> 1 \
               AND tag.created_at >= wanted.value ->> 3 AND event.kind = 5 AND event.pubkey = unhex(wanted.value ->> 2))";
    let found: Vec<i64> = sqlx::query_scalar(sql).bind(wanted).fetch_all(connection).await?;
    let mut deleted = vec![false; run.len()];
    for index in found {
        if let Some(one) = usize::try_from(index).ok().and_then(|index| deleted.get_mut(index)) {
            *one = true;
        }
    }
    Ok(deleted)
}

/// Takes away the version that this one replaces; says so if it does not.
async fn make_room(connection: &mut SqliteConnection, event: &Event) -> Result<Option<Outcome>, sqlx::Error> {
    let Some(identifier) = identifier(event) else { return Ok(None) };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_come_in_few_lengths() {
        let all: Vec<usize> = (0..200).collect();
        let lengths: Vec<usize> = statements(&all).map(<[_]>::len).collect();
        assert_eq!(lengths, [64, 64, 64, 8]);
        assert_eq!(statements(&all[..7]).flatten().copied().collect::<Vec<_>>(), all[..7]);
        assert_eq!(statements::<u8>(&[]).count(), 0);
    }
}
