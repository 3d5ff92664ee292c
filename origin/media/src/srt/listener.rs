//! One UDP port and everybody who calls it.

use core::net::SocketAddr;
use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{
    admission::{Admission, Caller, Request, RequestId, Step},
    crypto::Keys,
    handshake::{Handshake, MAX_HANDSHAKE, Phase, Rejection},
    packet::{self, ControlKind, Packet},
    session::{self, Effect, End, Session, Setup, Statistics},
};
use crate::time::UnixTime;

/// No latency is shorter.
pub const MIN_LATENCY: Duration = Duration::from_millis(120);
/// No latency is longer, whatever a caller asks for.
pub const MAX_LATENCY: Duration = Duration::from_secs(8);
/// A session that has been silent for so long gives way to a new handshake from its address. Living ones send
/// something every second.
const DEAD_AFTER: Duration = Duration::from_millis(1500);

/// What a listener allows.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// Least receiver latency; raised to [`MIN_LATENCY`].
    pub latency: Duration,
    /// Sessions at once; more are rejected.
    pub max_sessions: usize,
    /// Handshakes in progress at once; more are not answered.
    pub max_pending: usize,
    /// How long a handshake may wait for its decision.
    pub handshake_timeout: Duration,
    /// A session that sends nothing for so long is over.
    pub idle_timeout: Duration,
    /// 32 random bytes: what cookies and socket ids are made of.
    pub secret: [u8; 32],
}

/// A session: our socket id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(u32);

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The caller said goodbye.
    #[error("closed by the caller")]
    Shutdown,
    /// The caller is silent.
    #[error("nothing arrived any more")]
    Silent,
    /// The caller's address has begun a new handshake.
    #[error("replaced by a new connection from the same address")]
    Replaced,
    /// Something went wrong here, in this session alone.
    #[error("an internal error")]
    Failed,
}

/// What a listener wants done.
#[derive(Debug)]
pub enum Output {
    /// Send this.
    Send {
        /// To whom.
        to: SocketAddr,
        /// What.
        datagram: Bytes,
    },
    /// Decide this, with [`Listener::accept`] or [`Listener::reject`], before the caller gives up (within a second).
    Request(Request),
    /// The next piece of a session's data, in order. Where a packet is lost for good, some bytes are missing.
    Data {
        /// Whose.
        session: SessionId,
        /// Payload of one packet.
        data: Bytes,
    },
    /// A session is over, with these last statistics. Nothing follows.
    Closed {
        /// Which.
        session: SessionId,
        /// Why.
        reason: Closed,
        /// What it has seen.
        statistics: Statistics,
    },
}

#[derive(Debug)]
struct Entry {
    caller: Caller,
    session: Session,
    /// What the handshake was answered with, for a caller who missed it.
    acceptance: Bytes,
}

/// The listening side of SRT on one UDP port. Sans-IO: [`feed`](Self::feed) with what arrived and
/// [`tick`](Self::tick) when [`next_timeout`](Self::next_timeout) has come, then [`poll`](Self::poll) until `None`.
#[derive(Debug)]
pub struct Listener {
    config: ListenerConfig,
    admission: Admission,
    sessions: HashMap<SessionId, Entry>,
    by_caller: HashMap<Caller, SessionId>,
    ticked: UnixTime,
    ids_made: u64,
    outputs: VecDeque<Output>,
}

impl Listener {
    /// A listener that nobody has called yet.
    #[must_use]
    pub fn new(config: ListenerConfig) -> Self {
        Self {
            admission: Admission::new(config.secret, config.max_pending, config.handshake_timeout),
            config,
            sessions: HashMap::new(),
            by_caller: HashMap::new(),
            ticked: UnixTime::default(),
            ids_made: 0,
            outputs: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Sessions that are on.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.keys().copied()
    }

    /// Handshakes in progress.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.admission.len()
    }

    /// What a session has seen so far.
    #[must_use]
    pub fn statistics(&self, session: SessionId) -> Option<Statistics> {
        self.sessions.get(&session).map(|entry| entry.session.statistics())
    }

    /// Takes a datagram.
    pub fn feed(&mut self, now: UnixTime, peer: SocketAddr, datagram: &[u8]) {
        let Some(packet) = packet::parse(datagram) else { return };
        match packet {
            Packet::Control(control) if control.kind == ControlKind::Handshake => {
                if let Some(handshake) = Handshake::parse(control.body).filter(|_| datagram.len() <= MAX_HANDSHAKE) {
                    self.handshake(now, peer, &handshake);
                }
            }
            Packet::Data(packet::DataPacket { destination, .. })
            | Packet::Control(packet::ControlPacket { destination, .. }) => {
                let id = SessionId(destination);
                // Whoever guesses a socket id must also hold its caller's address.
                if self.sessions.get(&id).is_some_and(|entry| entry.caller.peer == peer) {
                    self.with_session(id, |session| session.feed(now, &packet));
                }
            }
        }
    }

    /// When [`tick`](Self::tick) is due; `None` while there is nothing to wait for.
    #[must_use]
    pub fn next_timeout(&self) -> Option<UnixTime> {
        if !self.sessions.is_empty() {
            return Some(self.ticked + session::TICK);
        }
        (self.admission.len() > 0).then(|| self.ticked + self.config.handshake_timeout)
    }

