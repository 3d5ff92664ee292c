//! AAC in ADTS (ISO/IEC 14496-3 §1.A.3): frames out of a byte stream, with time stamps counted in samples.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    codec::{AudioConfig, aac},
    time::{MediaTime, TICKS_PER_SECOND},
};

/// `adts_fixed_header` and `adts_variable_header`.
const HEADER: usize = 7;
/// Longest frame an ADTS header can describe, bytes; what is carried over is shorter.
const MAX_FRAME: usize = (1 << 13) - 1;
/// Samples of a frame.
const FRAME_SAMPLES: i64 = 1024;
/// A PES time stamp this far from the counted one, in ticks, is a rounding error (2 ms).
const ROUNDING: i64 = 180;

/// What ADTS bytes turn out to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum AudioEvent {
    Config(Arc<AudioConfig>),
    Frame { pts: MediaTime, data: Bytes },
    Lost(&'static str),
}

/// Splits ADTS into frames.
#[derive(Debug, Default)]
pub(super) struct AdtsSplitter {
    /// A frame that is not complete.
    carry: Vec<u8>,
    /// The PES time stamp of the first frame that starts at or after this many carried bytes.
    stamp: Option<(usize, i64)>,
    clock: Option<SampleClock>,
    config: Option<(FixedHeader, Arc<AudioConfig>)>,
    searching: bool,
}

/// Time counted in samples since a time stamp.
#[derive(Debug, Clone, Copy)]
struct SampleClock {
    anchor: i64,
    samples: i64,
    rate: i64,
}

/// What may not change without a new configuration: profile, rate and channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FixedHeader([u8; 2]);

impl AdtsSplitter {
    /// The next bytes start a PES packet with this time stamp, in ticks.
    pub(super) fn stamp(&mut self, pts: Option<i64>) {
        self.stamp = pts.map(|pts| (self.carry.len(), pts));
    }

    /// Bytes are missing here.
    pub(super) fn break_off(&mut self) {
        self.carry.clear();
        self.stamp = None;
        self.searching = false;
    }

    /// Takes more bytes.
    pub(super) fn feed(&mut self, data: &[u8], mut event: impl FnMut(AudioEvent)) {
        self.carry.extend_from_slice(data);
        let bytes = std::mem::take(&mut self.carry);
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= HEADER) {
            let Some(header) = Header::parse(rest) else {
                if !std::mem::replace(&mut self.searching, true) {
                    event(AudioEvent::Lost("bytes that are no ADTS frame"));
                }
                at += 1;
                continue;
            };
            let Some(frame) = rest.get(..header.frame_length) else { break };
            // While searching, a header counts only if another one follows where it says that its frame ends.
            if self.searching {
                match rest.get(header.frame_length..).filter(|next| next.len() >= HEADER) {
                    Some(next) if Header::parse(next).is_none() => {
                        at += 1;
                        continue;
                    }
                    Some(_) => self.searching = false,
                    None => break,
                }
            }
            self.frame(at, header, frame, &mut event);
            at += header.frame_length;
        }
        self.carry = bytes;
        self.carry.drain(..at.min(self.carry.len()));
        self.stamp = self.stamp.map(|(from, pts)| (from.saturating_sub(at), pts));
        debug_assert!(self.carry.len() <= 2 * MAX_FRAME + HEADER, "a whole frame was not taken");
    }

    fn frame(&mut self, at: usize, header: Header, frame: &[u8], event: &mut impl FnMut(AudioEvent)) {
        if self.config.as_ref().is_none_or(|(fixed, _)| *fixed != header.fixed) {
            let Ok(config) = aac::config_from_adts(frame) else {
                self.config = None;
                return event(AudioEvent::Lost("AAC with a channel layout of its own is not supported"));
            };
            let config = Arc::new(config);
            self.config = Some((header.fixed, Arc::clone(&config)));
            self.clock = None;
            event(AudioEvent::Config(config));
        }
        let Some((_, config)) = &self.config else { return };
        let rate = i64::from(config.sample_rate).max(1);
        if let Some((_, pts)) = self.stamp.take_if(|(from, _)| at >= *from) {
            let counted = self.clock.map(SampleClock::now);
            if counted.is_none_or(|counted| counted.abs_diff(pts) > ROUNDING.unsigned_abs()) {
                self.clock = Some(SampleClock { anchor: pts, samples: 0, rate });
            }
        }
        let Some(clock) = &mut self.clock else {
            return event(AudioEvent::Lost("sound before its first time stamp"));
        };
        let pts = MediaTime::from_ticks(clock.now());
        clock.samples = clock.samples.saturating_add(FRAME_SAMPLES);
        let raw = frame.get(header.header_length..).unwrap_or_default();
        event(AudioEvent::Frame { pts, data: Bytes::copy_from_slice(raw) });
    }
}

impl SampleClock {
    fn now(self) -> i64 {
        let ticks = i128::from(self.samples) * i128::from(TICKS_PER_SECOND) / i128::from(self.rate);
        self.anchor.saturating_add(i64::try_from(ticks).unwrap_or(i64::MAX))
    }
}

/// An ADTS header that makes sense.
#[derive(Debug, Clone, Copy)]
struct Header {
    fixed: FixedHeader,
    header_length: usize,
    frame_length: usize,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let &[sync, protection, profile, channels, length, fullness, blocks, ..] = bytes else { return None };
        // Sync word, layer 0; one raw data block (more would need their own lengths); a rate that exists.
        let well_formed = sync == 0xFF && protection & 0xF6 == 0xF0 && blocks & 0b11 == 0 && profile >> 2 & 0xF <= 12;
        let header_length = if protection & 1 == 1 { HEADER } else { HEADER + 2 };
        let frame_length = usize::from(channels & 0b11) << 11 | usize::from(length) << 3 | usize::from(fullness >> 5);
        (well_formed && frame_length > header_length).then_some(Self {
            fixed: FixedHeader([profile & 0b1111_1101, channels & 0b1100_0000]),
            header_length,
            frame_length,
        })
    }
}
