//! Who calls: requests signed by a Nostr key (NIP-98), each good for once; and how often anybody may call.

use std::{
    collections::{HashSet, VecDeque},
    hash::Hash,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::{FromRequest, OriginalUri, Request},
    http::{HeaderMap, StatusCode, header},
};
use nostr::JsonUtil as _;
use serde::de::DeserializeOwned;
use skylark_protocol::{
    api::FieldError,
    event::{Event, EventId, PublicKey},
    nip98,
};

use super::{Shared, failure::Failure};
use crate::{
    db::now_ms,
    pace::{Allowance, Paces},
    serve::peer::Peer,
    streams::guests::Visitor,
};

/// Of what one key may send in a minute, so much at once: one in so many.
const BURST_SHARE: u32 = 4;
/// One address may send as much as so many keys: people share addresses.
const KEYS_PER_ADDRESS: u32 = 4;
/// In this time one address may make as many streams as so many keys may have, where strangers may make any.
const CREATION_TIME: Duration = Duration::from_secs(24 * 3600);
/// Addresses, and keys, whose pace is remembered.
const MAX_PACES: usize = 10_000;
/// Signed events that are remembered: more than the paces let through in the time that one is good for would take
/// hundreds of addresses.
const MAX_REMEMBERED: usize = 200_000;
/// An event is remembered so long, seconds: from the earliest time it is good for to the latest.
const REMEMBERED_S: u64 = 2 * nip98::MAX_AGE_S + 1;

/// A request that is whose it says it is.
#[derive(Debug)]
pub(super) struct Signed {
    /// Who signed it.
    pub(super) who: PublicKey,
    /// What URLs of this site begin with.
    pub(super) site: String,
    address: Option<IpAddr>,
    is_json: bool,
    body: Bytes,
}

impl Signed {
    /// The body, read as JSON; errors name the field.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if !self.is_json {
            return Err(Failure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "json-needed",
                "the body has to be JSON: Content-Type: application/json",
            ));
        }
        if self.body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Failure::bad_request("unreadable", "the body has to be a JSON object"));
        }
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let field = error.path().to_string();
            let reason = error.into_inner().to_string();
            match field.as_str() {
                "." | "?" => Failure::bad_request("unreadable", format!("the body cannot be read: {reason}")),
                _ => Failure::fields(vec![FieldError::new(field, format!("cannot be read: {reason}"))]),
            }
        })?;
        reader
            .end()
            .map_err(|error| Failure::bad_request("unreadable", format!("after the body comes more: {error}")))?;
        Ok(read)
    }

    /// The same, where the body may be absent.
    pub(super) fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Failure> {
        if self.body.is_empty() { Ok(T::default()) } else { self.json() }
    }

    /// The body as it came.
    pub(super) fn into_body(self) -> Bytes {
        self.body
    }
}

impl FromRequest<Shared> for Signed {
    type Rejection = Failure;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let site = shared.rooms.site.base(&parts)?;
        let address = Peer::of(&parts);
        shared.callers.pace_address(address)?;
        let event = claimed(&parts.headers)?;
        let path = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0).path_and_query();
        let url = format!("{site}{}", path.map_or("/", |path| path.as_str()));
        let (method, is_json) = (parts.method.clone(), is_json(&parts.headers));
        let body =
            Bytes::from_request(Request::from_parts(parts, body), &()).await.map_err(|rejection| {
                match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => {
                        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is too large")
                    }
                    _ => Failure::bad_request("unreadable", "the body cannot be read"),
                }
            })?;
        let asked = nip98::Request { url: &url, method: method.as_str(), body: &body };
        let now_s = u64::try_from(now_ms() / 1000).unwrap_or_default();
        nip98::check(&event, asked, now_s).map_err(|refused| unsigned(refused.to_string()))?;
        shared.callers.admit(&event, now_s)?;
        Ok(Self { who: event.pubkey, site, address, is_json, body })
    }
}

/// For what everybody may ask, and some are told more of.
impl FromRequest<Shared> for Visitor {
    type Rejection = Failure;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Failure> {
        let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match authorization.unwrap_or_default().split_once(' ') {
            None => Ok(Self::Stranger),
            Some((scheme, ticket)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(Self::Ticket(ticket.trim().into())),
            Some(_) => Signed::from_request(request, shared).await.map(|signed| Self::Key(signed.who)),
        }
    }
}

/// The event that the header carries.
fn claimed(headers: &HeaderMap) -> Result<Event, Failure> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(unsigned("sign the request (NIP-98): Authorization: Nostr <base64 of the event>".into()));
    };
    let value = value.to_str().map_err(|_| unsigned(nip98::Refused::Scheme.to_string()))?;
    nip98::read_header(value).map_err(|refused| unsigned(refused.to_string()))
}

