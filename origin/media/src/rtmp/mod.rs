//! RTMP ingest, server side: a publisher's bytes in, FLV tags and replies out.
//!
//! [`Session`] is the whole protocol. It takes what OBS, ffmpeg, GStreamer and librtmp send, serves nobody as a player,
//! and keeps little memory for a peer that has not been accepted yet.
//!
//! | module | specification |
//! |---|---|
//! | [`handshake`] | RTMP 1.0 §5.2 |
//! | [`chunk`] | RTMP 1.0 §5.3 |
//! | [`message`] | RTMP 1.0 §5.4, §6, §7.1.7 |
//! | [`command`] | RTMP 1.0 §7.2, and what encoders do beyond it |
//! | [`amf0`] | AMF0 |

pub mod amf0;
pub mod chunk;
pub mod command;
pub mod handshake;
pub mod message;
mod session;
#[cfg(test)]
mod tests;

pub use command::{PublishRequest, Refusal, StreamKey};
pub use session::{ErrorKind, Session, SessionError, SessionOutput};
