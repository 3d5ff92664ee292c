//! Names and pictures of the identities, from relays. Nobody waits for them.

use std::{collections::HashMap, time::Duration};

use nostr::{Filter, JsonUtil as _, Kind};
use nostr_sdk::Client;
use skylark_protocol::{
    event::{Event, PublicKey},
    profile::Profile,
};

/// How long relays get to answer, and to be reached.
const PATIENCE: Duration = Duration::from_secs(8);
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// The newest profile of each, of those that these relays have.
pub(super) async fn find(people: Vec<PublicKey>, relays: &[String]) -> HashMap<PublicKey, Profile> {
    crate::origin::use_ring();
    let client = Client::default();
    // Public relays ask who it is and answer all the same; nobody is to be introduced for this.
    client.automatic_authentication(false);
    for relay in relays {
        if let Err(error) = client.add_relay(relay.as_str()).await {
            tracing::debug!(relay, %error, "not asked for profiles");
        }
    }
    let reached = client.try_connect(CONNECT_PATIENCE).await;
    for (relay, error) in &reached.failed {
        tracing::debug!(%relay, error, "not asked for profiles");
    }
    let authors = people.iter().filter_map(|one| nostr::PublicKey::from_slice(one.as_bytes()).ok());
    let found = client.fetch_events(Filter::new().kind(Kind::Metadata).authors(authors), PATIENCE).await;
    client.shutdown().await;
    let mut newest: HashMap<PublicKey, Event> = HashMap::new();
    let found = found.unwrap_or_else(|error| {
        tracing::debug!(%error, "no profiles");
        nostr_sdk::prelude::Events::default()
    });
    for event in found {
        let Ok(event) = serde_json::from_str::<Event>(&event.as_json()) else { continue };
        // The relay was asked for these alone, and may say what it likes.
        if people.contains(&event.pubkey) && newest.get(&event.pubkey).is_none_or(|known| event.replaces(known)) {
            newest.insert(event.pubkey, event);
        }
    }
    newest.into_iter().filter_map(|(who, event)| Some((who, Profile::read(&event).ok()?))).collect()
}
