//! Bodies of the fuzz targets: `fuzz/` feeds them what a fuzzer finds, the tests feed them seeded noise.
//!
//! Each takes any bytes and panics when an invariant breaks.

use bytes::Bytes;

use crate::{
    flv::{Demuxer, Tag, TagKind},
    rtmp::{Session, SessionOutput, handshake::PACKET_BYTES},
    ts,
};

/// More than a session may ever hold: limits of an accepted publisher, held bytes and replies.
const SESSION_BYTES: usize = 17 * 1024 * 1024;

/// A whole RTMP connection. The first byte says how the rest is cut, whether the handshake is already done, and what
/// becomes of a request to publish.
pub fn rtmp_session(data: &[u8]) {
    let Some((&plan, data)) = data.split_first() else { return };
    let mut session = Session::new();
    if plan & 1 == 1 {
        let mut hello = vec![0; 1 + 2 * PACKET_BYTES];
        hello[0] = 3;
        if session.feed(&hello).is_err() {
            return;
        }
    }
    for piece in data.chunks(usize::from(plan >> 2) * 7 + 1) {
        if session.feed(piece).is_err() {
            break;
        }
        while let Some(output) = session.poll() {
            match output {
                SessionOutput::Publish(_) if plan & 2 == 0 => drop(session.accept()),
                SessionOutput::Publish(_) => session.refuse(crate::rtmp::Refusal::Denied, "no"),
                _ => {}
            }
        }
        assert!(session.memory_bytes() <= SESSION_BYTES, "a session holds {} bytes", session.memory_bytes());
    }
}

/// A run of FLV tags: kind, length, timestamp and body of each taken from `data`.
pub fn flv(data: &[u8]) {
    let mut demuxer = Demuxer::new();
    let mut rest = data;
    while let Some((&[kind, high, low, t3, t2, t1, t0], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high & 3, low])).min(after.len());
        let (body, after) = after.split_at(length);
        rest = after;
        let kind = [TagKind::Audio, TagKind::Video, TagKind::Data][usize::from(kind % 3)];
        let timestamp_ms = u32::from_be_bytes([t3, t2, t1, t0]);
        if demuxer.feed(Tag { kind, timestamp_ms, data: Bytes::copy_from_slice(body) }).is_err() {
            return;
        }
        while demuxer.poll().is_some() {}
    }
}

/// A transport stream: the first byte says how the rest is cut. Sync bytes, and checksums where a section seems to
/// start, are put right, or little of what a fuzzer finds would get past them.
pub fn transport_stream(data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else { return };
    let mut bytes = data.to_vec();
    for packet in bytes.chunks_exact_mut(188) {
        packet[0] = 0x47;
        let section = 5 + usize::from(packet[4]);
        if let Some([table, high, low]) = packet.get(section..section + 3).and_then(<[u8]>::first_chunk)
            && *table <= 2
            && let end = section + usize::from(u16::from_be_bytes([high & 0xF, *low]))
            && let Some(checksum) = packet.get(section..end - 1).map(mpeg2ts_reader::mpegts_crc::sum32)
            && let Some(place) = packet.get_mut(end - 1..end + 3)
        {
            place.copy_from_slice(&checksum.to_be_bytes());
        }
    }
    let mut demuxer = ts::Demuxer::new();
    for piece in bytes.chunks(usize::from(cut) * 7 + 1) {
        if demuxer.feed(piece).is_err() {
            return;
        }
        while demuxer.poll().is_some() {}
    }
    demuxer.finish();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn rtmp_session(data in prop::collection::vec(any::<u8>(), 0..2000)) {
            super::rtmp_session(&data);
        }

        #[test]
        fn flv(data in prop::collection::vec(any::<u8>(), 0..2000)) {
            super::flv(&data);
        }

        #[test]
        fn transport_stream(data in prop::collection::vec(any::<u8>(), 0..4000)) {
            super::transport_stream(&data);
        }
    }
}
