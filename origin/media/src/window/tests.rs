//! What viewers would notice of a window.

use bytes::Bytes;

use super::*;
use crate::{package::playlist::media_playlist, time::UnixTime};

const PART_MS: i64 = 300;

fn window(length_s: i64) -> Window {
    Window::new(WindowConfig { package: PackageConfig::default(), length: MediaTime::from_ms(length_s * 1000) }, 0)
}

fn init(text: &'static str) -> Arc<Init> {
    let data = Bytes::from_static(text.as_bytes());
    Arc::new(Init { data, codecs: "avc1.64001f".into(), resolution: None, frame_rate_millis: None, bitrate_bps: None })
}

fn part(window: &Window, ms: i64) -> Part {
    let start = window.now.end();
    Part {
        data: Bytes::from(format!("{}", start.ticks())),
        start,
        duration: MediaTime::from_ms(ms),
        independent: window.position().part == 0,
        program_date_time: UnixTime::from_us(1_000_000_000_000_000 + start.as_us()),
    }
}

/// Pushes complete segments of 2.1 s.
fn push_segments(window: &mut Window, count: usize) {
    for _ in 0..count {
        for _ in 0..7 {
            window.push_part(part(window, PART_MS));
            window.check_invariants();
        }
        window.end_segment();
        window.check_invariants();
    }
}

#[test]
fn the_hinted_part_is_waited_for_and_an_abandoned_hint_is_gone() {
    let mut window = window(30);
    window.push_init(init("one"));
    assert_eq!(window.snapshot().part(0, 0), Lookup::Wait);
    window.push_part(part(&window, PART_MS));
    let snapshot = window.snapshot();
    assert!(matches!(snapshot.part(0, 0), Lookup::Here(_)));
    assert_eq!(snapshot.part(0, 1), Lookup::Wait);
    assert_eq!(snapshot.part(0, 2), Lookup::NotYet);
    assert_eq!(snapshot.segment(0), Lookup::Wait);
    window.end_segment();
    let snapshot = window.snapshot();
    assert_eq!(snapshot.part(0, 1), Lookup::Gone, "the segment ended without it");
    assert_eq!(snapshot.part(1, 0), Lookup::Wait);
    assert!(matches!(snapshot.segment(0), Lookup::Here(parts) if parts.len() == 1));
}

#[test]
fn reloads_are_ready_held_or_refused() {
    let mut window = window(30);
    window.push_init(init("one"));
    push_segments(&mut window, 2);
    window.push_part(part(&window, PART_MS));
    let snapshot = window.snapshot(); // 0.0–0.6, 1.0–1.6, 2.0
    assert_eq!(snapshot.last(), Some((2, 0)));
    let cases = [
        ((1, None), Reload::Ready),
        ((1, Some(6)), Reload::Ready),
        ((1, Some(7)), Reload::Ready), // there is no 1.7: 2.0 it is
        ((2, None), Reload::Wait),
        ((2, Some(0)), Reload::Ready),
        ((2, Some(1)), Reload::Wait),
        ((2, Some(9)), Reload::Wait),
        ((2, Some(11)), Reload::TooFar),
        ((3, Some(0)), Reload::Wait),
        ((4, None), Reload::Wait),
        ((5, None), Reload::TooFar),
        ((u64::MAX, Some(u32::MAX)), Reload::TooFar),
    ];
    for ((msn, part), expected) in cases {
        assert_eq!(snapshot.reload(msn, part), expected, "{msn} {part:?}");
    }
    window.end();
    assert_eq!(window.snapshot().reload(5, None), Reload::Ready, "nothing more will come: here is all there is");
}

#[test]
fn what_is_past_the_length_is_let_go_but_remembered_a_while() {
    let mut window = window(12);
    window.push_init(init("one"));
    push_segments(&mut window, 8);
    let playlist = media_playlist(&window.snapshot(), false, &[]);
    assert!(playlist.contains("#EXT-X-MEDIA-SEQUENCE:2\n"), "6 × 2.1 s ≥ 12 s: {playlist}");
    let Lookup::Here(parts) = window.snapshot().segment(2) else { panic!("what is listed is there") };
    let bytes = parts.iter().map(|part| part.len() as u64).sum();
    push_segments(&mut window, 1);
    assert_eq!(window.snapshot().segment(2), Lookup::Gone, "its media is not held any more");
    assert_eq!(window.snapshot().retired_bytes(2), Some(bytes), "a viewer may still have the old playlist");
    assert_eq!(window.snapshot().retired_bytes(3), None, "it is still listed");
    assert_eq!(window.first_msn(), 0);
    push_segments(&mut window, 40);
    assert_eq!(window.snapshot().retired_bytes(2), None);
    assert!(window.first_msn() > 20, "{}", window.first_msn());
}

