//! The outside relays that a server exchanges events with, as its API shows them.

use serde::{Deserialize, Serialize};

use crate::address::Address;

/// Answer of `GET /api/v1/relays`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideRelays {
    /// All of them, by URL.
    pub relays: Vec<OutsideRelay>,
}

/// How it goes with one outside relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideRelay {
    /// Its URL.
    pub url: String,
    /// Whether events come and go.
    pub state: LinkState,
    /// Since when it is in this state, Unix milliseconds.
    pub since_ms: i64,
    /// Why the last connection failed or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why it refused an event last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Events that wait for it.
    pub waiting: u64,
    /// Events that it took since the server started.
    pub delivered: u64,
    /// Events that it refused since the server started.
    pub refused: u64,
    /// Events that came from it since the server started and were new.
    pub received: u64,
    /// The live events that it is told of.
    pub live_events: Vec<Address>,
}

/// State of the connection to an outside relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It is being called.
    Connecting,
    /// Events come and go.
    Connected,
    /// It does not answer; it is called again after a while.
    Failed,
}
