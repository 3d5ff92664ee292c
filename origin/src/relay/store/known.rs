//! Which events are here. Of each that comes this is asked, so the questions of all clients are one.

use std::collections::HashSet;

use skylark_protocol::event::EventId;

use super::queue::Work;
use crate::db::Db;

/// Looks events up.
#[derive(Debug)]
pub(super) struct Knowing(pub(super) Db);

impl Work for Knowing {
    type Item = EventId;
    type Outcome = bool;

    async fn run(&self, ids: &[EventId]) -> Result<Vec<bool>, sqlx::Error> {
        let named: Vec<String> = ids.iter().map(EventId::to_string).collect();
        let sql = "SELECT id FROM events WHERE id IN (SELECT unhex(value) FROM json_each(?))";
        let found = sqlx::query_scalar(sql).bind(serde_json::Value::from(named).to_string());
        let found: HashSet<Vec<u8>> = found.fetch_all(self.0.pool()).await?.into_iter().collect();
        Ok(ids.iter().map(|id| found.contains(id.as_bytes().as_slice())).collect())
    }
}
