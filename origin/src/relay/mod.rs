//! The embedded Nostr relay: live events of this origin, their chat, and what belongs to them, on the port that viewers
//! use. It works without any other relay.
//!
//! | module | what |
//! |---|---|
//! | `session` | one client's WebSocket: NIP-01, 42, 45 |
//! | `message` | what is said on it |
//! | `information` | what the relay says of itself (NIP-11) |
//! | `shape`, `scope` | what every event has to be like; which events belong here (NIP-40, 70) |
//! | `chats` | the hosts' rules for their chats |
//! | `authentication` | who a client is (NIP-42) |
//! | `reading` | what clients may read |
//! | `private` | private streams: whose chat only guests read |
//! | `outside` | what goes to outside relays, and comes from them |
//! | `store` | events in SQL (NIP-09) |
//! | `limits` | how much anybody may ask for |
//! | `fuzz` | the body of its fuzz target |

mod authentication;
mod chats;
mod fuzz;
mod information;
mod limits;
mod message;
mod outside;
mod private;
mod reading;
mod scope;
mod session;
mod shape;
mod store;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use nostr::{Event, Filter, JsonUtil as _, Timestamp};
use skylark_protocol::{
    address::Address,
    event::{self, PublicKey, kind},
    moderation::ChatSettings,
};
use tokio::sync::{broadcast, watch};

pub use information::Information;
pub use limits::SEND_LIMIT;
pub use scope::Scope;
pub(crate) use scope::plain;
pub use store::Room;

use self::{
    chats::Chats,
    limits::{
        ADDRESS_BURST, ADDRESS_EVENTS_PER_S, BROADCAST_QUEUE, CLEANUP_INTERVAL, KEY_BURST, MAX_CLIENTS, MAX_PACES,
    },
    private::Private,
    scope::References,
    store::{Outcome, Readable, Store},
};
use crate::{
    db::{Db, DbError},
    live::gate::Gate,
    metrics::{Counter, Gauge, Page},
    mirror::{MirrorConfig, routes::Routes},
    pace::{Allowance, Paces},
    places::Places,
};

/// How the relay is run.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Whose live events it carries.
    pub scope: Scope,
    /// Keys whose live events it carries besides those that have a stream here.
    pub hosts: BTreeSet<PublicKey>,
    /// Clients at once from one address (an IPv6 /64 network counts as one).
    pub max_clients_per_address: usize,
    /// Events that one key may publish in a minute.
    pub events_per_minute: u32,
    /// How much is kept.
    pub room: Room,
    /// A client who does not take a message for so long is closed.
    pub send_limit: Duration,
    /// With which outside relays events are exchanged.
    pub mirror: MirrorConfig,
    /// Its own address, if it is known under one: `wss://live.example.org`.
    pub url: Option<String>,
    /// What it says of itself.
    pub information: Information,
}

/// An event was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is kept, and was sent to all who want it.
    Stored,
    /// It was here already.
    Duplicate,
    /// A newer version of it is here.
    Superseded,
}

/// An event was not taken. As text it is what the client is told: a word for programs, and a reason (NIP-01).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{prefix}: {reason}")]
pub struct Rejected {
    /// The word.
    pub prefix: &'static str,
    /// The reason.
    pub reason: String,
}

impl Rejected {
    fn new(prefix: &'static str, reason: impl Into<String>) -> Self {
        Self { prefix, reason: reason.into() }
    }

    fn invalid(reason: impl Into<String>) -> Self {
        Self::new("invalid", reason)
    }

    fn blocked(reason: impl Into<String>) -> Self {
        Self::new("blocked", reason)
    }

    fn restricted(reason: impl Into<String>) -> Self {
        Self::new("restricted", reason)
    }

    fn rate_limited(reason: impl Into<String>) -> Self {
        Self::new("rate-limited", reason)
    }
}

