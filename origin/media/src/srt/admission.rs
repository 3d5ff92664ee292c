//! From a handshake to a decision. Callers who have not shown that they receive at their address cost no memory.

use core::net::{IpAddr, SocketAddr};
use std::{collections::HashMap, fmt, time::Duration};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{
    crypto::Keys,
    handshake::{self, Extensions, Handshake, Phase, Rejection},
    packet::Sequence,
    stream_id::{self, StreamIdError},
};
use crate::time::UnixTime;

/// A cookie is good for this long, and as long again.
const COOKIE_PERIOD: Duration = Duration::from_secs(30);
/// Handshakes of one address in progress at once.
const MAX_PENDING_PER_ADDRESS: usize = 16;

/// A handshake that waits for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

/// Somebody wants to publish.
pub struct Request {
    /// To decide it by.
    pub id: RequestId,
    /// Where the caller is.
    pub peer: SocketAddr,
    extensions: Extensions,
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Request").field("id", &self.id).field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Request {
    /// The stream key that the caller presents.
    ///
    /// # Errors
    /// When the stream id has none, or asks for something else than publishing.
    pub fn key(&self) -> Result<&str, StreamIdError> {
        stream_id::publish_key(&self.extensions.stream_id)
    }

    /// Length of the caller's encryption key in bits; `None` in clear.
    #[must_use]
    pub fn key_bits(&self) -> Option<u16> {
        self.extensions.keys.as_ref().map(|keys| keys.size_code() * 64)
    }

    /// The session's keys, given the passphrase that it must use, if it must. Takes milliseconds.
    ///
    /// # Errors
    /// When caller and server do not agree on one.
    pub fn unlock(&self, passphrase: Option<&str>) -> Result<Option<Keys>, Rejection> {
        match (&self.extensions.keys, passphrase) {
            (Some(material), Some(passphrase)) => material.unlock(passphrase).map(Some),
            (None, None) => Ok(None),
            _ => Err(Rejection::Unsecure),
        }
    }
}

impl From<StreamIdError> for Rejection {
    fn from(error: StreamIdError) -> Self {
        match error {
            StreamIdError::Missing | StreamIdError::Malformed => Self::BadRequest,
            StreamIdError::NotPublishing => Self::BadMode,
        }
    }
}

/// One socket of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Caller {
    pub(super) peer: SocketAddr,
    pub(super) socket: u32,
}

/// What a session needs of its handshake.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) caller: Caller,
    pub(super) first_sequence: Sequence,
    pub(super) latency: Duration,
    caller_latency_ms: u16,
    mtu: u32,
    flow_window: u32,
}

impl Terms {
    fn handshake(&self) -> Handshake<'static> {
        Handshake {
            version: 5,
            phase: Phase::Conclusion,
            first_sequence: self.first_sequence,
            mtu: self.mtu,
            flow_window: self.flow_window,
            socket: self.caller.socket,
            cookie: 0,
            extensions: &[],
        }
    }

    /// The handshake's answer.
    pub(super) fn accept(&self, socket: u32, latency: Duration, keys: Option<&Keys>) -> Bytes {
        let caller_latency_ms = self.caller_latency_ms;
        let acceptance = handshake::Acceptance { socket, latency, caller_latency_ms, keys: keys.map(Keys::material) };
        handshake::acceptance(&self.handshake(), &acceptance, self.caller.peer.ip())
    }
}

#[derive(Debug)]
struct Pending {
    terms: Terms,
    since: UnixTime,
    state: State,
}

#[derive(Debug)]
enum State {
    Asked(RequestId),
    /// The answer, for a caller who missed it.
    Rejected(Bytes),
}

/// What a handshake packet leads to.
#[derive(Debug)]
pub(super) enum Step {
    Nothing,
    Answer(Bytes),
    Ask(Request),
}

/// Handshakes in progress.
#[derive(Debug)]
pub(super) struct Admission {
    secret: [u8; 32],
    max_pending: usize,
    timeout: Duration,
    pending: HashMap<Caller, Pending>,
    next_id: u64,
}

impl Admission {
    pub(super) fn new(secret: [u8; 32], max_pending: usize, timeout: Duration) -> Self {
        Self { secret, max_pending, timeout, pending: HashMap::new(), next_id: 0 }
    }

    /// Handshakes that wait for a decision, or for their caller to have heard it.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Answers an induction.
    pub(super) fn induction(&self, now: UnixTime, peer: SocketAddr, handshake: &Handshake<'_>) -> Bytes {
        handshake::induction_answer(handshake, self.cookie(peer, period(now)), peer.ip())
    }

