//! Keeps the picture as close to the live edge as this connection allows.
//!
//! Media arrives in strides (parts of 0.3 s). Right after an arrival the buffer is full, right before the next it is
//! at its lowest. That trough is all the safety there is: a smaller one means less latency, none means a stall. So the
//! controller watches the troughs of the last seconds and steers the playback speed until the lowest equals a margin.
//! The margin is as wide as the troughs differ, plus a little; it grows with every stall and shrinks again slowly.
//! Neither clocks nor the playlist's hold-back are involved.

use std::collections::VecDeque;

/// Trough that is aimed at where media arrives like clockwork, in seconds.
const MARGIN_MIN_S: f64 = 0.1;
/// How far the lowest trough is taken to lie below the usual one before that is known, in seconds.
const JITTER_GUESS_S: f64 = 0.1;
/// The most that is believed.
const JITTER_MAX_S: f64 = 0.6;
/// Arrivals from which it is known.
const JITTER_ARRIVALS: usize = 12;
/// The largest one, after many stalls.
const MARGIN_MAX_S: f64 = 3.0;
/// Where media comes in whole segments, less precise timing is to be expected: this share of the segment instead.
const MARGIN_OF_STRIDE: f64 = 0.15;
/// What a stall adds to the margin, in seconds.
const MARGIN_PER_STALL_S: f64 = 0.2;
/// Time in which the added margin halves, in milliseconds.
const MARGIN_HALF_LIFE_MS: f64 = 90_000.0;
/// More than the margin at the start, since nothing is known of the connection yet.
const START_SLACK_S: f64 = 0.1;

/// Troughs of this long are looked at, in milliseconds: more than the time between two keyframes, whose parts are the
/// largest and come latest.
const WINDOW_MS: f64 = 8_000.0;
/// Most arrivals remembered.
const WINDOW_LEN: usize = 64;

/// Speeds that nobody hears.
const RATE_MIN: f64 = 0.94;
const RATE_MAX: f64 = 1.06;
/// Speed at which a large lag is caught up with; still natural speech.
const RATE_MAX_FAR: f64 = 1.2;
/// Excess from which the larger one is used, in seconds.
const FAR_S: f64 = 1.0;
/// Excess from which catching up would take too long: jump instead.
const JUMP_S: f64 = 3.0;
/// Steering begins beyond this error and ends below the smaller one, in seconds.
const ERROR_BEGIN_S: f64 = 0.05;
const ERROR_END_S: f64 = 0.01;
/// Speed change per second of error.
const GAIN_PER_S: f64 = 0.25;

/// One arrival of media.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    at_ms: f64,
    trough_s: f64,
    /// What had been gained on normal speed by then, in seconds.
    gained_s: f64,
}

/// The controller.
#[derive(Debug, Clone)]
pub struct Follower {
    arrivals: VecDeque<Arrival>,
    stall_margin_s: f64,
    stall_margin_at_ms: f64,
    rate: f64,
    gained_s: f64,
    last_ms: f64,
}

impl Default for Follower {
    fn default() -> Self {
        Self {
            arrivals: VecDeque::new(),
            stall_margin_s: 0.0,
            stall_margin_at_ms: 0.0,
            rate: 1.0,
            gained_s: 0.0,
            last_ms: 0.0,
        }
    }
}

impl Follower {
    /// The trough that is aimed at, in seconds.
    #[must_use]
    pub fn margin_s(&self, now_ms: f64, stride_s: f64) -> f64 {
        let coarse_s = if stride_s > 1.0 { stride_s * MARGIN_OF_STRIDE } else { 0.0 };
        ((MARGIN_MIN_S + self.jitter_s(now_ms)).max(coarse_s) + self.after_stalls_s(now_ms)).min(MARGIN_MAX_S)
    }

    /// What is left of the margin that stalls have added.
    fn after_stalls_s(&self, now_ms: f64) -> f64 {
        let calm_ms = (now_ms - self.stall_margin_at_ms).max(0.0);
        self.stall_margin_s * 0.5_f64.powf(calm_ms / MARGIN_HALF_LIFE_MS)
    }

