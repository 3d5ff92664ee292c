//! Live events that were found outside: the newest announcement of each address, and no more than memory allows.

use std::{collections::HashMap, sync::Arc};

use skylark_protocol::{
    address::Address,
    event::{Event, PublicKey},
    live_event::{LiveEvent, SERVICES, Status},
    moderation::Deletion,
};

/// Live events that are kept; those that are over go first, then the oldest.
const MAX_EVENTS: usize = 2000;
/// Of them, those of one key. Services announce for many.
const MAX_EVENTS_PER_KEY: usize = 20;
/// See [`MAX_EVENTS_PER_KEY`].
const MAX_EVENTS_PER_SERVICE: usize = MAX_EVENTS / 2;
/// Largest announcement, bytes of its tags.
const MAX_EVENT_BYTES: usize = 48 * 1024;
/// All of them together, bytes.
const MAX_BYTES: usize = 24 * 1024 * 1024;
/// Participants of whom somebody is shown: the host is among the first.
const MAX_PARTICIPANTS: usize = 50;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    entries: HashMap<Address, Entry>,
    per_key: HashMap<PublicKey, usize>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    live: Arc<LiveEvent>,
    bytes: usize,
}

impl Catalogue {
    /// Takes an announcement, unless there is a newer one, or it is too large or dated ahead.
    pub(super) fn take(&mut self, event: &Event, now: u64) -> bool {
        let bytes = event.tags.iter().flatten().map(|element| element.len() + size_of::<String>()).sum();
        let Ok(mut live) = LiveEvent::read(event) else { return false };
        if bytes > MAX_EVENT_BYTES || !live.is_listable(now) {
            return false;
        }
        live.participants.truncate(MAX_PARTICIPANTS);
        if self.entries.get(&live.address).is_some_and(|known| !is_newer(&live, &known.live)) {
            return false;
        }
        let address = live.address.clone();
        self.remove(&address);
        self.make_room(&live, bytes);
        *self.per_key.entry(address.pubkey).or_default() += 1;
        self.bytes += bytes;
        self.entries.insert(address, Entry { live: Arc::new(live), bytes });
        true
    }

    /// Takes away what its author has deleted.
    pub(super) fn delete(&mut self, deletion: &Deletion) -> bool {
        let is_deleted = |live: &LiveEvent| {
            let by_author = live.address.pubkey == deletion.author;
            let by_address = live.created_at <= deletion.created_at && deletion.addresses.contains(&live.address);
            by_author && (by_address || deletion.events.contains(&live.id))
        };
        let gone: Vec<_> = self.iter().filter(|live| is_deleted(live)).map(|live| live.address.clone()).collect();
        gone.iter().for_each(|address| self.remove(address));
        !gone.is_empty()
    }