impl From<DbError> for Rejected {
    fn from(error: DbError) -> Self {
        tracing::error!(%error, "the relay's database failed");
        Self::new("error", "the relay cannot store anything at the moment")
    }
}

/// Where an event comes from.
#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    /// A client, authenticated as these.
    Client(&'a BTreeSet<nostr::PublicKey>),
    /// The origin itself hands on what somebody signed.
    Origin,
    /// An outside relay.
    Outside,
}

/// An event on its way to those who want it.
#[derive(Debug)]
struct Announced {
    event: Event,
    json: String,
    /// The private live event that it belongs to: only its guests get it.
    private_to: Option<Address>,
}

/// What the relay counts.
#[derive(Debug, Default)]
struct Counters {
    clients: Gauge,
    turned_away: Counter,
    slow: Counter,
    unreadable: Counter,
    stored: Counter,
    repeated: Counter,
    rejected: Counter,
    requests: Counter,
}

/// The relay.
#[derive(Debug)]
pub struct Relay {
    config: RelayConfig,
    store: Store,
    chats: Chats,
    private: Private,
    announcements: broadcast::Sender<Arc<Announced>>,
    key_paces: Mutex<Paces<PublicKey>>,
    address_paces: Mutex<Paces<Address>>,
    places: Places,
    hosts: RwLock<BTreeSet<PublicKey>>,
    routes: Routes,
    mail: watch::Sender<u64>,
    live_events_changed: watch::Sender<u64>,
    counters: Counters,
    stop: watch::Receiver<bool>,
}

impl Relay {
    /// A relay over the origin's database; its clients are closed when `stop` becomes true.
    #[must_use]
    pub fn new(config: RelayConfig, db: Db, stop: watch::Receiver<bool>) -> Arc<Self> {
        Arc::new(Self {
            hosts: RwLock::new(config.hosts.clone()),
            places: Places::new(MAX_CLIENTS, config.max_clients_per_address),
            config,
            store: Store::new(db),
            chats: Chats::default(),
            private: Private::default(),
            announcements: broadcast::Sender::new(BROADCAST_QUEUE),
            key_paces: Mutex::new(Paces::new(MAX_PACES)),
            address_paces: Mutex::new(Paces::new(MAX_PACES)),
            routes: Routes::default(),
            mail: watch::Sender::new(0),
            live_events_changed: watch::Sender::new(0),
            counters: Counters::default(),
            stop,
        })
    }

