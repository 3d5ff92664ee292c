//! Frames that wait to be sent.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::encoded::{Packet, Track};

/// Longest piece of media that waits.
pub(super) const MAX_MEDIA: Duration = Duration::from_secs(5);
/// Most bytes that wait: 5 s of four renditions of 6 Mbit/s, and a keyframe of each.
pub(super) const MAX_BYTES: usize = 24 << 20;

/// A frame, and when it came.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) packet: Packet,
    pub(super) came: Instant,
}

/// Frames of all tracks in the order in which they came. What is dropped is the same span of time on every track, and
/// ends at a keyframe: what a viewer sees is a cut, and nothing else.
#[derive(Debug)]
pub(super) struct Queue {
    frames: VecDeque<Waiting>,
    bytes: usize,
    /// Of each rendition: nothing is taken before this time and a keyframe.
    from: Vec<Option<u64>>,
    /// Of the sound: nothing is taken before this time.
    sound_from: u64,
    dropped: u64,
    /// What was dropped can be made good by a keyframe alone.
    wants_keyframe: bool,
}

impl Queue {
    /// An empty one, which begins with a keyframe of each of so many renditions.
    pub(super) fn new(renditions: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            bytes: 0,
            from: vec![Some(0); renditions],
            sound_from: 0,
            dropped: 0,
            wants_keyframe: false,
        }
    }

    /// Takes a frame, and makes room.
    pub(super) fn push(&mut self, packet: &Packet, now: Instant) {
        if self.admits(packet) {
            self.bytes += packet.data.len();
            self.frames.push_back(Waiting { packet: packet.clone(), came: now });
        }
        while self.bytes > MAX_BYTES || self.waits() > MAX_MEDIA {
            let first_ns = self.frames.front().map_or(0, |frame| frame.packet.pts_ns);
            self.cut(first_ns + 1);
        }
    }

    /// The frame that came first.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.packet.data.len();
        Some(frame)
    }

    /// The frame that is popped next.
    pub(super) fn front(&self) -> Option<&Waiting> {
        self.frames.front()
    }

    /// A new connection: whoever is there decodes from a keyframe on.
    pub(super) fn begin_anew(&mut self) {
        if self.frames.is_empty() {
            self.wants_keyframe |= self.from.iter().any(Option::is_none);
            self.from.fill(Some(0));
        } else {
            self.cut(0);
        }
    }

    /// Pictures that were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether a keyframe is needed to go on; says so once.
    pub(super) fn take_wants_keyframe(&mut self) -> bool {
        std::mem::take(&mut self.wants_keyframe)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How much media waits.
    fn waits(&self) -> Duration {
        match (self.frames.front(), self.frames.back()) {
            (Some(first), Some(last)) => Duration::from_nanos(last.packet.dts_ns.saturating_sub(first.packet.dts_ns)),
            _ => Duration::ZERO,
        }
    }

    /// Drops everything before the first keyframe that is not before `at_least_ns`; without one, everything, and what comes
    /// until there is one.
    fn cut(&mut self, at_least_ns: u64) {
        let next = self
            .frames
            .iter()
            .filter(|frame| frame.packet.is_keyframe && frame.packet.track != Track::Audio)
            .map(|frame| frame.packet.pts_ns)
            .find(|pts_ns| *pts_ns >= at_least_ns);
        let last = self.frames.iter().map(|frame| frame.packet.pts_ns).max().unwrap_or(0);
        let resume_ns = next.unwrap_or(last + 1);
        self.wants_keyframe |= next.is_none();
        self.from.fill(Some(resume_ns));
        self.sound_from = resume_ns;
        for frame in std::mem::take(&mut self.frames) {
            let length = frame.packet.data.len();
            if self.admits(&frame.packet) {
                self.frames.push_back(frame);
            } else {
                self.bytes -= length;
            }
        }
    }

    /// Whether a packet can be sent after those that were; counts it if not.
    fn admits(&mut self, packet: &Packet) -> bool {
        match packet.track {
            Track::Audio => packet.pts_ns >= self.sound_from,
            Track::Recording => false,
            Track::Video(index) => {
                let Some(from) = self.from.get_mut(index) else { return false };
                let is_in_order = from.is_none_or(|from_ns| packet.is_keyframe && packet.pts_ns >= from_ns);
                if is_in_order {
                    *from = None;
                } else {
                    self.dropped += 1;
                }
                is_in_order
            }
        }
    }
}
