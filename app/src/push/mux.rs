//! Frames → MPEG-TS (ISO/IEC 13818-1): a program per rendition, the sound in the first one alone.
//!
//! Pure. Time stamps are the encoders', to the nearest tick. Sections have no version but one, PIDs are fixed.

use bytes::{BufMut, Bytes, BytesMut};

use crate::encoded::{Packet, Track};

/// Most programs, which are renditions.
pub(super) const MAX_PROGRAMS: usize = skylark_protocol::studio::OutputSettings::MAX_RENDITIONS;
/// Transport packets of one datagram; what SRT's live mode takes.
pub(super) const PACKETS_PER_DATAGRAM: usize = 7;
/// Bytes of a transport packet.
pub(super) const PACKET: usize = 188;

const HEADER: usize = 4;
const PID_PAT: u16 = 0;
const PID_FIRST_PMT: u16 = 0x100;
const PID_FIRST_VIDEO: u16 = 0x200;
const PID_AUDIO: u16 = 0x300;
const TYPE_H264: u8 = 0x1B;
const TYPE_ADTS: u8 = 0x0F;
/// The tables stand in the stream at least this often; ticks.
const TABLES_EVERY: u64 = 45_000;
/// How much later than its clock reference something is decoded; ticks. A receiver that goes by it has so long.
const CLOCK_LEAD: u64 = 63_000;
/// Longest payload with which the length of a PES packet can be said.
const MAX_BOUNDED: usize = 0xFFFF;

/// Makes one transport stream out of all tracks. Keeps counters, and no media.
#[derive(Debug)]
pub(super) struct Muxer {
    programs: usize,
    /// Of each PID in use: its last continuity counter.
    counters: Vec<(u16, u8)>,
    /// When the tables stood in the stream last, ticks.
    tables_at: Option<u64>,
}

impl Muxer {
    /// A stream with so many programs, at its beginning.
    pub(super) fn new(programs: usize) -> Self {
        Self { programs, counters: Vec::new(), tables_at: None }
    }

    /// Appends a frame to `out`: whole transport packets.
    pub(super) fn write(&mut self, packet: &Packet, out: &mut BytesMut) {
        let (pid, is_video) = match packet.track {
            Track::Video(index) if index < self.programs => (PID_FIRST_VIDEO + index as u16, true),
            Track::Audio => (PID_AUDIO, false),
            _ => return,
        };
        let (pts, dts) = (ticks(packet.pts_ns) + CLOCK_LEAD, ticks(packet.dts_ns) + CLOCK_LEAD);
        let is_due = self.tables_at.is_none_or(|at| dts.abs_diff(at) >= TABLES_EVERY);
        if is_due || (packet.is_keyframe && packet.track == Track::Video(0)) {
            self.tables_at = Some(dts);
            self.tables(out);
        }
        let clock = is_video.then(|| dts - CLOCK_LEAD);
        let start = Start { clock, is_random_access: packet.is_keyframe };
        self.payload(pid, start, &pes_header(is_video, pts, dts, packet.data.len()), &packet.data, out);
    }

    /// PAT, and a PMT for each program.
    fn tables(&mut self, out: &mut BytesMut) {
        let mut body = Vec::new();
        for index in 0..self.programs as u16 {
            body.extend((index + 1).to_be_bytes());
            body.extend((0xE000 | (PID_FIRST_PMT + index)).to_be_bytes());
        }
        self.section(PID_PAT, 0, 1, &body, out);
        for index in 0..self.programs as u16 {
            let video = PID_FIRST_VIDEO + index;
            body.clear();
            body.extend((0xE000 | video).to_be_bytes());
            body.extend([0xF0, 0]);
            let sound = (index == 0).then_some((TYPE_ADTS, PID_AUDIO));
            for (kind, pid) in [(TYPE_H264, video)].into_iter().chain(sound) {
                body.push(kind);
                body.extend((0xE000 | pid).to_be_bytes());
                body.extend([0xF0, 0]);
            }
            self.section(PID_FIRST_PMT + index, 2, index + 1, &body, out);
        }
    }

    fn section(&mut self, pid: u16, table: u8, id: u16, body: &[u8], out: &mut BytesMut) {
        let mut section = vec![table];
        // Five bytes up to the body, four of checksum; tables of four programs are far below 1021 bytes.
        section.extend((0xB000 | (body.len() + 9) as u16).to_be_bytes());
        section.extend(id.to_be_bytes());
        section.extend([0xC1, 0, 0]);
        section.extend(body);
        section.extend(checksum(&section).to_be_bytes());
        section.insert(0, 0);
        section.resize(PACKET - HEADER, 0xFF);
        out.put_u8(0x47);
        out.put_u16(0x4000 | pid);
        out.put_u8(0x10 | self.count(pid));
        out.put_slice(&section);
    }

