//! How long frames take from their capture until they are encoded, and which are lost on the way.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// An encoder that gives nothing for so long is stuck; who looks twice a second can tell within two seconds.
const SILENCE: Duration = Duration::from_millis(1200);
/// An encoder may take so long until it gives the first frame.
const BEGINNING: Duration = Duration::from_secs(3);
/// Latencies that are kept for percentiles: ten minutes of 30 frames a second.
const KEPT_LATENCIES: usize = 18_000;
/// Composed frames whose captures are known: more than wait for an encoder, and are in it.
const KEPT_CAPTURES: usize = 64;

/// When the newest picture in a composed frame was captured. A frame's own time is that of a grid, which says little of it.
#[derive(Debug)]
pub(crate) struct Captures {
    interval_ns: u64,
    newest_ns: AtomicU64,
    /// The newest picture that is in a frame.
    shown_ns: AtomicU64,
    of_frames: [AtomicU64; KEPT_CAPTURES],
}

impl Captures {
    /// Of so many frames per second.
    pub(crate) fn at(frame_rate: u32) -> Self {
        let interval_ns = 1_000_000_000 / u64::from(frame_rate.max(1));
        let of_frames = [const { AtomicU64::new(0) }; KEPT_CAPTURES];
        Self { interval_ns, newest_ns: AtomicU64::new(0), shown_ns: AtomicU64::new(0), of_frames }
    }

    /// A picture is there to be composed. One whose time has not come, as of stills and films, was not captured.
    pub(crate) fn came(&self, captured_ns: u64, now_ns: u64) {
        if captured_ns <= now_ns {
            self.newest_ns.fetch_max(captured_ns, Ordering::Relaxed);
        }
    }

    /// A frame is composed of what is there. If nothing of it is new, it is as old as itself.
    pub(crate) fn composed(&self, pts_ns: u64) {
        let newest_ns = self.newest_ns.load(Ordering::Relaxed);
        let is_new = self.shown_ns.swap(newest_ns, Ordering::Relaxed) != newest_ns;
        self.place(pts_ns).store(if is_new { newest_ns } else { pts_ns }, Ordering::Relaxed);
    }

    /// When the newest picture in a frame was captured.
    pub(crate) fn of(&self, pts_ns: u64) -> u64 {
        let captured_ns = self.place(pts_ns).load(Ordering::Relaxed);
        // A frame that was stuck for long: a later one has its place.
        if captured_ns > pts_ns + self.interval_ns { pts_ns } else { captured_ns }
    }

    fn place(&self, pts_ns: u64) -> &AtomicU64 {
        let frame = (pts_ns + self.interval_ns / 2) / self.interval_ns;
        &self.of_frames[(frame % KEPT_CAPTURES as u64) as usize]
    }
}

/// What a track's encoder did.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// Between two frames.
    interval_us: u32,
    since: Instant,
    begun: AtomicBool,
    made: AtomicU64,
    dropped: AtomicU64,
    latencies: Mutex<Latencies>,
}

#[derive(Debug, Default)]
struct Latencies {
    ring_us: Vec<u32>,
    next: usize,
    longest_us: u32,
    /// When it gave something last.
    newest: Option<Instant>,
}

/// How long frames take from their capture until they are encoded, in the last ten minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Latency {
    /// Half of the frames take less, milliseconds.
    pub p50_ms: f64,
    /// 95 of 100 frames take less, milliseconds.
    pub p95_ms: f64,
    /// The longest since the tracks began, milliseconds.
    pub max_ms: f64,
    /// Frames that took more than a frame's interval longer than half of them.
    pub late_frames: u64,
    /// Frames that were lost on the way to the encoder, since the tracks began.
    pub dropped_frames: u64,
    /// Frames that it made since.
    pub made_frames: u64,
}

impl Encoded {
    /// With so much between two frames, microseconds.
    pub(crate) fn every(interval_us: u32) -> Self {
        let (begun, made, dropped, latencies) = Default::default();
        Self { interval_us, since: Instant::now(), begun, made, dropped, latencies }
    }

