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
    Reconnecting { since: UnixTime },
    Ended,
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
            Phase::Ended => StreamState::Ended,
        }
    }

    /// A broadcast from before a restart waits for its publisher from `now` on.
    pub fn recover(&mut self, now: UnixTime) {
        self.phase = Phase::Reconnecting { since: now };
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
            Phase::Offline | Phase::Ended => Start::New,
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
            self.phase = Phase::Reconnecting { since: now };
        }
    }

    /// Time has passed; true when the broadcast ends by it.
    pub fn expire(&mut self, now: UnixTime) -> bool {
        let due =
            matches!(self.phase, Phase::Reconnecting { since } if now.since(since) >= self.rules.reconnect_timeout);
        let claimed = self.occupant.is_some_and(|occupant| occupant.begun);
        if due && !claimed {
            self.phase = Phase::Ended;
            return true;
        }
        false
    }

    /// How long a broadcast waits for its publisher's return, also one that waits already.
    pub fn set_reconnect_timeout(&mut self, timeout: Duration) {
        self.rules.reconnect_timeout = timeout;
    }

    /// It is over by its owner's word, whoever publishes; true when a broadcast ends by it.
    pub fn end(&mut self) -> bool {
        self.occupant = None;
        let ends = matches!(self.phase, Phase::Live | Phase::Reconnecting { .. });
        if ends {
            self.phase = Phase::Ended;
        }
        ends
    }

    /// A broadcast is on, or waited for, or may begin with the next media.
    #[must_use]
    pub fn has_broadcast(&self) -> bool {
        self.is_held() || matches!(self.phase, Phase::Live | Phase::Reconnecting { .. })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules { in_use: Duration::from_secs(3), reconnect_timeout: Duration::from_secs(30) };
    const A: SessionId = SessionId(1);
    const B: SessionId = SessionId(2);

    fn at(ms: i64) -> UnixTime {
        UnixTime::from_ms(1_795_228_800_000 + ms)
    }

    /// A stream that `A` publishes to since 0 ms.
    fn live() -> State {
        let mut state = State::new(RULES);
        assert_eq!(state.enter(A, at(0)), Entry::Admitted { supersedes: None });
        state.deliver(A, at(0));
        assert_eq!(state.begin(A), Some(Start::New));
        state.publish(A);
        assert_eq!(state.stream_state(), StreamState::Live);
        state
    }

    #[test]
    fn a_session_that_delivers_keeps_its_place_and_a_silent_one_does_not() {
        let mut state = live();
        assert_eq!(state.enter(B, at(2_999)), Entry::InUse);
        assert!(state.is_held_by(A));
        assert_eq!(state.enter(B, at(3_000)), Entry::Admitted { supersedes: Some(A) });
        assert_eq!(state.stream_state(), StreamState::Reconnecting, "until the newcomer's media can be played");
        assert_eq!(state.begin(A), None);
        assert_eq!(state.begin(B), Some(Start::Resume));
        state.leave(A, at(3_100));
        assert!(state.is_held_by(B), "the old session's end is not the new one's");
    }

    #[test]
    fn a_session_without_media_gives_way_at_once() {
        let mut state = State::new(RULES);
        state.enter(A, at(0));
        assert_eq!(state.enter(B, at(1)), Entry::Admitted { supersedes: Some(A) });
        assert_eq!(state.stream_state(), StreamState::Offline, "nothing was ever shown");
    }

    #[test]
    fn who_returns_in_time_resumes_and_who_does_not_begins_anew() {
        let mut state = live();
        state.leave(A, at(10_000));
        assert_eq!(state.stream_state(), StreamState::Reconnecting);
        assert!(!state.expire(at(39_999)));
        state.enter(B, at(39_999));
        assert_eq!(state.begin(B), Some(Start::Resume));
        assert!(!state.expire(at(60_000)), "a returned publisher may take its time to the first part");
        state.leave(B, at(60_001));
        assert!(state.expire(at(60_001)), "but one that leaves without a part has not returned");
        assert_eq!(state.stream_state(), StreamState::Ended);
        state.enter(A, at(70_000));
        assert_eq!(state.begin(A), Some(Start::New));
        assert_eq!(state.stream_state(), StreamState::Ended, "until its first part");
    }

    #[test]
    fn what_its_owner_ends_is_over_for_whoever_publishes() {
        let mut state = live();
        assert!(state.end());
        assert_eq!(state.stream_state(), StreamState::Ended);
        assert_eq!(state.begin(A), None);
        assert!(!state.has_broadcast());
        assert!(!state.end(), "once");
        assert!(!State::new(RULES).end(), "nothing was on");
    }

    #[test]
    fn each_stream_has_its_own_time_out() {
        let mut state = live();
        state.leave(A, at(0));
        state.set_reconnect_timeout(Duration::from_secs(3600));
        assert!(!state.expire(at(3_599_999)));
        assert!(state.expire(at(3_600_000)));
    }

    #[test]
    fn being_admitted_is_not_returning() {
        let mut state = live();
        state.leave(A, at(0));
        state.enter(B, at(1_000));
        assert!(state.expire(at(30_000)));
        assert_eq!(state.begin(B), Some(Start::New), "its media comes too late");
    }

    #[test]
    fn after_a_restart_the_time_out_counts_from_the_restart() {
        let mut state = State::new(RULES);
        state.recover(at(0));
        assert_eq!(state.stream_state(), StreamState::Reconnecting);
        assert!(!state.expire(at(29_999)));
        state.enter(A, at(29_999));
        assert_eq!(state.begin(A), Some(Start::Resume));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Enter,
        Deliver(usize),
        Begin(usize),
        Publish(usize),
        Leave(usize),
        Expire,
    }

    fn step() -> impl Strategy<Value = (u16, Step)> {
        let step = prop_oneof![
            Just(Step::Enter),
            (0..4_usize).prop_map(Step::Deliver),
            (0..4_usize).prop_map(Step::Begin),
            (0..4_usize).prop_map(Step::Publish),
            (0..4_usize).prop_map(Step::Leave),
            Just(Step::Expire),
        ];
        (0..20_000_u16, step)
    }

    proptest! {
        /// Whatever sessions do, in any order: one at most holds the stream, only who holds it changes anything, nobody
        /// who delivers is put out, and a broadcast ends only while nobody has begun to go on with it.
        #[test]
        fn the_rules_hold(steps in prop::collection::vec(step(), 1..200)) {
            let mut state = State::new(RULES);
            let (mut now, mut next) = (at(0), 0);
            let mut recent = Vec::new();
            let mut last_media: Option<(SessionId, UnixTime)> = None;
            let mut began: Option<SessionId> = None;
            for (wait_ms, step) in steps {
                now = now + Duration::from_millis(wait_ms.into());
                let before = (state.occupant, state.phase);
                let pick = |back: usize| recent.iter().rev().nth(back).copied().unwrap_or(SessionId(u64::MAX));
                match step {
                    Step::Enter => {
                        next += 1;
                        let session = SessionId(next);
                        let busy = last_media.is_some_and(|(who, when)| {
                            state.is_held_by(who) && now.since(when) < RULES.in_use
                        });
                        let entry = state.enter(session, now);
                        prop_assert_eq!(entry == Entry::InUse, busy);
                        if busy {
                            prop_assert_eq!(before, (state.occupant, state.phase));
                        } else {
                            recent.push(session);
                            prop_assert!(state.is_held_by(session));
                        }
                    }
                    Step::Deliver(back) => {
                        state.deliver(pick(back), now);
                        if state.is_held_by(pick(back)) {
                            last_media = Some((pick(back), now));
                        }
                    }
                    Step::Begin(back) => {
                        let start = state.begin(pick(back));
                        prop_assert_eq!(start.is_some(), state.is_held_by(pick(back)));
                        if start.is_some() {
                            began = Some(pick(back));
                        }
                    }
                    // As the publisher does: nothing is published before it was begun.
                    Step::Publish(back) if began == Some(pick(back)) => state.publish(pick(back)),
                    Step::Publish(_) => {}
                    Step::Leave(back) => {
                        let held = state.is_held_by(pick(back));
                        state.leave(pick(back), now);
                        prop_assert!(held || before == (state.occupant, state.phase));
                        prop_assert!(!state.is_held_by(pick(back)));
                    }
                    Step::Expire => {
                        if state.expire(now) {
                            prop_assert!(!began.is_some_and(|session| state.is_held_by(session)));
                            prop_assert_eq!(state.stream_state(), StreamState::Ended);
                        }
                    }
                }
                if state.stream_state() == StreamState::Live {
                    prop_assert!(state.is_held(), "somebody publishes what is live");
                }
            }
        }
    }
}
