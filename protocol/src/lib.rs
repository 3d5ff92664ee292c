//! Wire types that the origin, the Studio and the UI share.
//!
//! Safe for wasm: no clock, no IO, no secrets.

mod stream;

pub use stream::{Health, HealthWarning, InvalidStreamId, LiveStreams, StreamId, StreamState, StreamStatus};
