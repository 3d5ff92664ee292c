//! Which events go to which outside relays.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use nostr::RelayUrl;
use skylark_protocol::{address::Address, live_event::LiveEvent, text::is_relay_url};
use url::Host;

/// Relays of one live event that are used; its first ones.
const MAX_RELAYS: usize = 10;
/// Live events whose relays are remembered.
const MAX_KNOWN: usize = 1000;

/// Whether and with whom events are exchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MirrorConfig {
    /// Events are exchanged at all.
    pub enabled: bool,
    /// Relays on this machine and in private networks, too.
    pub private: bool,
    /// This relay under its own address, which live events name, too.
    pub own_url: Option<String>,
}

impl MirrorConfig {
    /// The outside relays that a live event names.
    pub(crate) fn relays(&self, live: &LiveEvent) -> Vec<String> {
        let mut relays: Vec<String> = Vec::new();
        if !self.enabled {
            return relays;
        }
        let own = self.own_url.as_deref().and_then(|url| normal(&url.replacen("http", "ws", 1)));
        for url in live.relays.iter().filter_map(|url| self.outside(url)) {
            if Some(&url) != own.as_ref() && !relays.contains(&url) {
                relays.push(url);
            }
        }
        relays.truncate(MAX_RELAYS);
        relays
    }

    /// The URL as it is compared, if it may be called. A name that leads to a private address is not found out here:
    /// who may announce live events on this server is trusted that far.
    fn outside(&self, url: &str) -> Option<String> {
        let parsed = url::Url::parse(url.trim()).ok().filter(|_| is_relay_url(url.trim()))?;
        let is_private = match parsed.host()? {
            Host::Domain(name) => name == "localhost" || !name.contains('.') || name.ends_with(".local"),
            Host::Ipv4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified(),
            Host::Ipv6(v6) => {
                v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local()
                    || v6.to_ipv4_mapped().is_some()
            }
        };
        let has_secret = !parsed.username().is_empty() || parsed.password().is_some();
        if (is_private && !self.private) || has_secret { None } else { normal(url.trim()) }
    }
}

fn normal(url: &str) -> Option<String> {
    RelayUrl::parse(url).ok().map(|url| url.to_string())
}

/// The outside relays of the live events that were asked for lately.
#[derive(Debug, Default)]
pub(crate) struct Routes(Mutex<HashMap<Address, Arc<[String]>>>);

impl Routes {
    /// What is known of a live event.
    pub(crate) fn get(&self, live_event: &Address) -> Option<Arc<[String]>> {
        self.lock().get(live_event).cloned()
    }

    /// Remembers it.
    pub(crate) fn learn(&self, live_event: Address, relays: Arc<[String]>) {
        let mut known = self.lock();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(live_event, relays);
    }

    /// The map is whole after every statement: a panic elsewhere does not spoil it.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Address, Arc<[String]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use skylark_protocol::event::{Event, EventId, PublicKey, Signature, kind};

    use super::*;

    fn live(relays: &[&str]) -> LiveEvent {
        let mut named = vec!["relays".to_owned()];
        named.extend(relays.iter().map(|&relay| relay.to_owned()));
        let tags = vec![vec!["d".to_owned(), "x".to_owned()], named];
        let event = Event {
            id: EventId::from_bytes([0; 32]),
            pubkey: PublicKey::from_bytes([1; 32]),
            created_at: 1,
            kind: kind::LIVE_EVENT,
            tags,
            content: String::new(),
            sig: Signature::from_bytes([0; 64]),
        };
        LiveEvent::read(&event).unwrap()
    }

    #[test]
    fn relays_are_named_once_and_never_ourselves() {
        let own_url = Some("https://live.example.org".into());
        let config = MirrorConfig { enabled: true, private: false, own_url };
        let named = live(&["wss://a.example/", "wss://A.example", "wss://live.example.org/", "wss://b.example/nostr"]);
        assert_eq!(config.relays(&named), ["wss://a.example", "wss://b.example/nostr"]);
        assert!(MirrorConfig { enabled: false, ..config }.relays(&named).is_empty());
    }

    #[test]
    fn private_places_are_not_called() {
        let config = MirrorConfig { enabled: true, private: false, own_url: None };
        let private = [
            "ws://127.0.0.1:7000",
            "ws://localhost",
            "wss://10.1.2.3",
            "ws://[::1]:80",
            "ws://[::ffff:127.0.0.1]",
            "ws://printer.local",
            "ws://intranet",
            "wss://169.254.169.254",
            "https://a.example",
            "wss://me:pw@a.example",
        ];
        for url in private {
            assert!(config.relays(&live(&[url])).is_empty(), "{url}");
        }
        let config = MirrorConfig { private: true, ..config };
        assert_eq!(config.relays(&live(&["ws://127.0.0.1:7000"])), ["ws://127.0.0.1:7000"]);
    }
}
