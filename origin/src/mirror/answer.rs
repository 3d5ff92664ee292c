//! What an outside relay's answer to an event means, and how long to wait after it. No clock, no IO.

use std::time::Duration;

/// Sent so often in vain, an event is given up: the relay answers, but not to this.
const MAX_ATTEMPTS: u32 = 12;
/// Longest wait for another attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What to do about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The relay has it.
    Taken,
    /// It does not want it, and will not tomorrow.
    Refused(String),
    /// Not now; after this long. The whole relay wants to be left alone meanwhile if `is_for_all`.
    Later {
        /// How long.
        pause: Duration,
        /// It is not about this event.
        is_for_all: bool,
    },
}

/// Reads the text of an `OK` that is `false` (NIP-01), or none if the relay has not answered at all. `attempts` were in
/// vain before.
pub(super) fn read(text: Option<&str>, attempts: u32) -> Answer {
    let Some(text) = text else {
        return if attempts + 1 >= MAX_ATTEMPTS {
            Answer::Refused("no answer".into())
        } else {
            Answer::Later { pause: pause(attempts), is_for_all: false }
        };
    };
    let word = text.split_once(':').map_or("", |(word, _)| word.trim());
    match word {
        "duplicate" => Answer::Taken,
        "blocked" | "invalid" | "restricted" | "pow" | "mute" | "auth-required" => Answer::Refused(text.to_owned()),
        // Some count by the minute: one second would only make them angrier.
        "rate-limited" => Answer::Later { pause: pause(attempts.max(3)), is_for_all: true },
        _ if attempts + 1 >= MAX_ATTEMPTS => Answer::Refused(text.to_owned()),
        _ => Answer::Later { pause: pause(attempts), is_for_all: false },
    }
}

/// Twice as long each time, from one second on.
pub(crate) fn pause(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.min(9)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        assert_eq!(read(Some("duplicate: already have it"), 0), Answer::Taken);
        for refusal in ["blocked: no chat here", "invalid: created_at too late", "pow: 26 bits needed"] {
            assert_eq!(read(Some(refusal), 0), Answer::Refused(refusal.into()));
        }
        let limited = read(Some("rate-limited: slow down"), 0);
        assert_eq!(limited, Answer::Later { pause: Duration::from_secs(8), is_for_all: true });
        assert_eq!(
            read(Some("error: disk full"), 2),
            Answer::Later { pause: Duration::from_secs(4), is_for_all: false }
        );
    }

    #[test]
    fn a_relay_that_never_answers_is_given_up_for_an_event() {
        let waits = (0..).take_while(|attempts| matches!(read(None, *attempts), Answer::Later { .. })).count();
        assert_eq!(waits, 11);
        assert_eq!(read(None, 11), Answer::Refused("no answer".into()));
    }

    #[test]
    fn pauses_grow_and_end_at_five_minutes() {
        assert_eq!([0, 1, 4, 30].map(|failures| pause(failures).as_secs()), [1, 2, 16, 300]);
    }
}