    /// Frames that never came to the encoder: it had no time for them.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// It has given nothing for so long that nothing will come.
    pub(crate) fn is_silent(&self) -> bool {
        let newest = self.latencies.lock().unwrap_or_else(PoisonError::into_inner).newest;
        newest.map_or(self.since.elapsed() > BEGINNING, |newest| newest.elapsed() > SILENCE)
    }

    pub(crate) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// It gives something, for others or not yet.
    pub(crate) fn lives(&self) {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner).newest = Some(Instant::now());
    }

    /// What it gives is for others from now on.
    pub(crate) fn begin(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    /// A frame came to the encoder so long after the one before: what would fit in between is lost.
    pub(crate) fn came_after(&self, step_us: u64) {
        if !self.begun.load(Ordering::Relaxed) {
            return;
        }
        let interval_us = u64::from(self.interval_us.max(1));
        let steps = (step_us + interval_us / 2) / interval_us;
        self.dropped.fetch_add(steps.saturating_sub(1), Ordering::Relaxed);
    }

    /// A frame is encoded; it took so long.
    pub(crate) fn took(&self, latency_us: u32) {
        self.made.fetch_add(1, Ordering::Relaxed);
        let mut all = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        all.longest_us = all.longest_us.max(latency_us);
        let next = all.next;
        match all.ring_us.get_mut(next) {
            Some(place) => *place = latency_us,
            None => all.ring_us.push(latency_us),
        }
        all.next = (next + 1) % KEPT_LATENCIES;
    }

    pub(crate) fn latency(&self) -> Latency {
        let all = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut sorted, longest_us) = (all.ring_us.clone(), all.longest_us);
        drop(all);
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0);
        let ms = |us: u32| f64::from(us) / 1000.0;
        let in_time_us = at(50).saturating_add(self.interval_us);
        Latency {
            p50_ms: ms(at(50)),
            p95_ms: ms(at(95)),
            max_ms: ms(longest_us),
            late_frames: (sorted.len() - sorted.partition_point(|us| *us <= in_time_us)) as u64,
            dropped_frames: self.dropped(),
            made_frames: self.made(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_frame_is_as_old_as_the_newest_picture_in_it() {
        let captures = Captures::at(30);
        captures.came(90 * MS, 95 * MS);
        captures.came(84 * MS, 96 * MS);
        captures.came(180 * MS, 97 * MS);
        captures.composed(100 * MS);
        captures.came(123 * MS, 124 * MS);
        captures.composed(133 * MS);
        assert_eq!((captures.of(100 * MS), captures.of(133 * MS)), (90 * MS, 123 * MS));
    }

    #[test]
    fn a_frame_with_nothing_new_is_as_old_as_itself() {
        let captures = Captures::at(30);
        captures.came(90 * MS, 95 * MS);
        captures.composed(100 * MS);
        captures.composed(133 * MS);
        captures.came(20 * MS, 140 * MS);
        captures.composed(166 * MS);
        assert_eq!((captures.of(133 * MS), captures.of(166 * MS)), (133 * MS, 166 * MS));
    }

    #[test]
    fn a_frame_that_was_stuck_has_not_the_age_of_a_later_one() {
        let captures = Captures::at(30);
        for frame in 0..70 {
            captures.came(frame * 33_333_333, frame * 33_333_333);
            captures.composed(frame * 33_333_333);
        }
        assert_eq!(captures.of(2 * 33_333_333), 2 * 33_333_333);
    }

    #[test]
    fn what_takes_an_interval_longer_than_half_of_them_is_late() {
        let encoded = Encoded::every(33_333);
        for latency_us in [20_000, 21_000, 19_000, 20_000, 54_000, 53_000] {
            encoded.took(latency_us);
        }
        let latency = encoded.latency();
        assert_eq!((latency.made_frames, latency.late_frames, latency.p50_ms, latency.max_ms), (6, 1, 20.0, 54.0));
    }
}
