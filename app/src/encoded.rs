//! What leaves the encoders, and who takes it: the push, the recording, the replay buffer.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;

/// Which stream of the production a packet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Track {
    /// A rendition's picture, by its index in the output settings: H.264 in byte-stream format, one access unit per
    /// packet, parameter sets before every keyframe.
    Video(usize),
    /// The picture that is encoded for the file alone, in the same form.
    Recording,
    /// The sound: one AAC-LC frame with its ADTS header per packet, 48 kHz stereo.
    Audio,
}

/// One access unit. Cloning shares the bytes.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Whose.
    pub track: Track,
    /// When it is shown: nanoseconds since the production began; the same clock for all tracks.
    pub pts_ns: u64,
    /// When it is decoded, the same way; at most `pts_ns`.
    pub dts_ns: u64,
    /// How long it is shown, nanoseconds.
    pub duration_ns: u64,
    /// A decoder can begin here. Renditions have their keyframes at the same `pts_ns`; sound always can.
    pub is_keyframe: bool,
    /// The access unit.
    pub data: Bytes,
}

/// Takes encoded packets as they come. Called on an encoder's thread: it must neither wait nor fail.
pub trait Outlet: Send + Sync {
    /// One packet; packets of a track come in the order of their `dts_ns`.
    fn take(&self, packet: &Packet);
}

/// Who takes packets now. Readers wait for nobody.
#[derive(Default)]
pub struct Outlets {
    all: ArcSwap<Vec<Arc<dyn Outlet>>>,
}

impl Outlets {
    /// From the next packet on, this one takes them as well.
    pub fn add(&self, outlet: Arc<dyn Outlet>) {
        self.all.rcu(|all| all.iter().cloned().chain([Arc::clone(&outlet)]).collect::<Vec<_>>());
    }

    /// No more packets for this one.
    pub fn remove(&self, outlet: &Arc<dyn Outlet>) {
        self.all.rcu(|all| all.iter().filter(|one| !Arc::ptr_eq(one, outlet)).cloned().collect::<Vec<_>>());
    }

    /// Gives a packet to all.
    pub fn give(&self, packet: &Packet) {
        for outlet in self.all.load().iter() {
            outlet.take(packet);
        }
    }
}
