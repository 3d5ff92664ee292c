//! Live events and their chat on outside relays: what is said here goes there, what is said there comes here. Without
//! any of them everything still works.
//!
//! | module | what |
//! |---|---|
//! | [`routes`] | which events go where |
//! | [`outbox`] | what waits, on disk |
//! | [`link`] | one outside relay |
//! | [`answer`] | what its answers mean |
//!
//! What came from outside is never sent on: no loop, nothing twice.

mod answer;
mod link;
pub(crate) mod outbox;
pub(crate) mod routes;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nostr::RelayUrl;
use nostr_sdk::{Client, ClientOptions, pool::monitor::Monitor};
use skylark_protocol::{
    address::Address,
    mirror::{OutsideRelay, OutsideRelays},
};
use tokio::{sync::watch, task::AbortHandle};

pub(crate) use answer::pause;
pub(crate) use link::gone;
pub use routes::MirrorConfig;

use self::{
    link::{Link, Report},
    outbox::Outbox,
};
use crate::{
    db::{Db, DbError},
    metrics::Page,
    relay::Relay,
};

/// Outside relays at once; those that are named first are kept.
const MAX_LINKS: usize = 64;
/// Changes of connections that are remembered for a link that is slow to look.
const MAX_CHANGES: usize = 256;
/// What has to be connected is looked up so often even if nobody says that it changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// The outside relays.
#[derive(Debug)]
pub struct Mirror {
    relay: Arc<Relay>,
    outbox: Outbox,
    links: Mutex<BTreeMap<String, Handle>>,
}

/// A link that runs; it ends with this.
#[derive(Debug)]
struct Handle {
    report: Arc<Report>,
    wanted: watch::Sender<BTreeSet<Address>>,
    task: AbortHandle,
}

impl Handle {
    /// How it goes, and for which live events, connected or not.
    fn read(&self) -> OutsideRelay {
        OutsideRelay { live_events: self.wanted.borrow().iter().cloned().collect(), ..self.report.read() }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mirror {
    /// Nothing is connected before [`Mirror::run`].
    #[must_use]
    pub fn new(relay: Arc<Relay>, db: Db) -> Arc<Self> {
        Arc::new(Self { relay, outbox: Outbox::new(db), links: Mutex::default() })
    }

    /// Keeps the connections that are needed, until the server stops.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let options = ClientOptions::new().automatic_authentication(false);
        let monitor = Monitor::new(MAX_CHANGES);
        let client = Client::builder().opts(options).monitor(monitor.clone()).build();
        let mut changes = self.relay.live_events_changed();
        let stopped = async move { _ = stop.wait_for(|stop| *stop).await };
        tokio::pin!(stopped);
        loop {
            changes.borrow_and_update();
            if let Err(error) = self.connect(&client, &monitor).await {
                tracing::error!(%error, "cannot find out which outside relays are needed");
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                () = &mut stopped => break,
            }
        }
        self.lock().clear();
        client.shutdown().await;
    }

    /// How it goes with each outside relay.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn relays(&self) -> Result<OutsideRelays, DbError> {
        let waiting = self.outbox.waiting().await?;
        let relays: Vec<OutsideRelay> = self.lock().values().map(Handle::read).collect();
        let counted = relays
            .into_iter()
            .map(|relay| OutsideRelay { waiting: waiting.get(&relay.url).copied().unwrap_or_default(), ..relay });
        Ok(OutsideRelays { relays: counted.collect() })
    }

    /// Writes what is counted here.
    pub fn render(&self, page: &mut Page) {
        let relays: Vec<OutsideRelay> = self.lock().values().map(|handle| handle.report.read()).collect();
        let sum = |count: fn(&OutsideRelay) -> u64| relays.iter().map(count).sum::<u64>();
        page.gauge("skylark_mirror_relays", "Outside relays.", relays.len() as u64);
        let events = [
            ("delivered", sum(|relay| relay.delivered)),
            ("refused", sum(|relay| relay.refused)),
            ("received", sum(|relay| relay.received)),
        ];
        page.gauges("skylark_mirror_events", "Events exchanged with the outside relays of now.", "what", events);
    }

    /// Starts the links that are needed and missing, ends those that are not needed any more.
    async fn connect(&self, client: &Client, monitor: &Monitor) -> Result<(), DbError> {
        let mut needed: HashMap<String, BTreeSet<Address>> = HashMap::new();
        for (live_event, relays) in self.relay.mirrored().await? {
            for relay in relays.iter() {
                needed.entry(relay.clone()).or_default().insert(live_event.clone());
            }
        }
        // What waits for a relay goes out even if no live event names it any more.
        for (relay, _) in self.outbox.waiting().await? {
            let dropped = self.outbox.trim(&relay).await?;
            if dropped > 0 {
                tracing::warn!(%relay, dropped, "too many events wait for an outside relay: the oldest were dropped");
            }
            needed.entry(relay).or_default();
        }
        let mut links = self.lock();
        links.retain(|url, _| needed.contains_key(url));
        for (url, live_events) in needed {
            if let Some(handle) = links.get(&url) {
                handle.wanted.send_if_modified(|known| {
                    let is_new = *known != live_events;
                    *known = live_events;
                    is_new
                });
            } else if links.len() < MAX_LINKS
                && let Ok(parsed) = RelayUrl::parse(&url)
            {
                let handle = self.start(client.clone(), monitor.clone(), parsed, live_events);
                links.insert(url, handle);
            }
        }
        Ok(())
    }

    fn start(&self, client: Client, monitor: Monitor, url: RelayUrl, live_events: BTreeSet<Address>) -> Handle {
        let report = Arc::new(Report::new(url.to_string()));
        let (wanted, wanting) = watch::channel(live_events);
        let link = Link {
            monitor,
            client,
            url,
            relay: Arc::clone(&self.relay),
            outbox: self.outbox.clone(),
            report: Arc::clone(&report),
            wanted: wanting,
            mail: self.relay.mail(),
        };
        Handle { report, wanted, task: tokio::spawn(link.run()).abort_handle() }
    }

    /// The map is whole after every statement: a panic elsewhere does not spoil it.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Handle>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
