//! What a broadcast asks of whoever encodes and sends.

use futures_util::future::BoxFuture;
use skylark_protocol::{Health, studio::Problem};
use tokio::sync::watch;

/// The encoders and the push, as a broadcast uses them.
pub trait Air: Send + Sync {
    /// Begins to send to this address, and keeps sending, through every loss of the connection, until [`Air::close`].
    /// The address carries the stream key: it must not be logged. Opening what is open already goes on at the new
    /// address.
    ///
    /// # Errors
    /// Nothing can be sent, whatever the network does.
    fn open(&self, srt_url: &str) -> Result<(), Problem>;

    /// Sends what waits, then stops. Ready when nothing is sent any more.
    fn close(&self) -> BoxFuture<'static, ()>;

    /// How sending goes; to be renewed at least once a second while it is open.
    fn sent(&self) -> watch::Receiver<Sent>;

    /// What the origin says arrives.
    fn hear(&self, health: &Health);
}

/// How sending goes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sent {
    /// There is a connection, and the other side answers on it.
    pub is_connected: bool,
    /// What is sent, bits per second.
    pub sent_bps: u64,
    /// What the encoders are asked for, bits per second.
    pub target_bps: u64,
    /// Media that waits to be sent, milliseconds.
    pub queued_ms: u32,
    /// Frames that were encoded since it was opened.
    pub frames: u64,
    /// Frames that were not encoded, or not sent, since it was opened.
    pub dropped_frames: u64,
    /// Round-trip time, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Packets that had to be sent again, of those sent, in 0..=1.
    pub loss_ratio: Option<f64>,
    /// Why there is no connection, a sentence.
    pub problem: Option<String>,
}
