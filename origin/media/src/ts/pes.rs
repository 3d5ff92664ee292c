//! Packetized elementary streams (ISO/IEC 13818-1 §2.4.3.6): one PID's packets put back into what was packetized.

use mpeg2ts_reader::{
    packet::Packet,
    pes::{PesContents, PesHeader, PesLength, PtsDts, Timestamp},
};

/// `packet_start_code_prefix` to `PES_header_data_length`.
const FIXED_HEADER: usize = 9;
/// Stuffed ends that a stream must show, and nothing else, before a stuffed packet is taken for the end of its unit.
const STUFFED_ENDS_BEFORE_TRUST: u8 = 8;

/// What the packets of a stream turn out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PesEvent<'a> {
    /// A PES packet starts. Time stamps are raw: 33 bits.
    Start { pts: Option<u64>, dts: Option<u64> },
    /// More of its payload.
    Data(&'a [u8]),
    /// It is complete.
    End,
    /// Some of it is missing; what comes until the next start is not handed out.
    Damaged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between PES packets, or waiting for the first.
    Idle,
    /// The header is not complete.
    Header,
    /// Inside; `remaining` payload bytes if the header said how many.
    Payload { remaining: Option<usize> },
}

/// One PID's PES packets.
///
/// Encoders leave the length of a video PES packet out, so that its end shows only when the next one starts, a frame
/// later. Multiplexers however fill up its last transport packet with stuffing and never stuff elsewhere: once a
/// stream has shown that it is made so, stuffing ends the access unit, and every frame is out a frame earlier.
#[derive(Debug)]
pub(super) struct PesReader {
    state: State,
    header: Vec<u8>,
    continuity: Option<u8>,
    /// The last packet as it came, to tell a repeated packet from 15 lost ones.
    last: Vec<u8>,
    stuffing: Stuffing,
}

/// What this stream's multiplexer does with stuffing.
#[derive(Debug, Clone, Copy, Default)]
struct Stuffing {
    /// Units whose last packet was stuffed and no other.
    ends: u8,
    /// The packet before this one was stuffed.
    pending: bool,
    /// Stuffing was seen inside a unit: it says nothing here.
    elsewhere: bool,
}

impl PesReader {
    pub(super) fn new() -> Self {
        Self {
            state: State::Idle,
            header: Vec::new(),
            continuity: None,
            last: Vec::with_capacity(super::sync::PACKET),
            stuffing: Stuffing::default(),
        }
    }

    /// Takes the next packet of the PID.
    pub(super) fn feed<'a>(&mut self, packet: &Packet<'a>, mut event: impl FnMut(PesEvent<'a>)) {
        if packet.transport_scrambling_control().is_scrambled() {
            if self.state != State::Idle {
                self.break_off(&mut event);
            }
            return;
        }
        let Some(payload) = packet.payload() else { return };
        let counter = packet.continuity_counter().count();
        let announced = packet.adaptation_field().is_some_and(|field| field.discontinuity_indicator());
        if let Some(last) = self.continuity.filter(|_| !announced) {
            if counter == last && self.last == packet.buffer() {
                return;
            }
            if counter != (last + 1) & 0xF {
                self.break_off(&mut event);
            }
        }
        self.continuity = Some(counter);
        self.last.clear();
        self.last.extend_from_slice(packet.buffer());

        let stuffed = is_stuffed(packet);
        if packet.payload_unit_start_indicator() {
            self.stuffing.unit_started();
            if matches!(self.state, State::Payload { remaining: None }) {
                event(PesEvent::End);
            } else if self.state != State::Idle {
                event(PesEvent::Damaged);
            }
            self.header.clear();
            self.state = State::Header;
        } else if self.state != State::Idle || self.stuffing.pending {
            self.stuffing.unit_continued();
        }
        match self.state {
            State::Idle => {}
            State::Header => self.take_header(payload, &mut event),
            State::Payload { remaining } => self.take_payload(payload, remaining, &mut event),
        }
        self.stuffing.pending = stuffed;
        if stuffed && self.stuffing.is_trusted() && matches!(self.state, State::Payload { remaining: None }) {
            self.state = State::Idle;
            event(PesEvent::End);
        }
    }

