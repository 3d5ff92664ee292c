//! What may happen to a publisher, one thing at a time.

use bytes::Bytes;

use super::show::{EPOCH_MS, RENDITION, Show, picture, sound};
use crate::{
    pipeline::{PackageConfig, Packager, PipelineError, PipelineLimits, Resume, Warning, witness::Witness},
    time::{MediaTime, UnixTime},
    unit::{Media, RenditionId, Track, Unit},
};

/// What sound may be off: three quarters of a frame, and rounding; ticks.
const SOUND_OFF: i64 = 20 * 90;
const PICTURE_AND_SOUND: &str = "avc1.640028,mp4a.40.2";

#[test]
fn an_undeclared_sound_is_waited_for_but_not_long() {
    let mut show = Show::new((30, 1), 60);
    show.feed(Media::VideoConfig(RENDITION, picture(0)));
    show.play(600, true, false);
    assert!(show.witness.renditions.is_empty(), "sound may still come");
    show.feed(Media::AudioConfig(RENDITION, sound(3)));
    show.play(400, true, true);
    assert_eq!(show.codecs(), PICTURE_AND_SOUND);

    let mut late = Show::new((30, 1), 60);
    late.feed(Media::VideoConfig(RENDITION, picture(0)));
    late.play(3000, true, false);
    assert_eq!(late.codecs(), "avc1.640028");
    late.feed(Media::AudioConfig(RENDITION, sound(3)));
    late.play(3000, true, true);
    let late = late.end();
    assert_eq!(late.codecs(), PICTURE_AND_SOUND);
    assert_eq!(late.seen_video(), late.sent_video, "nothing of the picture is lost over it");
    assert!(late.skew() <= SOUND_OFF);
}

#[test]
fn another_resolution_begins_a_range_with_its_own_init_segment() {
    let mut show = Show::new((30, 1), 60).configured();
    show.play(4500, true, true);
    show.feed(Media::VideoConfig(RENDITION, picture(1)));
    show.next_video = (show.next_video / 60 + 1) * 60;
    show.play(4500, true, true);
    let show = show.end();
    assert_eq!(show.seen_video(), show.sent_video);
    let snapshot = show.witness.first().window.snapshot();
    assert_eq!(snapshot.latest_init().and_then(|init| init.resolution), Some((640, 360)));
    assert!(snapshot.init(0).is_some() && snapshot.init(1).is_some());
    assert!(show.skew() <= SOUND_OFF, "{}", show.skew());
}

#[test]
fn a_picture_larger_than_allowed_is_refused() {
    let limits = PipelineLimits { max_width: 1280, max_height: 720, ..PipelineLimits::default() };
    let mut packager = Packager::new(PackageConfig::default(), limits, Resume::default());
    let fed = packager.feed(UnixTime::from_ms(EPOCH_MS), Media::VideoConfig(RENDITION, picture(0)));
    assert_eq!(fed, Err(PipelineError::Resolution { width: 1920, height: 1080, max_width: 1280, max_height: 720 }));
}

#[test]
fn a_publisher_without_keyframes_is_told() {
    let mut show = Show::new((30, 1), i64::MAX);
    show.next_video = 1;
    let mut show = show.configured();
    show.play(9900, true, true);
    assert!(show.witness.renditions.is_empty());
    assert_eq!(show.refused, None);
    show.play(300, true, true);
    assert!(matches!(show.refused, Some(PipelineError::NoKeyframe { waited_ms: 10_000.. })), "{:?}", show.refused);
}

#[test]
fn joining_in_the_middle_starts_at_a_keyframe_with_sound_beside_it() {
    let mut show = Show::new((30, 1), 60);
    (show.next_video, show.next_audio) = (25, 39);
    let mut show = show.configured();
    show.play(8000, true, true);
    let show = show.end();
    assert_eq!(show.seen_video(), show.sent_video[35..]);
    assert!(show.skew() <= SOUND_OFF);
    let first_sound = show.witness.first().track(Track::Audio).next().expect("sound").pts;
    assert!((0..1024).contains(&first_sound), "{first_sound} samples after the picture");
}

#[test]
fn lost_sound_becomes_silence_and_lost_pictures_a_longer_frame() {
    let mut show = Show::new((30, 1), 60).configured();
    show.play(3000, true, true);
    show.play(400, true, false);
    show.play(2000, true, true);
    show.play(900, false, true);
    show.play(4000, true, true);
    show.play(1200, false, false);
    show.play(4000, true, true);
    let show = show.end();
    assert_eq!(show.seen_video(), show.sent_video);
    assert_eq!(show.ranges(), 1, "no discontinuity");
    assert!(show.skew() <= SOUND_OFF, "{} ticks", show.skew());
    assert!(show.packager.stats().filled_frames >= (400 + 1200) * 48 / 1024 - 2);
}

