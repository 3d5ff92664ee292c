//! Ends of live events that were signed ahead; small pictures; what is measured of streams.

use skylark_protocol::StreamId;
use sqlx::Row;

use super::{Db, DbError, now_ms};

/// An end that waits to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The stream.
    pub stream: StreamId,
    /// The event, as JSON.
    pub event: String,
}

/// A small picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// `image/…`
    pub media_type: String,
    /// Tells it from others.
    pub hash: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// What was measured of a stream at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// Viewers.
    pub viewers: u64,
    /// Media that arrived, bits per second.
    pub bitrate_bps: u64,
}

impl Db {
    /// Keeps an end, unless a newer one is there or the stream is over. Answers whether it was kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leave_ending(&self, id: &StreamId, event: &str, created_at_s: u64) -> Result<bool, DbError> {
        let kept = sqlx::query(
            "INSERT INTO endings (stream_id, event, created_at_s, left_at_ms) SELECT stream_id, ?2, ?3, ?4 \
             FROM owned_streams WHERE stream_id = ?1 AND ended_at_ms IS NULL \
             ON CONFLICT (stream_id) DO UPDATE SET event = ?2, created_at_s = ?3, left_at_ms = ?4, settled_at_ms = NULL \
             WHERE created_at_s <= ?3",
        )
        .bind(id.as_str())
        .bind(event)
        .bind(i64::try_from(created_at_s).unwrap_or(i64::MAX))
        .bind(now_ms())
        .execute(&self.pool)
        .await?;
        Ok(kept.rows_affected() > 0)
    }

    /// When a stream's client left the newest end, Unix milliseconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ending_left_at_ms(&self, id: &StreamId) -> Result<Option<i64>, DbError> {
        let row = sqlx::query("SELECT left_at_ms FROM endings WHERE stream_id = ?").bind(id.as_str());
        row.fetch_optional(&self.pool).await?.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    /// Ends of streams that are over since then, and of which nobody knows yet whether they were published.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unsettled_endings(&self, ended_before_ms: i64, limit: u32) -> Result<Vec<Ending>, DbError> {
        let rows = sqlx::query(
            "SELECT stream_id, event FROM endings JOIN owned_streams USING (stream_id) \
             WHERE settled_at_ms IS NULL AND ended_at_ms <= ? LIMIT ?",
        )
        .bind(ended_before_ms)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok(Ending { stream: super::keys::stream_id(row)?, event: row.try_get("event")? }))
            .collect()
    }

    /// A stream's end was published, or need not be.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle_ending(&self, id: &StreamId) -> Result<(), DbError> {
        sqlx::query("UPDATE endings SET settled_at_ms = ? WHERE stream_id = ?")
            .bind(now_ms())
            .bind(id.as_str())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A stream's small picture is this one from now on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_thumbnail(&self, id: &StreamId, thumbnail: &Thumbnail) -> Result<(), DbError> {
        sqlx::query("INSERT OR REPLACE INTO thumbnails (stream_id, media_type, hash, bytes) VALUES (?, ?, ?, ?)")
            .bind(id.as_str())
            .bind(&thumbnail.media_type)
            .bind(&thumbnail.hash)
            .bind(&thumbnail.bytes)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A stream's small picture.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn thumbnail(&self, id: &StreamId) -> Result<Option<Thumbnail>, DbError> {
        let row = sqlx::query("SELECT media_type, hash, bytes FROM thumbnails WHERE stream_id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| {
            Ok(Thumbnail {
                media_type: row.try_get("media_type")?,
                hash: row.try_get("hash")?,
                bytes: row.try_get("bytes")?,
            })
        })
        .transpose()
    }

    /// Keeps what was measured, and the most and all viewers so far.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_sample(&self, id: &StreamId, sample: Sample, peak: u64, total: u64) -> Result<(), DbError> {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let found = sqlx::query(
            "UPDATE owned_streams SET peak_viewers = max(peak_viewers, ?), total_viewers = max(total_viewers, ?) \
             WHERE stream_id = ?",
        )
        .bind(number(peak))
        .bind(number(total))
        .bind(id.as_str())
        .execute(&mut *transaction)
        .await?;
        if found.rows_affected() > 0 {
            sqlx::query(
                "INSERT OR REPLACE INTO stream_metrics (stream_id, at_ms, viewers, bitrate_bps) VALUES (?, ?, ?, ?)",
            )
            .bind(id.as_str())
            .bind(sample.at_ms)
            .bind(number(sample.viewers))
            .bind(number(sample.bitrate_bps))
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// What was measured of a stream, oldest first; the newest `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn samples(&self, id: &StreamId, limit: u32) -> Result<Vec<Sample>, DbError> {
        let rows = sqlx::query(
            "SELECT at_ms, viewers, bitrate_bps FROM stream_metrics WHERE stream_id = ? ORDER BY at_ms DESC LIMIT ?",
        )
        .bind(id.as_str())
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let count = |row: &sqlx::sqlite::SqliteRow, name| row.try_get::<i64, _>(name).map(|n| n.unsigned_abs());
        rows.iter()
            .rev()
            .map(|row| {
                Ok(Sample {
                    at_ms: row.try_get("at_ms")?,
                    viewers: count(row, "viewers")?,
                    bitrate_bps: count(row, "bitrate_bps")?,
                })
            })
            .collect()
    }

    /// Forgets what was measured before then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_samples(&self, before_ms: i64) -> Result<u64, DbError> {
        let pruned = sqlx::query("DELETE FROM stream_metrics WHERE at_ms < ?").bind(before_ms);
        Ok(pruned.execute(&self.pool).await?.rows_affected())
    }
}
