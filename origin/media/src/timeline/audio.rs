//! The position of sound, counted in samples.
//!
//! An AAC frame always lasts its samples, whatever rounded or jittery timestamps say: frames follow each other without
//! a hole or an overlap. Where timestamps insist that sound is missing (a lost packet, a pause) whole frames of silence
//! go in, where there is too much (a repetition, a clock that runs slow) whole frames are left out. So sound is never
//! further from the picture than [`TOLERANCE_PERCENT`] of a frame, about 16 ms.

use super::{BACK_MAX, GAP_MAX};
use crate::{
    codec::AudioConfig,
    time::{MediaTime, TICKS_PER_SECOND},
};

/// How far the count of samples may be from the timestamps, of a frame.
const TOLERANCE_PERCENT: i64 = 75;
/// So many frames in a row have to be off the same way: timestamps that jitter are no reason to touch the sound.
const PERSISTENT_FRAMES: u32 = 3;
/// Off by more than so many frames is no jitter.
const OBVIOUS_FRAMES: i64 = 3;

/// The clock of one sound.
#[derive(Debug)]
pub(crate) struct AudioClock {
    offset: MediaTime,
    sample_rate: u32,
    frame_samples: i64,
    /// Position of the next frame, samples.
    next: Option<i64>,
    last_raw: Option<MediaTime>,
    /// How many frames in a row are off, and by how much at least.
    off: Option<(u32, MediaTime)>,
}

/// Where a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AudioPlace {
    /// On the timeline.
    At {
        /// Samples from the timeline's start, at the sample rate.
        position: i64,
        /// Silent frames to put in before it.
        fill: i64,
    },
    /// Nowhere: there is too much sound.
    Surplus,
    /// Nowhere: the publisher's clock jumped by so much.
    Jump(MediaTime),
}

impl AudioClock {
    /// A clock that adds `offset`.
    pub(crate) fn new(offset: MediaTime, config: &AudioConfig) -> Self {
        Self {
            offset,
            sample_rate: config.sample_rate.max(1),
            frame_samples: i64::from(config.frame_samples.max(1)),
            next: None,
            last_raw: None,
            off: None,
        }
    }

    /// Where a frame with this timestamp belongs, whatever came before.
    pub(crate) fn told(&self, raw: MediaTime) -> MediaTime {
        raw + self.offset
    }

    /// Goes on with another offset, at once: the publisher's clock for sound has changed.
    pub(crate) fn set_offset(&mut self, offset: MediaTime) {
        (self.offset, self.last_raw, self.off) = (offset, None, None);
    }

    /// The timestamps start anew: the next one is not compared with the last.
    pub(crate) fn forget_last(&mut self) {
        self.last_raw = None;
    }

    /// Sound begins at `time`, although no frame of it has come.
    pub(crate) fn begin(&mut self, time: MediaTime) {
        self.next.get_or_insert(time.rescale(self.sample_rate));
    }

    /// Where the sound so far ends.
    pub(crate) fn end(&self) -> Option<MediaTime> {
        self.next.map(|next| self.time(next))
    }

    /// Places the next frame.
    pub(crate) fn place(&mut self, raw: MediaTime) -> AudioPlace {
        if let Some(last_raw) = self.last_raw {
            let step = raw - last_raw;
            if step > GAP_MAX || MediaTime::ZERO - step > BACK_MAX {
                return AudioPlace::Jump(step);
            }
        }
        self.last_raw = Some(raw);
        let told = self.told(raw);
        let Some(next) = self.next else {
            let position = told.rescale(self.sample_rate);
            self.next = Some(position + self.frame_samples);
            return AudioPlace::At { position, fill: 0 };
        };
        let error = told - self.time(next);
        if error > GAP_MAX + BACK_MAX || MediaTime::ZERO - error > GAP_MAX + BACK_MAX {
            return AudioPlace::Jump(error);
        }
        let fill = self.correction(error);
        if fill < 0 {
            return AudioPlace::Surplus;
        }
        let position = next.saturating_add(fill.saturating_mul(self.frame_samples));
        self.next = Some(position.saturating_add(self.frame_samples));
        AudioPlace::At { position, fill }
    }

    /// Puts in silence up to about `until`: how many frames, and the position of the first.
    pub(crate) fn fill_until(&mut self, until: MediaTime) -> Option<(i64, i64)> {
        let next = self.next?;
        let missing = (until.rescale(self.sample_rate) - next) / self.frame_samples;
        self.next = Some(next + missing.max(0) * self.frame_samples);
        (missing > 0).then_some((next, missing))
    }

