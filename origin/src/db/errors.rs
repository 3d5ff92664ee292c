//! The ingest error log: what went wrong with a stream's publishers, for its owner.

use skylark_protocol::StreamId;
use sqlx::Row;

use super::{Db, DbError, now_ms};

/// Entries that are kept of one stream.
pub const MAX_PER_STREAM: i64 = 200;
/// How long an entry is kept, milliseconds: 7 days.
pub const RETENTION_MS: i64 = 7 * 24 * 3600 * 1000;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LoggedError {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// Stable name, such as `no-keyframe`.
    pub code: String,
    /// A sentence for the streamer.
    pub message: String,
}

impl Db {
    /// Adds an entry to a stream's log, and forgets what is beyond its length or age.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_error(&self, stream: &StreamId, entry: &LoggedError) -> Result<(), DbError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT INTO errors (stream_id, at_ms, code, message) VALUES (?, ?, ?, ?)")
            .bind(stream.as_str())
            .bind(entry.at_ms)
            .bind(&entry.code)
            .bind(&entry.message)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "DELETE FROM errors WHERE stream_id = ?1 AND id <= \
             (SELECT id FROM errors WHERE stream_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )
        .bind(stream.as_str())
        .bind(MAX_PER_STREAM)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// A stream's log, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn errors(&self, stream: &StreamId) -> Result<Vec<LoggedError>, DbError> {
        let rows = sqlx::query(
            "SELECT at_ms, code, message FROM errors WHERE stream_id = ? AND at_ms > ? ORDER BY id DESC LIMIT ?",
        )
        .bind(stream.as_str())
        .bind(now_ms() - RETENTION_MS)
        .bind(MAX_PER_STREAM)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(LoggedError {
                    at_ms: row.try_get("at_ms")?,
                    code: row.try_get("code")?,
                    message: row.try_get("message")?,
                })
            })
            .collect()
    }

    /// Forgets entries of all streams that are too old.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_errors(&self) -> Result<u64, DbError> {
        let pruned = sqlx::query("DELETE FROM errors WHERE at_ms <= ?").bind(now_ms() - RETENTION_MS);
        Ok(pruned.execute(&self.pool).await?.rows_affected())
    }
}
