//! What has arrived out of order, what is missing before it, and how long that is waited for.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use super::packet::{KeySlot, Sequence};
use crate::time::UnixTime;

/// Packets between the first missing one and the newest: about 10 MB of media. A packet further ahead is not taken.
pub(super) const MAX_WINDOW: usize = 8192;

/// So many packets in a row far ahead of what is expected mean that the sender has gone on without us: it was away for
/// long. Fewer are strays.
const RESUME_AFTER: u32 = 16;

/// A data packet that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) sequence: Sequence,
    pub(super) key: Option<KeySlot>,
    pub(super) payload: Bytes,
}

#[derive(Debug)]
enum Slot {
    Here(Held),
    Missing {
        since: UnixTime,
        ask_at: UnixTime,
    },
    /// The sender has given it up.
    Dropped,
}

/// What a packet was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The next one, or one further ahead.
    New {
        /// Packets before it that are missing and were not known to be.
        revealed: usize,
    },
    /// It was missing.
    Recovered {
        /// For how long.
        after: Duration,
    },
    /// It is here already, or is not waited for any more.
    Late,
    /// Too far from what is expected to be true.
    Outside,
    /// The sender has gone on: so many packets are lost, and this is the next one.
    Resumed {
        /// Packets that were never here.
        lost: usize,
    },
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Packet(Held),
    /// Packets that are not waited for any more.
    Gap(usize),
}

/// A window of sequence numbers: the first is the next to be handed over.
#[derive(Debug)]
pub(super) struct Buffer {
    next: Sequence,
    slots: VecDeque<Slot>,
    missing: usize,
    /// The last of some packets in a row that were too far ahead, and how many they are.
    far: Option<(Sequence, u32)>,
}

impl Buffer {
    pub(super) fn new(first: Sequence) -> Self {
        Self { next: first, slots: VecDeque::new(), missing: 0, far: None }
    }

    /// The first packet that has not been handed over.
    pub(super) fn next_sequence(&self) -> Sequence {
        self.next
    }

    /// Packets that can still be taken.
    pub(super) fn free(&self) -> usize {
        MAX_WINDOW.saturating_sub(self.slots.len())
    }

    /// Packets that are waited for.
    #[cfg(test)]
    pub(super) fn missing(&self) -> usize {
        self.missing
    }

    /// Takes a packet. What it reveals to be missing is asked for at `ask_at`.
    pub(super) fn insert(&mut self, now: UnixTime, ask_at: UnixTime, packet: Held) -> Arrival {
        let ahead = packet.sequence.since(self.next);
        let Ok(index) = usize::try_from(ahead) else {
            return if ahead.unsigned_abs() as usize <= MAX_WINDOW { Arrival::Late } else { Arrival::Outside };
        };
        if index >= MAX_WINDOW {
            if !self.has_gone_on(packet.sequence) {
                return Arrival::Outside;
            }
            self.next = packet.sequence;
            self.slots.push_back(Slot::Here(packet));
            return Arrival::Resumed { lost: index };
        }
        self.far = None;
        if let Some(slot) = self.slots.get_mut(index) {
            let Slot::Missing { since, .. } = *slot else { return Arrival::Late };
            *slot = Slot::Here(packet);
            self.missing -= 1;
            return Arrival::Recovered { after: now.since(since) };
        }
        let revealed = index - self.slots.len();
        self.extend_missing(revealed, now, ask_at);
        self.slots.push_back(Slot::Here(packet));
        Arrival::New { revealed }
    }

    /// Counts a packet that is too far ahead; whether enough of them came one after the other, while nothing else did.
    fn has_gone_on(&mut self, sequence: Sequence) -> bool {
        let in_a_row = self.far.filter(|(last, _)| sequence.since(*last) == 1).map_or(1, |(_, count)| count + 1);
        self.far = Some((sequence, in_a_row));
        let has_gone_on = in_a_row >= RESUME_AFTER && self.slots.is_empty();
        if has_gone_on {
            self.far = None;
        }
        has_gone_on
    }

    fn extend_missing(&mut self, count: usize, now: UnixTime, ask_at: UnixTime) {
        self.slots.extend((0..count).map(|_| Slot::Missing { since: now, ask_at }));
        self.missing += count;
    }

    /// The sender will not send these any more (inclusive; what is here stays here).
    pub(super) fn give_up(&mut self, now: UnixTime, first: Sequence, last: Sequence) {
        let (Ok(end), true) = (usize::try_from(last.since(self.next)), last.since(first) >= 0) else { return };
        let start = usize::try_from(first.since(self.next)).unwrap_or(0);
        // A request may be the first to tell of packets, but not of more than follow on what is known.
        if end >= MAX_WINDOW || start > self.slots.len() {
            return;
        }
        self.extend_missing((end + 1).saturating_sub(self.slots.len()), now, now);
        for slot in self.slots.range_mut(start..=end) {
            if matches!(slot, Slot::Missing { .. }) {
                *slot = Slot::Dropped;
                self.missing -= 1;
            }
        }
    }

    /// The next packet in order, or a gap that has been waited for long enough.
    pub(super) fn pop(&mut self, now: UnixTime, patience: Duration) -> Option<Next> {
        let mut gap = 0;
        loop {
            match self.slots.front() {
                Some(Slot::Missing { since, .. }) if now.since(*since) >= patience => self.missing -= 1,
                Some(Slot::Dropped) => {}
                Some(Slot::Here(_)) if gap == 0 => break,
                _ if gap == 0 => return None,
                _ => return Some(Next::Gap(gap)),
            }
            self.slots.pop_front();
            self.next = self.next.plus(1);
            gap += 1;
        }
        self.next = self.next.plus(1);
        match self.slots.pop_front() {
            Some(Slot::Here(packet)) => Some(Next::Packet(packet)),
            _ => None,
        }
    }

