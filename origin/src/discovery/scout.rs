//! One outside relay: asked for live events and for their hosts' profiles, again and again while it is away.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use nostr::{Alphabet, Filter, Kind, RelayUrl, SingleLetterTag, SubscriptionId, Timestamp};
use nostr_sdk::{
    RelayOptions,
    pool::relay::{
        RelayLimits, RelayNotification, ReqExitPolicy, SubscribeOptions,
        limits::{RelayEventLimits, RelayMessageLimits},
    },
};
use skylark_protocol::event::{PublicKey, kind};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::Discovery;
use crate::mirror::{gone, pause};

/// The connection has to be there after so long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that lasted so long was a good one: the next pause is a short one again.
const GOOD_CONNECTION: Duration = Duration::from_secs(60);
/// Announcements that are asked for; the newest.
const MAX_ANNOUNCEMENTS: usize = 1000;
/// How old announcements may be.
const PAST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Deletions of the past that are asked for.
const MAX_DELETIONS: usize = 200;
/// Hosts who are asked for in one request.
const MAX_HOSTS: usize = 200;
/// It is looked so often whether there are hosts to ask for.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long the relay may take to answer who they are.
const PROFILE_PATIENCE: Duration = Duration::from_secs(10);
/// Largest message of the relay, bytes.
const MAX_MESSAGE_BYTES: u32 = 256 * 1024;
/// Largest event of the relay, bytes.
const MAX_EVENT_BYTES: u32 = 128 * 1024;

/// Looks around at one relay.
pub(super) struct Scout {
    discovery: Arc<Discovery>,
    url: RelayUrl,
}

impl Scout {
    pub(super) fn new(discovery: Arc<Discovery>, url: RelayUrl) -> Self {
        Self { discovery, url }
    }

    /// Until it is aborted.
    pub(super) async fn run(self) {
        let mut failures = 0;
        loop {
            let begun = Instant::now();
            let error = self.look_around().await;
            failures = if begun.elapsed() >= GOOD_CONNECTION { 0 } else { failures + 1 };
            tracing::info!(relay = %self.url, %error, "no live events are found at a relay for now");
            tokio::time::sleep(pause(failures)).await;
        }
    }

    /// Answers why it is over.
    async fn look_around(&self) -> String {
        let client = &self.discovery.client;
        let messages = RelayMessageLimits { max_size: Some(MAX_MESSAGE_BYTES) };
        let events = RelayEventLimits { max_size: Some(MAX_EVENT_BYTES), ..RelayEventLimits::default() };
        // We call again by ourselves, and what was not asked for is not taken.
        let options = RelayOptions::new()
            .reconnect(false)
            .write(false)
            .verify_subscriptions(true)
            .limits(RelayLimits { messages, events });
        if let Err(error) = client.pool().add_relay(self.url.clone(), options).await {
            return error.to_string();
        }
        let outside = match client.relay(self.url.clone()).await {
            Ok(outside) => outside,
            Err(error) => return error.to_string(),
        };
        let (news, changes) = (outside.notifications(), self.discovery.monitor.subscribe());
        let error = match outside.try_connect(CONNECT_TIMEOUT).await {
            Ok(()) => {
                tracing::info!(relay = %self.url, "looking for live events at a relay");
                tokio::select! {
                    reason = self.listen(news) => reason,
                    reason = self.ask(&outside) => reason,
                    () = gone(&outside, changes) => "the connection was lost".into(),
                }
            }
            Err(error) => error.to_string(),
        };
        outside.disconnect();
        if let Err(error) = client.force_remove_relay(self.url.clone()).await {
            tracing::debug!(relay = %self.url, %error, "cannot forget the relay");
        }
        error
    }

    async fn listen(&self, mut news: Receiver<RelayNotification>) -> String {
        loop {
            match news.recv().await {
                Ok(RelayNotification::Event { event, .. }) => self.discovery.take(&event),
                Ok(RelayNotification::Shutdown) | Err(RecvError::Closed) => return "the connection was closed".into(),
                // What was missed is asked for anew.
                Err(RecvError::Lagged(_)) => return "it sends faster than can be taken".into(),
                Ok(_) => {}
            }
        }
    }

    /// Subscribes to announcements, and asks who their hosts are.
    async fn ask(&self, outside: &nostr_sdk::Relay) -> String {
        let announcements =
            Filter::new().kind(Kind::from(kind::LIVE_EVENT)).since(Timestamp::now() - PAST).limit(MAX_ANNOUNCEMENTS);
        let deletions = Filter::new()
            .kind(Kind::EventDeletion)
            .custom_tag(SingleLetterTag::lowercase(Alphabet::K), kind::LIVE_EVENT.to_string())
            .limit(MAX_DELETIONS);
        let name = SubscriptionId::new("live");
        let filters = vec![announcements, deletions];
        if let Err(error) = outside.subscribe_with_id(name, filters, SubscribeOptions::default()).await {
            return error.to_string();
        }
        let mut asked: HashSet<PublicKey> = HashSet::new();
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        loop {
            looks.tick().await;
            let mut hosts = self.discovery.strangers();
            if asked.len() > 10 * MAX_HOSTS {
                asked.clear();
            }
            hosts.retain(|host| !asked.contains(host));
            hosts.truncate(MAX_HOSTS);
            if hosts.is_empty() {
                continue;
            }
            let keys = hosts.iter().filter_map(|host| nostr::PublicKey::from_slice(host.as_bytes()).ok());
            let filter = Filter::new().kind(Kind::Metadata).authors(keys).limit(hosts.len());
            asked.extend(hosts);
            // `listen` does not hear of those again that it has heard of once.
            match outside.fetch_events(filter, PROFILE_PATIENCE, ReqExitPolicy::ExitOnEOSE).await {
                Ok(profiles) => profiles.iter().for_each(|profile| self.discovery.take(profile)),
                Err(error) => tracing::debug!(relay = %self.url, %error, "hosts' profiles did not come"),
            }
        }
    }
}
