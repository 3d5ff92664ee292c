//! One live event by its address: here, among what was found, or asked for at the configured relays, once for everybody
//! who wants to know within half a minute.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use nostr::{Filter, Kind};
use nostr_sdk::pool::relay::ReqExitPolicy;
use skylark_protocol::{
    StreamId,
    address::Address,
    discover::{Card, FoundEvent},
    event::kind,
    live_event::LiveEvent,
};
use tokio::{sync::OnceCell, task::JoinSet};

use super::{Discovery, catalogue::is_newer, lock, now_s};
use crate::{
    db::{DbError, OwnedStream},
    relay::plain,
    streams::Refused,
};

/// How long the outside relays may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// An answer, and that there was none, is remembered for so long.
const MEMORY: Duration = Duration::from_secs(30);
/// Answers that are remembered.
const MAX_ANSWERS: usize = 1000;

/// Why there is no live event.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// Nobody who was asked knows it.
    #[error("no live event of this address is known here")]
    Unknown,
    /// Too many are sought outside.
    #[error("too many live events are being sought: try again in a moment")]
    Busy,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What was sought outside lately.
#[derive(Debug, Default)]
pub(super) struct Sought(Mutex<HashMap<Address, Arc<Answer>>>);

#[derive(Debug)]
struct Answer {
    asked_at: Instant,
    live: OnceCell<Option<Arc<LiveEvent>>>,
}

impl Sought {
    fn answer(&self, address: &Address) -> Arc<Answer> {
        let mut answers = lock(&self.0);
        if let Some(answer) = answers.get(address).filter(|answer| answer.asked_at.elapsed() < MEMORY) {
            return Arc::clone(answer);
        }
        if answers.len() >= MAX_ANSWERS {
            answers.retain(|_, answer| answer.asked_at.elapsed() < MEMORY);
        }
        if answers.len() >= MAX_ANSWERS {
            answers.clear();
        }
        let answer = Arc::new(Answer { asked_at: Instant::now(), live: OnceCell::new() });
        answers.insert(address.clone(), Arc::clone(&answer));
        answer
    }
}

impl Discovery {
    /// A live event, wherever it is.
    ///
    /// # Errors
    /// When it is not found.
    pub async fn find(&self, address: &Address) -> Result<FoundEvent, NotFound> {
        if self.is_private(address) {
            return Err(NotFound::Unknown);
        }
        if let Some(stream) = self.own_stream(address).await? {
            return Ok(self.own_event(stream));
        }
        if let Some(live) = self.carried_event(address).await? {
            return Ok(self.describe(&live, true));
        }
        let found = self.found().get(address).cloned();
        let found = match found {
            Some(found) => Some(found),
            None => self.seek(address).await?,
        };
        found.map(|live| self.describe(&live, false)).ok_or(NotFound::Unknown)
    }

    /// A stream of this server as a card; none where nobody may know of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn card(&self, id: &StreamId) -> Result<Option<FoundEvent>, DbError> {
        match self.streams.get(id).await {
            Ok(stream) => {
                Ok(Some(stream).filter(|stream| !stream.details.private).map(|stream| self.own_event(stream)))
            }
            Err(Refused::Db(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    async fn own_stream(&self, address: &Address) -> Result<Option<OwnedStream>, DbError> {
        let Ok(id) = address.identifier.parse::<StreamId>() else { return Ok(None) };
        match self.streams.get(&id).await {
            Ok(stream) => Ok(Some(stream).filter(|stream| stream.owner == address.pubkey && !stream.details.private)),
            Err(Refused::Db(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn own_event(&self, stream: OwnedStream) -> FoundEvent {
        let described = self.streams.describe(stream);
        let own_relay: Vec<String> = self.config.own_relay.iter().cloned().collect();
        FoundEvent {
            card: self.own_card(&described),
            summary: described.details.description,
            streaming: Vec::new(),
            recording: None,
            relays: own_relay,
            is_carried: true,
        }
    }

    async fn carried_event(&self, address: &Address) -> Result<Option<LiveEvent>, DbError> {
        let Some(filter) = filter(address) else { return Ok(None) };
        let events = self.relay.query(&[filter]).await?;
        Ok(events.iter().find_map(|event| LiveEvent::read(&plain(event)).ok()))
    }

    fn describe(&self, live: &LiveEvent, is_carried: bool) -> FoundEvent {
        let relays: Vec<String> = self.config.relays.iter().map(ToString::to_string).collect();
        let people = self.people();
        FoundEvent::of(live, people.get(&live.host()), &relays, is_carried, now_s())
    }

    /// Asks the configured relays that are connected.
    async fn seek(&self, address: &Address) -> Result<Option<Arc<LiveEvent>>, NotFound> {
        if self.config.relays.is_empty() {
            return Ok(None);
        }
        let answer = self.sought.answer(address);
        let found = answer.live.get_or_try_init(async || {
            let _seat = self.seeks.try_acquire().map_err(|_| NotFound::Busy)?;
            self.counters.seeks.increment();
            Ok::<_, NotFound>(self.ask_outside(address).await)
        });
        Ok(found.await?.clone())
    }

    async fn ask_outside(&self, address: &Address) -> Option<Arc<LiveEvent>> {
        let filter = filter(address)?;
        let mut asked = JoinSet::new();
        for (_, relay) in self.client.pool().relays().await {
            if relay.is_connected() {
                let filter = filter.clone();
                asked.spawn(async move { relay.fetch_events(filter, PATIENCE, ReqExitPolicy::ExitOnEOSE).await });
            }
        }
        let mut newest: Option<Arc<LiveEvent>> = None;
        while let Some(answer) = asked.join_next().await {
            let Ok(Ok(events)) = answer else { continue };
            for event in events {
                let Some(live) = event.verify().ok().and_then(|()| LiveEvent::read(&plain(&event)).ok()) else {
                    continue;
                };
                let is_it = live.address == *address && live.is_listable(now_s());
                if is_it && newest.as_ref().is_none_or(|known| is_newer(&live, known)) {
                    newest = Some(Arc::new(live));
                }
            }
        }
        newest
    }

    /// What a page may be told of somebody's stream here.
    pub(super) fn own_card(&self, stream: &skylark_protocol::api::Stream) -> Card {
        let people = self.people();
        super::listing::own_card(stream, people.get(&stream.owner), self.config.own_relay.as_slice())
    }
}

fn filter(address: &Address) -> Option<Filter> {
    let author = nostr::PublicKey::from_slice(address.pubkey.as_bytes()).ok()?;
    let filter = Filter::new().kind(Kind::from(kind::LIVE_EVENT)).author(author);
    Some(filter.identifier(&address.identifier).limit(1))
}