#[test]
fn discontinuities_are_counted_when_they_leave() {
    let mut window = window(12);
    window.push_init(init("one"));
    push_segments(&mut window, 1);
    window.push_init(init("two"));
    push_segments(&mut window, 1);
    window.push_discontinuity();
    window.push_discontinuity();
    push_segments(&mut window, 1);
    let playlist = media_playlist(&window.snapshot(), false, &[]);
    assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 2);
    assert_eq!(playlist.matches("#EXT-X-MAP:URI=\"init1.mp4\"").count(), 1);
    push_segments(&mut window, 7);
    let playlist = media_playlist(&window.snapshot(), false, &[]);
    assert!(playlist.contains("#EXT-X-DISCONTINUITY-SEQUENCE:2\n"), "{playlist}");
    assert!(playlist.contains("#EXT-X-MAP:URI=\"init1.mp4\""), "{playlist}");
    assert!(window.snapshot().init(1).is_some());
}

#[test]
fn the_same_init_segment_keeps_its_number() {
    let mut window = window(12);
    window.push_init(init("one"));
    push_segments(&mut window, 1);
    window.push_init(init("one"));
    push_segments(&mut window, 1);
    let playlist = media_playlist(&window.snapshot(), false, &[]);
    assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    assert_eq!(playlist.matches("#EXT-X-MAP:").count(), 1);
}

#[test]
fn a_continued_window_goes_on_where_the_other_stopped() {
    let mut before = window(12);
    before.push_init(init("one"));
    push_segments(&mut before, 3);
    before.push_init(init("two"));
    push_segments(&mut before, 1);
    let at = before.position();
    assert_eq!((at.msn, at.part, at.init, at.discontinuity_sequence), (4, 0, 1, 1));
    let mut after = Window::continued(
        WindowConfig { package: PackageConfig::default(), length: MediaTime::from_ms(12_000) },
        Position { msn: 3, part: 0, init: 1, discontinuity: true, discontinuity_sequence: 0 },
    );
    after.push_init(init("two"));
    push_segments(&mut after, 1);
    assert_eq!(after.position(), at);
    assert_eq!(media_playlist(&after.snapshot(), false, &[]).matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    after.push_init(init("three"));
    after.push_part(part(&after, PART_MS));
    assert_eq!(after.position().init, 2);
}

#[test]
fn delta_updates_leave_out_what_is_old() {
    let mut window = window(60);
    window.push_init(init("one"));
    push_segments(&mut window, 11);
    assert!(!window.snapshot().can_skip(), "23.1 s are within the skip boundary");
    push_segments(&mut window, 3);
    let delta = media_playlist(&window.snapshot(), true, &[]);
    assert!(delta.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n"), "{delta}");
    assert!(!delta.contains("\n1.m4s\n") && delta.contains("\n2.m4s\n"), "{delta}");
    assert!(!delta.contains("#EXT-X-MAP"), "known from the segments left out");
}

#[test]
fn an_ended_playlist_hints_at_nothing() {
    let mut window = window(30);
    window.push_init(init("one"));
    push_segments(&mut window, 1);
    window.end();
    window.push_part(part(&window, PART_MS));
    let playlist = media_playlist(&window.snapshot(), false, &[]);
    assert!(playlist.ends_with("#EXT-X-ENDLIST\n") && !playlist.contains("PRELOAD-HINT"), "{playlist}");
    assert_eq!(window.snapshot().part(1, 0), Lookup::Gone);
}

#[test]
fn bandwidth_holds_for_every_segment_and_never_shrinks() {
    let mut window = window(30);
    window.push_init(init("one"));
    let mut last = 0;
    for bytes in [500_000, 700_000, 100_000, 100_000] {
        for _ in 0..2 {
            let mut large = part(&window, 1000);
            large.data = Bytes::from(vec![0; bytes / 2]);
            window.push_part(large);
        }
        window.end_segment();
        let bandwidth = window.snapshot().bandwidth();
        assert!(bandwidth.peak_bps >= bytes as u64 * 4 && bandwidth.peak_bps >= last, "{bandwidth:?}");
        assert!(bandwidth.average_bps.is_some_and(|average| average <= bandwidth.peak_bps));
        last = bandwidth.peak_bps;
    }
}