    /// The missing packets that are to be asked for now, as inclusive ranges; they are asked for again after `again`.
    pub(super) fn ask(&mut self, now: UnixTime, again: Duration) -> Vec<(Sequence, Sequence)> {
        let mut ranges: Vec<(Sequence, Sequence)> = Vec::new();
        if self.missing == 0 {
            return ranges;
        }
        for (slot, offset) in self.slots.iter_mut().zip(0u32..) {
            let Slot::Missing { ask_at, .. } = slot else { continue };
            if *ask_at > now {
                continue;
            }
            *ask_at = now + again;
            let sequence = self.next.plus(offset);
            match ranges.last_mut() {
                Some((_, last)) if last.plus(1) == sequence => *last = sequence,
                _ => ranges.push((sequence, sequence)),
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn held(number: u32) -> Held {
        Held { sequence: Sequence::new(number), key: None, payload: Bytes::copy_from_slice(&number.to_be_bytes()) }
    }

    fn at(ms: i64) -> UnixTime {
        UnixTime::from_ms(ms)
    }

    fn popped(buffer: &mut Buffer, now: UnixTime) -> Vec<Result<u32, usize>> {
        std::iter::from_fn(|| buffer.pop(now, 100 * MS))
            .map(|next| match next {
                Next::Packet(packet) => Ok(packet.sequence.get()),
                Next::Gap(count) => Err(count),
            })
            .collect()
    }

    #[test]
    fn what_is_missing_is_waited_for_and_then_skipped() {
        let mut buffer = Buffer::new(Sequence::new(0x7FFF_FFFE));
        assert_eq!(buffer.insert(at(0), at(0), held(0x7FFF_FFFE)), Arrival::New { revealed: 0 });
        assert_eq!(buffer.insert(at(10), at(10), held(2)), Arrival::New { revealed: 3 });
        assert_eq!(popped(&mut buffer, at(10)), [Ok(0x7FFF_FFFE)]);
        assert_eq!(buffer.ask(at(10), 20 * MS), [(Sequence::new(0x7FFF_FFFF), Sequence::new(1))]);
        assert_eq!(buffer.ask(at(29), 20 * MS), []);
        assert_eq!(buffer.insert(at(29), at(29), held(0)), Arrival::Recovered { after: 19 * MS });
        assert_eq!(buffer.ask(at(30), 20 * MS).len(), 2);
        assert_eq!(popped(&mut buffer, at(109)), []);
        assert_eq!(popped(&mut buffer, at(110)), [Err(1), Ok(0), Err(1), Ok(2)]);
        assert_eq!(buffer.insert(at(111), at(111), held(1)), Arrival::Late);
        assert_eq!(buffer.missing(), 0);
    }

    #[test]
    fn numbers_from_elsewhere_change_nothing() {
        let mut buffer = Buffer::new(Sequence::new(1000));
        for number in [1000 + MAX_WINDOW as u32, 0x4000_0000, 0x7FFF_0000, 1000 + 0x3FFF_FFFF] {
            assert_eq!(buffer.insert(at(0), at(0), held(number)), Arrival::Outside, "{number}");
        }
        buffer.give_up(at(0), Sequence::new(1000), Sequence::new(0x3000_0000));
        buffer.give_up(at(0), Sequence::new(1001), Sequence::new(1005));
        buffer.give_up(at(0), Sequence::new(5), Sequence::new(3));
        assert_eq!((buffer.free(), buffer.missing()), (MAX_WINDOW, 0));
    }

    #[test]
    fn a_sender_who_has_gone_on_is_followed() {
        let mut buffer = Buffer::new(Sequence::new(0));
        let far = MAX_WINDOW as u32 + 500;
        // Strays, even many of them, are not in a row.
        for number in 0..100 {
            assert_eq!(buffer.insert(at(0), at(0), held(far + 2 * number)), Arrival::Outside);
        }
        let arrivals: Vec<Arrival> =
            (0..RESUME_AFTER).map(|number| buffer.insert(at(1), at(1), held(far + 1000 + number))).collect();
        let lost = (far + 1000 + RESUME_AFTER - 1) as usize;
        assert_eq!(arrivals.last(), Some(&Arrival::Resumed { lost }));
        assert!(arrivals[..arrivals.len() - 1].iter().all(|arrival| *arrival == Arrival::Outside));
        let next = far + 1000 + RESUME_AFTER;
        assert_eq!(buffer.insert(at(2), at(2), held(next)), Arrival::New { revealed: 0 });
        assert_eq!(popped(&mut buffer, at(3)), [Ok(next - 1), Ok(next)]);
    }

    #[test]
    fn what_the_sender_gives_up_is_not_waited_for() {
        let mut buffer = Buffer::new(Sequence::new(0));
        buffer.insert(at(0), at(0), held(3));
        buffer.give_up(at(1), Sequence::new(0), Sequence::new(4));
        assert_eq!(popped(&mut buffer, at(1)), [Err(3), Ok(3), Err(1)]);
        assert_eq!(buffer.next_sequence(), Sequence::new(5));
    }
}
