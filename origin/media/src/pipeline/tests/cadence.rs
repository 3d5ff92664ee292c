//! Parts and segments of publishers who behave.

use super::show::Show;
use crate::{
    package::playlist::media_playlist,
    pipeline::{PackageConfig, Warning},
    time::MediaTime,
    unit::Track,
};

/// Rounding that the timeline takes out, twice, ticks.
const ROUNDING: i64 = 200;

#[test]
fn thirty_frames_per_second_make_parts_of_nine_frames_exactly() {
    let mut show = Show::new((30, 1), 60).configured();
    show.play(20_000, true, true);
    let show = show.end();
    let durations: Vec<_> = show.witness.first().parts.iter().map(|(_, duration, _)| duration.ticks()).collect();
    let (whole, last) = (27_000, 18_000);
    for segment in durations[..63].chunks(7) {
        assert_eq!(segment, [whole, whole, whole, whole, whole, whole, last]);
    }
    assert_eq!(show.seen_video(), show.sent_video);
    assert!(show.skew() <= ROUNDING, "{} ticks", show.skew());
}

#[test]
fn a_part_is_there_with_its_last_frame_and_not_with_the_one_after() {
    let mut show = Show::new((30, 1), 60).configured();
    show.play(6000 + 290, true, true);
    let end = show.witness.first().window.snapshot().end();
    assert_eq!(end, MediaTime::from_ms(6300), "frame 188 came at 6267 ms and ends the part");
}

#[test]
fn every_usual_frame_rate_keeps_the_part_target() {
    for (frames, seconds) in
        [(24_000, 1001), (24, 1), (25, 1), (30_000, 1001), (50, 1), (60_000, 1001), (60, 1), (15, 1)]
    {
        for rounded in [true, false] {
            let mut show = Show::new((frames, seconds), 2 * frames / seconds).configured();
            show.rounded = rounded;
            show.play(30_000, true, true);
            let show = show.end();
            assert_eq!(show.seen_video(), show.sent_video, "{frames}/{seconds}");
            assert!(show.skew() <= ROUNDING, "{} ticks at {frames}/{seconds}", show.skew());
            // The parameter sets say 30; by then it has been found out.
            let frame = 90_000 * seconds / frames;
            let regular = show.witness.first().track(Track::Video).skip(250);
            assert!(regular.into_iter().all(|sample| (sample.duration - frame).abs() <= 1), "{frames}/{seconds}");
        }
    }
}

#[test]
fn low_frame_rates_are_cut_within_frames() {
    for (frames, seconds) in [(12, 1), (8, 1), (5, 1), (1, 1)] {
        let mut show = Show::new((frames, seconds), 4 * frames / seconds).configured();
        show.play(30_000, true, true);
        let show = show.end();
        assert_eq!(show.seen_video(), show.sent_video, "{frames}/{seconds}");
        assert!(show.skew() <= ROUNDING, "{} ticks at {frames}/{seconds}", show.skew());
    }
}

#[test]
fn a_frame_every_two_seconds_is_still_shown_if_it_is_a_keyframe() {
    let mut show = Show::new((1, 2), 1).configured();
    show.play(30_000, true, true);
    let show = show.end();
    assert_eq!(show.seen_video(), show.sent_video);
}

#[test]
fn a_gop_longer_than_a_segment_may_be_is_cut_inside_and_warned_of_once() {
    let mut show = Show::new((30, 1), 250).configured();
    show.play(60_000, true, true);
    let show = show.end();
    assert_eq!(show.seen_video(), show.sent_video);
    assert_eq!(show.witness.warnings.len(), 1, "{:?}", show.witness.warnings);
    let Some(Warning::LongGop { gop_ms }) = show.witness.warnings.first() else { panic!("another warning") };
    assert!((4000..8400).contains(gop_ms), "{gop_ms}");
    let playlist = media_playlist(&show.witness.first().window.snapshot(), false, &[]);
    assert!(!playlist.contains("INDEPENDENT-SEGMENTS"), "{playlist}");
    let starts = playlist.lines().filter(|line| line.contains(".0.m4s\"")).filter(|line| !line.contains("INDEPENDENT"));
    assert!(starts.count() > 0, "a segment that starts without a keyframe does not claim one: {playlist}");
}

#[test]
fn segments_follow_the_keyframes() {
    for (gop, segment) in [(15, "2.0"), (30, "2.0"), (60, "2.0"), (75, "2.5"), (120, "4.0")] {
        let mut show = Show::new((30, 1), gop).configured();
        show.play(21_000, true, true);
        let playlist = media_playlist(&show.witness.first().window.snapshot(), false, &[]);
        let durations: Vec<_> = playlist.lines().filter_map(|line| line.strip_prefix("#EXTINF:")).collect();
        assert!(durations.len() >= 5, "GOP {gop}: {playlist}");
        assert!(durations.iter().all(|duration| *duration == format!("{segment},")), "GOP {gop}: {durations:?}");
    }
}

#[test]
fn sound_alone_and_picture_alone() {
    let mut radio = Show::new((30, 1), 60);
    radio.video = false;
    let mut radio = radio.configured();
    radio.play(15_000, false, true);
    let radio = radio.end();
    assert!(radio.witness.first().track(Track::Audio).count() > 690);
    assert!(radio.skew() <= ROUNDING);

    let mut silent = Show::new((30, 1), 60);
    silent.audio = None;
    let mut silent = silent.configured();
    silent.play(15_000, true, false);
    let silent = silent.end();
    assert_eq!(silent.seen_video(), silent.sent_video);
}

#[test]
fn the_target_duration_is_that_of_the_longest_segment() {
    assert_eq!(PackageConfig::default().target_duration_s(), 4);
    let config = PackageConfig { segment_max: MediaTime::from_ms(4001), ..PackageConfig::default() };
    assert_eq!(config.target_duration_s(), 5);
}
