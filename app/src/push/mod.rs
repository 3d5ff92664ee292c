//! The way to the origin: all renditions and the sound in one MPEG transport stream over one SRT connection.
//!
//! | module | does |
//! |---|---|
//! | `address` | what an SRT URL says; its secrets are shown to nobody |
//! | `queue` | frames that wait, bounded by time and bytes; what has no room is dropped up to a keyframe |
//! | `mux` | frames → transport packets, pure |
//! | `link` | one SRT connection: handshake, what is under way, what has arrived |
//! | [`pace`] | which bitrate the link carries, pure |
//! | `pump` | from the queue over the link; connects again |
//!
//! The multiplexer is ours: a frame is turned into packets only when the link takes it, so that a link that is down costs
//! whole frames and never half of one, no track waits for another, and time stamps are the encoders' own.

mod address;
mod link;
mod mux;
pub mod pace;
mod pump;
mod queue;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use skylark_protocol::{Health, studio::RenditionSettings};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use self::{address::Address, pump::Pump, queue::Queue};
use crate::encoded::{Outlet, Packet, Track};

/// Longest that [`Push::close`] takes.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(4);

/// Why nothing can be sent at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The address cannot be used; the reason shows no secret of it.
    #[error("the address to send to cannot be used: {0}")]
    Address(&'static str),
    /// Two to four renditions make a ladder, one is enough; none or more are nothing.
    #[error("one to {max} renditions can be sent, not {given}", max = mux::MAX_PROGRAMS)]
    Renditions {
        /// How many were to be sent.
        given: usize,
    },
    /// Called outside of the runtime.
    #[error("sending needs the Studio's runtime")]
    NoRuntime,
}

/// Who can make the encoders follow the link.
pub trait Rates: Send + Sync {
    /// From now on this many bits per second; at most what the settings say.
    fn set_bitrate(&self, track: Track, bitrate_bps: u64);
    /// All renditions begin anew with their next frame.
    fn request_keyframe(&self);
}

/// Where the connection stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum State {
    /// For the first time.
    #[default]
    Connecting,
    /// Media is under way.
    Connected,
    /// It was lost or refused, and is tried again.
    Waiting {
        /// How long until then, milliseconds.
        retry_in_ms: u64,
    },
    /// [`Push::close`] has finished.
    Closed,
}

/// How sending goes, several times a second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Where the connection stands.
    pub state: State,
    /// What leaves this machine, bits per second.
    pub sent_bps: u64,
    /// What the encoders of all pictures are asked for together, bits per second.
    pub target_bps: u64,
    /// How far what the origin has acknowledged is behind what was encoded, milliseconds.
    pub queued_ms: u32,
    /// Round-trip time, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Packets that had to be sent again, of those sent, in 0..=1, over the last seconds.
    pub loss_ratio: Option<f64>,
    /// Frames of pictures that the origin has.
    pub sent_frames: u64,
    /// Frames of pictures that it will not get.
    pub dropped_frames: u64,
    /// Connections so far.
    pub connections: u32,
    /// What went wrong last, a sentence; none once it is mended.
    pub error: Option<String>,
}

/// Sends what it takes to an origin, until it is closed.
pub struct Push {
    shared: Arc<Shared>,
    reports: watch::Receiver<Report>,
}

/// What the encoders' threads and the pump share.
struct Shared {
    queue: Mutex<Queue>,
    /// Rings when a frame came.
    came: Notify,
    /// What the origin said last, and when.
    health: watch::Sender<Option<(Instant, Health)>>,
    is_closing: watch::Sender<bool>,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // What a panicking thread left is a queue of whole frames still.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Push {
    /// Begins to connect to `srt://host:port?streamid=…&passphrase=…&pbkeylen=…&latency=…` (latency in milliseconds), and
    /// to send these renditions' frames, the best first. Stops when it is closed or dropped.
    ///
    /// # Errors
    /// When the address is none, or there are no or too many renditions. That the origin cannot be reached or refuses is
    /// in the reports.
    pub fn start(
        srt_url: &str,
        renditions: &[RenditionSettings],
        rates: Arc<dyn Rates>,
    ) -> Result<Arc<Self>, PushError> {
        let address = Address::parse(srt_url).map_err(PushError::Address)?;
        if renditions.is_empty() || renditions.len() > mux::MAX_PROGRAMS {
            return Err(PushError::Renditions { given: renditions.len() });
        }
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| PushError::NoRuntime)?;
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::new(renditions.len())),
            came: Notify::new(),
            health: watch::Sender::new(None),
            is_closing: watch::Sender::new(false),
        });
        let (reporting, reports) = watch::channel(Report::default());
        runtime.spawn(Pump::new(address, renditions, rates, Arc::clone(&shared), reporting).run());
        Ok(Arc::new(Self { shared, reports }))
    }

    /// How it goes, from now on.
    #[must_use]
    pub fn reports(&self) -> watch::Receiver<Report> {
        self.reports.clone()
    }

    /// What the origin says arrives, once a second.
    pub fn hear(&self, health: &Health) {
        self.shared.health.send_replace(Some((Instant::now(), health.clone())));
    }

    /// Takes no more, sends what waits, and lets go when the origin has it all, or after [`CLOSE_PATIENCE`].
    pub async fn close(&self) {
        self.shared.is_closing.send_replace(true);
        let mut reports = self.reports.clone();
        // The pump keeps its own time; this one is for a pump that is gone.
        _ = timeout(CLOSE_PATIENCE * 2, reports.wait_for(|report| report.state == State::Closed)).await;
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        self.shared.is_closing.send_replace(true);
    }
}

impl Outlet for Push {
    fn take(&self, packet: &Packet) {
        if packet.track == Track::Recording || *self.shared.is_closing.borrow() {
            return;
        }
        self.shared.queue().push(packet, Instant::now());
        self.shared.came.notify_one();
    }
}
