//! How often somebody may do something: so much at once, and then so much in a time.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// A bucket that fills with time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// When it will be full again.
    full_at: Instant,
}

/// What a pace allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    /// So many at once.
    pub(crate) burst: u32,
    /// One more after so long.
    pub(crate) interval: Duration,
}

impl Allowance {
    /// So many at once, and then so many in a time.
    pub(crate) fn new(burst: u32, count: u32, time: Duration) -> Self {
        Self { burst, interval: time / count.max(1) }
    }
}

impl Pace {
    /// A full one.
    pub(crate) fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes one, or says how long there will be none.
    pub(crate) fn take(&mut self, allowance: Allowance, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + allowance.interval;
        let most = allowance.interval * allowance.burst;
        match full_at.saturating_duration_since(now).checked_sub(most) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                self.full_at = full_at;
                Ok(())
            }
        }
    }

    fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

/// The paces of many; those that are full need not be remembered.
#[derive(Debug)]
pub(crate) struct Paces<K> {
    paces: HashMap<K, Pace>,
    max: usize,
}

impl<K: Eq + Hash> Paces<K> {
    /// Remembers at most `max`.
    pub(crate) fn new(max: usize) -> Self {
        Self { paces: HashMap::new(), max }
    }

    /// Takes one for `key`, or says how long there will be none. When there is no room to remember more, all are asked
    /// to wait.
    pub(crate) fn take(&mut self, key: K, allowance: Allowance, now: Instant) -> Result<(), Duration> {
        if self.paces.len() >= self.max && !self.paces.contains_key(&key) {
            self.paces.retain(|_, pace| !pace.is_full(now));
            if self.paces.len() >= self.max {
                return Err(allowance.interval);
            }
        }
        self.paces.entry(key).or_insert_with(|| Pace::new(now)).take(allowance, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_at_a_time() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let (mut pace, allowance) = (Pace::new(start), Allowance::new(3, 2, second));
        let passed = (0..5).filter(|_| pace.take(allowance, start).is_ok()).count();
        assert_eq!(passed, 3);
        assert_eq!(pace.take(allowance, start), Err(second / 2));
        assert!(pace.take(allowance, start + second / 2).is_ok());
        assert!(pace.take(allowance, start + second / 2).is_err());
    }

    #[test]
    fn a_full_table_forgets_those_who_rest_and_refuses_the_others() {
        let (now, allowance) = (Instant::now(), Allowance::new(1, 1, Duration::from_secs(1)));
        let mut paces = Paces::new(2);
        assert!(paces.take(1, allowance, now).is_ok() && paces.take(2, allowance, now).is_ok());
        assert!(paces.take(3, allowance, now).is_err());
        assert!(paces.take(3, allowance, now + Duration::from_secs(2)).is_ok());
    }
}
