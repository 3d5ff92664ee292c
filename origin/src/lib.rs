//! The origin server.

pub mod clock;
pub mod db;
pub mod ingest;
pub mod live;
mod random;
pub mod secret;
pub mod serve;
pub mod site;
pub mod store;