fn unsigned(message: String) -> Failure {
    Failure::unauthorized(nip98::SCHEME, "not-signed", message)
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// What is remembered of those who call.
#[derive(Debug)]
pub(super) struct Callers {
    per_minute: u32,
    addresses: Mutex<Paces<IpAddr>>,
    keys: Mutex<Paces<PublicKey>>,
    creations: Mutex<Paces<IpAddr>>,
    used: Mutex<Used>,
}

impl Callers {
    /// Each key may send so many signed requests in a minute.
    pub(super) fn new(per_minute: u32) -> Self {
        let (addresses, keys) = (Mutex::new(Paces::new(MAX_PACES)), Mutex::new(Paces::new(MAX_PACES)));
        Self { per_minute, addresses, keys, creations: Mutex::new(Paces::new(MAX_PACES)), used: Mutex::default() }
    }

    /// Keys cost nothing: what a stranger may make is counted by address, too.
    pub(super) fn pace_creation(&self, signed: &Signed, max_per_key: u32) -> Result<(), Failure> {
        let Some(address) = signed.address else { return Ok(()) };
        let count = max_per_key.saturating_mul(KEYS_PER_ADDRESS);
        let allowance = Allowance::new(count, count, CREATION_TIME);
        lock(&self.creations).take(address, allowance, Instant::now()).map_err(Failure::too_fast)
    }

    /// Those who need not sign are counted by address alone.
    pub(super) fn pace_address(&self, address: Option<IpAddr>) -> Result<(), Failure> {
        let Some(address) = address else { return Ok(()) };
        take(&mut lock(&self.addresses), address, self.per_minute.saturating_mul(KEYS_PER_ADDRESS))
    }

    /// Checks what costs most last, and takes the event once.
    fn admit(&self, event: &Event, now_s: u64) -> Result<(), Failure> {
        if lock(&self.used).has(&event.id) {
            return Err(unsigned("this event was used already: sign another".into()));
        }
        let json = serde_json::to_string(event).unwrap_or_default();
        if !nostr::Event::from_json(&json).is_ok_and(|event| event.verify().is_ok()) {
            return Err(unsigned("the signature is not the author's".into()));
        }
        take(&mut lock(&self.keys), event.pubkey, self.per_minute)?;
        match lock(&self.used).add(event.id, now_s) {
            Outcome::Fresh => Ok(()),
            Outcome::Used => Err(unsigned("this event was used already: sign another".into())),
            Outcome::Full => Err(Failure::too_fast(Duration::from_secs(nip98::MAX_AGE_S))),
        }
    }
}

fn take<K: Eq + Hash>(paces: &mut Paces<K>, key: K, per_minute: u32) -> Result<(), Failure> {
    let allowance = Allowance::new((per_minute / BURST_SHARE).max(1), per_minute, Duration::from_secs(60));
    paces.take(key, allowance, Instant::now()).map_err(Failure::too_fast)
}

/// What they hold is consistent between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Events that were used, as long as they are good.
#[derive(Debug, Default)]
struct Used {
    ids: HashSet<EventId>,
    /// In the order of their use.
    order: VecDeque<(u64, EventId)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Fresh,
    Used,
    /// Nothing that is still good is forgotten for another's sake.
    Full,
}

impl Used {
    fn has(&self, id: &EventId) -> bool {
        self.ids.contains(id)
    }

    fn add(&mut self, id: EventId, now_s: u64) -> Outcome {
        while let Some((at_s, old)) = self.order.front().copied()
            && at_s.saturating_add(REMEMBERED_S) < now_s
        {
            self.order.pop_front();
            self.ids.remove(&old);
        }
        if self.ids.contains(&id) {
            return Outcome::Used;
        }
        if self.ids.len() >= MAX_REMEMBERED {
            return Outcome::Full;
        }
        self.ids.insert(id);
        self.order.push_back((now_s, id));
        Outcome::Fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> EventId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        EventId::from_bytes(bytes)
    }

    #[test]
    fn an_event_is_taken_once_for_as_long_as_it_is_good() {
        let mut used = Used::default();
        assert_eq!(used.add(id(1), 1000), Outcome::Fresh);
        assert_eq!(used.add(id(1), 1000 + REMEMBERED_S), Outcome::Used);
        assert_eq!(used.add(id(2), 1001 + REMEMBERED_S), Outcome::Fresh);
        assert_eq!(used.ids.len(), 1, "the old one is forgotten");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_nothing_good_is_forgotten() {
        let mut used = Used::default();
        for number in 0..MAX_REMEMBERED {
            assert_eq!(used.add(id(number), 1000), Outcome::Fresh);
        }
        assert_eq!(used.add(id(MAX_REMEMBERED), 1000), Outcome::Full);
        assert_eq!(used.add(id(0), 1000), Outcome::Used);
        assert_eq!(used.add(id(MAX_REMEMBERED), 1001 + REMEMBERED_S), Outcome::Fresh);
    }
}
