//! What a publisher may send.

use std::{collections::VecDeque, time::Duration};

use skylark_media::{UnixTime, pipeline::PipelineLimits};

use super::IngestError;

/// The bitrate holds for this time: an encoder's burst at the start is no excess.
const BITRATE_SPAN: Duration = Duration::from_secs(10);
/// Bytes are summed up in steps of this length.
const BITRATE_STEP: Duration = Duration::from_millis(500);
/// The same warning is noted once in this time.
const NOTE_INTERVAL: Duration = Duration::from_secs(60);

/// What a publisher may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublisherLimits {
    /// Most over ten seconds, bits per second.
    pub bitrate_bps: u64,
    /// Widest picture, pixels.
    pub width: u32,
    /// Highest picture, pixels.
    pub height: u32,
    /// A publisher from whom no media comes for so long is closed.
    pub media_timeout: Duration,
    /// A publisher who sends no keyframe for so long is closed.
    pub keyframe_timeout: Duration,
}

impl Default for PublisherLimits {
    fn default() -> Self {
        Self {
            bitrate_bps: 50_000_000,
            width: 3840,
            height: 2160,
            media_timeout: Duration::from_secs(15),
            keyframe_timeout: Duration::from_secs(20),
        }
    }
}

impl PublisherLimits {
    /// Those that the pipeline looks after.
    #[must_use]
    pub fn pipeline(&self) -> PipelineLimits {
        PipelineLimits { max_width: self.width, max_height: self.height, keyframe_wait: self.keyframe_timeout }
    }
}

/// What is left of the allowed bitrate.
#[derive(Debug)]
pub(super) struct Allowance {
    max_bitrate_bps: u64,
    /// Beginnings of steps and the bytes that arrived in them.
    steps: VecDeque<(UnixTime, u64)>,
    bytes: u64,
}

impl Allowance {
    pub(super) fn new(max_bitrate_bps: u64) -> Self {
        Self { max_bitrate_bps, steps: VecDeque::new(), bytes: 0 }
    }

    /// Takes bytes that arrived now.
    pub(super) fn spend(&mut self, now: UnixTime, bytes: u64) -> Result<(), IngestError> {
        while let Some((at, old)) = self.steps.front().copied()
            && now.since(at) >= BITRATE_SPAN
        {
            self.bytes = self.bytes.saturating_sub(old);
            self.steps.pop_front();
        }
        match self.steps.back_mut() {
            Some((at, sum)) if now.since(*at) < BITRATE_STEP => *sum += bytes,
            _ => self.steps.push_back((now, bytes)),
        }
        self.bytes += bytes;
        let bitrate_bps = self.bytes * 8 / BITRATE_SPAN.as_secs();
        if bitrate_bps > self.max_bitrate_bps {
            return Err(IngestError::Bitrate { bitrate_bps, max_bitrate_bps: self.max_bitrate_bps });
        }
        Ok(())
    }
}

/// Which warnings were noted when: the same one over and over would only push out the others.
#[derive(Debug, Default)]
pub(super) struct Noted(Vec<(&'static str, UnixTime)>);

impl Noted {
    /// Whether this warning should be noted (again) now.
    pub(super) fn is_news(&mut self, code: &'static str, now: UnixTime) -> bool {
        match self.0.iter_mut().find(|(known, _)| *known == code) {
            Some((_, at)) if now.since(*at) < NOTE_INTERVAL => false,
            Some((_, at)) => {
                *at = now;
                true
            }
            None => {
                self.0.push((code, now));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> UnixTime {
        UnixTime::from_ms(1_795_228_800_000 + ms)
    }

    /// Sends at a rate for a while; when it was too much, after how many milliseconds.
    fn send(allowance: &mut Allowance, from_ms: i64, for_ms: i64, bitrate_bps: u64) -> Option<i64> {
        (from_ms..from_ms + for_ms).step_by(10).find(|ms| allowance.spend(at(*ms), bitrate_bps / 800).is_err())
    }

    #[test]
    fn a_bitrate_within_the_limit_is_never_too_much() {
        let mut allowance = Allowance::new(2_000_000);
        assert_eq!(send(&mut allowance, 0, 60_000, 1_900_000), None);
    }

    #[test]
    fn a_burst_is_taken_and_an_excess_is_not() {
        let mut allowance = Allowance::new(2_000_000);
        assert_eq!(send(&mut allowance, 0, 1_000, 15_000_000), None, "as much as 10 s may bring");
        assert_eq!(send(&mut allowance, 20_000, 60_000, 1_900_000), None, "and forgotten 10 s later");
        let too_much_at = send(&mut allowance, 80_000, 60_000, 2_400_000).expect("20 % above the limit");
        assert!((81_000..91_000).contains(&too_much_at), "{too_much_at}");
    }

    #[test]
    fn a_warning_is_noted_once_a_minute() {
        let mut noted = Noted::default();
        let news: Vec<bool> = [0, 1, 59_999, 60_000, 60_001].map(|ms| noted.is_news("long-gop", at(ms))).into();
        assert_eq!(news, [true, false, false, true, false]);
        assert!(noted.is_news("clock-jump", at(60_002)));
    }
}
