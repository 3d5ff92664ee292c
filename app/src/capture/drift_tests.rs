//! Sound cards that are off, machines that are late, samples that are lost; an hour each.

use super::*;
use crate::capture::sound::{Aligner, Block};

/// Samples of a block.
const BLOCK: u64 = 960;
/// The smallest delay between capture and arrival, seconds.
const DELAY_S: f64 = 0.002;

/// A sound card as it is seen by a program.
struct Card {
    nominal_rate: f64,
    /// Really so much faster, millionths.
    off_ppm: f64,
    /// Arrivals are late by up to this, seconds.
    jitter_s: f64,
    seed: u64,
    /// Real time that was lost by lost samples, seconds.
    lost_s: f64,
    count: u64,
}

impl Card {
    fn new(off_ppm: f64, jitter_s: f64) -> Self {
        Self { nominal_rate: 48_000.0, off_ppm, jitter_s, seed: 0x5eed, lost_s: 0.0, count: 0 }
    }

    fn random(&mut self) -> f64 {
        // xorshift64*
        self.seed ^= self.seed >> 12;
        self.seed ^= self.seed << 25;
        self.seed ^= self.seed >> 27;
        (self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// When a sample really was captured.
    fn captured_s(&self, index: f64) -> f64 {
        100.0 + self.lost_s + index / (self.nominal_rate * (1.0 + self.off_ppm * 1e-6))
    }

    /// The next block: number of the sample after its last, and when it seems to have been captured.
    fn next(&mut self) -> (u64, f64) {
        self.count += BLOCK;
        let late_s = self.random() * self.jitter_s;
        (self.count, self.captured_s(self.count as f64) + DELAY_S + late_s)
    }
}

/// An hour of blocks, less what comes before the clock is known; the largest error, milliseconds.
fn worst_ms(card: &mut Card, mut every_block: impl FnMut(&mut Card, u64)) -> f64 {
    let mut drift = Drift::new(48_000);
    let mut worst_s: f64 = 0.0;
    for block in 0..3600 * 48_000 / BLOCK {
        every_block(card, block);
        let (index, seen_s) = card.next();
        drift.observe(index, seen_s);
        if block > 50 {
            let error_s = drift.time_of(index as f64) - card.captured_s(index as f64);
            worst_s = worst_s.max(error_s.abs());
        }
    }
    worst_s * 1000.0
}

#[test]
fn an_hour_of_a_card_that_is_off_is_known_to_a_few_milliseconds() {
    for off_ppm in [-300.0, -50.0, 0.0, 50.0, 300.0] {
        let worst_ms = worst_ms(&mut Card::new(off_ppm, 0.010), |_, _| {});
        assert!(worst_ms < 8.0, "{off_ppm} ppm: {worst_ms:.2} ms");
    }
}

#[test]
fn without_correction_the_same_hour_would_be_a_second_off() {
    let card = Card::new(300.0, 0.010);
    let end = 3600.0 * 48_000.0;
    let off_s = 100.0 + end / 48_000.0 - card.captured_s(end);
    assert!(off_s > 1.0, "the test's card is off by {off_s:.3} s");
}

#[test]
fn a_machine_that_hiccups_for_a_tenth_of_a_second_moves_nothing() {
    let mut card = Card::new(80.0, 0.004);
    let mut drift = Drift::new(48_000);
    let mut worst_s: f64 = 0.0;
    for block in 0..600 * 50_u64 {
        let (index, seen_s) = card.next();
        // Every ten seconds five blocks come together with the sixth.
        let phase = block % 500;
        let seen_s = if phase >= 494 { seen_s + (499 - phase) as f64 * 0.020 } else { seen_s };
        let verdict = drift.observe(index, seen_s);
        assert!(!matches!(verdict, Verdict::Jumped(_)), "block {block}: {verdict:?}");
        if block > 50 {
            worst_s = worst_s.max((drift.time_of(index as f64) - card.captured_s(index as f64)).abs());
        }
    }
    assert!(worst_s < 0.008, "{:.2} ms", worst_s * 1000.0);
}

#[test]
fn a_server_that_is_a_block_late_for_seconds_and_early_again_moves_sound_little_and_never_at_once() {
    let mut card = Card::new(40.0, 0.003);
    let mut drift = Drift::new(48_000);
    let mut worst_s: f64 = 0.0;
    for block in 0..3600 * 50_u64 {
        let (index, seen_s) = card.next();
        let late_s = if block / 350 % 2 == 1 { 0.020 } else { 0.0 };
        let verdict = drift.observe(index, seen_s + late_s);
        assert!(!matches!(verdict, Verdict::Jumped(_)), "block {block}: {verdict:?}");
        // Once the clock is known.
        if block > 1500 {
            worst_s = worst_s.max((drift.time_of(index as f64) - card.captured_s(index as f64)).abs());
        }
    }
    assert!(worst_s < 0.020, "{:.2} ms", worst_s * 1000.0);
}

#[test]
fn lost_samples_are_noticed_within_a_quarter_of_a_second() {
    let mut card = Card::new(-120.0, 0.005);
    let mut drift = Drift::new(48_000);
    let mut wrong_blocks = 0;
    let mut longest = 0;
    for block in 0..3600 * 50_u64 {
        if block % 15_000 == 14_999 {
            card.lost_s += 0.080;
        }
        let (index, seen_s) = card.next();
        drift.observe(index, seen_s);
        let error_s = drift.time_of(index as f64) - card.captured_s(index as f64);
        if block > 50 && error_s.abs() > 0.020 {
            wrong_blocks += 1;
            longest = longest.max(wrong_blocks);
        } else {
            wrong_blocks = 0;
        }
    }
    assert!(longest > 0, "samples were lost in this test");
    assert!(longest <= 13, "sound was off for {longest} blocks of 20 ms");
}

#[test]
fn a_clock_that_warms_up_is_followed() {
    let mut card = Card::new(20.0, 0.006);
    let worst_ms = worst_ms(&mut card, |card, block| {
        // Ten millionths within twenty minutes: the past stays where it was.
        if block % 50 == 0 && block < 60_000 {
            let here_s = card.captured_s(card.count as f64);
            card.off_ppm += 10.0 / 1200.0;
            card.lost_s += here_s - card.captured_s(card.count as f64);
        }
    });
    assert!(worst_ms < 8.0, "{worst_ms:.2} ms");
}

/// What really comes out of the whole: a click each second of real time must be heard at that second.
#[test]
fn clicks_of_an_hour_are_heard_when_they_were_made() {
    for (off_ppm, lost_s, seconds) in [(300.0, 0.0, 3600), (-300.0, 0.0, 900), (-60.0, 0.050, 1800)] {
        let mut card = Card::new(off_ppm, 0.010);
        let mut aligner = Aligner::new(48_000);
        let (mut worst_s, mut clicks, mut last_end_s): (f64, u64, f64) = (0.0, 0, 0.0);
        for block in 0..seconds * 50 {
            if block % 30_000 == 29_999 {
                card.lost_s += lost_s;
            }
            let begin = card.count;
            let (end, end_s) = card.next();
            // A click is one sample, the first of a second of real time.
            let second = |index: u64| card.captured_s(index as f64).floor();
            let samples = (begin..end)
                .map(|index| if second(index) > second(index - index.min(1)) { [1.0; 2] } else { [0.0; 2] });
            let Some(piece) = aligner.take(&Block { samples: samples.collect(), end_s }) else { continue };
            assert!(piece.begin_s > last_end_s - 1e-9, "sound goes back");
            assert!(piece.is_new || piece.begin_s - last_end_s < 1e-6, "sound has a hole that nobody is told of");
            last_end_s = piece.begin_s + (piece.bytes.len() / 8) as f64 / 48_000.0;
            let left = |index: usize| f32::from_le_bytes(piece.bytes[index * 8..index * 8 + 4].try_into().unwrap());
            for index in (0..piece.bytes.len() / 8).filter(|index| left(*index) > 0.6) {
                let heard_s = piece.begin_s + index as f64 / 48_000.0;
                clicks += 1;
                // What was lost a moment ago may not be known yet.
                let is_settled = block > 500 && (lost_s == 0.0 || block % 30_000 > 20);
                if is_settled {
                    worst_s = worst_s.max((heard_s - heard_s.round()).abs());
                }
            }
        }
        assert!(clicks > seconds * 9 / 10, "{clicks} clicks were heard");
        assert!(worst_s < 0.020, "{off_ppm} ppm: {:.2} ms", worst_s * 1000.0);
    }
}
