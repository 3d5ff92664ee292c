//! Filters as SQL. Values are bound, never written into the statement.

use std::collections::{BTreeSet, HashSet};

use nostr::{EventId, Filter, Kind, PublicKey};
use skylark_protocol::event;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqlitePool};

use crate::{
    db::DbError,
    relay::limits::{DEFAULT_FILTER_LIMIT, MAX_COUNT, MAX_FILTER_LIMIT},
};

/// An event as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::relay) struct Found {
    pub(in crate::relay) id: [u8; 32],
    pub(in crate::relay) created_at: i64,
    pub(in crate::relay) json: String,
    /// The private live event that it belongs to.
    pub(in crate::relay) private_to: Option<String>,
}

impl Found {
    /// The event, as [`skylark_protocol`] reads it. What is stored was read once already.
    pub(in crate::relay) fn read(&self) -> Option<event::Event> {
        serde_json::from_str(&self.json).ok()
    }
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::relay) enum Readable {
    /// All that is kept.
    Everything,
    /// What everybody may read, and what belongs to these private live events.
    PublicAnd(Vec<String>),
}

impl Readable {
    /// What everybody may read.
    pub(in crate::relay) const PUBLIC: Self = Self::PublicAnd(Vec::new());
}

/// Events that match any of the filters, newest first, each once.
pub(super) async fn find(
    pool: &SqlitePool,
    filters: &[Filter],
    readable: &Readable,
    now: u64,
) -> Result<Vec<Found>, DbError> {
    let mut found: Vec<Found> = Vec::new();
    let mut known = HashSet::new();
    for filter in filters {
        let limit = filter.limit.unwrap_or(DEFAULT_FILTER_LIMIT).min(MAX_FILTER_LIMIT);
        if limit == 0 {
            continue;
        }
        for row in statement(filter, limit, readable, now).build().fetch_all(pool).await? {
            let id: Vec<u8> = row.try_get("id")?;
            let id = id.try_into().map_err(|_| sqlx::Error::Decode("an id is not of 32 bytes".into()))?;
            if known.insert(id) {
                found.push(Found {
                    id,
                    created_at: row.try_get("created_at")?,
                    json: row.try_get("json")?,
                    private_to: row.try_get("private_to")?,
                });
            }
        }
    }
    found.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
    Ok(found)
}

/// How many events match any of the filters, counted up to [`MAX_COUNT`] a filter.
pub(super) async fn count(
    pool: &SqlitePool,
    filters: &[Filter],
    readable: &Readable,
    now: u64,
) -> Result<u64, DbError> {
    if let [filter] = filters {
        let mut counting = QueryBuilder::new("SELECT count(*) FROM (");
        append(&mut counting, filter, MAX_COUNT, readable, now);
        counting.push(")");
        let count: i64 = counting.build_query_scalar().fetch_one(pool).await?;
        return Ok(u64::try_from(count).unwrap_or_default());
    }
    let mut ids = BTreeSet::new();
    for filter in filters {
        for row in statement(filter, MAX_COUNT, readable, now).build().fetch_all(pool).await? {
            ids.insert(row.try_get::<Vec<u8>, _>("id")?);
        }
    }
    Ok(ids.len() as u64)
}

fn statement(filter: &Filter, limit: usize, readable: &Readable, now: u64) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new("");
    append(&mut sql, filter, limit, readable, now);
    sql
}

fn append(sql: &mut QueryBuilder<Sqlite>, filter: &Filter, limit: usize, readable: &Readable, now: u64) {
    sql.push("SELECT event.id, event.created_at, event.json, event.private_to FROM ");
    let mut tags: Vec<_> = filter.generic_tags.iter().collect();
    // Of one tag with one value the index has the events by date: the search ends when there are enough.
    let leading = tags.iter().position(|(_, values)| values.len() == 1).map(|index| tags.swap_remove(index));
    let date = if leading.is_some() { "tag.created_at" } else { "event.created_at" };
    match leading {
        Some((name, values)) => {
            sql.push("event_tags AS tag JOIN events AS event ON event.row = tag.event WHERE tag.name = ");
            sql.push_bind(name.to_string()).push(" AND tag.value = ").push_bind(values.first().cloned());
        }
        None => _ = sql.push("events AS event WHERE true"),
    }
    for (name, values) in tags {
        sql.push(" AND event.row IN (SELECT event FROM event_tags WHERE name = ").push_bind(name.to_string());
        sql.push(" AND value IN ");
        list(sql, values.iter().cloned());
        sql.push(")");
    }
    if let Some(ids) = filter.ids.as_ref().filter(|ids| !ids.is_empty()) {
        sql.push(" AND event.id IN ");
        list(sql, ids.iter().map(|id: &EventId| id.as_bytes().to_vec()));
    }
    if let Some(authors) = filter.authors.as_ref().filter(|authors| !authors.is_empty()) {
        sql.push(" AND event.pubkey IN ");
        list(sql, authors.iter().map(|author: &PublicKey| author.as_bytes().to_vec()));
    }
    if let Some(kinds) = filter.kinds.as_ref().filter(|kinds| !kinds.is_empty()) {
        sql.push(" AND event.kind IN ");
        list(sql, kinds.iter().map(Kind::as_u16));
    }
    let seconds = |time: nostr::Timestamp| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    if let Some(since) = filter.since {
        sql.push(format_args!(" AND {date} >= ")).push_bind(seconds(since));
    }
    if let Some(until) = filter.until {
        sql.push(format_args!(" AND {date} <= ")).push_bind(seconds(until));
    }
    if let Readable::PublicAnd(private) = readable {
        sql.push(" AND (event.private_to IS NULL");
        if !private.is_empty() {
            sql.push(" OR event.private_to IN ");
            list(sql, private.iter().cloned());
        }
        sql.push(")");
    }
    sql.push(" AND (event.expires_at IS NULL OR event.expires_at > ");
    sql.push_bind(i64::try_from(now).unwrap_or(i64::MAX));
    sql.push(format_args!(") ORDER BY {date} DESC, event.id LIMIT "))
        .push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
}

fn list<T>(sql: &mut QueryBuilder<Sqlite>, values: impl Iterator<Item = T>)
where
    T: for<'q> sqlx::Encode<'q, Sqlite> + sqlx::Type<Sqlite> + Send + 'static,
{
    sql.push("(");
    let mut separated = sql.separated(", ");
    for value in values {
        separated.push_bind(value);
    }
    sql.push(")");
}
