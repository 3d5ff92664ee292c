//! Streams that belong to a Nostr key.

use skylark_protocol::{
    StreamId,
    api::{Phase, StreamDetails},
    event::PublicKey,
};
use sqlx::{QueryBuilder, Row, Sqlite, sqlite::SqliteRow};

use super::{Db, DbError, gates, keys::random_stream_id, now_ms};
use crate::{live::gate::Gate, secret::StreamKey};

/// Name in `settings` of whom the server belongs to.
const OWNER: &str = "owner";

/// For each stream that an owner may have open, so many may be kept, with those that have ended.
const KEPT_PER_OPEN: u32 = 5;

/// A stream as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedStream {
    /// Its id.
    pub id: StreamId,
    /// Whose it is.
    pub owner: PublicKey,
    /// What its owner says of it.
    pub details: StreamDetails,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// When its details were changed last, Unix milliseconds.
    pub updated_at_ms: i64,
    /// When it went live, Unix milliseconds.
    pub started_at_ms: Option<i64>,
    /// When it ended, Unix milliseconds.
    pub ended_at_ms: Option<i64>,
    /// Hash of its small picture.
    pub thumbnail: Option<String>,
    /// Media came since it went live.
    pub had_media: bool,
    /// Most viewers at once.
    pub peak_viewers: u64,
    /// Viewers so far.
    pub total_viewers: u64,
}

impl OwnedStream {
    /// Where it stands by its owner's word.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match (self.started_at_ms, self.ended_at_ms) {
            (_, Some(_)) => Phase::Ended,
            (Some(_), None) => Phase::Live,
            (None, None) => Phase::Planned,
        }
    }
}

/// Which streams to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Only of this owner.
    pub owner: Option<PublicKey>,
    /// Only in this phase.
    pub phase: Option<Phase>,
    /// Only of this category.
    pub category: Option<String>,
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only with this in their titles.
    pub title: Option<String>,
    /// Only those that come after this one, which was made at that time.
    pub after: Option<(i64, StreamId)>,
    /// Private ones, too.
    pub private: bool,
    /// At most so many.
    pub limit: u32,
}

/// Columns of [`OwnedStream`].
const COLUMNS: &str = "SELECT o.*, t.hash AS thumbnail, g.epoch IS NOT NULL AS private FROM owned_streams o \
                       LEFT JOIN thumbnails t USING (stream_id) LEFT JOIN gates g USING (stream_id)";

