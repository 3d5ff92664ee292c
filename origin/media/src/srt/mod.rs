//! SRT's listening side (draft-sharabayko-srt-01): datagrams and time in; datagrams, decisions to make and data out.
//!
//! | module | what |
//! |---|---|
//! | [`listener`] | [`Listener`]: one UDP port and everybody who calls it |
//! | `admission` | from a handshake to a decision, holding nothing for callers who have not shown their address |
//! | [`handshake`] | handshake packets, their extensions, and how to say no |
//! | [`stream_id`] | what a caller wants, from the stream id |
//! | [`crypto`] | key material, and data packets in clear |
//! | `session` | one caller: acknowledges, asks again for what is missing, hands over what is in order |
//! | `buffer` | what has arrived out of order, what is missing, and how long to wait for it |
//! | [`packet`] | the wire format |
//!
//! The receiving half is our own. The published crate's (`srt-protocol`) panics on datagrams that anybody can send,
//! knows no limit for handshakes, and loses packets that libsrt would recover; its key derivation and AES are used
//! here, behind [`crypto`].
//!
//! Unlike libsrt this hands data over as soon as it is in order, not at its play-out time: viewers' players have
//! buffers of their own. The latency is only how long a *missing* packet is waited for, and while the round-trip time
//! allows it, that is up to ten round trips: senders keep packets for at least a second.

pub mod crypto;
pub mod handshake;
pub mod listener;
pub mod packet;
pub mod stream_id;

mod admission;
mod buffer;
mod rtt;
mod session;

#[cfg(test)]
mod tests;

pub use admission::{Request, RequestId};
pub use crypto::Keys;
pub use handshake::Rejection;
pub use listener::{Closed, Listener, ListenerConfig, Output, SessionId};
pub use session::Statistics;
pub use stream_id::StreamIdError;