    pub(super) fn get(&self, address: &Address) -> Option<&Arc<LiveEvent>> {
        self.entries.get(address).map(|entry| &entry.live)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<LiveEvent>> {
        self.entries.values().map(|entry| &entry.live)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn make_room(&mut self, live: &LiveEvent, bytes: usize) {
        let author = live.address.pubkey;
        let limit = if SERVICES.contains(&author) { MAX_EVENTS_PER_SERVICE } else { MAX_EVENTS_PER_KEY };
        if self.per_key.get(&author).is_some_and(|count| *count >= limit) {
            self.remove_least(|one| one.address.pubkey == author);
        }
        while !self.entries.is_empty() && (self.entries.len() >= MAX_EVENTS || self.bytes + bytes > MAX_BYTES) {
            self.remove_least(|_| true);
        }
    }

    /// Removes what matters least: what is over, then the oldest.
    fn remove_least(&mut self, among: impl Fn(&LiveEvent) -> bool) {
        let candidates = self.iter().filter(|live| among(live));
        let least = candidates.min_by_key(|live| (live.status != Status::Ended, live.created_at));
        if let Some(address) = least.map(|live| live.address.clone()) {
            self.remove(&address);
        }
    }

    fn remove(&mut self, address: &Address) {
        let Some(entry) = self.entries.remove(address) else { return };
        self.bytes -= entry.bytes;
        if let Some(count) = self.per_key.get_mut(&address.pubkey) {
            *count -= 1;
            if *count == 0 {
                self.per_key.remove(&address.pubkey);
            }
        }
    }
}

/// Of two announcements with the same date the one with the lower id counts (NIP-01).
pub(super) fn is_newer(live: &LiveEvent, known: &LiveEvent) -> bool {
    (live.created_at, std::cmp::Reverse(live.id)) > (known.created_at, std::cmp::Reverse(known.id))
}

#[cfg(test)]
mod tests {
    use skylark_protocol::event::{EventId, Signature, kind};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn tag(name: &str, value: &str) -> Vec<String> {
        vec![name.to_owned(), value.to_owned()]
    }

    fn announced(author: u8, identifier: &str, created_at: u64, status: &str) -> Event {
        let mut id = [author; 32];
        id[..8].copy_from_slice(&created_at.to_be_bytes());
        Event {
            id: EventId::from_bytes(id),
            pubkey: PublicKey::from_bytes([author; 32]),
            created_at,
            kind: kind::LIVE_EVENT,
            tags: vec![tag("d", identifier), tag("status", status)],
            content: String::new(),
            sig: Signature::from_bytes([0; 64]),
        }
    }

    fn status(catalogue: &Catalogue, event: &Event) -> Option<Status> {
        catalogue.get(&Address::of(event)?).map(|live| live.status)
    }

    #[test]
    fn the_newest_counts_and_of_equals_the_lower_id() {
        let mut catalogue = Catalogue::default();
        let ended = announced(1, "a", NOW, "ended");
        assert!(catalogue.take(&ended, NOW));
        assert!(!catalogue.take(&announced(1, "a", NOW - 1, "live"), NOW), "another relay still has the old one");
        assert_eq!(status(&catalogue, &ended), Some(Status::Ended));
        let mut lower = announced(1, "a", NOW, "live");
        lower.id = EventId::from_bytes([0; 32]);
        assert!(catalogue.take(&lower, NOW) && !catalogue.take(&ended, NOW));
        assert_eq!(status(&catalogue, &ended), Some(Status::Live));
        assert_eq!(catalogue.len(), 1);
    }

    #[test]
    fn what_is_dated_ahead_or_huge_is_not_taken() {
        let mut catalogue = Catalogue::default();
        assert!(!catalogue.take(&announced(1, "a", NOW + 3600, "live"), NOW));
        let mut huge = announced(1, "a", NOW, "live");
        huge.tags.extend((0..20_000).map(|_| tag("t", "x")));
        assert!(!catalogue.take(&huge, NOW));
        assert_eq!((catalogue.len(), catalogue.bytes), (0, 0));
    }

    #[test]
    fn nobody_fills_it() {
        let mut catalogue = Catalogue::default();
        let quiet = announced(2, "mine", NOW - 100, "live");
        catalogue.take(&quiet, NOW);
        for number in 0..100 {
            catalogue.take(&announced(1, &format!("flood {number}"), NOW, "live"), NOW);
        }
        assert_eq!(catalogue.len(), 1 + MAX_EVENTS_PER_KEY);
        for number in 0..2 * MAX_EVENTS {
            let mut event = announced(3, &number.to_string(), NOW - 200, "ended");
            let mut key = [9; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            event.pubkey = PublicKey::from_bytes(key);
            catalogue.take(&event, NOW);
        }
        assert_eq!(catalogue.len(), MAX_EVENTS);
        assert_eq!(status(&catalogue, &quiet), Some(Status::Live), "what is over goes first");
        assert_eq!(catalogue.per_key.values().sum::<usize>(), MAX_EVENTS);
        assert_eq!(catalogue.entries.values().map(|entry| entry.bytes).sum::<usize>(), catalogue.bytes);
    }

    #[test]
    fn only_its_author_deletes_it() {
        let mut catalogue = Catalogue::default();
        let event = announced(1, "a", NOW, "live");
        catalogue.take(&event, NOW);
        let address = Address::of(&event).unwrap();
        let deletion = |author: u8, created_at| Deletion {
            author: PublicKey::from_bytes([author; 32]),
            created_at,
            events: Vec::new(),
            addresses: vec![address.clone()],
        };
        assert!(!catalogue.delete(&deletion(2, NOW)));
        assert!(!catalogue.delete(&deletion(1, NOW - 1)), "it was announced anew since");
        assert!(catalogue.delete(&deletion(1, NOW)));
        assert_eq!(catalogue.len(), 0);
    }
}