impl Db {
    /// Whom the server belongs to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owner(&self) -> Result<Option<PublicKey>, DbError> {
        let row = sqlx::query("SELECT value FROM settings WHERE name = ?").bind(OWNER).fetch_optional(&self.pool);
        row.await?.map(|row| parsed(&row, "value")).transpose()
    }

    /// The server belongs to `owner` from now on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_owner(&self, owner: &PublicKey) -> Result<(), DbError> {
        sqlx::query("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)")
            .bind(OWNER)
            .bind(owner.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Makes a stream and its key, unless its owner has `max` that have not ended, or many times as many that have. The
    /// answer is the only time the key exists in clear. With a `gate` it is private.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_owned(
        &self,
        owner: &PublicKey,
        details: &StreamDetails,
        max: u32,
        gate: Option<&Gate>,
    ) -> Result<Option<(StreamId, StreamKey)>, DbError> {
        let (id, key, at) = (random_stream_id()?, StreamKey::generate()?, now_ms());
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let counts =
            "SELECT count(*) AS kept, count(*) - count(ended_at_ms) AS open FROM owned_streams WHERE owner = ?";
        let counts = sqlx::query(counts).bind(owner.to_string()).fetch_one(&mut *transaction).await?;
        let (kept, open): (i64, i64) = (counts.try_get("kept")?, counts.try_get("open")?);
        if open >= i64::from(max) || kept >= i64::from(max.saturating_mul(KEPT_PER_OPEN)) {
            return Ok(None);
        }
        sqlx::query("INSERT INTO streams (id, created_at_ms) VALUES (?, ?)")
            .bind(id.as_str())
            .bind(at)
            .execute(&mut *transaction)
            .await?;
        let insert = "INSERT INTO owned_streams (stream_id, owner, created_at_ms, updated_at_ms, title, description, \
                      category, tags, image, starts_at_s, chat, reactions, reconnect_timeout_s) \
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let insert = sqlx::query(insert).bind(id.as_str()).bind(owner.to_string()).bind(at).bind(at);
        bind_details(insert, details).execute(&mut *transaction).await?;
        if let Some(gate) = gate {
            gates::insert(&mut transaction, &id, gate).await?;
        }
        sqlx::query("INSERT INTO keys (stream_id, name, hash, created_at_ms) VALUES (?, '', ?, ?)")
            .bind(id.as_str())
            .bind(key.hash().as_bytes())
            .bind(at)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some((id, key)))
    }

    /// The stream with this id, if it belongs to somebody.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owned(&self, id: &StreamId) -> Result<Option<OwnedStream>, DbError> {
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE o.stream_id = ?"));
        let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(&self.pool).await?;
        row.map(|row| owned(&row)).transpose()
    }

    /// Streams that are asked for, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_owned(&self, listing: &Listing) -> Result<Vec<OwnedStream>, DbError> {
        let mut query = QueryBuilder::<Sqlite>::new(COLUMNS);
        query.push(" WHERE TRUE");
        if !listing.private {
            query.push(" AND g.epoch IS NULL");
        }
        if let Some(owner) = &listing.owner {
            query.push(" AND o.owner = ").push_bind(owner.to_string());
        }
        match listing.phase {
            None => {}
            Some(Phase::Planned) => _ = query.push(" AND o.started_at_ms IS NULL AND o.ended_at_ms IS NULL"),
            Some(Phase::Live) => _ = query.push(" AND o.started_at_ms IS NOT NULL AND o.ended_at_ms IS NULL"),
            Some(Phase::Ended) => _ = query.push(" AND o.ended_at_ms IS NOT NULL"),
        }
        if let Some(category) = &listing.category {
            query.push(" AND o.category = ").push_bind(category.to_lowercase());
        }
        if let Some(tag) = &listing.tag {
            query.push(" AND EXISTS (SELECT 1 FROM json_each(o.tags) WHERE lower(value) = lower(");
            query.push_bind(tag.clone()).push("))");
        }
        if let Some(title) = &listing.title {
            // Not LIKE: what somebody looks for is no pattern.
            query.push(" AND instr(lower(o.title), lower(").push_bind(title.clone()).push(")) > 0");
        }
        if let Some((at_ms, id)) = &listing.after {
            query.push(" AND (o.created_at_ms, o.stream_id) < (").push_bind(*at_ms).push(", ");
            query.push_bind(id.as_str().to_owned()).push(")");
        }
        query.push(" ORDER BY o.created_at_ms DESC, o.stream_id DESC LIMIT ").push_bind(i64::from(listing.limit));
        query.build().fetch_all(&self.pool).await?.iter().map(owned).collect()
    }

    /// Streams that are live by their owner's word.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn started(&self) -> Result<Vec<OwnedStream>, DbError> {
        let on = "WHERE o.started_at_ms IS NOT NULL AND o.ended_at_ms IS NULL";
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} {on}"));
        sqlx::query(sql).fetch_all(&self.pool).await?.iter().map(owned).collect()
    }

    /// Of these streams, those that are not live by their owner's word.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn previews_among(&self, ids: &[StreamId]) -> Result<Vec<StreamId>, DbError> {
        let list = serde_json::to_string(ids).map_err(decode_error)?;
        let rows = sqlx::query(
            "SELECT stream_id FROM owned_streams WHERE (started_at_ms IS NULL OR ended_at_ms IS NOT NULL) \
             AND stream_id IN (SELECT value FROM json_each(?))",
        );
        rows.bind(list).fetch_all(&self.pool).await?.iter().map(|row| parsed(row, "stream_id")).collect()
    }

    /// The reconnect time-outs of streams that have not ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reconnect_timeouts(&self) -> Result<Vec<(StreamId, u32)>, DbError> {
        let rows = sqlx::query("SELECT stream_id, reconnect_timeout_s FROM owned_streams WHERE ended_at_ms IS NULL");
        rows.fetch_all(&self.pool).await?.iter().map(|row| Ok((parsed(row, "stream_id")?, row.try_get(1)?))).collect()
    }

    /// Everybody who has a stream.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hosts(&self) -> Result<Vec<PublicKey>, DbError> {
        let rows = sqlx::query("SELECT DISTINCT owner FROM owned_streams").fetch_all(&self.pool).await?;
        rows.iter().map(|row| parsed(row, "owner")).collect()
    }

    /// Its details are these from now on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_owned(&self, id: &StreamId, details: &StreamDetails) -> Result<(), DbError> {
        let update = "UPDATE owned_streams SET updated_at_ms = ?, title = ?, description = ?, category = ?, tags = ?, \
                      image = ?, starts_at_s = ?, chat = ?, reactions = ?, reconnect_timeout_s = ? WHERE stream_id = ?";
        let update = bind_details(sqlx::query(update).bind(now_ms()), details);
        update.bind(id.as_str()).execute(&self.pool).await?;
        Ok(())
    }

    /// It goes live, if it has not yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_started(&self, id: &StreamId) -> Result<(), DbError> {
        self.mark("UPDATE owned_streams SET started_at_ms = ? WHERE stream_id = ? AND started_at_ms IS NULL", id).await
    }

    /// It is over, for good.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_ended(&self, id: &StreamId) -> Result<(), DbError> {
        self.mark("UPDATE owned_streams SET ended_at_ms = ? WHERE stream_id = ? AND ended_at_ms IS NULL", id).await
    }

    async fn mark(&self, sql: &'static str, id: &StreamId) -> Result<(), DbError> {
        sqlx::query(sql).bind(now_ms()).bind(id.as_str()).execute(&self.pool).await?;
        Ok(())
    }

    /// Media came since it went live.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_had_media(&self, id: &StreamId) -> Result<(), DbError> {
        let update = sqlx::query("UPDATE owned_streams SET had_media = 1 WHERE stream_id = ?").bind(id.as_str());
        update.execute(&self.pool).await?;
        Ok(())
    }

    /// Its host takes a break, or is back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_paused(&self, id: &StreamId, is_paused: bool) -> Result<(), DbError> {
        let update = sqlx::query("UPDATE owned_streams SET is_paused = ? WHERE stream_id = ?");
        update.bind(is_paused).bind(id.as_str()).execute(&self.pool).await?;
        Ok(())
    }

    /// Streams that are live, and whose hosts take a break.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn paused(&self) -> Result<Vec<StreamId>, DbError> {
        let rows = sqlx::query("SELECT stream_id FROM owned_streams WHERE is_paused AND ended_at_ms IS NULL");
        rows.fetch_all(&self.pool).await?.iter().map(|row| parsed(row, "stream_id")).collect()
    }

    /// Forgets a stream and all that belongs to it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_owned(&self, id: &StreamId) -> Result<(), DbError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT OR IGNORE INTO past_private (stream) SELECT '30311:' || o.owner || ':' || o.stream_id \
             FROM gates g JOIN owned_streams o USING (stream_id) WHERE g.stream_id = ?",
        )
        .bind(id.as_str())
        .execute(&mut *transaction)
        .await?;
        for delete in [
            "DELETE FROM keys WHERE stream_id = ?",
            "DELETE FROM errors WHERE stream_id = ?",
            "DELETE FROM owned_streams WHERE stream_id = ?",
            "DELETE FROM streams WHERE id = ?",
        ] {
            sqlx::query(delete).bind(id.as_str()).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Streams that ended before then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ended_before(&self, at_ms: i64, limit: u32) -> Result<Vec<StreamId>, DbError> {
        let rows = sqlx::query("SELECT stream_id FROM owned_streams WHERE ended_at_ms <= ? LIMIT ?")
            .bind(at_ms)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| parsed(row, "stream_id")).collect()
    }

    /// A new key of a stream; those before are revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate_key(&self, id: &StreamId) -> Result<StreamKey, DbError> {
        let (key, at) = (StreamKey::generate()?, now_ms());
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        revoke_all(&mut transaction, id, at).await?;
        sqlx::query("INSERT INTO keys (stream_id, name, hash, created_at_ms) VALUES (?, '', ?, ?)")
            .bind(id.as_str())
            .bind(key.hash().as_bytes())
            .bind(at)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(key)
    }

    /// The keys of `from` publish to `to` from now on; those of `to` are revoked. Answers how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn move_keys(&self, from: &StreamId, to: &StreamId) -> Result<u64, DbError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let count = sqlx::query("SELECT count(*) FROM keys WHERE stream_id = ? AND revoked_at_ms IS NULL")
            .bind(from.as_str())
            .fetch_one(&mut *transaction)
            .await?;
        if count.try_get::<i64, _>(0)? == 0 {
            return Ok(0);
        }
        revoke_all(&mut transaction, to, now_ms()).await?;
        let moved = sqlx::query("UPDATE keys SET stream_id = ? WHERE stream_id = ? AND revoked_at_ms IS NULL")
            .bind(to.as_str())
            .bind(from.as_str())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(moved.rows_affected())
    }
}

