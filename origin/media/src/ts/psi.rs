//! Program-specific information: PAT and PMT sections (ISO/IEC 13818-1 §2.4.4).

use mpeg2ts_reader::{
    mpegts_crc,
    packet::Packet,
    psi::{
        pat::{PatSection, ProgramDescriptor},
        pmt::PmtSection,
    },
};

/// Longest PAT or PMT section, bytes: `section_length` is at most 1021.
const MAX_SECTION: usize = 1024;
/// `table_id` to `last_section_number`.
const HEADER: usize = 8;
const CRC: usize = 4;
const TABLE_PAT: u8 = 0;
const TABLE_PMT: u8 = 2;

/// Puts the sections of one PID together.
#[derive(Debug, Default)]
pub(super) struct Sections {
    buffer: Vec<u8>,
    continuity: Option<u8>,
}

impl Sections {
    /// Takes a packet of the PID and calls `section` with each whole section whose checksum is right and that is in
    /// force, without its checksum.
    pub(super) fn feed(&mut self, packet: &Packet<'_>, mut section: impl FnMut(&[u8])) {
        let Some(payload) = packet.payload() else { return };
        let counter = packet.continuity_counter().count();
        let expected = self.continuity.map(|last| (last + 1) & 0xF);
        if self.continuity.replace(counter) == Some(counter) {
            return;
        }
        if expected.is_some_and(|expected| expected != counter) {
            self.buffer.clear();
        }
        if packet.payload_unit_start_indicator() {
            let Some((&pointer, rest)) = payload.split_first() else { return };
            let Some((tail, starting)) = rest.split_at_checked(usize::from(pointer)) else {
                self.buffer.clear();
                return;
            };
            if !self.buffer.is_empty() {
                self.append(tail, &mut section);
            }
            self.buffer.clear();
            self.append(starting, &mut section);
        } else if !self.buffer.is_empty() {
            self.append(payload, &mut section);
        }
    }

    fn append(&mut self, data: &[u8], section: &mut impl FnMut(&[u8])) {
        self.buffer.extend_from_slice(data);
        while let &[table, high, low, ..] = self.buffer.as_slice() {
            let length = 3 + usize::from(u16::from_be_bytes([high & 0x0F, low]));
            if table == 0xFF || length > MAX_SECTION {
                self.buffer.clear();
                return;
            }
            let Some(whole) = self.buffer.get(..length) else { return };
            if is_valid(whole) {
                section(&whole[..length - CRC]);
            }
            self.buffer.drain(..length);
        }
    }
}

/// Long enough, with `section_syntax_indicator` and `current_next_indicator`, and with the right checksum.
fn is_valid(section: &[u8]) -> bool {
    section.len() >= HEADER + CRC && section[1] & 0x80 != 0 && section[5] & 1 != 0 && mpegts_crc::sum32(section) == 0
}

/// A program of the PAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProgramEntry {
    pub(super) number: u16,
    pub(super) pmt_pid: u16,
}

/// The programs of a PAT section in their order; `None` if it is another table. Only the first section of a PAT is
/// read: it has room for 253 programs.
pub(super) fn programs(section: &[u8]) -> Option<Vec<ProgramEntry>> {
    if section.first() != Some(&TABLE_PAT) || section.get(6) != Some(&0) {
        return None;
    }
    let listed = PatSection::new(section.get(HEADER..)?).programs();
    let programs = listed.filter_map(|program| match program {
        ProgramDescriptor::Program { program_number, pid } => {
            Some(ProgramEntry { number: program_number, pmt_pid: u16::from(pid) })
        }
        ProgramDescriptor::Network { .. } => None,
    });
    Some(programs.collect())
}

/// An elementary stream of a PMT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamEntry {
    pub(super) pid: u16,
    /// `stream_type` (ISO/IEC 13818-1 table 2-34).
    pub(super) kind: u8,
}

/// The program number of a PMT section and its elementary streams in their order; `None` if it is another table.
pub(super) fn streams(section: &[u8]) -> Option<(u16, Vec<StreamEntry>)> {
    if section.first() != Some(&TABLE_PMT) {
        return None;
    }
    let number = u16::from_be_bytes([*section.get(3)?, *section.get(4)?]);
    let table = PmtSection::from_bytes(section.get(HEADER..)?).ok()?;
    let entry = |pid, kind| StreamEntry { pid, kind };
    let streams = table.streams().map(|stream| entry(u16::from(stream.elementary_pid()), stream.stream_type().0));
    Some((number, streams.collect()))
}
