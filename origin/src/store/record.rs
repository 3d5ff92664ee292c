//! The journal's records: what a restarted server must know of a broadcast, each self-checking, so that a torn or
//! damaged end is found and left out.
//!
//! On disk a record is its payload's length (u32), the payload's CRC-32 (u32), the payload; integers are little-endian.

use bytes::{Buf, BufMut, Bytes};
use skylark_media::{
    MediaTime, RenditionId, UnixTime,
    pipeline::{Init, PackageConfig},
    window::{Position, WindowConfig},
};

/// Largest payload of a record, bytes: an init segment is a few kilobytes.
const MAX_PAYLOAD: usize = 1 << 20;
/// Bytes before a payload.
const PREFIX: usize = 8;
/// Form of the records that follow a head.
const VERSION: u8 = 1;

/// What a journal holds, in the order of events.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record {
    /// First of each journal.
    Head(Head),
    /// An init segment.
    Init {
        /// Of this rendition.
        rendition: RenditionId,
        /// Under this number.
        number: u32,
        /// With its bytes.
        init: Init,
    },
    /// A part that was announced.
    Part(PartRecord),
    /// A segment is complete.
    SegmentEnd {
        /// Of this rendition.
        rendition: RenditionId,
        /// This one.
        msn: u64,
    },
    /// The broadcast is over.
    End,
}

/// What holds for the whole broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// When its first media arrived.
    pub(crate) started_at: UnixTime,
    /// What its playlists promise.
    pub(crate) config: WindowConfig,
}

/// A part, and where its bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartRecord {
    /// Of this rendition.
    pub(crate) rendition: RenditionId,
    /// Under these numbers.
    pub(crate) position: Position,
    /// Start on the broadcast's timeline.
    pub(crate) start: MediaTime,
    /// How long it plays.
    pub(crate) duration: MediaTime,
    /// It starts with a keyframe.
    pub(crate) independent: bool,
    /// Wall-clock time of its first sample.
    pub(crate) program_date_time: UnixTime,
    /// Where its bytes are in its segment's file; `None` when they could not be written.
    pub(crate) place: Option<Place>,
}

/// Where bytes are in a segment's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// From the file's start, bytes.
    pub(crate) offset: u64,
    /// How many.
    pub(crate) len: u32,
    /// Their CRC-32.
    pub(crate) crc: u32,
}

impl Record {
    /// Appends the record, with its length and checksum.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; PREFIX]);
        self.write_payload(out);
        let payload = out.get(start + PREFIX..).unwrap_or_default();
        let (len, crc) = (u32::try_from(payload.len()).unwrap_or(u32::MAX), crc32fast::hash(payload));
        if let Some(mut prefix) = out.get_mut(start..start + PREFIX) {
            prefix.put_u32_le(len);
            prefix.put_u32_le(crc);
        }
    }

    fn write_payload(&self, out: &mut Vec<u8>) {
        match self {
            Self::Head(head) => {
                out.put_slice(&[0, VERSION]);
                out.put_i64_le(head.started_at.as_us());
                let package = head.config.package;
                for span in [package.part_target, package.segment_target, package.segment_max, head.config.length] {
                    out.put_i64_le(span.ticks());
                }
            }
            Self::Init { rendition, number, init } => {
                out.put_slice(&[1, rendition.0]);
                out.put_u32_le(*number);
                let (width, height) = init.resolution.unwrap_or_default();
                out.put_u32_le(width);
                out.put_u32_le(height);
                out.put_u32_le(init.frame_rate_millis.unwrap_or_default());
                out.put_u64_le(init.bitrate_bps.unwrap_or_default());
                out.put_u16_le(u16::try_from(init.codecs.len()).unwrap_or_default());
                out.put_slice(init.codecs.as_bytes());
                out.put_slice(&init.data);
            }
            Self::Part(part) => part.write_payload(out),
            Self::SegmentEnd { rendition, msn } => {
                out.put_slice(&[3, rendition.0]);
                out.put_u64_le(*msn);
            }
            Self::End => out.put_u8(4),
        }
    }

    fn read_payload(mut payload: &[u8]) -> Option<Self> {
        let record = match payload.try_get_u8().ok()? {
            0 => Self::Head(Head::read(&mut payload)?),
            1 => {
                let rendition = RenditionId(payload.try_get_u8().ok()?);
                let number = payload.try_get_u32_le().ok()?;
                let resolution = (payload.try_get_u32_le().ok()?, payload.try_get_u32_le().ok()?);
                let frame_rate_millis = payload.try_get_u32_le().ok()?;
                let bitrate_bps = payload.try_get_u64_le().ok()?;
                let codecs_len = usize::from(payload.try_get_u16_le().ok()?);
                let (codecs, data) = payload.split_at_checked(codecs_len)?;
                let init = Init {
                    data: Bytes::copy_from_slice(data),
                    codecs: String::from_utf8(codecs.to_vec()).ok()?,
                    resolution: Some(resolution).filter(|(width, height)| *width > 0 && *height > 0),
                    frame_rate_millis: Some(frame_rate_millis).filter(|rate| *rate > 0),
                    bitrate_bps: Some(bitrate_bps).filter(|rate| *rate > 0),
                };
                payload = &[];
                Self::Init { rendition, number, init }
            }
            2 => Self::Part(PartRecord::read(&mut payload)?),
            3 => Self::SegmentEnd {
                rendition: RenditionId(payload.try_get_u8().ok()?),
                msn: payload.try_get_u64_le().ok()?,
            },
            4 => Self::End,
            _ => return None,
        };
        payload.is_empty().then_some(record)
    }
}

