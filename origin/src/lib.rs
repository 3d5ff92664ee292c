//! The origin server: takes publishers by RTMP and SRT, packages what they send, serves it as low-latency HLS.
//!
//! | room | what |
//! |---|---|
//! | [`ingest`] | RTMP and SRT publishers |
//! | [`live`] | the streams: who publishes, what viewers can be given |
//! | [`store`] | the live window on disk, for restarts |
//! | [`serve`], [`site`] | HTTP: media, API, viewer site |
//! | [`streams`], [`audience`] | streams that belong to a Nostr key; who watches |
//! | [`relay`], [`mirror`] | the Nostr relay: live events and their chat; the same on outside relays |
//! | [`discovery`] | live events to be found, here and on outside relays |
//! | [`db`], [`secret`] | streams and their keys |
//! | [`config`], [`cli`], [`check`], [`folder`], [`process`] | how it is started |
//! | [`health`], [`metrics`] | what is measured |
//! | [`clock`] | the time |

pub mod audience;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod discovery;
pub mod folder;
pub mod health;
pub mod ingest;
pub mod live;
pub mod metrics;
pub mod mirror;
mod pace;
mod places;
pub mod process;
mod random;
pub mod relay;
pub mod secret;
pub mod serve;
pub mod site;
mod start;
pub mod store;
pub mod streams;
mod vital;

pub use start::{Handle, StartError, start};
