//! Where a stream stands and who may publish to it: pure rules, time passed in.

use std::time::Duration;

use skylark_media::UnixTime;
use skylark_protocol::StreamState;

/// A publishing session, told from every other since the server started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);

/// What the rules depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A session that delivered media within this time keeps its place; one that has not gives way to a newcomer.
    pub in_use: Duration,
    /// How long a broadcast waits for its publisher's return.
    pub reconnect_timeout: Duration,
}

/// Where the stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Offline,
    Live,
    Reconnecting { until: UnixTime },
    Ended { at: UnixTime },
}

/// The session that holds the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Occupant {
    session: SessionId,
    last_media: Option<UnixTime>,
    begun: bool,
}

/// What becomes of a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It holds the stream now; the session that held it, if any, has to go.
    Admitted {
        /// Who has to go.
        supersedes: Option<SessionId>,
    },
    /// Another session is delivering media.
    InUse,
}

/// Where a session's media goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Into a broadcast of its own.
    New,
    /// Into the broadcast that waits for it.
    Resume,
}

/// One stream's state.
#[derive(Debug)]
pub struct State {
    rules: Rules,
    phase: Phase,
    occupant: Option<Occupant>,
}

impl State {
    /// A stream that nobody has published to yet.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, phase: Phase::Offline, occupant: None }
    }

    /// As viewers see it.
    #[must_use]
    pub fn stream_state(&self) -> StreamState {
        match self.phase {
            Phase::Offline => StreamState::Offline,
            Phase::Live => StreamState::Live,
            Phase::Reconnecting { .. } => StreamState::Reconnecting,
            Phase::Ended { .. } => StreamState::Ended,
        }
    }

    /// A broadcast from before a restart waits for its publisher from `now` on.
    pub fn recover(&mut self, now: UnixTime) {
        self.phase = Phase::Reconnecting { until: now + self.rules.reconnect_timeout };
    }

    /// A session with a valid key wants the stream.
    pub fn enter(&mut self, session: SessionId, now: UnixTime) -> Entry {
        if let Some(occupant) = self.occupant
            && occupant.last_media.is_some_and(|at| now.since(at) < self.rules.in_use)
        {
            return Entry::InUse;
        }
        let supersedes = self.occupant.map(|occupant| occupant.session);
        if let Some(present) = supersedes {
            self.leave(present, now);
        }
        self.occupant = Some(Occupant { session, last_media: None, begun: false });
        Entry::Admitted { supersedes }
    }

    /// This session holds the stream.
    #[must_use]
    pub fn is_held_by(&self, session: SessionId) -> bool {
        self.occupant.is_some_and(|occupant| occupant.session == session)
    }

    /// Somebody holds the stream.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.occupant.is_some()
    }

    /// Media arrived from this session.
    pub fn deliver(&mut self, session: SessionId, now: UnixTime) {
        if let Some(occupant) = self.occupant.as_mut().filter(|occupant| occupant.session == session) {
            occupant.last_media = Some(now);
        }
    }

    /// The session's first media arrived: from here on the broadcast it goes to does not time out while the session
    /// lasts. `None` when the session does not hold the stream any more.
    pub fn begin(&mut self, session: SessionId) -> Option<Start> {
        let occupant = self.occupant.as_mut().filter(|occupant| occupant.session == session)?;
        occupant.begun = true;
        Some(match self.phase {
            Phase::Offline | Phase::Ended { .. } => Start::New,
            Phase::Live | Phase::Reconnecting { .. } => Start::Resume,
        })
    }

    /// Viewers can play what the session sent.
    pub fn publish(&mut self, session: SessionId) {
        if self.is_held_by(session) {
            self.phase = Phase::Live;
        }
    }

    /// The session is gone, for whatever reason.
    pub fn leave(&mut self, session: SessionId, now: UnixTime) {
        if !self.is_held_by(session) {
            return;
        }
        self.occupant = None;
        if self.phase == Phase::Live {
            self.phase = Phase::Reconnecting { until: now + self.rules.reconnect_timeout };
        }
    }

    /// Time has passed; true when the broadcast ends by it.
    pub fn expire(&mut self, now: UnixTime) -> bool {
        let due = matches!(self.phase, Phase::Reconnecting { until } if until <= now);
        let claimed = self.occupant.is_some_and(|occupant| occupant.begun);
        if due && !claimed {
            self.phase = Phase::Ended { at: now };
            return true;
        }
        false
    }

    /// When the last broadcast ended, if none has begun since.
    #[must_use]
    pub fn ended_at(&self) -> Option<UnixTime> {
        match self.phase {
            Phase::Ended { at } => Some(at),
            _ => None,
        }
    }
}