    /// How many frames of silence have to go in before a frame that is `error` late; negative: it is too much.
    fn correction(&mut self, error: MediaTime) -> i64 {
        let frame = self.time(self.frame_samples).ticks().max(1);
        if error.ticks().abs() <= frame * TOLERANCE_PERCENT / 100 {
            self.off = None;
            return 0;
        }
        let (count, least) = match self.off {
            Some((count, least)) if (least.ticks() > 0) == (error.ticks() > 0) => {
                (count + 1, if error.ticks().abs() < least.ticks().abs() { error } else { least })
            }
            _ => (1, error),
        };
        self.off = Some((count, least));
        if count < PERSISTENT_FRAMES && error.ticks().abs() <= OBVIOUS_FRAMES * frame {
            return 0;
        }
        let frames = (least.ticks().abs() + frame / 2) / frame;
        if least.ticks() > 0 {
            self.off = None;
            return frames;
        }
        // One is left out now; the rest, if there is one, without waiting again.
        self.off = (frames > 1).then_some((PERSISTENT_FRAMES, MediaTime::from_ticks(least.ticks() + frame)));
        -1
    }

    fn time(&self, samples: i64) -> MediaTime {
        sample_time(samples, self.sample_rate)
    }
}

/// Samples at a rate as media time, rounded to the nearest tick.
pub(crate) fn sample_time(samples: i64, sample_rate: u32) -> MediaTime {
    let rate = i128::from(sample_rate.max(1));
    let ticks = (i128::from(samples) * i128::from(TICKS_PER_SECOND) + rate / 2).div_euclid(rate);
    MediaTime::from_ticks(i64::try_from(ticks).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> AudioClock {
        let config = AudioConfig {
            asc: bytes::Bytes::new(),
            codec: String::new(),
            sample_rate: 48_000,
            channels: 2,
            frame_samples: 1024,
        };
        AudioClock::new(MediaTime::ZERO, &config)
    }

    /// Feeds frames with these timestamps; answers `(position, fill)` of those that were placed.
    fn place(clock: &mut AudioClock, ms: impl IntoIterator<Item = i64>) -> Vec<(i64, i64)> {
        let places = ms.into_iter().map(|ms| clock.place(MediaTime::from_ms(ms)));
        places
            .filter_map(
                |place| if let AudioPlace::At { position, fill } = place { Some((position, fill)) } else { None },
            )
            .collect()
    }

    #[test]
    fn rounded_timestamps_leave_no_gaps_in_an_hour() {
        let mut clock = clock();
        let frames = 3600 * 48_000 / 1024;
        let placed = place(&mut clock, (0..frames).map(|n| n * 1024 / 48));
        assert!(placed.iter().enumerate().all(|(n, place)| *place == (n as i64 * 1024, 0)));
        assert_eq!(placed.len() as i64, frames);
    }

    #[test]
    fn jitter_is_no_reason_to_touch_the_sound() {
        let mut clock = clock();
        let jitter = [0, 35, -30, 20, -35, 30];
        let placed = place(&mut clock, (0..600).map(|n| 1000 + n * 1024 / 48 + jitter[n as usize % 6]));
        assert_eq!(placed.len(), 600);
        assert!(placed.windows(2).all(|pair| pair[1] == (pair[0].0 + 1024, 0)));
    }

    #[test]
    fn lost_frames_become_silence_and_repeated_ones_are_left_out() {
        let mut clock = clock();
        let time = |n: i64| n * 1024 / 48;
        place(&mut clock, (0..50).map(time));
        let after_loss = place(&mut clock, (60..70).map(time));
        assert_eq!(after_loss[0], (60 * 1024, 10), "ten frames are missing");
        let after_repetition = place(&mut clock, (65..90).map(time));
        assert_eq!(after_repetition.last(), Some(&(89 * 1024, 0)));
        assert_eq!(after_repetition.len(), 20, "five were there already");
    }

    #[test]
    fn one_lost_frame_is_noticed() {
        let mut clock = clock();
        let time = |n: i64| n * 1024 / 48;
        place(&mut clock, (0..50).map(time));
        let placed = place(&mut clock, (51..60).map(time));
        assert_eq!(placed.iter().map(|(_, fill)| fill).sum::<i64>(), 1);
        assert_eq!(placed.last(), Some(&(59 * 1024, 0)));
    }

    #[test]
    fn sound_that_runs_slow_or_fast_stays_with_the_picture() {
        for percent in [99, 101] {
            let mut clock = clock();
            let mut worst = 0;
            for n in 0..6000_i64 {
                let ms = n * 1024 * percent / 4800;
                if let AudioPlace::At { position, .. } = clock.place(MediaTime::from_ms(ms)) {
                    worst = worst.max((position / 48 - ms).abs());
                }
            }
            assert!(worst <= 21, "{worst} ms at {percent} %");
        }
    }
}
