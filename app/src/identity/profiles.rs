//! Names and pictures of the identities, from relays. Nobody waits for them.

use std::{collections::HashMap, time::Duration};

use nostr::{Filter, JsonUtil as _, Kind};
use nostr_sdk::Client;
use skylark_protocol::{
    event::{Event, PublicKey},
    profile::Profile,
};

/// How long relays get.
const PATIENCE: Duration = Duration::from_secs(8);

/// The newest profile of each, of those that these relays have.
pub(super) async fn find(people: Vec<PublicKey>, relays: &[String]) -> HashMap<PublicKey, Profile> {
    crate::origin::use_ring();
    let client = Client::default();
    for relay in relays {
        if let Err(error) = client.add_relay(relay.as_str()).await {
            tracing::debug!(relay, %error, "not asked for profiles");
        }
    }
    client.connect().await;
    let authors = people.iter().filter_map(|one| nostr::PublicKey::from_slice(one.as_bytes()).ok());
    let found = client.fetch_events(Filter::new().kind(Kind::Metadata).authors(authors), PATIENCE).await;
    client.shutdown().await;
    let mut newest: HashMap<PublicKey, Event> = HashMap::new();
    for event in found.unwrap_or_default() {
        let Ok(event) = serde_json::from_str::<Event>(&event.as_json()) else { continue };
        // The relay was asked for these alone, and may say what it likes.
        if people.contains(&event.pubkey) && newest.get(&event.pubkey).is_none_or(|known| event.replaces(known)) {
            newest.insert(event.pubkey, event);
        }
    }
    newest.into_iter().filter_map(|(who, event)| Some((who, Profile::read(&event).ok()?))).collect()
}
