//! Who a client is (NIP-42): keys that signed the challenge of its connection.

use std::collections::BTreeSet;

use nostr::{Event, PublicKey, TagKind, Timestamp};
use skylark_protocol::event::kind;

use super::{
    Rejected,
    limits::{AUTHENTICATION_WINDOW_S, MAX_AUTHENTICATED},
    shape,
};

/// Length of a challenge, characters.
const CHALLENGE_CHARS: usize = 24;

/// One connection's challenge, and who has answered it.
#[derive(Debug)]
pub(super) struct Authentication {
    challenge: String,
    /// Host and port of the relay, as the client knows them.
    authority: String,
    keys: BTreeSet<PublicKey>,
}

impl Authentication {
    /// A new challenge. `url` is the relay's own, or at least its host and port.
    pub(super) fn new(url: &str) -> Result<Self, getrandom::Error> {
        let challenge = crate::random::lowercase(CHALLENGE_CHARS)?;
        Ok(Self { challenge, authority: authority(url).unwrap_or_default(), keys: BTreeSet::new() })
    }

    /// What has to be signed.
    pub(super) fn challenge(&self) -> &str {
        &self.challenge
    }

    /// Who the client is.
    pub(super) fn keys(&self) -> &BTreeSet<PublicKey> {
        &self.keys
    }

    /// Takes an answer.
    pub(super) fn answer(&mut self, event: &Event) -> Result<(), Rejected> {
        if event.kind.as_u16() != kind::AUTHENTICATION {
            return Err(Rejected::invalid("an authentication is an event of kind 22242"));
        }
        if event.created_at.as_secs().abs_diff(Timestamp::now().as_secs()) > AUTHENTICATION_WINDOW_S {
            return Err(Rejected::invalid("the authentication is not of now: check the clock"));
        }
        let value = |name: &'static str| event.tags.find(TagKind::custom(name)).and_then(|tag| tag.content());
        if value("challenge") != Some(&self.challenge) {
            return Err(Rejected::invalid("this is not the challenge of this connection"));
        }
        let relay = value("relay").and_then(authority);
        if relay.is_none_or(|relay| relay != self.authority) {
            return Err(Rejected::invalid(format!("this is for another relay; this is {}", self.authority)));
        }
        shape::verify(event)?;
        if self.keys.len() >= MAX_AUTHENTICATED && !self.keys.contains(&event.pubkey) {
            return Err(Rejected::restricted("one connection cannot be so many"));
        }
        self.keys.insert(event.pubkey);
        Ok(())
    }
}

/// Host and port of a URL, or of a `Host` header; ports that go without saying left out.
fn authority(url: &str) -> Option<String> {
    let lower = url.trim().to_ascii_lowercase();
    let (scheme, rest) = lower.split_once("://").unwrap_or(("", &lower));
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?;
    let usual = match scheme {
        "ws" | "http" => ":80",
        "wss" | "https" => ":443",
        _ => "",
    };
    Some(authority.strip_suffix(usual).unwrap_or(authority).to_owned())
}

#[cfg(test)]
mod tests {
    use nostr::{EventBuilder, Keys, Kind, Tag};

    use super::*;

    fn answer(keys: &Keys, challenge: &str, relay: &str, kind: u16, at: Timestamp) -> Event {
        let tags = [["relay", relay], ["challenge", challenge]].map(|tag| Tag::parse(tag).unwrap());
        let builder = EventBuilder::new(Kind::from(kind), "").tags(tags).custom_created_at(at);
        builder.sign_with_keys(keys).unwrap()
    }

    #[test]
    fn only_a_fresh_answer_to_this_challenge_for_this_relay_counts() {
        let (keys, now) = (Keys::generate(), Timestamp::now());
        let mut authentication = Authentication::new("https://live.example/").unwrap();
        let challenge = authentication.challenge().to_owned();
        let url = "wss://live.example";
        let old = Timestamp::from_secs(now.as_secs() - AUTHENTICATION_WINDOW_S - 1);
        for bad in [
            answer(&keys, "another", url, 22_242, now),
            answer(&keys, &challenge, "wss://evil.example", 22_242, now),
            answer(&keys, &challenge, "wss://live.example.evil.example", 22_242, now),
            answer(&keys, &challenge, url, 1, now),
            answer(&keys, &challenge, url, 22_242, old),
        ] {
            assert!(authentication.answer(&bad).is_err());
        }
        let mut forged = answer(&keys, &challenge, url, 22_242, now);
        forged.pubkey = Keys::generate().public_key();
        assert!(authentication.answer(&forged).is_err());
        assert!(authentication.keys().is_empty());
        assert_eq!(authentication.answer(&answer(&keys, &challenge, "WSS://live.example:443/", 22_242, now)), Ok(()));
        assert!(authentication.keys().contains(&keys.public_key()));
        for _ in 1..MAX_AUTHENTICATED {
            let other = Keys::generate();
            assert_eq!(authentication.answer(&answer(&other, &challenge, url, 22_242, now)), Ok(()));
        }
        assert!(authentication.answer(&answer(&Keys::generate(), &challenge, url, 22_242, now)).is_err());
    }
}