    /// How far the lowest trough of the last seconds lies below the usual one.
    fn jitter_s(&self, now_ms: f64) -> f64 {
        let mut troughs: Vec<f64> = self.recent_troughs(now_ms).collect();
        if troughs.len() < JITTER_ARRIVALS {
            return JITTER_GUESS_S;
        }
        troughs.sort_unstable_by(f64::total_cmp);
        let (lowest, usual) = (troughs[0], troughs[troughs.len() / 2]);
        (usual - lowest).min(JITTER_MAX_S)
    }

    /// The troughs of the last seconds, as they would have been with the playhead where it is now.
    fn recent_troughs(&self, now_ms: f64) -> impl Iterator<Item = f64> {
        let recent = self.arrivals.iter().filter(move |arrival| now_ms - arrival.at_ms < WINDOW_MS);
        recent.map(|arrival| arrival.trough_s - (self.gained_s - arrival.gained_s))
    }

    /// Buffer with which playing may begin right after an arrival: the next one is a stride away.
    #[must_use]
    pub fn start_s(&self, now_ms: f64, stride_s: f64) -> f64 {
        stride_s + self.margin_s(now_ms, stride_s) + START_SLACK_S
    }

    /// Media arrived: `trough_s` could be played without it.
    pub fn note_arrival(&mut self, now_ms: f64, trough_s: f64) {
        self.advance(now_ms);
        if self.arrivals.len() == WINDOW_LEN {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(Arrival { at_ms: now_ms, trough_s, gained_s: self.gained_s });
    }

    /// The buffer ran dry.
    pub fn note_stall(&mut self, now_ms: f64) {
        self.stall_margin_s = (self.after_stalls_s(now_ms) + MARGIN_PER_STALL_S).min(MARGIN_MAX_S);
        self.stall_margin_at_ms = now_ms;
        self.forget();
    }

    /// The playhead was moved or held: what was measured before says nothing any more.
    pub fn forget(&mut self) {
        self.arrivals.clear();
        self.rate = 1.0;
    }

    /// Seconds by which the lowest trough of the last seconds lies above the margin (negative: below it).
    #[must_use]
    pub fn excess_s(&self, now_ms: f64, stride_s: f64) -> Option<f64> {
        let recent = self.arrivals.iter().filter(|arrival| now_ms - arrival.at_ms < WINDOW_MS);
        let lowest =
            recent.map(|arrival| arrival.trough_s - (self.gained_s - arrival.gained_s)).min_by(f64::total_cmp)?;
        Some(lowest - self.margin_s(now_ms, stride_s))
    }

    /// Whether the picture is so late that one jump is better than minutes of hurry.
    #[must_use]
    pub fn should_jump(&self, now_ms: f64, stride_s: f64) -> bool {
        self.excess_s(now_ms, stride_s).is_some_and(|excess| excess > JUMP_S + stride_s)
    }

    /// The speed to play at from now on.
    pub fn rate(&mut self, now_ms: f64, stride_s: f64) -> f64 {
        self.advance(now_ms);
        let error = self.excess_s(now_ms, stride_s).unwrap_or(0.0);
        let steering = self.rate != 1.0;
        let tolerated = if steering { ERROR_END_S } else { ERROR_BEGIN_S };
        let turned = steering && (self.rate > 1.0) != (error > 0.0);
        self.rate = if error.abs() < tolerated || turned {
            1.0
        } else {
            let max = if error > FAR_S { RATE_MAX_FAR } else { RATE_MAX };
            // Hundredths, so that the speed is not set anew for nothing; never so small a step that it does nothing.
            let step = (error * GAIN_PER_S * 100.0).round();
            let step = if step == 0.0 { error.signum() } else { step };
            (1.0 + step / 100.0).clamp(RATE_MIN, max)
        };
        self.rate
    }

    fn advance(&mut self, now_ms: f64) {
        let elapsed_s = (now_ms - self.last_ms).clamp(0.0, 1000.0) / 1000.0;
        self.gained_s += elapsed_s * (self.rate - 1.0);
        self.last_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRIDE_S: f64 = 0.3;

    /// Plays `seconds` of a stream whose parts come every 0.3 s, each late by what `lateness_s` says; the forward
    /// buffer is `ahead_s` at the beginning. Answers the lowest trough of the last 10 s and the number of stalls.
    fn play(follower: &mut Follower, ahead_s: f64, seconds: f64, lateness_s: impl Fn(usize) -> f64) -> (f64, usize) {
        let mut ahead = ahead_s;
        let (mut stalls, mut lowest, mut dry) = (0, f64::MAX, false);
        let mut arrivals: VecDeque<f64> =
            (1..(seconds / STRIDE_S) as usize).map(|n| n as f64 * STRIDE_S + lateness_s(n)).collect();
        let mut rate = 1.0;
        for step in 0..(seconds * 100.0) as usize {
            let now = step as f64 / 100.0;
            let trough = ahead;
            while arrivals.front().is_some_and(|at| *at <= now) {
                arrivals.pop_front();
                follower.note_arrival(now * 1000.0, trough);
                if now > seconds - 10.0 {
                    lowest = lowest.min(trough);
                }
                ahead += STRIDE_S;
            }
            if dry && ahead >= follower.start_s(now * 1000.0, STRIDE_S) {
                dry = false;
            }
            rate = if dry { rate } else { follower.rate(now * 1000.0, STRIDE_S) };
            ahead -= if dry { 0.0 } else { 0.01 * rate };
            if ahead < 0.0 {
                (ahead, dry) = (0.0, true);
                stalls += 1;
                follower.note_stall(now * 1000.0);
            }
        }
        (lowest, stalls)
    }

    #[test]
    fn a_steady_stream_ends_up_just_above_the_margin_without_a_stall() {
        for ahead_s in [0.5, 0.9, 2.0] {
            let (trough, stalls) = play(&mut Follower::default(), ahead_s, 60.0, |_| 0.0);
            assert_eq!(stalls, 0, "begun with {ahead_s} s");
            assert!((trough - MARGIN_MIN_S).abs() < 0.08, "begun with {ahead_s} s, trough {trough:.2}");
        }
    }

    #[test]
    fn late_keyframe_parts_are_allowed_for() {
        let late = |n: usize| if n.is_multiple_of(7) { 0.2 } else { 0.0 };
        let mut follower = Follower::default();
        let start = follower.start_s(0.0, STRIDE_S);
        let (trough, stalls) = play(&mut follower, start + 0.2, 60.0, late);
        assert_eq!(stalls, 0);
        assert!((trough - MARGIN_MIN_S - 0.2).abs() < 0.1, "as much again as they are late: {trough:.2}");
    }

    #[test]
    fn a_connection_that_stalls_gets_more_margin_until_it_does_not() {
        let rough = |n: usize| if n.is_multiple_of(23) { 0.6 } else { 0.0 };
        let mut follower = Follower::default();
        let start = follower.start_s(0.0, STRIDE_S);
        let (_, early) = play(&mut follower, start, 30.0, rough);
        assert!(early >= 1, "the test stream is rough");
        let (_, late) = play(&mut follower.clone(), 1.2, 30.0, rough);
        assert!(late < early.max(2), "{late} stalls after {early}");
        assert!(follower.margin_s(30_000.0, STRIDE_S) > MARGIN_MIN_S + 0.1);
        follower.forget();
        let calm_s = MARGIN_MIN_S + JITTER_GUESS_S + 0.01;
        assert!(follower.margin_s(900_000.0, STRIDE_S) < calm_s, "and the margin shrinks again");
    }

    #[test]
    fn speeds_stay_where_nobody_hears_them() {
        let mut follower = Follower::default();
        follower.note_arrival(1000.0, 0.0);
        assert!(follower.rate(1000.0, STRIDE_S) >= RATE_MIN);
        follower.forget();
        follower.note_arrival(2000.0, 0.9);
        let rate = follower.rate(2000.0, STRIDE_S);
        assert!(rate > 1.0 && rate <= RATE_MAX, "{rate}");
    }

    #[test]
    fn far_behind_means_jumping() {
        let mut follower = Follower::default();
        follower.note_arrival(1000.0, 2.5);
        assert!(!follower.should_jump(1000.0, STRIDE_S));
        follower.forget();
        follower.note_arrival(2000.0, 6.0);
        assert!(follower.should_jump(2000.0, STRIDE_S));
    }
}
