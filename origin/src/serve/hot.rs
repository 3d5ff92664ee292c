//! Parts that many viewers ask for at the same moment, as files in memory: the kernel sends those to each viewer from
//! the same pages (`sendfile`), where bytes of ours would be copied once per viewer.

use std::{
    fs::File,
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;

/// Parts that can be hot at once.
const SLOTS: usize = 128;
/// Below this, one vectored write with the response's head is cheaper.
const MIN_BYTES: usize = 32 * 1024;
/// Above this, a copy would hold too much memory: together with [`SLOTS`], 128 MiB at the very most.
const MAX_BYTES: usize = 1024 * 1024;
/// The viewer from whom on a part is hot: making the file costs about as much as two copies.
const VIEWERS: u32 = 4;
/// How often parts that nobody asks for any more are let go.
pub(super) const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Sweeps that a part survives without being asked for.
const IDLE_SWEEPS: u32 = 2;

/// The hot parts of all streams. A part that finds its slot taken is simply not hot.
#[derive(Debug)]
pub(super) struct HotParts {
    slots: Box<[ArcSwapOption<HotPart>]>,
    sweeps: AtomicU32,
}

/// A part that was asked for lately.
#[derive(Debug)]
pub(super) struct HotPart {
    /// Held, so that its address belongs to no other part.
    bytes: Bytes,
    asked: AtomicU32,
    last_asked: AtomicU32,
    file: OnceLock<Option<File>>,
}

impl Default for HotParts {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| ArcSwapOption::empty()).collect(), sweeps: AtomicU32::new(0) }
    }
}

impl HotParts {
    /// Notes that somebody asks for `bytes`; returns them as a file if that has become worth while.
    pub(super) fn ask(&self, bytes: &Bytes) -> Option<Arc<HotPart>> {
        if !(MIN_BYTES..=MAX_BYTES).contains(&bytes.len()) {
            return None;
        }
        let slot = self.slot(bytes)?;
        let sweep = self.sweeps.load(Ordering::Relaxed);
        match slot.load_full() {
            Some(part) if part.is(bytes) => {
                part.last_asked.store(sweep, Ordering::Relaxed);
                let is_hot = part.asked.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= VIEWERS;
                (is_hot && part.file().is_some()).then_some(part)
            }
            Some(other) if !other.is_idle(sweep) => None,
            _ => {
                slot.store(Some(Arc::new(HotPart::new(bytes.clone(), sweep))));
                None
            }
        }
    }

    /// Lets go what nobody asked for lately; to be called once per [`SWEEP_INTERVAL`].
    pub(super) fn sweep(&self) {
        let sweep = self.sweeps.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        for slot in &self.slots {
            if slot.load().as_ref().is_some_and(|part| part.is_idle(sweep)) {
                slot.store(None);
            }
        }
    }

    fn slot(&self, bytes: &Bytes) -> Option<&ArcSwapOption<HotPart>> {
        // Large allocations differ in their middle bits.
        let address = bytes.as_ptr().addr() as u64;
        let mixed = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        self.slots.get(usize::try_from(mixed).unwrap_or(0) % SLOTS)
    }
}

impl HotPart {
    fn new(bytes: Bytes, sweep: u32) -> Self {
        Self { bytes, asked: AtomicU32::new(1), last_asked: AtomicU32::new(sweep), file: OnceLock::new() }
    }

    fn is(&self, bytes: &Bytes) -> bool {
        self.bytes.as_ptr() == bytes.as_ptr() && self.bytes.len() == bytes.len()
    }

    fn is_idle(&self, sweep: u32) -> bool {
        sweep.wrapping_sub(self.last_asked.load(Ordering::Relaxed)) >= IDLE_SWEEPS
    }

    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The file; none if the system has no room for it.
    pub(super) fn file(&self) -> Option<&File> {
        let made = || in_memory(&self.bytes).inspect_err(|error| tracing::debug!(%error, "no file in memory")).ok();
        self.file.get_or_init(made).as_ref()
    }
}

#[cfg(target_os = "linux")]
fn in_memory(bytes: &[u8]) -> io::Result<File> {
    use io::Write as _;
    let mut file = File::from(rustix::fs::memfd_create("part", rustix::fs::MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_bytes: &[u8]) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_ask_for_becomes_a_file_until_nobody_does() {
        let (hot, bytes) = (HotParts::default(), Bytes::from(vec![7; MIN_BYTES]));
        let asked: Vec<_> = (0..VIEWERS + 1).map(|_| hot.ask(&bytes).is_some()).collect();
        assert_eq!(asked, [false, false, false, true, true]);
        let (part, copy) = (hot.ask(&bytes).unwrap(), Bytes::copy_from_slice(&bytes));
        assert_eq!(part.file().unwrap().metadata().unwrap().len(), part.len());
        assert!(hot.ask(&copy).is_none(), "equal bytes elsewhere are another part");
        hot.sweep();
        assert!(hot.ask(&bytes).is_some());
        hot.sweep();
        hot.sweep();
        assert!(hot.slots.iter().all(|slot| slot.load().is_none()));
    }

    #[test]
    fn small_and_huge_ones_are_left_alone() {
        let hot = HotParts::default();
        for length in [0, MIN_BYTES - 1, MAX_BYTES + 1] {
            let bytes = Bytes::from(vec![7; length]);
            assert!((0..2 * VIEWERS).all(|_| hot.ask(&bytes).is_none()));
        }
    }
}