    /// Cleans up until the server stops.
    pub async fn run(self: Arc<Self>) {
        let mut stop = self.stop.clone();
        let stopped = async move { _ = stop.wait_for(|stop| *stop).await };
        tokio::pin!(stopped);
        let mut interval = tokio::time::interval(CLEANUP_INTERVAL);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = &mut stopped => return,
            }
            match self.store.clean(self.config.room, &self.hosts()).await {
                Ok(0) => {}
                Ok(removed) => tracing::debug!(removed, "old events removed"),
                Err(error) => tracing::warn!(%error, "old events could not be removed"),
            }
        }
    }

    /// Takes an event that somebody signed and the origin hands on. The rules are those for clients, but for pace and
    /// protection.
    ///
    /// # Errors
    /// Why it is not taken.
    pub async fn publish(&self, event: Event) -> Result<Accepted, Rejected> {
        self.take(event, Source::Origin).await
    }

    /// Events that match any of the filters and that everybody may read, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn query(&self, filters: &[Filter]) -> Result<Vec<Event>, DbError> {
        self.find(filters, &Readable::PUBLIC).await
    }

    /// The same with what belongs to private streams.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn query_everything(&self, filters: &[Filter]) -> Result<Vec<Event>, DbError> {
        self.find(filters, &Readable::Everything).await
    }

    async fn find(&self, filters: &[Filter], readable: &Readable) -> Result<Vec<Event>, DbError> {
        let found = self.store.find(filters, readable).await?;
        Ok(found.iter().filter_map(|found| Event::from_json(&found.json).ok()).collect())
    }

    /// What the relay says of itself.
    #[must_use]
    pub fn information(&self) -> String {
        self.config.information.to_json()
    }

    async fn take(&self, event: Event, source: Source<'_>) -> Result<Accepted, Rejected> {
        let taken = self.judge_and_keep(event, source).await;
        let counter = match &taken {
            Ok(Accepted::Stored) => &self.counters.stored,
            Ok(_) => &self.counters.repeated,
            Err(_) => &self.counters.rejected,
        };
        counter.increment();
        taken
    }

    async fn judge_and_keep(&self, event: Event, source: Source<'_>) -> Result<Accepted, Rejected> {
        shape::check(&event, Timestamp::now())?;
        shape::verify(&event)?;
        let plain = scope::plain(&event);
        if self.store.has_event(&plain.id).await? {
            return Ok(Accepted::Duplicate);
        }
        let is_author = |keys: &BTreeSet<nostr::PublicKey>| keys.contains(&event.pubkey);
        let is_known = match source {
            Source::Client(keys) => is_author(keys),
            Source::Origin => true,
            Source::Outside => false,
        };
        if event.is_protected() && !is_known {
            return Err(Rejected::new("auth-required", "only its author may publish this event"));
        }
        let is_host = self.is_host(&plain.pubkey);
        let mut references = References::of(&plain);
        references.follow(&self.store, plain.kind).await?;
        scope::check((&self.chats, &self.store), self.config.scope, &plain, &references, is_host, is_known).await?;
        let private_to = self.private.of(&plain, &references)?;
        if !matches!(source, Source::Origin) {
            self.pace(&plain, &references, is_host)?;
        }
        let now = Timestamp::now().as_secs();
        let came_at = if matches!(source, Source::Outside) { plain.created_at.min(now) } else { now };
        self.moderate(&plain, &references, came_at).await?;
        let relays = match source {
            Source::Outside if private_to.is_some() => {
                return Err(Rejected::blocked("what belongs to a private stream does not come from elsewhere"));
            }
            Source::Outside => Arc::default(),
            _ if private_to.is_some() => Arc::default(),
            _ => self.destinations(&plain, &references).await?,
        };
        self.keep(event, &plain, private_to, relays).await
    }

    /// From now on only these may read what belongs to a live event.
    pub fn guard(&self, stream: Address, gate: Gate) {
        self.private.guard(stream, gate);
    }

    /// Nobody may read or write what belongs to a live event any more: its private stream is gone.
    pub fn close(&self, stream: Address) {
        self.private.close(stream);
    }

    /// Closes a private live event, and forgets what belongs to it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_private(&self, stream: Address) -> Result<(), DbError> {
        self.private.close(stream.clone());
        self.store.remove_private(&stream).await
    }

    /// Somebody has a stream here from now on.
    pub fn add_host(&self, pubkey: PublicKey) {
        self.hosts.write().unwrap_or_else(PoisonError::into_inner).insert(pubkey);
    }

    fn hosts(&self) -> Vec<PublicKey> {
        self.hosts.read().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Whether somebody has a stream here.
    fn is_host(&self, pubkey: &PublicKey) -> bool {
        self.hosts.read().unwrap_or_else(PoisonError::into_inner).contains(pubkey)
    }

    fn pace(&self, event: &event::Event, references: &References, is_host: bool) -> Result<(), Rejected> {
        let now = Instant::now();
        let wait = |wait: Duration| Rejected::rate_limited(format!("wait {} s", wait.as_secs() + 1));
        if !is_host {
            let allowance = Allowance::new(KEY_BURST, self.config.events_per_minute, Duration::from_secs(60));
            let mut paces = self.key_paces.lock().unwrap_or_else(PoisonError::into_inner);
            paces.take(event.pubkey, allowance, now).map_err(wait)?;
            let allowance = Allowance::new(ADDRESS_BURST, ADDRESS_EVENTS_PER_S, Duration::from_secs(1));
            let mut paces = self.address_paces.lock().unwrap_or_else(PoisonError::into_inner);
            for stream in &references.streams {
                paces.take(stream.clone(), allowance, now).map_err(wait)?;
            }
        }
        Ok(())
    }

    /// The hosts' rules, of every live event that this one refers to; `at` is when it was written, as far as we know.
    async fn moderate(&self, event: &event::Event, references: &References, at: u64) -> Result<(), Rejected> {
        match event.kind {
            kind::CHAT | kind::REACTION | kind::ZAP_RECEIPT | kind::RAID | kind::CLIP | kind::PRESENCE => {
                // Readers find it under every one of them, so the rules of every one have to hold.
                if references.names_more {
                    return Err(Rejected::invalid("it refers to too much"));
                }
                for stream in &references.streams {
                    self.chats.judge(&self.store, stream, event, at).await?;
                }
                Ok(())
            }
            kind::APPLICATION_DATA => {
                let settings = ChatSettings::read(event)
                    .map_err(|_| Rejected::blocked("of application data, only settings of chats belong here"))?;
                let named = references.streams.iter().find(|stream| stream.identifier == settings.identifier);
                let own = Address::live_event(event.pubkey, &settings.identifier);
                let rules = self.chats.rules(&self.store, named.unwrap_or(&own)).await?;
                if rules.keeps_order(&event.pubkey) {
                    return Ok(());
                }
                Err(Rejected::restricted("only the host and the moderators can settle what holds in a chat"))
            }
            _ => Ok(()),
        }
    }

    async fn keep(
        &self,
        event: Event,
        plain: &event::Event,
        private_to: Option<Address>,
        relays: Arc<[String]>,
    ) -> Result<Accepted, Rejected> {
        let announced = Arc::new(Announced { json: event.as_json(), event, private_to });
        match self.store.keep(Arc::clone(&announced), Arc::clone(&relays)).await? {
            Outcome::Stored => {}
            Outcome::Duplicate => return Ok(Accepted::Duplicate),
            Outcome::Superseded => return Ok(Accepted::Superseded),
            Outcome::Deleted => return Err(Rejected::blocked("its author has deleted this event")),
        }
        if let Some(stream) = self.chats.forget(plain) {
            let rules = self.chats.rules(&self.store, &stream).await?;
            let removed: Vec<_> = rules.removed().copied().collect();
            let count = self.store.remove(&stream, &removed).await?;
            tracing::debug!(count, %stream, "messages removed by their host");
        }
        self.announce_outside(plain, &relays);
        // Who does not listen does not miss anything.
        _ = self.announcements.send(announced);
        Ok(Accepted::Stored)
    }

    /// Writes what is counted here.
    pub fn render(&self, page: &mut Page) {
        let counters = &self.counters;
        page.gauge("skylark_relay_clients", "Clients of the relay.", counters.clients.get());
        let ended = [("turned_away", counters.turned_away.get()), ("slow_reader", counters.slow.get())];
        page.counters("skylark_relay_clients_closed_total", "Clients that the relay closed.", "why", ended);
        let events = [
            ("stored", counters.stored.get()),
            ("repeated", counters.repeated.get()),
            ("rejected", counters.rejected.get()),
        ];
        page.counters("skylark_relay_events_total", "Events sent to the relay.", "outcome", events);
        let messages = [("request", counters.requests.get()), ("unreadable", counters.unreadable.get())];
        page.counters("skylark_relay_messages_total", "Other messages to the relay.", "what", messages);
    }
}

/// Body of the fuzz target `relay_message`: what a client says to the relay. Panics when an invariant breaks.
#[doc(hidden)]
pub fn fuzz_message(text: &[u8]) {
    fuzz::message(text);
}

#[cfg(test)]
mod tests;
