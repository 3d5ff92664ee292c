//! All that can be found as one JSON text: made at most once a second, the same bytes for everybody who asks.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, HashSet},
    io::Write as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};
use skylark_protocol::{
    StreamState, StreamStatus,
    address::Address,
    api::{Phase, Stream},
    discover::{Card, Discovered, Person, shown_picture},
    event::PublicKey,
    live_event::{LiveEvent, MISSED_AFTER_S},
    nip19::Entity,
    profile::Profile,
};
use tokio::sync::Mutex as AsyncMutex;

use super::{Discovery, catalogue::is_newer, lock, now_s};
use crate::{db::Listing as Wanted, live::LiveStream, streams::Refused};

/// It is as old as this at most.
const FRESH: Duration = Duration::from_secs(1);
/// Streams of this server that are listed in each phase.
const MAX_OWN: u32 = 500;
/// Live events that are listed as live.
const MAX_LIVE: usize = 1000;
/// Live events that are listed as planned, and as over.
const MAX_OTHERS: usize = 200;
/// What is over is listed for so long, seconds.
const PAST_S: u64 = 7 * 24 * 60 * 60;

/// What can be found, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// JSON.
    pub json: Bytes,
    /// The same with gzip.
    pub gzip: Bytes,
    /// Names this content.
    pub tag: u64,
}

/// The listing of now.
#[derive(Debug, Default)]
pub(super) struct Listings {
    current: AsyncMutex<Option<(Instant, Arc<Listing>)>>,
    hosts: Mutex<BTreeSet<PublicKey>>,
}

impl Listings {
    /// Hosts of our streams that were listed last.
    pub(super) fn hosts(&self) -> BTreeSet<PublicKey> {
        lock(&self.hosts).clone()
    }
}

impl Listing {
    fn of(discovered: &Discovered, before: Option<&Arc<Self>>) -> Arc<Self> {
        // These types have no form that JSON lacks.
        let json = serde_json::to_vec(discovered).unwrap_or_default();
        let digest = Sha256::digest(&json);
        let tag = digest.iter().take(8).fold(0, |tag, byte| tag << 8 | u64::from(*byte));
        if let Some(before) = before.filter(|before| before.tag == tag) {
            return Arc::clone(before);
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let gzip = encoder.write_all(&json).and_then(|()| encoder.finish()).unwrap_or_default();
        Arc::new(Self { json: json.into(), gzip: gzip.into(), tag })
    }
}

impl Discovery {
    /// All that can be found.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn listing(&self) -> Result<Arc<Listing>, Refused> {
        // Who comes while it is made waits and gets the same.
        let mut current = self.listings.current.lock().await;
        if let Some((_, listing)) = current.as_ref().filter(|(made_at, _)| made_at.elapsed() < FRESH) {
            return Ok(Arc::clone(listing));
        }
        let discovered = self.discover().await?;
        let listing = Listing::of(&discovered, current.as_ref().map(|(_, listing)| listing));
        *current = Some((Instant::now(), Arc::clone(&listing)));
        Ok(listing)
    }

    async fn discover(&self) -> Result<Discovered, Refused> {
        let now = now_s();
        let own = self.own_streams().await?;
        *lock(&self.listings.hosts) = own.iter().filter_map(|(_, stream)| Some(stream.as_ref()?.owner)).collect();
        let addresses: HashSet<Address> = own
            .iter()
            .filter_map(|(_, stream)| stream.as_ref())
            .map(|stream| Address::live_event(stream.owner, stream.id.as_str()))
            .collect();
        let mut discovered = Discovered::default();
        own.into_iter().for_each(|(card, _)| place(&mut discovered, card));
        let others = self.others();
        let people = self.people();
        let is_told = |live: &&Arc<LiveEvent>| !addresses.contains(&live.address) && !self.is_private(&live.address);
        for live in others.values().filter(|live| is_listed(live, now)).filter(is_told) {
            place(&mut discovered, Card::of(live, people.get(&live.host()), now));
        }
        drop(people);
        // Ours stay before the others.
        let is_other = |card: &Card| card.stream.is_none();
        let live = |card: &Card| (is_other(card), Reverse((card.viewers, card.starts_s)), card.path());
        discovered.live.sort_by_cached_key(live);
        discovered.planned.sort_by_cached_key(|card| (is_other(card), card.starts_s.unwrap_or(u64::MAX), card.path()));
        discovered.ended.sort_by_cached_key(|card| (is_other(card), Reverse(card.ends_s), card.path()));
        discovered.live.truncate(MAX_LIVE);
        discovered.planned.truncate(MAX_OTHERS);
        discovered.ended.truncate(MAX_OTHERS);
        Ok(discovered)
    }

    /// Whether it is the address of a private stream of this server, announced or not.
    pub(super) fn is_private(&self, address: &Address) -> bool {
        let id = address.identifier.parse().ok();
        id.and_then(|id| self.live.get(&id)).is_some_and(|stream| stream.guarded().is_some())
    }

