//! Whatever may happen to a publisher, in any order.

use proptest::prelude::*;

use super::show::{RENDITION, Show, picture, sound};
use crate::{pipeline::PipelineError, unit::Media};

/// Something that happens to a publisher.
#[derive(Debug, Clone)]
enum Event {
    Play(i64),
    WithoutVideo(i64),
    WithoutAudio(i64),
    /// Nothing is sent.
    Outage(i64),
    /// Time passes; what was due comes after it.
    Stall(i64),
    /// Its clock changes.
    Jump(i64),
    /// Pictures with these errors in their timestamps, milliseconds.
    Jitter(Vec<i64>),
    Resolution(usize),
    SampleRate(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (100..4000_i64).prop_map(Event::Play),
        1 => (20..4000_i64).prop_map(Event::WithoutVideo),
        1 => (20..6000_i64).prop_map(Event::WithoutAudio),
        1 => (20..9000_i64).prop_map(Event::Outage),
        1 => (20..3000_i64).prop_map(Event::Stall),
        1 => (-100_000..100_000_i64).prop_map(Event::Jump),
        1 => (-3000..3000_i64).prop_map(Event::Jump),
        1 => prop::collection::vec(-60..90_i64, 1..80).prop_map(Event::Jitter),
        1 => (0..2_usize).prop_map(Event::Resolution),
        1 => (3..5_u8).prop_map(Event::SampleRate),
    ]
}

impl Event {
    fn happen(self, show: &mut Show) {
        match self {
            Self::Play(ms) => show.play(ms, true, true),
            Self::WithoutVideo(ms) => show.play(ms, false, true),
            Self::WithoutAudio(ms) => show.play(ms, true, false),
            Self::Outage(ms) => show.play(ms, false, false),
            Self::Stall(ms) => show.now_ms += ms,
            Self::Jump(ms) => show.clock_ms += ms,
            Self::Jitter(offsets_ms) => {
                for ms in offsets_ms {
                    let dts = show.stamp(show.video_ticks(show.next_video) + ms * 90);
                    let keyframe = show.next_video % show.gop == 0;
                    show.next_video += 1;
                    show.send_picture(dts, keyframe);
                }
            }
            Self::Resolution(record) => show.feed(Media::VideoConfig(RENDITION, picture(record))),
            Self::SampleRate(index) => show.feed(Media::AudioConfig(RENDITION, sound(index))),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Everything that viewers get keeps every rule (the witness checks), frames stay in order, and none comes twice.
    #[test]
    fn nothing_a_publisher_does_breaks_a_rule(
        rate in prop::sample::select(vec![(30, 1), (30_000, 1001), (25, 1), (60, 1), (12, 1), (5, 1), (2, 1), (1, 2)]),
        gop in prop::sample::select(vec![1_i64, 5, 10, 30, 60, 120, 250]),
        rounded: bool,
        sample_rate in prop::sample::select(vec![None, Some(48_000_i64), Some(44_100)]),
        events in prop::collection::vec(event(), 1..12),
    ) {
        let mut show = Show::new(rate, gop);
        show.rounded = rounded;
        show.audio = sample_rate;
        show.feed(Media::VideoConfig(RENDITION, picture(0)));
        if let Some(rate) = sample_rate {
            show.feed(Media::AudioConfig(RENDITION, sound(if rate == 48_000 { 3 } else { 4 })));
        }
        for event in events {
            event.happen(&mut show);
        }
        let show = show.departed();
        let tolerated = matches!(show.refused, None | Some(PipelineError::NoKeyframe { .. }));
        prop_assert!(tolerated, "{:?}", show.refused);
        let seen = show.seen_video();
        prop_assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "frames in order, each once");
        prop_assert_eq!(show.packager.stats().video_frames as usize, seen.len(), "what is counted is what viewers get");
    }
}
