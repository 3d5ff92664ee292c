//! What goes to outside relays, and what comes from them.

use std::sync::Arc;

use nostr::{Event, Filter, Kind, Timestamp};
use skylark_protocol::{
    address::Address,
    event::{self, kind},
    live_event::{LiveEvent, Status},
};
use tokio::sync::watch;

use super::{Accepted, Rejected, Relay, Source, limits::MAX_FILTER_LIMIT, scope::References, store::Readable};
use crate::db::DbError;

impl Relay {
    /// Takes an event from an outside relay, under the rules for clients. It is not sent on to any outside relay.
    ///
    /// # Errors
    /// Why it is not taken.
    pub(crate) async fn take_mirrored(&self, event: Event) -> Result<Accepted, Rejected> {
        self.take(event, Source::Outside).await
    }

    /// The live events of hosts here that are planned or on, with the outside relays that each names.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn mirrored(&self) -> Result<Vec<(Address, Vec<String>)>, DbError> {
        let filter = Filter::new().kind(Kind::from(kind::LIVE_EVENT)).limit(MAX_FILTER_LIMIT);
        let now = Timestamp::now().as_secs();
        let found = self.store.find(&[filter], &Readable::PUBLIC).await?;
        let live_events = found.iter().filter_map(|found| LiveEvent::read(&found.read()?).ok());
        let on = live_events.filter(|live| self.is_host(&live.address.pubkey) && live.state(now) != Status::Ended);
        let named = on.map(|live| (live.address.clone(), self.config.mirror.relays(&live)));
        Ok(named.filter(|(_, relays)| !relays.is_empty()).collect())
    }

    /// Changes when something may wait for an outside relay.
    pub(crate) fn mail(&self) -> watch::Receiver<u64> {
        self.mail.subscribe()
    }

    /// Changes when a live event was announced anew.
    pub(crate) fn live_events_changed(&self) -> watch::Receiver<u64> {
        self.live_events_changed.subscribe()
    }

    /// The outside relays that an event goes to.
    pub(super) async fn destinations(
        &self,
        event: &event::Event,
        references: &References,
    ) -> Result<Arc<[String]>, DbError> {
        // Its author wants it to be nowhere else (NIP-70).
        if event.tags.iter().any(|tag| tag.first().is_some_and(|name| name == "-")) {
            return Ok(Arc::default());
        }
        if event.kind == kind::LIVE_EVENT {
            let live = LiveEvent::read(event).ok().filter(|_| self.is_host(&event.pubkey));
            return Ok(live.map(|live| self.config.mirror.relays(&live)).unwrap_or_default().into());
        }
        match references.streams.as_slice() {
            [] => Ok(Arc::default()),
            [stream] => self.relays_of(stream).await,
            several => {
                let mut relays: Vec<String> = Vec::new();
                for stream in several {
                    relays.extend(self.relays_of(stream).await?.iter().cloned());
                }
                Ok(relays.into())
            }
        }
    }

    /// An event was stored; it goes to these outside relays.
    pub(super) fn announce_outside(&self, event: &event::Event, relays: &Arc<[String]>) {
        if event.kind == kind::LIVE_EVENT
            && let Some(address) = Address::of(event)
        {
            self.routes.learn(address, Arc::clone(relays));
        }
        if matches!(event.kind, kind::LIVE_EVENT | kind::DELETION) {
            self.live_events_changed.send_modify(|changes| *changes += 1);
        }
        if !relays.is_empty() {
            self.mail.send_modify(|letters| *letters += 1);
        }
    }

    async fn relays_of(&self, stream: &Address) -> Result<Arc<[String]>, DbError> {
        if !self.is_host(&stream.pubkey) {
            return Ok(Arc::default());
        }
        if let Some(relays) = self.routes.get(stream) {
            return Ok(relays);
        }
        let json = self.store.newest(stream).await?;
        let event = json.and_then(|json| serde_json::from_str::<event::Event>(&json).ok());
        let live = event.and_then(|event| LiveEvent::read(&event).ok());
        let relays: Arc<[String]> = live.map(|live| self.config.mirror.relays(&live)).unwrap_or_default().into();
        self.routes.learn(stream.clone(), Arc::clone(&relays));
        Ok(relays)
    }
}
