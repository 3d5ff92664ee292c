//! The HTTP side of the origin over real sockets: what viewers, caches and careless or hostile clients see.

#![expect(clippy::unwrap_used, reason = "all of this is test code: what fails should end the test")]

mod api;
mod api_attacks;
mod client;
mod discover;
mod escrow;
mod hls;
mod limits;
mod openapi;
mod owned;
mod owner;
mod private;
mod relay;
mod relay_attacks;
mod relay_client;
mod relay_moderation;
mod stage;
mod tls;
mod watch;
