//! Bodies of the fuzz targets: `fuzz/` feeds them what a fuzzer finds, the tests feed them seeded noise.
//!
//! Each takes any bytes and panics when an invariant breaks.

mod timeline;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    flv::{Demuxer, Tag, TagKind},
    package::{directives::Directives, playlist::media_playlist, validate::MediaPlaylist},
    pipeline::{Init, PackageConfig, Part},
    rtmp::{Session, SessionOutput, handshake::PACKET_BYTES},
    srt,
    time::{MediaTime, UnixTime},
    ts,
    window::{Lookup, Reload, Snapshot, Window, WindowConfig},
};

pub use timeline::timeline;

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
pub fn ts(data: &[u8]) {
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

/// Datagrams for an SRT listener: length, sender, step and bytes of each taken from `data`. Handshakes get the cookie
/// that was told last, and every second request is let in, so that sessions are reached.
pub fn srt_handshake(data: &[u8]) {
    const COOKIE: usize = 16 + 28;
    let mut listener = srt::Listener::new(srt::ListenerConfig {
        latency: Duration::from_millis(120),
        max_sessions: 4,
        max_pending: 8,
        handshake_timeout: Duration::from_secs(3),
        idle_timeout: Duration::from_secs(5),
        secret: [1; 32],
    });
    let mut cookie = 0;
    let mut now = UnixTime::default();
    let mut rest = data;
    while let Some((&[length, sender, step], after)) = rest.split_first_chunk() {
        let (datagram, after) = after.split_at(usize::from(length).min(after.len()));
        rest = after;
        now = now + Duration::from_millis(u64::from(step));
        let mut datagram = datagram.to_vec();
        let mut put = |at: usize, word: u32| {
            if let Some(place) = datagram.get_mut(at..at + 4) {
                place.copy_from_slice(&word.to_be_bytes());
            }
        };
        // Inductions and conclusions (packet type, version, step), or what the input has.
        if let phase @ 1..=2 = step >> 1 & 3 {
            put(0, 0x8000_0000);
            put(16, 5);
            put(36, if phase == 1 { 1 } else { u32::MAX });
        }
        put(COOKIE, cookie);
        let peer = ([192, 0, 2, sender & 3], u16::from(sender)).into();
        listener.feed(now, peer, &datagram);
        if step & 1 == 1 {
            listener.tick(now);
        }
        while let Some(output) = listener.poll() {
            match output {
                srt::Output::Send { datagram, .. } => {
                    if let Some(told) = datagram.get(COOKIE..).and_then(<[u8]>::first_chunk) {
                        cookie = u32::from_be_bytes(*told);
                    }
                }
                srt::Output::Request(request) => match (request.key(), request.unlock(None)) {
                    (Ok(_), Ok(keys)) if sender & 1 == 0 => _ = listener.accept(now, request.id, keys),
                    _ => listener.reject(request.id, srt::Rejection::Unauthorized),
                },
                srt::Output::Data { .. } | srt::Output::Closed { .. } => {}
            }
        }
        assert!(listener.pending() <= 8 && listener.sessions().count() <= 4, "a limit does not hold");
    }
}

/// The query of a media playlist request, put to a window whose state the first two bytes choose: whatever is asked, the
/// answer is a refusal, a playlist that has it, or a wait for something that can still come.
pub fn playlist_request(data: &[u8]) {
    let Some((&[state, parts], query)) = data.split_first_chunk() else { return };
    let Ok(query) = std::str::from_utf8(query) else { return };
    let Ok(asked) = Directives::parse(query) else { return };
    let Some(msn) = asked.msn else { return assert_eq!(asked.part, None) };
    let package = PackageConfig {
        part_target: MediaTime::from_ms(300),
        segment_target: MediaTime::from_ms(2000),
        segment_max: MediaTime::from_ms(4000),
    };
    let length = MediaTime::from_ms(30_000);
    let mut window = Window::new(WindowConfig { package, length }, u64::from(state >> 2));
    let data = Bytes::from_static(b"moof");
    let init = Init { data, codecs: String::new(), resolution: None, frame_rate_millis: None, bitrate_bps: None };
    window.push_init(Arc::new(init));
    for index in 0..i64::from(parts) {
        window.push_part(Part {
            data: Bytes::from_static(b"moof"),
            start: MediaTime::from_ms(300 * index),
            duration: MediaTime::from_ms(300),
            independent: true,
            program_date_time: UnixTime::from_ms(300 * index),
        });
        if index % 7 == 6 {
            window.end_segment();
        }
    }
    if state & 1 == 1 {
        window.end();
    }
    let snapshot = window.snapshot();
    let next = window.position();
    match snapshot.reload(msn, asked.part) {
        Reload::Ready => assert!(snapshot.ended() || (msn, asked.part.unwrap_or(0)) <= (next.msn, next.part)),
        // A part beyond the last of its segment is the next segment's first.
        Reload::Wait => assert!(!snapshot.ended() && (next.msn..=next.msn + 3).contains(&(msn + 1))),
        Reload::TooFar => assert!(!snapshot.ended() && msn >= next.msn),
    }
}

/// Operations on a live window, one per byte, as a publisher's media makes them: parts (short ones only at the end of a
/// segment), segment ends, new encodings, discontinuities, restarts. After each, the window's invariants hold, its
/// playlist keeps the rules and follows the one before, and what the playlist lists is there.
pub fn window(data: &[u8]) {
    const TARGET_MS: i64 = 300;
    const SEGMENT_MAX_MS: i64 = 4000;
    let config = WindowConfig { package: PackageConfig::default(), length: MediaTime::from_ms(12_000) };
    let mut window = Window::new(config, 0);
    let mut now = MediaTime::ZERO;
    let mut segment_ms = 0;
    let mut before: Option<MediaPlaylist> = None;
    // A restarted server's store gives back what was listed; here nothing does, and a playlist that has numbers but too
    // few segments breaks a rule.
    let mut complete = MediaTime::from_ms(i64::from(u32::MAX));
    window.push_init(fuzz_init(0));
    for &byte in data {
        let ms = match byte >> 4 {
            _ if segment_ms + TARGET_MS > SEGMENT_MAX_MS => 0,
            8.. => TARGET_MS,
            // Shorter than 85 % of the target: the last of its segment.
            4.. => i64::from(byte & 0xF) * 10 + 10,
            _ => 0,
        };
        if ms > 0 {
            let duration = MediaTime::from_ms(ms);
            let independent = segment_ms == 0;
            let program_date_time = UnixTime::from_ms(1_700_000_000_000 + now.as_ms());
            let data = Bytes::from(vec![byte; 1 + usize::from(byte)]);
            window.push_part(Part { data, start: now, duration, independent, program_date_time });
            now = now + duration;
            segment_ms += ms;
        }
        if ms < TARGET_MS {
            window.end_segment();
            complete = complete + MediaTime::from_ms(segment_ms);
            segment_ms = 0;
        }
        match byte {
            0 => window.push_init(fuzz_init(0)),
            1 => window.push_init(fuzz_init(1)),
            2 => window.push_discontinuity(),
            3 => {
                // The server was killed: what is in force goes on, what was listed is gone.
                window = Window::continued(config, window.position());
                window.push_init(fuzz_init(0));
                before = None;
                complete = MediaTime::ZERO;
            }
            _ => {}
        }
        window.check_invariants();
        let snapshot = window.snapshot();
        if snapshot.last().is_some() && complete >= config.length {
            before = Some(check_playlist(&snapshot, before.as_ref()));
        }
    }
}

fn fuzz_init(number: u8) -> Arc<Init> {
    let data = Bytes::from(vec![number; 8]);
    let codecs = "avc1.64001f".to_owned();
    Arc::new(Init { data, codecs, resolution: None, frame_rate_millis: None, bitrate_bps: None })
}

/// The playlist keeps the rules, follows `before`, and what it names can be had.
fn check_playlist(snapshot: &Snapshot, before: Option<&MediaPlaylist>) -> MediaPlaylist {
    let text = media_playlist(snapshot, false, &[]);
    let playlist = MediaPlaylist::parse(&text).unwrap_or_else(|violation| panic!("{violation:?}\n{text}"));
    if let Some(before) = before {
        playlist.check_follows(before).unwrap_or_else(|violation| panic!("{violation:?}\n{text}"));
    }
    for (msn, segment) in (playlist.media_sequence..).zip(&playlist.segments) {
        for index in 0..segment.parts.len() {
            let part = u32::try_from(index).unwrap_or(u32::MAX);
            assert!(matches!(snapshot.part(msn, part), Lookup::Here(_)), "{msn}.{part} is listed");
            assert_eq!(snapshot.reload(msn, Some(part)), Reload::Ready);
        }
        if segment.uri.is_some() {
            assert!(matches!(snapshot.segment(msn), Lookup::Here(_)), "{msn} is listed");
        }
    }
    playlist
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
        fn srt_handshake(data in prop::collection::vec(any::<u8>(), 0..2000)) {
            super::srt_handshake(&data);
        }

        #[test]
        fn playlist_request(
            state in any::<[u8; 2]>(),
            query in "(_HLS_(msn|part|skip|x)=([0-9]{0,3}|YES|v2|[0-9]{19,21}|.{0,3})&?){0,4}",
        ) {
            super::playlist_request(&[&state, query.as_bytes()].concat());
        }

        #[test]
        fn ts(data in prop::collection::vec(any::<u8>(), 0..4000)) {
            super::ts(&data);
        }

        #[test]
        fn window(data in prop::collection::vec(any::<u8>(), 0..500)) {
            super::window(&data);
        }
    }
}
