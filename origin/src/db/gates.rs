//! Who may watch private streams.

use std::collections::BTreeMap;

use skylark_protocol::{StreamId, address::Address, event::PublicKey};
use sqlx::{Row as _, SqliteConnection};

use super::{Db, DbError, owned::parsed};
use crate::live::gate::{Epoch, Gate, TicketKey};

/// Private streams that are remembered after they are gone; the oldest are forgotten first.
const MAX_PAST: u32 = 100_000;

impl Db {
    /// The gates of all private streams.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn gates(&self) -> Result<BTreeMap<StreamId, Gate>, DbError> {
        let rows =
            "SELECT g.stream_id, g.ticket_key, g.epoch, o.owner FROM gates g JOIN owned_streams o USING (stream_id)";
        let mut gates = BTreeMap::new();
        for row in sqlx::query(rows).fetch_all(&self.pool).await? {
            let ticket_key: Vec<u8> = row.try_get("ticket_key")?;
            let ticket_key = TicketKey::kept(&ticket_key).ok_or_else(|| {
                let reason = "a ticket key of another length".into();
                DbError::Statement(sqlx::Error::ColumnDecode { index: "ticket_key".into(), source: reason })
            })?;
            let epoch = Epoch::kept(row.try_get("epoch")?);
            let gate = Gate { ticket_key, epoch, host: parsed(&row, "owner")?, guests: Default::default() };
            gates.insert(parsed(&row, "stream_id")?, gate);
        }
        for row in sqlx::query("SELECT stream_id, pubkey FROM guests").fetch_all(&self.pool).await? {
            let stream: StreamId = parsed(&row, "stream_id")?;
            if let Some(gate) = gates.get_mut(&stream) {
                gate.guests.insert(parsed(&row, "pubkey")?);
            }
        }
        Ok(gates)
    }

    /// The live events of private streams that are no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn past_private(&self) -> Result<Vec<Address>, DbError> {
        let rows = sqlx::query("SELECT stream FROM past_private ORDER BY rowid DESC LIMIT ?").bind(MAX_PAST);
        rows.fetch_all(&self.pool).await?.iter().map(|row| parsed(row, "stream")).collect()
    }

    /// Lets somebody watch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_guest(&self, stream: &StreamId, guest: &PublicKey) -> Result<(), DbError> {
        sqlx::query("INSERT OR IGNORE INTO guests (stream_id, pubkey) VALUES (?, ?)")
            .bind(stream.as_str())
            .bind(guest.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Shows somebody out: another epoch begins.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_guest(&self, stream: &StreamId, guest: &PublicKey, epoch: &Epoch) -> Result<(), DbError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM guests WHERE stream_id = ? AND pubkey = ?")
            .bind(stream.as_str())
            .bind(guest.to_string())
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE gates SET epoch = ? WHERE stream_id = ?")
            .bind(epoch.reveal())
            .bind(stream.as_str())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Writes down a gate that nobody has been let in by.
pub(super) async fn insert(connection: &mut SqliteConnection, stream: &StreamId, gate: &Gate) -> Result<(), DbError> {
    sqlx::query("INSERT INTO gates (stream_id, ticket_key, epoch) VALUES (?, ?, ?)")
        .bind(stream.as_str())
        .bind(gate.ticket_key.reveal())
        .bind(gate.epoch.reveal())
        .execute(connection)
        .await?;
    Ok(())
}
