//! Live events to be found: the streams of this server, those that its relay carries, and those that the configured
//! outside relays know. What was found outside stays in memory: the relays still have it after a restart.
//!
//! | module | what |
//! |---|---|
//! | [`scout`] | one outside relay |
//! | [`catalogue`] | what was found, bounded |
//! | [`people`] | names and pictures of hosts |
//! | [`listing`] | all of it as one answer, made once for everybody who asks |
//! | [`seek`] | one live event by its address |
//!
//! Only configured relays are ever called: an address that somebody sends does not lead this server anywhere.

mod catalogue;
mod listing;
mod people;
mod scout;
mod seek;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nostr::{Event, Filter, Kind, RelayUrl};
use nostr_sdk::{Client, ClientOptions, pool::monitor::Monitor};
use skylark_protocol::{
    event::{PublicKey, kind},
    live_event::LiveEvent,
    moderation::Deletion,
};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

pub use listing::Listing;
pub use seek::NotFound;

use self::{catalogue::Catalogue, listing::Listings, people::People, scout::Scout, seek::Sought};
use crate::{
    db::{DbError, now_ms},
    live::Live,
    metrics::{Counter, Page},
    relay::{Relay, plain},
    streams::Streams,
};

/// Outside relays that may be configured.
pub const MAX_RELAYS: usize = 16;
/// What the own relay carries is looked at so often, if something changed or not.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// Live events of the own relay that are listed.
const MAX_CARRIED: usize = 500;
/// Addresses that are sought outside at once.
const MAX_SEEKS: usize = 8;
/// Changes of connections that are remembered for a scout that is slow to look.
const MAX_CHANGES: usize = 256;

/// Where live events are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiscoveryConfig {
    /// Outside relays.
    pub relays: Vec<RelayUrl>,
    /// The own relay, if it is known under a URL: `wss://live.example.org`.
    pub own_relay: Option<String>,
}

/// What can be found.
#[derive(Debug)]
pub struct Discovery {
    config: DiscoveryConfig,
    client: Client,
    monitor: Monitor,
    live: Arc<Live>,
    relay: Arc<Relay>,
    streams: Arc<Streams>,
    found: Mutex<Catalogue>,
    carried: Mutex<Arc<[Arc<LiveEvent>]>>,
    people: Mutex<People>,
    listings: Listings,
    sought: Sought,
    seeks: Semaphore,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    taken: Counter,
    refused: Counter,
    seeks: Counter,
}

impl Discovery {
    /// Nobody is called before [`Discovery::run`].
    #[must_use]
    pub fn new(config: DiscoveryConfig, live: Arc<Live>, relay: Arc<Relay>, streams: Arc<Streams>) -> Arc<Self> {
        let monitor = Monitor::new(MAX_CHANGES);
        let options = ClientOptions::new().automatic_authentication(false);
        Arc::new(Self {
            config,
            client: Client::builder().opts(options).monitor(monitor.clone()).build(),
            monitor,
            live,
            relay,
            streams,
            found: Mutex::default(),
            carried: Mutex::default(),
            people: Mutex::default(),
            listings: Listings::default(),
            sought: Sought::default(),
            seeks: Semaphore::new(MAX_SEEKS),
            counters: Counters::default(),
        })
    }

    /// Looks around until the server stops.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut scouts = JoinSet::new();
        for url in self.config.relays.iter().take(MAX_RELAYS).cloned() {
            scouts.spawn(Scout::new(Arc::clone(&self), url).run());
        }
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let changes = self.relay.live_events_changed();
        let mut seen = None;
        let stopped = async move { _ = stop.wait_for(|stop| *stop).await };
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = &mut stopped => break,
            }
            let version = *changes.borrow();
            let looked = self.look_at_own_relay(seen != Some(version)).await;
            match looked {
                Ok(()) => seen = Some(version),
                Err(error) => tracing::warn!(%error, "the live events of this server's relay cannot be listed"),
            }
        }
        scouts.shutdown().await;
        self.client.shutdown().await;
    }

    /// Writes what is counted here.
    pub fn render(&self, page: &mut Page) {
        let events = [("taken", self.counters.taken.get()), ("refused", self.counters.refused.get())];
        page.counters("skylark_discovery_events_total", "Events from outside relays.", "outcome", events);
        page.gauge("skylark_discovery_live_events", "Live events found outside.", self.found().len() as u64);
        page.counter("skylark_discovery_seeks_total", "Live events sought outside.", self.counters.seeks.get());
    }

    /// Takes what an outside relay says, whatever it is worth.
    fn take(&self, event: &Event) {
        if event.verify().is_err() {
            return self.counters.refused.increment();
        }
        let event = plain(event);
        let is_taken = match event.kind {
            kind::LIVE_EVENT => self.found().take(&event, now_s()),
            kind::PROFILE => self.people().take(&event),
            kind::DELETION => match Deletion::read(&event) {
                Ok(deletion) => self.found().delete(&deletion),
                Err(_) => false,
            },
            _ => false,
        };
        if is_taken { self.counters.taken.increment() } else { self.counters.refused.increment() }
    }

    /// Reads the live events that the own relay carries, if they changed, and who their hosts and those of our streams
    /// say they are.
    async fn look_at_own_relay(&self, has_changed: bool) -> Result<(), DbError> {
        if has_changed {
            let filter = Filter::new().kind(Kind::from(kind::LIVE_EVENT)).limit(MAX_CARRIED);
            let events = self.relay.query(&[filter]).await?;
            let read = |event: &Event| LiveEvent::read(&plain(event)).ok().map(Arc::new);
            *lock(&self.carried) = events.iter().filter_map(read).collect();
        }
        let mut hosts: BTreeSet<PublicKey> = self.carried().iter().map(|live| live.host()).collect();
        hosts.extend(self.listings.hosts());
        if hosts.is_empty() {
            return Ok(());
        }
        let keys = hosts.iter().filter_map(|host| nostr::PublicKey::from_slice(host.as_bytes()).ok());
        let filter = Filter::new().kind(Kind::Metadata).authors(keys).limit(hosts.len());
        let profiles = self.relay.query(&[filter]).await?;
        let mut people = self.people();
        for profile in &profiles {
            people.take(&plain(profile));
        }
        Ok(())
    }

    /// Hosts who are found and of whom nothing else is known.
    fn strangers(&self) -> Vec<PublicKey> {
        let hosts: BTreeSet<_> = self.found().iter().map(|live| live.host()).collect();
        let people = self.people();
        hosts.into_iter().filter(|host| people.get(host).is_none()).collect()
    }

    fn carried(&self) -> Arc<[Arc<LiveEvent>]> {
        Arc::clone(&lock(&self.carried))
    }

    fn found(&self) -> MutexGuard<'_, Catalogue> {
        lock(&self.found)
    }

    fn people(&self) -> MutexGuard<'_, People> {
        lock(&self.people)
    }
}

/// What is locked here is whole after every statement: a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_s() -> u64 {
    u64::try_from(now_ms() / 1000).unwrap_or_default()
}
