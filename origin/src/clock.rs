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

/// Unix milliseconds as `2026-11-21 02:40:00Z`.
#[must_use]
pub fn utc(unix_ms: i64) -> String {
    let (days, second) = (unix_ms.div_euclid(86_400_000), unix_ms.div_euclid(1000).rem_euclid(86_400));
    // Days to a civil date in the proleptic Gregorian calendar, in eras of 400 years that begin on a 1 March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00:00Z");
        assert_eq!(utc(1_795_228_799_999), "2026-11-21 02:39:59Z");
        assert_eq!(utc(-1), "1969-12-31 23:59:59Z");
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_the_monotonic_count() {
        let clock = Clock::starting_at(UnixTime::from_ms(5));
        tokio::time::advance(Duration::from_millis(7)).await;
        assert_eq!(clock.now(), UnixTime::from_ms(12));
    }
}
