//! Streams and their keys.

use std::path::PathBuf;

use skylark_protocol::StreamId;
use sqlx::Row;

use super::{Db, DbError, now_ms};
use crate::secret::{KeyHash, StreamKey};

/// A key to make.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// The stream it publishes to; a new one if `None`.
    pub stream: Option<StreamId>,
    /// What its owner calls it.
    pub name: String,
    /// File with the SRT passphrase that callers with this key must use. The path is kept, never the passphrase.
    pub passphrase_file: Option<PathBuf>,
}

/// What admission needs to know of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its number.
    pub id: i64,
    /// The stream it publishes to.
    pub stream: StreamId,
    /// It must not be used any more.
    pub revoked: bool,
    /// Its stream has ended for good.
    pub is_over: bool,
    /// File with its SRT passphrase.
    pub passphrase_file: Option<PathBuf>,
}

/// A key as `key list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// Its number.
    pub id: i64,
    /// The stream it publishes to.
    pub stream: StreamId,
    /// What its owner calls it.
    pub name: String,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// When it was revoked, Unix milliseconds.
    pub revoked_at_ms: Option<i64>,
    /// File with its SRT passphrase.
    pub passphrase_file: Option<PathBuf>,
}

/// A place in the list of streams: a stream, or what is before all that were made at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamCursor {
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// Its id.
    pub id: Option<StreamId>,
}

/// Which keys to revoke.
#[derive(Debug, Clone)]
pub enum KeySelector {
    /// The key with this number.
    Id(i64),
    /// Every key of this stream.
    Stream(StreamId),
    /// The key itself, by its hash.
    Hash(KeyHash),
}

impl Db {
    /// Makes a key, and a stream if none is named. The answer is the only time the key exists in clear.
    ///
    /// # Errors
    /// When the stream does not exist, or the database fails.
    pub async fn create_key(&self, new: NewKey) -> Result<(StreamId, StreamKey), DbError> {
        let key = StreamKey::generate()?;
        let at = now_ms();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let stream = match new.stream {
            Some(stream) => {
                let found = sqlx::query("SELECT 1 FROM streams WHERE id = ?").bind(stream.as_str());
                if found.fetch_optional(&mut *transaction).await?.is_none() {
                    return Err(DbError::NoSuchStream(stream.into()));
                }
                stream
            }
            None => {
                let stream = random_stream_id()?;
                sqlx::query("INSERT INTO streams (id, created_at_ms) VALUES (?, ?)")
                    .bind(stream.as_str())
                    .bind(at)
                    .execute(&mut *transaction)
                    .await?;
                stream
            }
        };
        sqlx::query("INSERT INTO keys (stream_id, name, hash, passphrase_file, created_at_ms) VALUES (?, ?, ?, ?, ?)")
            .bind(stream.as_str())
            .bind(new.name)
            .bind(key.hash().as_bytes())
            .bind(new.passphrase_file.map(|path| path.to_string_lossy().into_owned()))
            .bind(at)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok((stream, key))
    }

    /// Every key, in the order of their making.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_keys(&self) -> Result<Vec<ListedKey>, DbError> {
        let rows = sqlx::query(
            "SELECT id, stream_id, name, created_at_ms, revoked_at_ms, passphrase_file FROM keys ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ListedKey {
                    id: row.try_get("id")?,
                    stream: stream_id(row)?,
                    name: row.try_get("name")?,
                    created_at_ms: row.try_get("created_at_ms")?,
                    revoked_at_ms: row.try_get("revoked_at_ms")?,
                    passphrase_file: path(row)?,
                })
            })
            .collect()
    }

    /// Revokes keys; answers how many there were that had not been revoked before. A running server closes their
    /// publishers within about two seconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke(&self, selector: &KeySelector) -> Result<u64, DbError> {
        let revoke = match selector {
            KeySelector::Id(id) => {
                sqlx::query("UPDATE keys SET revoked_at_ms = ? WHERE revoked_at_ms IS NULL AND id = ?")
                    .bind(now_ms())
                    .bind(*id)
            }
            KeySelector::Stream(stream) => {
                sqlx::query("UPDATE keys SET revoked_at_ms = ? WHERE revoked_at_ms IS NULL AND stream_id = ?")
                    .bind(now_ms())
                    .bind(stream.as_str())
            }
            KeySelector::Hash(hash) => {
                sqlx::query("UPDATE keys SET revoked_at_ms = ? WHERE revoked_at_ms IS NULL AND hash = ?")
                    .bind(now_ms())
                    .bind(hash.as_bytes())
            }
        };
        Ok(revoke.execute(&self.pool).await?.rows_affected())
    }

    /// The key with this hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_key(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, DbError> {
        let row = sqlx::query(
            "SELECT id, stream_id, revoked_at_ms, passphrase_file, o.ended_at_ms FROM keys \
             LEFT JOIN owned_streams o USING (stream_id) WHERE hash = ?",
        )
        .bind(hash.as_bytes())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(KeyRecord {
                id: row.try_get("id")?,
                stream: stream_id(&row)?,
                revoked: row.try_get::<Option<i64>, _>("revoked_at_ms")?.is_some(),
                is_over: row.try_get::<Option<i64>, _>("ended_at_ms")?.is_some(),
                passphrase_file: path(&row)?,
            })
        })
        .transpose()
    }

    /// Those of `keys` that have been revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoked_among(&self, keys: &[i64]) -> Result<Vec<i64>, DbError> {
        let list = format!("[{}]", keys.iter().map(i64::to_string).collect::<Vec<_>>().join(","));
        let rows = sqlx::query(
            "SELECT id FROM keys WHERE revoked_at_ms IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
        )
        .bind(list)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    }

    /// Streams in the order of their making, those after `cursor`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn streams(&self, cursor: &StreamCursor, limit: usize) -> Result<Vec<StreamCursor>, DbError> {
        let rows = sqlx::query(
            "SELECT id AS stream_id, created_at_ms FROM streams WHERE (created_at_ms, id) > (?, ?) \
             ORDER BY created_at_ms, id LIMIT ?",
        )
        .bind(cursor.created_at_ms)
        .bind(cursor.id.as_ref().map_or("", StreamId::as_str))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok(StreamCursor { created_at_ms: row.try_get("created_at_ms")?, id: Some(stream_id(row)?) }))
            .collect()
    }
}

pub(super) fn stream_id(row: &sqlx::sqlite::SqliteRow) -> Result<StreamId, DbError> {
    let text: String = row.try_get("stream_id")?;
    text.parse().map_err(|error| DbError::Statement(sqlx::Error::Decode(Box::new(error))))
}

fn path(row: &sqlx::sqlite::SqliteRow) -> Result<Option<PathBuf>, DbError> {
    Ok(row.try_get::<Option<String>, _>("passphrase_file")?.map(PathBuf::from))
}

pub(super) fn random_stream_id() -> Result<StreamId, DbError> {
    let text = crate::random::lowercase(StreamId::LEN)?;
    text.parse().map_err(|error| DbError::Statement(sqlx::Error::Decode(Box::new(error))))
}
