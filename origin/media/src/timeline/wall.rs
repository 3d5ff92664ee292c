//! When the media of the timeline arrived: `EXT-X-PROGRAM-DATE-TIME`.

use crate::time::{MediaTime, UnixTime};

/// The least delay is looked for over one to two of these.
const BUCKET_US: i64 = 4_000_000;
/// The map follows a change by at most one part in so many of the media that goes by, so that it never goes back.
const SLEW: i64 = 20;

/// Maps media time to the wall clock: by the units that took least time to arrive, so that a burst or a stall on the
/// way does not move it, and latency measured from it is honest.
#[derive(Debug, Default)]
pub(crate) struct WallClock {
    /// Arrival minus media time, microseconds: the least of this bucket and of the one before.
    least: [Option<i64>; 2],
    bucket_began: UnixTime,
    current: Option<i64>,
    last: UnixTime,
}

impl WallClock {
    /// A unit of this media time arrived.
    pub(crate) fn arrived(&mut self, now: UnixTime, media: MediaTime) {
        let delay = now.as_us().saturating_sub(media.as_us());
        let [this, _] = self.least;
        if this.is_none() || now.as_us() - self.bucket_began.as_us() > BUCKET_US {
            self.least = [Some(delay), this];
            self.bucket_began = now;
        } else {
            self.least[0] = this.map(|least| least.min(delay));
        }
    }

    /// When what is at `start` arrived; call it for every part in turn.
    pub(crate) fn at(&mut self, start: MediaTime, duration: MediaTime) -> UnixTime {
        let target = self.least.iter().flatten().min().copied().unwrap_or(0);
        let current = self.current.map_or(target, |current| {
            let limit = duration.as_us().max(0) / SLEW;
            current.saturating_add(target.saturating_sub(current).clamp(-limit, limit))
        });
        self.current = Some(current);
        self.last = self.last.max(UnixTime::from_us(start.as_us().saturating_add(current)));
        self.last
    }

    /// The timeline was anchored anew.
    pub(crate) fn restart(&mut self) {
        *self = Self { last: self.last, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_a_stall_do_not_move_it_and_it_never_goes_back() {
        let mut wall = WallClock::default();
        let epoch = 1_700_000_000_000;
        let mut last = UnixTime::default();
        for part in 0..400_i64 {
            let media_ms = part * 300;
            let delay_ms = match part {
                0..10 => 900 - 90 * part, // what was sent before we listened
                200..203 => 700,          // a stall
                _ => 20,
            };
            let (media, duration) = (MediaTime::from_ms(media_ms), MediaTime::from_ms(300));
            wall.arrived(UnixTime::from_ms(epoch + media_ms + delay_ms), media);
            let date = wall.at(media, duration);
            assert!(date > last);
            last = date;
            if part > 100 {
                assert_eq!(date.as_ms(), epoch + media_ms + 20, "part {part}");
            }
        }
    }
}
