//! Wire types that the origin, the Studio and the UI share.
//!
//! | module | what |
//! |---|---|
//! | `stream` | a stream as the API describes it |
//! | [`event`], [`address`], [`nip19`] | Nostr events, their addresses, and what links carry |
//! | [`live_event`], [`chat`], [`reaction`], [`zap`] | what a live event is made of |
//! | [`api`], [`nip98`] | what the origin's API takes and answers; who asks |
//! | [`mirror`] | outside relays, as the API shows them |
//! | [`calendar`] | a planned stream, for calendars |
//! | [`discover`] | live events as lists and pages show them |
//! | [`moderation`], [`profile`] | keeping order; who people are |
//! | [`fuzz`] | bodies of fuzz targets |
//! | [`studio`] | what the Studio's window shows and asks for |
//! | [`text`] | strangers' text and URLs |
//!
//! Safe for wasm: no clock, no IO, no secrets.

pub mod address;
pub mod api;
pub mod calendar;
pub mod chat;
pub mod discover;
pub mod event;
pub mod fuzz;
pub mod live_event;
pub mod mirror;
pub mod moderation;
pub mod nip19;
pub mod nip98;
pub mod profile;
pub mod reaction;
mod stream;
pub mod studio;
pub mod text;
pub mod zap;

pub use stream::{Health, HealthWarning, InvalidStreamId, LiveStreams, StreamId, StreamState, StreamStatus};
