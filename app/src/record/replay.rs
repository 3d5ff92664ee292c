//! The last seconds, in memory.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{RecordError, disk, fresh_path, recorder, writer::Writer};
use crate::encoded::{Outlet, Packet, Track};

/// Most that is held, bytes: a minute of 1080p60 at 6 Mbit/s is 45 MiB.
pub const MAX_REPLAY_BYTES: usize = 512 << 20;
/// Longest that can be asked for.
pub const MAX_REPLAY: Duration = Duration::from_secs(1200);

/// Holds the last seconds of a picture and the sound; from a keyframe on, so a little more than asked for.
pub struct Replay {
    picture: Track,
    length_ns: u64,
    max_bytes: usize,
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    packets: VecDeque<Packet>,
    bytes: usize,
}

impl Replay {
    /// Begins to hold so much of a picture.
    #[must_use]
    pub fn new(picture: Track, length: Duration) -> Self {
        let length_ns = u64::try_from(length.min(MAX_REPLAY).as_nanos()).unwrap_or(u64::MAX);
        Self { picture, length_ns, max_bytes: MAX_REPLAY_BYTES, ring: Mutex::default() }
    }

    /// The same with less memory.
    #[cfg(test)]
    pub(super) fn within(picture: Track, length: Duration, max_bytes: usize) -> Self {
        Self { max_bytes, ..Self::new(picture, length) }
    }

    /// How much it holds, seconds.
    #[must_use]
    pub fn held_s(&self) -> u32 {
        u32::try_from(self.ring().span_ns() / 1_000_000_000).unwrap_or(u32::MAX)
    }

    /// Writes what it holds to a new file, reads it back, and goes on holding. Takes as long as the disk does: not for a
    /// thread that others wait for.
    ///
    /// # Errors
    /// When there is nothing to write, no room, or the disk says no.
    pub fn save(&self, folder: &Path, name: &str) -> Result<PathBuf, RecordError> {
        let packets: Vec<Packet> = self.ring().packets.iter().cloned().collect();
        let first = packets.first().ok_or(RecordError::Empty)?;
        std::fs::create_dir_all(folder).map_err(|source| RecordError::Io { path: folder.into(), source })?;
        let bytes: u64 = packets.iter().map(|packet| packet.data.len() as u64).sum();
        if let Some(free) = disk::free_bytes(folder).filter(|free| *free < bytes + recorder::LEAST_FREE) {
            return Err(RecordError::Full { path: folder.into(), free_mib: free >> 20 });
        }
        let mut writer = Writer::begin(&fresh_path(folder, name), first.dts_ns)?;
        for packet in &packets {
            writer.give(packet)?;
        }
        writer.finish()
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outlet for Replay {
    fn take(&self, packet: &Packet) {
        let is_picture = packet.track == self.picture;
        if !is_picture && packet.track != Track::Audio {
            return;
        }
        let mut ring = self.ring();
        if ring.packets.is_empty() && !(is_picture && packet.is_keyframe) {
            return;
        }
        ring.bytes += packet.data.len();
        ring.packets.push_back(packet.clone());
        while let Some(next) = ring.second_keyframe() {
            let rest_ns = packet.pts_ns.saturating_sub(ring.packets.get(next).map_or(0, |packet| packet.pts_ns));
            if rest_ns < self.length_ns && ring.bytes <= self.max_bytes {
                break;
            }
            ring.drop_first(next);
        }
        // Bytes that no keyframe helps against: nothing of it could be played later.
        if ring.bytes > self.max_bytes {
            *ring = Ring::default();
        }
    }
}

impl Ring {
    fn span_ns(&self) -> u64 {
        match (self.packets.front(), self.packets.back()) {
            (Some(first), Some(last)) => last.pts_ns.saturating_sub(first.pts_ns),
            _ => 0,
        }
    }

    /// Where the next piece begins that could stand alone.
    fn second_keyframe(&self) -> Option<usize> {
        let is_keyframe = |packet: &Packet| packet.is_keyframe && packet.track != Track::Audio;
        self.packets.iter().enumerate().skip(1).find(|(_, packet)| is_keyframe(packet)).map(|(at, _)| at)
    }

    fn drop_first(&mut self, count: usize) {
        let dropped: usize = self.packets.drain(..count).map(|packet| packet.data.len()).sum();
        self.bytes -= dropped;
    }
}