async fn revoke_all(transaction: &mut sqlx::SqliteConnection, id: &StreamId, at: i64) -> Result<(), DbError> {
    let revoke = sqlx::query("UPDATE keys SET revoked_at_ms = ? WHERE stream_id = ? AND revoked_at_ms IS NULL");
    revoke.bind(at).bind(id.as_str()).execute(transaction).await?;
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;

fn bind_details<'q>(query: Query<'q>, details: &StreamDetails) -> Query<'q> {
    let tags = serde_json::Value::from(details.tags.clone()).to_string();
    query
        .bind(details.title.clone())
        .bind(details.description.clone())
        .bind(details.category.clone())
        .bind(tags)
        .bind(details.image.clone())
        .bind(details.starts_at_s.map(|at| i64::try_from(at).unwrap_or(i64::MAX)))
        .bind(details.chat)
        .bind(details.reactions)
        .bind(details.reconnect_timeout_s)
}

fn owned(row: &SqliteRow) -> Result<OwnedStream, DbError> {
    let tags: String = row.try_get("tags")?;
    let tags = serde_json::from_str(&tags).map_err(decode_error)?;
    let count = |name| row.try_get::<i64, _>(name).map(|count| u64::try_from(count).unwrap_or_default());
    let starts_at_s: Option<i64> = row.try_get("starts_at_s")?;
    Ok(OwnedStream {
        id: parsed(row, "stream_id")?,
        owner: parsed(row, "owner")?,
        details: StreamDetails {
            title: row.try_get("title")?,
            description: row.try_get("description")?,
            category: row.try_get("category")?,
            tags,
            image: row.try_get("image")?,
            starts_at_s: starts_at_s.and_then(|at| u64::try_from(at).ok()),
            chat: row.try_get("chat")?,
            reactions: row.try_get("reactions")?,
            reconnect_timeout_s: row.try_get("reconnect_timeout_s")?,
            private: row.try_get("private")?,
        },
        created_at_ms: row.try_get("created_at_ms")?,
        updated_at_ms: row.try_get("updated_at_ms")?,
        started_at_ms: row.try_get("started_at_ms")?,
        ended_at_ms: row.try_get("ended_at_ms")?,
        thumbnail: row.try_get("thumbnail")?,
        had_media: row.try_get("had_media")?,
        peak_viewers: count("peak_viewers")?,
        total_viewers: count("total_viewers")?,
    })
}

pub(super) fn parsed<T: std::str::FromStr>(row: &SqliteRow, column: &str) -> Result<T, DbError>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.try_get(column)?;
    text.parse().map_err(decode_error)
}

fn decode_error(error: impl std::error::Error + Send + Sync + 'static) -> DbError {
    DbError::Statement(sqlx::Error::Decode(Box::new(error)))
}
