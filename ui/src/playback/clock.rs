//! The origin's clock, from the times in its answers.

use std::collections::VecDeque;

/// Answers remembered: the one that took least time is believed.
const REMEMBERED: usize = 8;

/// Difference between the origin's clock and ours.
#[derive(Debug, Clone, Default)]
pub struct OriginClock {
    answers: VecDeque<Answer>,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    round_trip_ms: f64,
    offset_ms: f64,
}

impl OriginClock {
    /// Notes an answer that was asked for at `sent_ms` and arrived at `received_ms` by our clock, and was written at
    /// `origin_ms` by the origin's: half of the round trip earlier than it arrived.
    pub fn note(&mut self, sent_ms: f64, received_ms: f64, origin_ms: f64) {
        let round_trip_ms = received_ms - sent_ms;
        if round_trip_ms < 0.0 {
            return; // Our clock was set in between.
        }
        if self.answers.len() == REMEMBERED {
            self.answers.pop_front();
        }
        self.answers.push_back(Answer { round_trip_ms, offset_ms: origin_ms + round_trip_ms / 2.0 - received_ms });
    }

    /// The origin's time at our time `local_ms`; `None` before the first answer.
    #[must_use]
    pub fn at(&self, local_ms: f64) -> Option<f64> {
        let best = self.answers.iter().min_by(|a, b| a.round_trip_ms.total_cmp(&b.round_trip_ms))?;
        Some(local_ms + best.offset_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_answer_is_believed_and_halved() {
        let mut clock = OriginClock::default();
        assert_eq!(clock.at(0.0), None);
        clock.note(1000.0, 1900.0, 6000.0);
        assert_eq!(clock.at(1900.0), Some(6450.0));
        clock.note(2000.0, 2020.0, 7010.0);
        assert_eq!(clock.at(2020.0), Some(7020.0));
        clock.note(3000.0, 4000.0, 9999.0);
        assert_eq!(clock.at(2020.0), Some(7020.0));
    }

    #[test]
    fn old_answers_and_impossible_ones_are_forgotten() {
        let mut clock = OriginClock::default();
        clock.note(0.0, 10.0, 1000.0);
        for second in 1..=REMEMBERED {
            let sent = second as f64 * 1000.0;
            clock.note(sent, sent + 100.0, sent + 5050.0);
        }
        assert_eq!(clock.at(0.0), Some(5000.0));
        clock.note(500.0, 400.0, 0.0);
        assert_eq!(clock.at(0.0), Some(5000.0));
    }
}
