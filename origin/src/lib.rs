//! The origin server.

pub mod live;
pub mod serve;
pub mod site;
