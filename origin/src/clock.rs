//! The only clock of the server: wall-clock time at the start, and a monotonic count from there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use skylark_media::UnixTime;
use tokio::time::Instant;

/// Tells the time that media and journals are stamped with. Never goes back, whatever is done to the system's clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    unix: UnixTime,
    instant: Instant,
}

impl Clock {
    /// A clock that starts at the system's time.
    #[must_use]
    pub fn system() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(UnixTime::from_us(0) + since_epoch)
    }

    /// A clock that shows `unix` now.
    #[must_use]
    pub fn starting_at(unix: UnixTime) -> Self {
        Self { unix, instant: Instant::now() }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.unix + self.instant.elapsed()
    }

    /// The instant at which this clock will show `time`, for timers; now if that has passed.
    #[must_use]
    pub fn instant_at(&self, time: UnixTime) -> Instant {
        Instant::now() + time.since(self.now()).max(Duration::ZERO)
    }
}
