//! A sound card's clock against the production's: pure numbers, no clock and no sound in here.
//!
//! A card that says 48 000 samples per second gives 47 990 or 48 010; after an hour that is a second. [`Drift`] learns,
//! block by block, which sample was captured when: a line (phase and rate) through what is seen. What is seen comes
//! late by scheduling, never early; therefore the *earliest* of each second counts, not the mean, and a loaded machine
//! does not push sound back. The line is corrected like a phase-locked loop does it: fast at first, slowly when it is
//! known, so that the pitch never wobbles. Only what no clock explains, lost samples, makes it jump.

use std::collections::VecDeque;

/// How much of what is seen makes one correction, seconds.
const WINDOW_S: f64 = 1.0;
/// Corrections that are made fast.
const FAST_WINDOWS: u32 = 12;
/// How much of an error goes into phase and rate, at first: settled within seconds.
const FAST: (f64, f64) = (0.5, 0.08);
/// The same later: critically damped, about a quarter of a minute.
const SLOW: (f64, f64) = (0.1, 0.005);
/// What is further off than this, seconds, is not the clock, and teaches nothing about its rate: sound servers change
/// the size of what they hand over at once, and lose a block. The phase follows nevertheless.
const MAX_ERROR_S: f64 = 0.002;
/// No quartz is further off than this.
const MAX_RATE_ERROR: f64 = 0.002;
/// So much too late or too early, samples were lost or the first ones were old, seconds: more than a block, which
/// servers are late by and early again.
const JUMP_S: f64 = 0.030;
/// Blocks that must agree that it is too late: after a hiccup of the machine, those that waited follow at once.
const AGREEING_BLOCKS: usize = 12;
/// Blocks before the first that is believed: devices hand over what is stale at first.
const SETTLING_BLOCKS: u32 = 10;

/// What a block of samples says about the line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// Too early to say anything: the samples are not used.
    Settling,
    /// As expected.
    Steady,
    /// The line jumped: samples from here on were captured so much later (negative: earlier) than it said, seconds.
    Jumped(f64),
}

/// Which sample of a device was captured when.
#[derive(Debug, Clone)]
pub(super) struct Drift {
    nominal_rate: f64,
    /// A point of the line: this sample…
    anchor_index: f64,
    /// …was captured at this time, seconds.
    anchor_s: f64,
    /// Its slope: seconds per sample, as a share of the nominal one.
    stretch: f64,
    blocks: u32,
    windows: u32,
    window_end_s: f64,
    earliest_s: f64,
    recent: VecDeque<f64>,
}

impl Drift {
    /// For a device of so many samples per second.
    pub(super) fn new(nominal_rate: u32) -> Self {
        Self {
            nominal_rate: f64::from(nominal_rate),
            anchor_index: 0.0,
            anchor_s: 0.0,
            stretch: 1.0,
            blocks: 0,
            windows: 0,
            window_end_s: 0.0,
            earliest_s: f64::INFINITY,
            recent: VecDeque::with_capacity(AGREEING_BLOCKS),
        }
    }

    /// A block has come: `index` is the number of the sample after its last, which was captured about `time_s`.
    pub(super) fn observe(&mut self, index: u64, time_s: f64) -> Verdict {
        let index = index as f64;
        self.blocks = self.blocks.saturating_add(1);
        let error_s = time_s - self.time_of(index);
        if self.blocks <= SETTLING_BLOCKS {
            // The earliest of them is the line's first point.
            if self.blocks == 1 || error_s < 0.0 {
                self.move_to(index, time_s);
            }
            self.window_end_s = time_s + WINDOW_S;
            return Verdict::Settling;
        }
        if self.recent.len() == AGREEING_BLOCKS {
            self.recent.pop_front();
        }
        self.recent.push_back(error_s);
        let least_late_s = self.recent.iter().copied().fold(f64::INFINITY, f64::min);
        let is_late = self.recent.len() == AGREEING_BLOCKS && least_late_s > JUMP_S;
        if is_late || error_s < -JUMP_S {
            let jump_s = if is_late { least_late_s } else { error_s };
            self.anchor_s += jump_s;
            self.restart_window(time_s);
            return Verdict::Jumped(jump_s);
        }
        self.earliest_s = self.earliest_s.min(error_s);
        if time_s >= self.window_end_s {
            self.correct(index);
            self.restart_window(time_s);
        }
        Verdict::Steady
    }

    /// When a sample was captured, seconds.
    pub(super) fn time_of(&self, index: f64) -> f64 {
        self.anchor_s + (index - self.anchor_index) * self.stretch / self.nominal_rate
    }

    /// Which sample was captured then.
    pub(super) fn index_at(&self, time_s: f64) -> f64 {
        self.anchor_index + (time_s - self.anchor_s) * self.rate()
    }

    /// Samples per second of the production's clock.
    pub(super) fn rate(&self) -> f64 {
        self.nominal_rate / self.stretch
    }

    fn correct(&mut self, index: f64) {
        let is_fast = self.windows < FAST_WINDOWS;
        let (to_phase, to_rate) = if is_fast { FAST } else { SLOW };
        let error_s = self.earliest_s;
        let now_s = self.time_of(index);
        self.move_to(index, now_s + to_phase * error_s);
        if error_s.abs() <= MAX_ERROR_S {
            let stretch = self.stretch + to_rate * error_s / WINDOW_S;
            self.stretch = stretch.clamp(1.0 - MAX_RATE_ERROR, 1.0 + MAX_RATE_ERROR);
        }
        self.windows = self.windows.saturating_add(1);
    }

    fn move_to(&mut self, index: f64, time_s: f64) {
        self.anchor_index = index;
        self.anchor_s = time_s;
    }

    fn restart_window(&mut self, now_s: f64) {
        self.window_end_s = now_s + WINDOW_S;
        self.earliest_s = f64::INFINITY;
        self.recent.clear();
    }
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
