//! Sound from devices: from blocks that came at some time to samples that were captured at a time.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    time::Duration,
};

use gstreamer as gst;

use super::{
    drift::{Drift, Verdict},
    feed::{Feed, SAMPLE_RATE},
    resample::{AHEAD, Resampler},
    worker::{Pulse, Stop},
};

/// Blocks on their way from a device's thread: a third of a second of 20 ms.
const MAX_BLOCKS: usize = 16;
/// How often a device's end is looked for while it is silent.
const LISTENING: Duration = Duration::from_millis(100);
/// In what time a reading position that is off is brought back.
const CATCH_UP_S: f64 = 2.0;
/// At most so much faster or slower than it should be, which nobody hears.
const MAX_CATCH_UP: f64 = 0.002;
/// How old the first sample of a block can be when it is fed: its own 20 ms, the device's and the system's share.
pub(super) const LATENCY: gst::ClockTime = gst::ClockTime::from_mseconds(80);

/// What a device's thread hands over.
pub(super) struct Block {
    /// Left and right.
    pub(super) samples: Vec<[f32; 2]>,
    /// When the last of them was captured, running time, seconds.
    pub(super) end_s: f64,
}

/// A device's end of the way: it never waits, and what is not taken in time is lost.
pub(super) struct Inlet {
    blocks: SyncSender<Block>,
    spent: Receiver<Vec<[f32; 2]>>,
}

/// The source's end.
pub(super) struct Outlet {
    blocks: Receiver<Block>,
    spent: SyncSender<Vec<[f32; 2]>>,
}

/// A way for blocks, which come back to be filled again.
pub(super) fn way() -> (Inlet, Outlet) {
    let (give, take) = sync_channel(MAX_BLOCKS);
    let (give_back, take_back) = sync_channel(MAX_BLOCKS);
    (Inlet { blocks: give, spent: take_back }, Outlet { blocks: take, spent: give_back })
}

impl Inlet {
    /// Hands samples over. False: nobody takes them any more.
    pub(super) fn give(&self, samples: impl Iterator<Item = [f32; 2]>, end_s: f64) -> bool {
        let mut filled = self.spent.try_recv().unwrap_or_default();
        filled.clear();
        filled.extend(samples);
        !matches!(self.blocks.try_send(Block { samples: filled, end_s }), Err(TrySendError::Disconnected(_)))
    }
}

impl Outlet {
    /// Feeds what comes, until it is asked to stop or the device's end is gone.
    pub(super) fn run(self, rate: u32, feed: &Feed, pulse: &Pulse, stop: &Stop) {
        let mut aligner = Aligner::new(rate);
        while !stop.is_asked() {
            let block = match self.blocks.recv_timeout(LISTENING) {
                Ok(block) => block,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            pulse.beat();
            if let Some(piece) = aligner.take(&block)
                && !feed.push_sound(piece.into_buffer())
            {
                return;
            }
            // A device that has more of them than fit makes new ones.
            drop(self.spent.try_send(block.samples));
        }
    }
}

/// Samples at 48 kHz of the production's clock.
pub(super) struct Piece {
    /// When the first was captured, seconds.
    pub(super) begin_s: f64,
    /// Does not follow what came before.
    pub(super) is_new: bool,
    /// F32LE, stereo.
    pub(super) bytes: Vec<u8>,
}

/// Bytes of a stereo sample.
const SAMPLE_BYTES: usize = 8;

impl Piece {
    fn into_buffer(self) -> gst::Buffer {
        let count = (self.bytes.len() / SAMPLE_BYTES) as f64;
        let end_s = self.begin_s + count / f64::from(SAMPLE_RATE);
        let mut buffer = gst::Buffer::from_mut_slice(self.bytes);
        let stamps = buffer.get_mut().expect("nobody else has it yet");
        let at = |seconds: f64| gst::ClockTime::from_nseconds((seconds.max(0.0) * 1e9).round() as u64);
        stamps.set_pts(at(self.begin_s));
        stamps.set_duration(at(end_s) - at(self.begin_s));
        if self.is_new {
            stamps.set_flags(gst::BufferFlags::DISCONT);
        }
        buffer
    }
}

/// Puts a device's samples where they belong on the production's clock.
pub(super) struct Aligner {
    drift: Drift,
    resampler: Resampler,
    /// What is read next, as a sample of the device; none before the device has settled.
    position: Option<f64>,
    /// When output began, and how many samples there were since: no error adds up.
    begun_s: f64,
    count: u64,
}

impl Aligner {
    /// For a device of so many samples per second.
    pub(super) fn new(rate: u32) -> Self {
        Self { drift: Drift::new(rate), resampler: Resampler::new(rate), position: None, begun_s: 0.0, count: 0 }
    }

    /// Takes a block; gives what can be said by now.
    pub(super) fn take(&mut self, block: &Block) -> Option<Piece> {
        self.resampler.push(block.samples.iter().copied());
        let end = self.resampler.end();
        let verdict = self.drift.observe(end, block.end_s);
        match verdict {
            Verdict::Settling => return None,
            Verdict::Steady => {}
            Verdict::Jumped(by_s) => tracing::debug!(by_s, "a device's sound jumped"),
        }
        let mut is_new = false;
        let position = match (self.position, verdict) {
            (None, _) => {
                // Whole of this block, and nothing before it.
                let position = end.saturating_sub(block.samples.len() as u64) as f64;
                self.restart(self.drift.time_of(position));
                is_new = true;
                position
            }
            (Some(position), Verdict::Jumped(by_s)) if by_s > 0.0 => {
                // Samples were lost: what is there belongs later, and nothing stands in between.
                let at_s = self.drift.time_of(position).max(self.next_s());
                self.restart(at_s);
                is_new = true;
                position
            }
            // What is there is older than was thought, and its time is over.
            (Some(position), Verdict::Jumped(_)) => self.drift.index_at(self.next_s()).max(position),
            (Some(position), _) => position,
        };
        let mut bytes = Vec::with_capacity((block.samples.len() + AHEAD) * SAMPLE_BYTES * 5 / 4);
        let step = self.step(position);
        self.position = Some(self.resampler.read(position, step, &mut bytes));
        let begin_s = self.next_s();
        self.count += (bytes.len() / SAMPLE_BYTES) as u64;
        (!bytes.is_empty()).then_some(Piece { begin_s, is_new, bytes })
    }

    /// How far one sample of the output moves in the input.
    fn step(&self, position: f64) -> f64 {
        let off_s = (self.drift.index_at(self.next_s()) - position) / self.drift.rate();
        let catch_up = (off_s / CATCH_UP_S).clamp(-MAX_CATCH_UP, MAX_CATCH_UP);
        self.drift.rate() / f64::from(SAMPLE_RATE) * (1.0 + catch_up)
    }

    /// When the next sample of the output is heard.
    fn next_s(&self) -> f64 {
        self.begun_s + self.count as f64 / f64::from(SAMPLE_RATE)
    }

    fn restart(&mut self, at_s: f64) {
        self.begun_s = at_s;
        self.count = 0;
    }
}