    /// Something of this PID is missing.
    fn break_off<'a>(&mut self, event: &mut impl FnMut(PesEvent<'a>)) {
        self.state = State::Idle;
        self.stuffing.pending = false;
        event(PesEvent::Damaged);
    }

    fn take_header<'a>(&mut self, payload: &'a [u8], event: &mut impl FnMut(PesEvent<'a>)) {
        let before = self.header.len();
        self.header.extend_from_slice(payload);
        let Some(&data_length) = self.header.get(FIXED_HEADER - 1) else { return };
        let length = FIXED_HEADER + usize::from(data_length);
        let Some(header) = self.header.get(..length) else { return };
        let Some((start, remaining)) = parse_header(header) else {
            self.state = State::Idle;
            return event(PesEvent::Damaged);
        };
        event(start);
        self.take_payload(payload.get(length - before.min(length)..).unwrap_or_default(), remaining, event);
    }

    fn take_payload<'a>(&mut self, payload: &'a [u8], remaining: Option<usize>, event: &mut impl FnMut(PesEvent<'a>)) {
        let taken = payload.get(..remaining.unwrap_or(payload.len()).min(payload.len())).unwrap_or_default();
        if !taken.is_empty() {
            event(PesEvent::Data(taken));
        }
        let remaining = remaining.map(|remaining| remaining.saturating_sub(taken.len()));
        self.state = State::Payload { remaining };
        if remaining == Some(0) {
            self.state = State::Idle;
            event(PesEvent::End);
        }
    }
}

impl Stuffing {
    fn unit_started(&mut self) {
        if std::mem::take(&mut self.pending) {
            self.ends = self.ends.saturating_add(1);
        }
    }

    fn unit_continued(&mut self) {
        if std::mem::take(&mut self.pending) {
            self.elsewhere = true;
        }
    }

    fn is_trusted(self) -> bool {
        !self.elsewhere && self.ends >= STUFFED_ENDS_BEFORE_TRUST
    }
}

/// The adaptation field is longer than what its flags say is in it.
fn is_stuffed(packet: &Packet<'_>) -> bool {
    if !packet.adaptation_control().has_adaptation_field() {
        return false;
    }
    let (length, flags) = match *packet.buffer() {
        [_, _, _, _, 0, ..] => return true,
        [_, _, _, _, length, flags, ..] => (usize::from(length), flags),
        _ => return false,
    };
    // Private data and extensions have lengths of their own; who uses them is not judged.
    if flags & 0b11 != 0 {
        return false;
    }
    let clock_references = usize::from(flags >> 4 & 1) + usize::from(flags >> 3 & 1);
    length > 1 + 6 * clock_references + usize::from(flags >> 2 & 1)
}

/// What a whole header says, and how many bytes follow it if it says that.
fn parse_header(header: &[u8]) -> Option<(PesEvent<'static>, Option<usize>)> {
    let parsed = PesHeader::from_bytes(header)?;
    let PesContents::Parsed(Some(contents)) = parsed.contents() else { return None };
    let ticks = |stamp: Result<Timestamp, _>| stamp.ok().map(|stamp| stamp.value());
    let (pts, dts) = match contents.pts_dts() {
        Ok(PtsDts::PtsOnly(pts)) => (ticks(pts), None),
        Ok(PtsDts::Both { pts, dts }) => (ticks(pts), ticks(dts)),
        _ => (None, None),
    };
    let remaining = match parsed.pes_packet_length() {
        PesLength::Unbounded => None,
        PesLength::Bounded(length) => Some((usize::from(length.get()) + 6).checked_sub(header.len())?),
    };
    Some((PesEvent::Start { pts, dts }, remaining))
}

/// Turns 33-bit time stamps into ones that do not wrap.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unwrapper {
    last: Option<i64>,
}

impl Unwrapper {
    const WRAP: i64 = 1 << 33;

    /// The value nearest to the last one (or, for the first, to `near`) that equals `raw` in its lower 33 bits.
    pub(super) fn unwrap(&mut self, raw: u64, near: i64) -> i64 {
        let reference = self.last.unwrap_or(near);
        let raw = i64::try_from(raw % (1 << 33)).unwrap_or(0);
        let ahead = (raw - reference).rem_euclid(Self::WRAP);
        let ticks = reference.saturating_add(if ahead > Self::WRAP / 2 { ahead - Self::WRAP } else { ahead });
        self.last = Some(ticks);
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_go_on_across_the_wrap_both_ways() {
        let mut unwrapper = Unwrapper::default();
        assert_eq!(unwrapper.unwrap(8_589_934_000, 0), 8_589_934_000 - (1 << 33), "nearest to zero at first");
        assert_eq!(unwrapper.unwrap(408, 0), 408);
        assert_eq!(unwrapper.unwrap(8_589_934_591, 0), -1);
        assert_eq!(Unwrapper::default().unwrap(8_589_097_920, 8_589_090_000), 8_589_097_920);
    }
}
