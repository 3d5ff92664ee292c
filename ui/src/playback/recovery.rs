//! What to try after an error, and when to stop trying.

/// First wait before loading again, in milliseconds; doubles with each failure.
const BACKOFF_MIN_MS: f64 = 500.0;
/// Longest wait.
const BACKOFF_MAX_MS: f64 = 8_000.0;
/// Failures of the decoder within [`MEDIA_WINDOW_MS`] after which the picture is given up.
const MEDIA_FAILURES_MAX: usize = 5;
/// Failures longer ago are forgotten.
const MEDIA_WINDOW_MS: f64 = 60_000.0;
/// So long must it play well before the waits start small again.
const CALM_MS: f64 = 15_000.0;

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A request: no answer, or not the one asked for.
    Network,
    /// Decoding or buffering.
    Media,
    /// This browser cannot play such a stream at all.
    Unsupported,
    /// Anything else inside the player library.
    Other,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Remedy {
    /// Give the decoder a fresh start with what is buffered.
    RecoverMedia,
    /// Load everything again after this many milliseconds.
    Reload(f64),
    /// Say that it cannot be played.
    GiveUp,
}

/// Memory of what went wrong lately.
#[derive(Debug, Clone, Default)]
pub struct Recovery {
    failures: i32,
    last_failure_ms: f64,
    media_failures_ms: Vec<f64>,
}

impl Recovery {
    /// The remedy for a failure that ended playback.
    pub fn remedy(&mut self, failure: Failure, now_ms: f64) -> Remedy {
        match failure {
            Failure::Unsupported => Remedy::GiveUp,
            Failure::Network => Remedy::Reload(self.backoff_ms(now_ms)),
            Failure::Media | Failure::Other => {
                self.media_failures_ms.retain(|at| now_ms - at < MEDIA_WINDOW_MS);
                self.media_failures_ms.push(now_ms);
                match self.media_failures_ms.len() {
                    1 if failure == Failure::Media => Remedy::RecoverMedia,
                    MEDIA_FAILURES_MAX.. => Remedy::GiveUp,
                    _ => Remedy::Reload(self.backoff_ms(now_ms)),
                }
            }
        }
    }

    /// The viewer asked to try again: all is forgotten.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    fn backoff_ms(&mut self, now_ms: f64) -> f64 {
        if now_ms - self.last_failure_ms > CALM_MS + BACKOFF_MAX_MS {
            self.failures = 0;
        }
        self.last_failure_ms = now_ms;
        let wait = (BACKOFF_MIN_MS * 2.0_f64.powi(self.failures)).min(BACKOFF_MAX_MS);
        self.failures = (self.failures + 1).min(10);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_start_small_after_a_calm_time() {
        let mut recovery = Recovery::default();
        let waits: Vec<_> =
            (0..6).map(|n| recovery.remedy(Failure::Network, 100_000.0 + f64::from(n) * 9000.0)).collect();
        let expected = [500.0, 1000.0, 2000.0, 4000.0, 8000.0, 8000.0].map(Remedy::Reload);
        assert_eq!(waits, expected);
        assert_eq!(recovery.remedy(Failure::Network, 500_000.0), Remedy::Reload(500.0));
    }

    #[test]
    fn a_broken_decoder_is_restarted_then_reloaded_then_given_up() {
        let mut recovery = Recovery::default();
        let remedies: Vec<_> =
            (0..5).map(|n| recovery.remedy(Failure::Media, 100_000.0 + f64::from(n) * 1000.0)).collect();
        assert_eq!(remedies[0], Remedy::RecoverMedia);
        assert!(remedies[1..4].iter().all(|remedy| matches!(remedy, Remedy::Reload(_))), "{remedies:?}");
        assert_eq!(remedies[4], Remedy::GiveUp);
        assert_eq!(recovery.remedy(Failure::Media, 300_000.0), Remedy::RecoverMedia, "long ago does not count");
    }

    #[test]
    fn what_the_browser_cannot_play_is_said_at_once() {
        assert_eq!(Recovery::default().remedy(Failure::Unsupported, 0.0), Remedy::GiveUp);
    }
}