    /// Whether a conclusion bears the cookie that went to its address.
    pub(super) fn knows(&self, now: UnixTime, peer: SocketAddr, handshake: &Handshake<'_>) -> bool {
        let period = period(now);
        [period, period.wrapping_sub(1)].iter().any(|&period| self.cookie(peer, period) == handshake.cookie)
    }

    /// Takes a conclusion with a good cookie.
    pub(super) fn conclusion(&mut self, now: UnixTime, caller: Caller, handshake: &Handshake<'_>) -> Step {
        if let Some(pending) = self.pending.get(&caller) {
            return match &pending.state {
                State::Asked(_) => Step::Nothing,
                State::Rejected(answer) => Step::Answer(answer.clone()),
            };
        }
        let ip = caller.peer.ip();
        let extensions = match read(handshake) {
            Ok(extensions) => extensions,
            Err(rejection) => return Step::Answer(handshake::rejection(handshake, rejection, ip)),
        };
        if !self.make_room(ip) {
            return Step::Nothing;
        }
        self.next_id += 1;
        let id = RequestId(self.next_id);
        let terms = Terms {
            caller,
            first_sequence: handshake.first_sequence,
            latency: extensions.latency,
            caller_latency_ms: extensions.own_latency_ms,
            mtu: handshake.mtu,
            flow_window: handshake.flow_window,
        };
        self.pending.insert(caller, Pending { terms, since: now, state: State::Asked(id) });
        Step::Ask(Request { id, peer: caller.peer, extensions })
    }

    /// Room for one more of this address: rejections that are only kept for their callers give way.
    fn make_room(&mut self, address: IpAddr) -> bool {
        let of_address = self.pending.keys().filter(|caller| caller.peer.ip() == address).count();
        if of_address < MAX_PENDING_PER_ADDRESS && self.pending.len() < self.max_pending {
            return true;
        }
        // Who was rejected so often has to wait: every request costs a look into the database.
        if of_address >= MAX_PENDING_PER_ADDRESS {
            return false;
        }
        let done = self.pending.iter().filter(|(_, pending)| matches!(pending.state, State::Rejected(_)));
        let oldest = done.min_by_key(|(_, pending)| pending.since).map(|(caller, _)| *caller);
        oldest.is_some_and(|caller| self.pending.remove(&caller).is_some())
    }

    /// Takes a request off the list to accept it; `None` if it is not waited for any more.
    pub(super) fn accept(&mut self, id: RequestId) -> Option<Terms> {
        let caller = self.find(id)?;
        self.pending.remove(&caller).map(|pending| pending.terms)
    }

    /// Turns a request down: whom to tell what.
    pub(super) fn reject(&mut self, id: RequestId, rejection: Rejection) -> Option<(SocketAddr, Bytes)> {
        let caller = self.find(id)?;
        let pending = self.pending.get_mut(&caller)?;
        let answer = handshake::rejection(&pending.terms.handshake(), rejection, caller.peer.ip());
        pending.state = State::Rejected(answer.clone());
        Some((caller.peer, answer))
    }

    fn find(&self, id: RequestId) -> Option<Caller> {
        let asked = |pending: &Pending| matches!(pending.state, State::Asked(asked) if asked == id);
        self.pending.iter().find(|(_, pending)| asked(pending)).map(|(caller, _)| *caller)
    }

    /// Forgets handshakes that have taken too long.
    pub(super) fn tick(&mut self, now: UnixTime) {
        self.pending.retain(|_, pending| now.since(pending.since) < self.timeout);
    }

    fn cookie(&self, peer: SocketAddr, period: i64) -> u32 {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(period.to_be_bytes());
        hash.update(peer.port().to_be_bytes());
        match peer.ip() {
            IpAddr::V4(ip) => hash.update(ip.to_ipv6_mapped().octets()),
            IpAddr::V6(ip) => hash.update(ip.octets()),
        }
        let digest: [u8; 32] = hash.finalize().into();
        digest.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }
}

fn period(now: UnixTime) -> i64 {
    now.as_ms() / i64::try_from(COOKIE_PERIOD.as_millis()).unwrap_or(i64::MAX)
}

fn read(handshake: &Handshake<'_>) -> Result<Extensions, Rejection> {
    if handshake.version != 5 {
        return Err(Rejection::Version);
    }
    Extensions::parse(handshake.extensions)
}