    /// One PES packet in as many transport packets as it takes; the last one is filled up, and no other.
    fn payload(&mut self, pid: u16, start: Start, header: &[u8], data: &[u8], out: &mut BytesMut) {
        let mut rest = [header, data];
        let mut is_first = true;
        while rest.iter().any(|part| !part.is_empty()) {
            let mut field = if is_first { start.adaptation_field() } else { Vec::new() };
            let left: usize = rest.iter().map(|part| part.len()).sum();
            let room = PACKET - HEADER - field.len();
            let stuffing = room.saturating_sub(left);
            stuff(&mut field, stuffing);
            out.put_u8(0x47);
            out.put_u16(u16::from(is_first) << 14 | pid);
            out.put_u8(if field.is_empty() { 0x10 } else { 0x30 } | self.count(pid));
            out.put_slice(&field);
            let mut space = PACKET - HEADER - field.len();
            for part in &mut rest {
                let (now, later) = part.split_at(space.min(part.len()));
                out.put_slice(now);
                space -= now.len();
                *part = later;
            }
            is_first = false;
        }
    }

    fn count(&mut self, pid: u16) -> u8 {
        if let Some((_, counter)) = self.counters.iter_mut().find(|(known, _)| *known == pid) {
            *counter = (*counter + 1) & 0xF;
            return *counter;
        }
        self.counters.push((pid, 0));
        0
    }
}

/// What the first transport packet of a frame says besides.
#[derive(Debug, Clone, Copy)]
struct Start {
    /// Clock reference, ticks.
    clock: Option<u64>,
    is_random_access: bool,
}

impl Start {
    fn adaptation_field(self) -> Vec<u8> {
        let flags = u8::from(self.is_random_access) << 6 | u8::from(self.clock.is_some()) << 4;
        let mut field = vec![1, flags];
        if let Some(clock) = self.clock {
            // 33 bits of ticks, six reserved ones, and an extension that is zero.
            let bits = (clock & 0x1_FFFF_FFFF) << 15 | 0x7E00;
            field.extend(&bits.to_be_bytes()[2..]);
            field[0] += 6;
        }
        if flags == 0 { Vec::new() } else { field }
    }
}

/// Makes an adaptation field longer by so many bytes, one if there is none.
fn stuff(field: &mut Vec<u8>, mut stuffing: usize) {
    if stuffing == 0 {
        return;
    }
    if field.is_empty() {
        field.push(0);
        stuffing -= 1;
        if stuffing > 0 {
            field.push(0);
            stuffing -= 1;
        }
    }
    field.resize(field.len() + stuffing, 0xFF);
    field[0] = (field.len() - 1) as u8;
}

fn pes_header(is_video: bool, pts: u64, dts: u64, length: usize) -> Vec<u8> {
    let mut stamps = Vec::with_capacity(10);
    if pts == dts {
        stamp(2, pts, &mut stamps);
    } else {
        stamp(3, pts, &mut stamps);
        stamp(1, dts, &mut stamps);
    }
    let flags = if pts == dts { 0x80 } else { 0xC0 };
    // Said wherever it can be, so that the origin need not wait for what follows.
    let length = u16::try_from(length + stamps.len() + 3).unwrap_or(0);
    debug_assert!(is_video || length > 0, "frames of sound are below {MAX_BOUNDED} bytes");
    let mut header = vec![0, 0, 1, if is_video { 0xE0 } else { 0xC0 }];
    header.extend(length.to_be_bytes());
    header.extend([0x84, flags, stamps.len() as u8]);
    header.extend(stamps);
    header
}

/// 33 bits with markers between them.
fn stamp(prefix: u8, ticks: u64, out: &mut Vec<u8>) {
    out.push(prefix << 4 | ((ticks >> 30 & 0x7) as u8) << 1 | 1);
    out.extend(((ticks >> 15 & 0x7FFF) as u16 * 2 + 1).to_be_bytes());
    out.extend(((ticks & 0x7FFF) as u16 * 2 + 1).to_be_bytes());
}

/// Nanoseconds in 90 kHz, to the nearest.
fn ticks(ns: u64) -> u64 {
    ((u128::from(ns) * 9 + 50_000) / 100_000) as u64
}

/// CRC-32/MPEG-2.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| sum << 1 ^ if sum >> 31 == 1 { 0x04C1_1DB7 } else { 0 })
    })
}

/// Cuts whole transport packets into what one datagram takes.
pub(super) fn datagrams(mut packets: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        (!packets.is_empty()).then(|| packets.split_to(packets.len().min(PACKET * PACKETS_PER_DATAGRAM)))
    })
}
