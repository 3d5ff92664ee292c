//! Addresses of replaceable events: `kind:pubkey:d`, as `a` tags carry them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::event::{Event, PublicKey, Tags, kind};

/// Names the newest of an author's events of a kind, and of a `d` tag where the kind has one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// The kind.
    pub kind: u16,
    /// The author.
    pub pubkey: PublicKey,
    /// The `d` tag; empty for kinds that have none.
    pub identifier: String,
}

/// The text is not `kind:pubkey:d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address is <kind>:<public key>:<d>")]
pub struct InvalidAddress;

impl Address {
    /// Longest `d` tag that is taken, bytes: what `naddr1…` can carry.
    pub const MAX_IDENTIFIER_BYTES: usize = 255;

    /// The address of a live event.
    #[must_use]
    pub fn live_event(pubkey: PublicKey, identifier: &str) -> Self {
        Self { kind: kind::LIVE_EVENT, pubkey, identifier: identifier.to_owned() }
    }

    /// The address of an event; none if it has none: its kind is kept for good, or its `d` is missing or too long.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        let identifier = match event.kind {
            kind if kind::is_replaceable(kind) => "",
            kind if kind::is_addressable(kind) => {
                // An empty `d` is one, too.
                event.tags().all("d").next()?.first().map(String::as_str).unwrap_or_default()
            }
            _ => return None,
        };
        (identifier.len() <= Self::MAX_IDENTIFIER_BYTES).then(|| Self {
            kind: event.kind,
            pubkey: event.pubkey,
            identifier: identifier.to_owned(),
        })
    }

    /// The addresses that `a` tags name, those with the marker `root` first. What is no address is left out.
    pub(crate) fn named(tags: Tags<'_>) -> Vec<Self> {
        let mut named: Vec<_> = tags
            .all("a")
            .filter_map(|rest| {
                let marker = rest.get(2).map_or("", String::as_str);
                Some((marker != "root", rest.first()?.trim().parse().ok()?))
            })
            .collect();
        named.sort_by_key(|(is_secondary, _)| *is_secondary);
        named.into_iter().map(|(_, address)| address).collect()
    }

    /// The live event that `a` tags name.
    pub(crate) fn live_event_in(tags: Tags<'_>) -> Option<Self> {
        Self::named(tags).into_iter().find(|address| address.kind == kind::LIVE_EVENT)
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let mut parts = text.splitn(3, ':');
        let mut next = || parts.next().ok_or(InvalidAddress);
        let (kind, pubkey, identifier) = (next()?, next()?, next()?);
        if identifier.len() > Self::MAX_IDENTIFIER_BYTES {
            return Err(InvalidAddress);
        }
        Ok(Self {
            kind: kind.parse().map_err(|_| InvalidAddress)?,
            pubkey: pubkey.parse().map_err(|_| InvalidAddress)?,
            identifier: identifier.to_owned(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.kind, self.pubkey, self.identifier)
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_colons_in_their_identifier() {
        let text = format!("30311:{}:a:b:c", "0a".repeat(32));
        let address: Address = text.parse().unwrap();
        assert_eq!(address.identifier, "a:b:c");
        assert_eq!(address.to_string(), text);
    }

    #[test]
    fn junk_is_no_address() {
        let pubkey = "0a".repeat(32);
        for junk in [
            String::new(),
            "30311".into(),
            "30311:abc:d".into(),
            format!("30311:{pubkey}"),
            format!("70000:{pubkey}:d"),
            format!("-1:{pubkey}:d"),
            format!("30311:{pubkey}:{}", "d".repeat(Address::MAX_IDENTIFIER_BYTES + 1)),
        ] {
            assert_eq!(junk.parse::<Address>(), Err(InvalidAddress), "{junk}");
        }
    }
}