    /// The newest announcement of each live event that is found outside or carried by the own relay.
    fn others(&self) -> HashMap<Address, Arc<LiveEvent>> {
        let mut others: HashMap<Address, Arc<LiveEvent>> = HashMap::new();
        let carried = self.carried();
        for live in self.found().iter().chain(carried.iter()) {
            if others.get(&live.address).is_none_or(|known| is_newer(live, known)) {
                others.insert(live.address.clone(), Arc::clone(live));
            }
        }
        others
    }

    /// The streams of this server; those that belong to nobody are without their owner's word.
    async fn own_streams(&self) -> Result<Vec<(Card, Option<Stream>)>, Refused> {
        let mut cards = Vec::new();
        let playing = self.live.list();
        let ids: Vec<_> = playing.iter().map(|stream| stream.id().clone()).collect();
        let previews = self.streams.previews(&ids).await?;
        let wanted = |phase| Wanted { phase: Some(phase), limit: MAX_OWN, ..Wanted::default() };
        let mut started: HashMap<_, _> =
            self.streams.list(&wanted(Phase::Live)).await?.into_iter().map(|one| (one.id.clone(), one)).collect();
        let is_shown = |stream: &&Arc<LiveStream>| stream.guarded().is_none() && !previews.contains(stream.id());
        for stream in playing.iter().filter(is_shown) {
            match started.remove(stream.id()) {
                Some(owned) => cards.push((self.own_card(&owned), Some(owned))),
                None => {
                    let viewers = self.streams.audience().viewers(stream.id()).map_or(0, |viewers| viewers.now);
                    cards.push((card_of_nobody(&stream.status(), viewers), None));
                }
            }
        }
        let now = now_s();
        let is_to_come = |at: u64| at + MISSED_AFTER_S > now;
        for planned in self.streams.list(&wanted(Phase::Planned)).await? {
            if planned.details.starts_at_s.is_some_and(is_to_come) {
                cards.push((self.own_card(&planned), Some(planned)));
            }
        }
        for ended in self.streams.list(&wanted(Phase::Ended)).await? {
            if ended.started_at_ms.is_some() {
                cards.push((self.own_card(&ended), Some(ended)));
            }
        }
        Ok(cards)
    }
}

fn place(discovered: &mut Discovered, card: Card) {
    let list = match card.phase {
        Phase::Live => &mut discovered.live,
        Phase::Planned => &mut discovered.planned,
        Phase::Ended => &mut discovered.ended,
    };
    list.push(card);
}

/// Whether there is anything to see, or to look forward to.
fn is_listed(live: &LiveEvent, now: u64) -> bool {
    if !live.is_listable(now) {
        return false;
    }
    match Phase::from(live.state(now)) {
        Phase::Live => live.source(now).is_some(),
        Phase::Planned => live.starts.is_some(),
        Phase::Ended => {
            let at = live.ends.unwrap_or(live.created_at);
            live.recording.is_some() && at <= now && now - at < PAST_S
        }
    }
}

/// The card of a stream of this server.
pub(super) fn own_card(stream: &Stream, profile: Option<&Profile>, relays: &[String]) -> Card {
    let details = &stream.details;
    let seconds = |ms: i64| u64::try_from(ms / 1000).ok();
    let address = Address::live_event(stream.owner, stream.id.as_str());
    Card {
        phase: stream.phase,
        naddr: Some(Entity::naddr(&address, relays)),
        stream: Some(stream.id.clone()),
        title: details.title.clone(),
        host: Some(Person::new(stream.owner, profile)),
        picture: stream.thumbnail.clone().or_else(|| shown_picture(details.image.as_deref())),
        category: Some(details.category.clone()).filter(|category| !category.is_empty()),
        hashtags: details.tags.iter().map(|tag| tag.to_lowercase()).collect(),
        viewers: (stream.phase == Phase::Live).then_some(stream.viewers.now),
        starts_s: stream.started_at_ms.and_then(seconds).or(details.starts_at_s),
        ends_s: stream.ended_at_ms.and_then(seconds),
        content_warning: None,
    }
}

/// The card of a stream that was made on the command line.
fn card_of_nobody(status: &StreamStatus, viewers: u64) -> Card {
    let is_on = matches!(status.state, StreamState::Live | StreamState::Reconnecting);
    Card {
        phase: if is_on { Phase::Live } else { Phase::Ended },
        naddr: None,
        stream: Some(status.id.clone()),
        title: String::new(),
        host: None,
        picture: None,
        category: None,
        hashtags: Vec::new(),
        viewers: Some(viewers),
        starts_s: status.started_at_ms.and_then(|ms| u64::try_from(ms / 1000).ok()),
        ends_s: None,
        content_warning: None,
    }
}