impl Head {
    fn read(payload: &mut &[u8]) -> Option<Self> {
        if payload.try_get_u8().ok()? != VERSION {
            return None;
        }
        let started_at = UnixTime::from_us(payload.try_get_i64_le().ok()?);
        let mut spans = [MediaTime::ZERO; 4];
        for span in &mut spans {
            *span = MediaTime::from_ticks(payload.try_get_i64_le().ok()?);
        }
        let [part_target, segment_target, segment_max, length] = spans;
        let package = PackageConfig { part_target, segment_target, segment_max };
        let sound = MediaTime::ZERO < part_target && part_target < segment_target && segment_target <= segment_max;
        sound.then_some(Self { started_at, config: WindowConfig { package, length } })
    }
}

impl PartRecord {
    fn write_payload(&self, out: &mut Vec<u8>) {
        let Self { rendition, position, .. } = self;
        let flags =
            u8::from(self.independent) | u8::from(position.discontinuity) << 1 | u8::from(self.place.is_some()) << 2;
        out.put_slice(&[2, rendition.0, flags]);
        out.put_u64_le(position.msn);
        out.put_u32_le(position.part);
        out.put_u32_le(position.init);
        out.put_u64_le(position.discontinuity_sequence);
        out.put_i64_le(self.start.ticks());
        out.put_i64_le(self.duration.ticks());
        out.put_i64_le(self.program_date_time.as_us());
        if let Some(place) = self.place {
            out.put_u64_le(place.offset);
            out.put_u32_le(place.len);
            out.put_u32_le(place.crc);
        }
    }

    fn read(payload: &mut &[u8]) -> Option<Self> {
        let rendition = RenditionId(payload.try_get_u8().ok()?);
        let flags = payload.try_get_u8().ok()?;
        let position = Position {
            msn: payload.try_get_u64_le().ok()?,
            part: payload.try_get_u32_le().ok()?,
            init: payload.try_get_u32_le().ok()?,
            discontinuity: flags & 2 != 0,
            discontinuity_sequence: payload.try_get_u64_le().ok()?,
        };
        let start = MediaTime::from_ticks(payload.try_get_i64_le().ok()?);
        let duration = MediaTime::from_ticks(payload.try_get_i64_le().ok()?);
        let program_date_time = UnixTime::from_us(payload.try_get_i64_le().ok()?);
        let place = if flags & 4 != 0 {
            Some(Place {
                offset: payload.try_get_u64_le().ok()?,
                len: payload.try_get_u32_le().ok()?,
                crc: payload.try_get_u32_le().ok()?,
            })
        } else {
            None
        };
        let independent = flags & 1 != 0;
        Some(Self { rendition, position, start, duration, independent, program_date_time, place })
    }
}

/// The records of a journal up to its end, or to the first that is torn or damaged.
pub(crate) fn read(mut journal: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some((mut prefix, rest)) = journal.split_at_checked(PREFIX) {
        let (Ok(len), Ok(crc)) = (prefix.try_get_u32_le(), prefix.try_get_u32_le()) else { break };
        let Some((payload, rest)) = usize::try_from(len).ok().and_then(|len| rest.split_at_checked(len)) else { break };
        if payload.len() > MAX_PAYLOAD || crc32fast::hash(payload) != crc {
            break;
        }
        let Some(record) = Record::read_payload(payload) else { break };
        records.push(record);
        journal = rest;
    }
    records
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Vec<Record> {
        let config = WindowConfig { package: PackageConfig::default(), length: MediaTime::from_ms(30_000) };
        let init = Init {
            data: Bytes::from_static(b"ftyp moov"),
            codecs: "avc1.64001f,mp4a.40.2".into(),
            resolution: Some((1280, 720)),
            frame_rate_millis: Some(29_970),
            bitrate_bps: None,
        };
        let part = PartRecord {
            rendition: RenditionId(1),
            position: Position { msn: 7, part: 3, init: 2, discontinuity: true, discontinuity_sequence: 4 },
            start: MediaTime::from_ms(14_000),
            duration: MediaTime::from_ms(300),
            independent: true,
            program_date_time: UnixTime::from_ms(1_795_228_799_999),
            place: Some(Place { offset: 1000, len: 250_000, crc: 0xdead_beef }),
        };
        vec![
            Record::Head(Head { started_at: UnixTime::from_ms(1_795_228_000_000), config }),
            Record::Init { rendition: RenditionId(1), number: 2, init },
            Record::Part(part),
            Record::Part(PartRecord { place: None, independent: false, ..part }),
            Record::SegmentEnd { rendition: RenditionId(1), msn: 7 },
            Record::End,
        ]
    }

    fn written(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| record.write(&mut bytes));
        bytes
    }

    #[test]
    fn records_read_back_as_written() {
        assert_eq!(read(&written(&sample())), sample());
    }

    #[test]
    fn a_torn_end_costs_only_what_is_torn() {
        let records = sample();
        let bytes = written(&records);
        let ends: Vec<usize> = (0..=records.len()).map(|count| written(&records[..count]).len()).collect();
        for cut in 0..bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!(read(&bytes[..cut]), records[..whole], "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn damage_is_noticed(at in 0_usize..400, flip in 1_u8..) {
            let records = sample();
            let mut bytes = written(&records);
            let at = at % bytes.len();
            bytes[at] ^= flip;
            let found = read(&bytes);
            prop_assert!(found.len() < records.len());
            prop_assert_eq!(&found[..], &records[..found.len()]);
        }

        #[test]
        fn any_bytes_can_be_read(bytes: Vec<u8>) {
            read(&bytes);
        }
    }
}
