//! A multiplexer for tests: transport streams with exactly the quirks that a test wants.

use mpeg2ts_reader::mpegts_crc;

use super::sync::PACKET;

/// SPS and PPS of a 128x72 baseline picture at 25 fps, as x264 makes them.
pub(super) const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0a, 0xda, 0x08, 0x2f, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00,
    0xca, 0x3c, 0x48, 0x9a, 0x80,
];
pub(super) const PPS: &[u8] = &[0x68, 0xce, 0x0f, 0xc8];

#[derive(Debug, Default)]
pub(super) struct Muxer {
    pub(super) bytes: Vec<u8>,
    counters: std::collections::BTreeMap<u16, u8>,
    /// PES packets of video say how long they are.
    pub(super) bounded: bool,
    /// Each packet of a PES packet is stuffed, not only the last.
    pub(super) stuff_everywhere: bool,
}

impl Muxer {
    /// PAT and PMTs. Programs: PID of the PMT, streams as (stream type, PID).
    pub(super) fn tables(&mut self, programs: &[(u16, &[(u8, u16)])]) {
        let pat = programs
            .iter()
            .zip(1u16..)
            .flat_map(|((pid, _), number)| [number.to_be_bytes(), (0xE000 | pid).to_be_bytes()].concat());
        self.section(0, 0, 1, &pat.collect::<Vec<_>>());
        for ((pid, streams), number) in programs.iter().zip(1u16..) {
            let mut body = vec![0xE1, 0, 0xF0, 0];
            for (kind, pid) in *streams {
                body.push(*kind);
                body.extend((0xE000 | pid).to_be_bytes());
                body.extend([0xF0, 0]);
            }
            self.section(*pid, 2, number, &body);
        }
    }

    fn section(&mut self, pid: u16, table: u8, id: u16, body: &[u8]) {
        let mut section = vec![table];
        section.extend((0xB000 | u16::try_from(body.len() + 9).unwrap()).to_be_bytes());
        section.extend(id.to_be_bytes());
        section.extend([0xC1, 0, 0]);
        section.extend(body);
        section.extend(mpegts_crc::sum32(&section).to_be_bytes());
        section.insert(0, 0);
        section.resize(PACKET - 4, 0xFF);
        self.packet(pid, true, &section, false);
    }

    /// One PES packet; time stamps in ticks, of which 33 bits are kept.
    pub(super) fn pes(&mut self, pid: u16, video: bool, pts: Option<u64>, dts: Option<u64>, payload: &[u8]) {
        let mut header = Vec::new();
        for (stamp, other, prefix) in [(pts, dts, 2u8), (dts, pts, 1)] {
            let Some(stamp) = stamp else { continue };
            let prefix = if other.is_some() && prefix == 2 { 3 } else { prefix };
            let [_, _, _, top, a, b, c, d] = (stamp & 0x1_FFFF_FFFF).to_be_bytes();
            let low = u32::from_be_bytes([a, b, c, d]);
            header.push(prefix << 4 | top << 3 | u8::try_from(low >> 30).unwrap() << 1 | 1);
            header.extend((u16::try_from(low >> 15 & 0x7FFF).unwrap() << 1 | 1).to_be_bytes());
            header.extend((u16::try_from(low & 0x7FFF).unwrap() << 1 | 1).to_be_bytes());
        }
        let length = if video && !self.bounded { 0 } else { u16::try_from(payload.len() + header.len() + 3).unwrap() };
        let mut pes = vec![0, 0, 1, if video { 0xE0 } else { 0xC0 }];
        pes.extend(length.to_be_bytes());
        let flags = u8::from(pts.is_some()) << 7 | u8::from(dts.is_some()) << 6;
        pes.extend([0x80, flags, u8::try_from(header.len()).unwrap()]);
        pes.extend(header);
        pes.extend(payload);
        let size = if self.stuff_everywhere { 100 } else { PACKET - 4 };
        for (n, chunk) in pes.chunks(size).enumerate() {
            self.packet(pid, n == 0, chunk, false);
        }
    }

    /// One transport packet, filled up with adaptation field stuffing.
    pub(super) fn packet(&mut self, pid: u16, start: bool, payload: &[u8], discontinuity: bool) {
        let counter = self.counters.entry(pid).or_default();
        let stuffing = PACKET - 4 - payload.len();
        let start = u16::from(start) << 14;
        self.bytes.push(0x47);
        self.bytes.extend((start | pid).to_be_bytes());
        self.bytes.push(if stuffing > 0 { 0x30 } else { 0x10 } | *counter);
        *counter = (*counter + 1) & 0xF;
        if let Some(length) = stuffing.checked_sub(1) {
            self.bytes.push(u8::try_from(length).unwrap());
            self.bytes.extend((0..length).map(|at| if at == 0 { u8::from(discontinuity) << 7 } else { 0xFF }));
        }
        self.bytes.extend(payload);
    }
}

/// An access unit in Annex B, with a delimiter, and with parameter sets if it is a keyframe.
pub(super) fn picture(keyframe: bool, size: usize) -> Vec<u8> {
    let mut nals: Vec<Vec<u8>> = vec![vec![9, 0xF0]];
    if keyframe {
        nals.extend([SPS.to_vec(), PPS.to_vec()]);
    }
    let mut slice = vec![if keyframe { 0x65 } else { 0x41 }];
    slice.resize(size, 0xAB);
    nals.push(slice);
    nals.iter().flat_map(|nal| [&[0, 0, 0, 1][..], nal].concat()).collect()
}

/// An ADTS frame of 48 kHz stereo.
pub(super) fn adts(raw: &[u8]) -> Vec<u8> {
    let length = u32::try_from(raw.len() + 7).unwrap();
    let [_, high, middle, low] = (length << 5 | 0x1F).to_be_bytes();
    [&[0xFF, 0xF1, 0x4C, 0x80 | high & 3, middle, low, 0xFC][..], raw].concat()
}