#[test]
fn sound_that_stops_is_replaced_and_comes_back_in_time() {
    let mut show = Show::new((30, 1), 60).configured();
    show.play(3000, true, true);
    show.play(10_000, true, false);
    let sound_end_ms = show.witness.first().track(Track::Audio).last().expect("sound").pts / 48;
    assert!(sound_end_ms > 10_000, "silence up to {sound_end_ms} ms");
    show.play(5000, true, true);
    let show = show.end();
    assert_eq!(show.seen_video(), show.sent_video);
    assert!(show.skew() <= SOUND_OFF, "{} ticks", show.skew());
}

#[test]
fn a_picture_that_stops_leaves_the_sound_and_comes_back_with_a_keyframe() {
    let mut show = Show::new((30, 1), 60).configured();
    show.play(3000, true, true);
    show.play(4000, false, true);
    let end = show.witness.first().window.snapshot().end();
    assert!(end > MediaTime::from_ms(6500), "sound goes on: {end:?}");
    show.play(5000, true, true);
    let show = show.end();
    let missing = show.sent_video.len() - show.seen_video().len();
    assert!(missing < 60, "{missing} frames lost while a keyframe was waited for");
    assert!(show.skew() <= SOUND_OFF, "{} ticks", show.skew());
}

#[test]
fn a_jump_of_the_publishers_clock_is_a_discontinuity_in_step_with_the_wall() {
    for jump_ms in [-60_000, -1000, 7000, 3_600_000] {
        let mut show = Show::new((30, 1), 60).configured();
        show.play(4000, true, true);
        show.clock_ms += jump_ms;
        show.play(8000, true, true);
        let show = show.end();
        let warnings = &show.witness.warnings;
        assert!(matches!(warnings[..], [Warning::ClockJump { .. }]), "{jump_ms}: {warnings:?}");
        let end = show.witness.first().window.snapshot().end();
        assert!((end.as_ms() - 12_000).abs() < 100, "{jump_ms}: {end:?}");
        assert_eq!(show.ranges(), 2);
    }
}

#[test]
fn sound_on_a_clock_of_its_own_is_brought_to_the_picture() {
    let mut show = Show::new((30, 1), 60).configured();
    show.next_audio = 100 * 48_000 / 1024; // its timestamps are 100 s ahead, its arrival is not
    for _ in 0..(6 * 30) {
        show.send_video();
        show.now_ms += 33;
        show.send_audio();
    }
    let show = show.end();
    assert_eq!(show.seen_video(), show.sent_video);
    let heard = show.witness.first().track(Track::Audio).filter(|sample| sample.data.len() == 8).count();
    assert!(heard > 60, "{heard} frames of sound are heard");
}

#[test]
fn a_publisher_who_returns_goes_on_above_what_is_there() {
    let mut first = Show::new((30, 1), 60).configured();
    first.play(5000, true, true);
    let first = first.end();
    let base = first.witness.first().window.snapshot().end() + MediaTime::from_ms(7000);
    let mut second = Show::resumed((25, 1), 50, Resume { base }, first.witness);
    (second.clock_ms, second.now_ms, second.next_video, second.next_audio) = (0, 12_000, 300, 563);
    let mut second = second.configured();
    second.play(5000, true, true);
    let second = second.end();
    let end = second.witness.first().window.snapshot().end();
    assert_eq!((end.as_ms(), second.ranges()), (17_000, 2));
}

#[test]
fn several_renditions_share_one_timeline() {
    let mut packager = Packager::new(PackageConfig::default(), PipelineLimits::default(), Resume::default());
    let mut witness = Witness::new(PackageConfig::default());
    let renditions = [0, 1].map(RenditionId);
    for rendition in renditions {
        let media = Media::VideoConfig(rendition, picture(usize::from(rendition.0)));
        packager.feed(UnixTime::from_ms(EPOCH_MS), media).expect("a configuration");
    }
    for frame in 0..300 {
        for rendition in renditions {
            // The second one's keyframes come ten frames later.
            let keyframe = (frame + 50 * i64::from(rendition.0)) % 60 == 0;
            let dts = MediaTime::from_ticks(frame * 3000 + 1_000_000);
            let data = Bytes::copy_from_slice(&dts.ticks().to_be_bytes());
            let unit = Unit { rendition, track: Track::Video, pts: dts, dts, keyframe, data };
            let now = UnixTime::from_ms(EPOCH_MS + frame * 33);
            packager.feed(now, Media::Unit(unit)).expect("good media");
        }
    }
    packager.finish();
    while let Some(output) = packager.poll() {
        witness.take(output);
    }
    assert_eq!(witness.renditions.len(), 2);
    for sample in witness.renditions.values().flat_map(|seen| &seen.samples) {
        let told = i64::from_be_bytes(*sample.data.first_chunk().expect("a timestamp"));
        assert!((sample.pts - told + 1_000_000).abs() <= 100, "the same offset for both");
    }
}
