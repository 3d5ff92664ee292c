//! Test pictures and tones: what tests of the whole rely on.

use gstreamer::ClockTime;
use gstreamer_video::prelude::*;
use skylark_protocol::studio::{Input, Pattern};

use crate::stage::{Came, Stage, Told, loudness_of};

/// The number in a counter's picture, and whether it flashes: read at the middles of its cells.
fn read(came: &Came) -> (u64, bool) {
    let info = came.format();
    let frame = gstreamer_video::VideoFrameRef::from_buffer_ref_readable(came.sample.buffer().unwrap(), &info).unwrap();
    let luma = frame.plane_data(0).unwrap();
    let stride = frame.plane_stride()[0] as usize;
    let cell = |column: usize, row: usize| {
        let (x, y) = ((2 * column + 1) * info.width() as usize / 32, (2 * row + 1) * info.height() as usize / 18);
        luma[y * stride + x] > 128
    };
    let number = (0..16).filter(|column| cell(*column, 0)).fold(0, |number, bit| number | 1 << bit);
    (number, cell(5, 8))
}

#[test]
fn the_counter_counts_frames_of_running_time_and_flashes_each_second() {
    let stage = Stage::new(Input::Test { pattern: Pattern::Counter });
    let came: Vec<_> = (0..70).map(|_| stage.picture()).collect();
    assert_eq!(stage.told(), Told::Running(640, 360));
    let numbers: Vec<u64> = came.iter().map(|one| read(one).0).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    let missing = numbers.last().unwrap() - numbers[0] + 1 - numbers.len() as u64;
    assert!(missing <= 2, "{missing} frames are missing: {numbers:?}");
    for one in &came {
        let (number, is_flashing) = read(one);
        assert_eq!(one.at, ClockTime::from_nseconds(number * 1_000_000_000 / 30));
        assert_eq!(is_flashing, number % 30 < 3, "frame {number}");
    }
}

#[test]
fn other_test_pictures_come_at_the_pace_of_the_canvas() {
    for pattern in [Pattern::Bars, Pattern::Ball, Pattern::Snow] {
        let stage = Stage::new(Input::Test { pattern });
        let came: Vec<_> = (0..15).map(|_| stage.picture()).collect();
        assert_eq!(stage.told(), Told::Running(640, 360));
        for one in &came {
            assert!(one.age_ms().abs() < 34.0, "{pattern:?}: {:.1} ms", one.age_ms());
        }
    }
}

#[test]
fn the_tone_has_its_pitch_and_level_and_begins_with_the_second() {
    let mut stage = Stage::new(Input::Tone { frequency_hz: 660, level_db: -6 });
    let (begin, samples) = stage.hear(2.5);
    // The first second of running time that begins in it.
    let begin_sample = (begin.nseconds() as f64 * 48e-6).round() as usize;
    let second = begin_sample.next_multiple_of(48_000) - begin_sample;
    let loud = &samples[second..second + 40_000];
    assert!((loudness_of(loud, 660.0) - 0.501).abs() < 0.01, "{}", loudness_of(loud, 660.0));
    assert!(loudness_of(loud, 1000.0) < 0.01);
    let quiet = &samples[second + 48_000 - 4700..second + 48_000];
    assert!(quiet.iter().all(|sample| sample.abs() < 1e-6), "the last tenth of a second is silent");
    assert!(samples[second + 48_000..second + 48_100].iter().any(|sample| sample.abs() > 0.1), "the next begins");
    assert!(stage.capture.as_mut().unwrap().update(&Input::Tone { frequency_hz: 1000, level_db: -20 }));
    while stage.sounds.try_recv().is_ok() {}
    let (_, samples) = stage.hear(1.5);
    assert!(loudness_of(&samples[24_000..], 1000.0) > 0.07, "{}", loudness_of(&samples[24_000..], 1000.0));
}