    /// Lets time pass. Feed first what has arrived: what is overdue by then is given up.
    pub fn tick(&mut self, now: UnixTime) {
        self.ticked = now;
        self.admission.tick(now);
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            self.with_session(id, |session| session.tick(now));
        }
    }

    /// Lets a caller in. `None` if the handshake is not waited for any more.
    pub fn accept(&mut self, now: UnixTime, request: RequestId, keys: Option<Keys>) -> Option<SessionId> {
        if self.sessions.len() >= self.config.max_sessions {
            self.reject(request, Rejection::Overload);
            return None;
        }
        let terms = self.admission.accept(request)?;
        let id = self.new_id();
        let latency = terms.latency.max(self.config.latency).clamp(MIN_LATENCY, MAX_LATENCY);
        let acceptance = terms.accept(id.0, latency, keys.as_ref());
        let setup = Setup {
            remote_socket: terms.caller.socket,
            first_sequence: terms.first_sequence,
            latency,
            idle_timeout: self.config.idle_timeout,
            keys,
        };
        if self.sessions.is_empty() {
            self.ticked = now;
        }
        self.outputs.push_back(Output::Send { to: terms.caller.peer, datagram: acceptance.clone() });
        self.sessions.insert(id, Entry { caller: terms.caller, session: Session::new(now, setup), acceptance });
        self.by_caller.insert(terms.caller, id);
        Some(id)
    }

    /// Turns a caller away.
    pub fn reject(&mut self, request: RequestId, rejection: Rejection) {
        if let Some((to, datagram)) = self.admission.reject(request, rejection) {
            self.outputs.push_back(Output::Send { to, datagram });
        }
    }

    /// Ends a session from our side. Its data so far can still be polled; no [`Output::Closed`] follows.
    pub fn close(&mut self, now: UnixTime, session: SessionId) {
        self.with_session(session, |session| session.close(now));
        self.remove(session);
    }

    fn handshake(&mut self, now: UnixTime, peer: SocketAddr, handshake: &Handshake<'_>) {
        match handshake.phase {
            Phase::Induction => {
                let datagram = self.admission.induction(now, peer, handshake);
                self.outputs.push_back(Output::Send { to: peer, datagram });
            }
            Phase::Conclusion if self.admission.knows(now, peer, handshake) => self.conclusion(now, peer, handshake),
            Phase::Conclusion | Phase::Other => {}
        }
    }

    fn conclusion(&mut self, now: UnixTime, peer: SocketAddr, handshake: &Handshake<'_>) {
        let caller = Caller { peer, socket: handshake.socket };
        if let Some(entry) = self.by_caller.get(&caller).and_then(|id| self.sessions.get(id)) {
            let datagram = entry.acceptance.clone();
            self.outputs.push_back(Output::Send { to: peer, datagram });
            return;
        }
        let dead = |entry: &Entry| entry.caller.peer == peer && now.since(entry.session.heard()) >= DEAD_AFTER;
        let dead: Vec<SessionId> = self.sessions.iter().filter(|(_, entry)| dead(entry)).map(|(id, _)| *id).collect();
        for id in dead {
            self.with_session(id, |session| session.close(now));
            self.finish(id, Closed::Replaced);
        }
        if self.admission.len() == 0 && self.sessions.is_empty() {
            self.ticked = now;
        }
        match self.admission.conclusion(now, caller, handshake) {
            Step::Nothing => {}
            Step::Answer(datagram) => self.outputs.push_back(Output::Send { to: peer, datagram }),
            Step::Ask(request) => self.outputs.push_back(Output::Request(request)),
        }
    }

    /// Runs `work` on a session and does what it wants done. A panic ends this session and no other.
    fn with_session(&mut self, id: SessionId, work: impl FnOnce(&mut Session)) {
        let Some(entry) = self.sessions.get_mut(&id) else { return };
        if catch_unwind(AssertUnwindSafe(|| work(&mut entry.session))).is_err() {
            return self.finish(id, Closed::Failed);
        }
        let to = entry.caller.peer;
        let mut ended = None;
        while let Some(effect) = entry.session.poll() {
            match effect {
                Effect::Send(datagram) => self.outputs.push_back(Output::Send { to, datagram }),
                Effect::Data(data) => self.outputs.push_back(Output::Data { session: id, data }),
                Effect::End(end) => ended = Some(end),
            }
        }
        match ended {
            Some(End::Shutdown) => self.finish(id, Closed::Shutdown),
            Some(End::Silent) => self.finish(id, Closed::Silent),
            None => {}
        }
    }

    fn finish(&mut self, id: SessionId, reason: Closed) {
        if let Some(entry) = self.remove(id) {
            let statistics = entry.session.statistics();
            self.outputs.push_back(Output::Closed { session: id, reason, statistics });
        }
    }

    fn remove(&mut self, id: SessionId) -> Option<Entry> {
        let entry = self.sessions.remove(&id)?;
        self.by_caller.remove(&entry.caller);
        Some(entry)
    }

    /// An id that nobody can guess and no session has.
    fn new_id(&mut self) -> SessionId {
        loop {
            self.ids_made += 1;
            let digest: [u8; 32] = Sha256::new()
                .chain_update(b"socket")
                .chain_update(self.config.secret)
                .chain_update(self.ids_made.to_be_bytes())
                .finalize()
                .into();
            let number = digest.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes)) >> 2;
            let id = SessionId(number);
            // 0 is a listener's id.
            if number != 0 && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn poison(&mut self, session: SessionId) {
        self.sessions.get_mut(&session).expect("the session is on").session.poisoned = true;
    }
}
