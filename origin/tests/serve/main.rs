//! The HTTP side of the origin over real sockets: what viewers, caches and careless or hostile clients see.

mod api;
mod client;
mod hls;
mod limits;
mod stage;
mod tls;
