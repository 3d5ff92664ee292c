//! Live events of private streams, and what belongs to them: only those may read and write it whom the host has let in,
//! and no outside relay ever sees it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{PoisonError, RwLock},
};

use nostr::{Alphabet, Filter, SingleLetterTag};
use skylark_protocol::{
    address::Address,
    event::{self, PublicKey, kind},
    moderation::ChatSettings,
};

use super::{Rejected, scope::References};
use crate::live::gate::Gate;

/// The gates of private streams, by their live events; none of a stream that is no more, which nobody passes.
#[derive(Debug, Default)]
pub(super) struct Private(RwLock<HashMap<Address, Option<Gate>>>);

impl Private {
    /// From now on only these may read what belongs to a live event.
    pub(super) fn guard(&self, stream: Address, gate: Gate) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(stream, Some(gate));
    }

    /// Nobody may read or write what belongs to a live event any more.
    pub(super) fn close(&self, stream: Address) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(stream, None);
    }

    /// The private live event that an event belongs to.
    pub(super) fn of(&self, event: &event::Event, references: &References) -> Result<Option<Address>, Rejected> {
        let gates = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if gates.is_empty() {
            return Ok(None);
        }
        let own = match event.kind {
            kind::LIVE_EVENT => Address::of(event),
            kind::APPLICATION_DATA => {
                ChatSettings::read(event).ok().map(|settings| Address::live_event(event.pubkey, &settings.identifier))
            }
            _ => None,
        };
        let streams: BTreeSet<&Address> = references.streams.iter().chain(&own).collect();
        let Some(private) = streams.iter().find(|stream| gates.contains_key(**stream)) else { return Ok(None) };
        if streams.len() > 1 && event.kind != kind::APPLICATION_DATA {
            return Err(Rejected::invalid("what belongs to a private stream belongs to no other"));
        }
        let Some(Some(gate)) = gates.get(*private) else {
            return Err(Rejected::blocked("this private stream is no more"));
        };
        // Everybody may take back what they said.
        if event.kind != kind::DELETION && !gate.admits(&event.pubkey) {
            return Err(Rejected::restricted("this stream is private, and its host has not let you in"));
        }
        Ok(Some((*private).clone()))
    }

    /// Whether one of these keys may read what belongs to a private live event.
    pub(super) fn admits(&self, stream: &Address, keys: &BTreeSet<nostr::PublicKey>) -> bool {
        let gates = self.0.read().unwrap_or_else(PoisonError::into_inner);
        gates.get(stream).is_some_and(|gate| any_is_admitted(gate.as_ref(), keys))
    }

    /// The private live events that one of these keys may read of; `Err` if the filters name one of which they may not.
    pub(super) fn readable(
        &self,
        filters: &[Filter],
        keys: &BTreeSet<nostr::PublicKey>,
    ) -> Result<Vec<String>, Rejected> {
        let gates = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if gates.is_empty() {
            return Ok(Vec::new());
        }
        let tag = SingleLetterTag::lowercase(Alphabet::A);
        let named = filters.iter().filter_map(|filter| filter.generic_tags.get(&tag)).flatten();
        for gate in named.filter_map(|name| gates.get(&name.parse::<Address>().ok()?)) {
            match any_is_admitted(gate.as_ref(), keys) {
                true => {}
                false if keys.is_empty() => {
                    return Err(Rejected::new("auth-required", "this stream is private: say who you are"));
                }
                false => return Err(Rejected::restricted("this stream is private, and its host has not let you in")),
            }
        }
        let open = gates.iter().filter(|(_, gate)| !keys.is_empty() && any_is_admitted(gate.as_ref(), keys));
        Ok(open.map(|(stream, _)| stream.to_string()).collect())
    }
}

fn any_is_admitted(gate: Option<&Gate>, keys: &BTreeSet<nostr::PublicKey>) -> bool {
    gate.is_some_and(|gate| keys.iter().any(|key| gate.admits(&PublicKey::from_bytes(key.to_bytes()))))
}
