//! What a broadcast does next: facts and time in, work out. No IO, no clock.
//!
//! It holds what is wanted and what is known, and works out of both what is to be done: an answer that is lost, late or
//! repeated changes no more than what is known.

use std::time::Duration;

use skylark_protocol::{StreamState, api::Phase, live_event::Status, studio::BroadcastState};

/// A live stream is announced anew so often: clients take one that is not for over.
pub(super) const REFRESH: Duration = Duration::from_secs(60);
/// What failed is tried again after this.
const RETRY: Duration = Duration::from_secs(2);
/// So long it is tried to say at the origin and to the world that it is over; then it ends all the same, and the origin
/// says it when nobody comes back.
const ENDING: Duration = Duration::from_secs(10);

/// Something that takes time and may fail. One at a time, but for closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Makes the stream, or takes up the one of an earlier run.
    Create,
    /// Says at the relay where it stands.
    Announce(Status),
    /// Says at the origin that it has begun.
    Start,
    /// Ends sending.
    Close,
    /// Says at the origin that it is over.
    End,
    /// Asks how it was.
    Summarise,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// Looking begins.
    Check,
    /// Somebody wants to go live.
    GoLive,
    /// Somebody wants it to end.
    Stop,
    /// Somebody has seen the summary, or goes back from the check.
    Dismiss,
    /// The stream that was made, or taken up, stands so.
    Found(Phase),
    /// The origin says how it is.
    Heard(Phase, StreamState),
    /// The origin has not been heard of for too long.
    Silent,
    /// Whether there is a connection to send by.
    Sending(bool),
    /// Work is done.
    Done(Work),
    /// Work could not be done.
    Failed(Work),
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Work, of which the outcome is to be reported.
    Do(Work),
    /// Gives up the work in progress; no outcome of it is to be reported.
    Cancel,
    /// Begins to send.
    Open,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Goal {
    #[default]
    Nothing,
    Checked,
    OnAir,
    Over,
}

/// A broadcast.
#[derive(Debug, Clone, Default)]
pub(super) struct Machine {
    goal: Goal,
    busy: Option<Work>,
    is_created: bool,
    is_open: bool,
    is_closing: bool,
    is_closed: bool,
    /// Begun, by its owner's word at the origin.
    is_started: bool,
    /// Over, at the origin.
    is_over: bool,
    /// Over is said, or it was tried long enough.
    is_settled: bool,
    is_summarised: bool,
    has_media: bool,
    is_silent: bool,
    is_sending: bool,
    told: Option<Status>,
    refresh_at: Duration,
    retry_at: Duration,
    give_up_at: Duration,
    /// How it stood when its end began.
    before: BroadcastState,
}

impl Machine {
    /// Where it stands.
    pub(super) fn state(&self) -> BroadcastState {
        match self.goal {
            Goal::Nothing => BroadcastState::Idle,
            Goal::Checked => BroadcastState::Preflight,
            Goal::OnAir if !self.is_created => BroadcastState::Preflight,
            Goal::OnAir if !self.is_started => BroadcastState::Planned,
            Goal::OnAir if self.has_media && self.is_sending && !self.is_silent => BroadcastState::Live,
            Goal::OnAir => BroadcastState::Reconnecting,
            Goal::Over if self.is_closed && (self.is_over || self.is_settled) => BroadcastState::Ended,
            Goal::Over => self.before,
        }
    }

    /// Something that must not be left without a word.
    pub(super) fn is_on_air(&self) -> bool {
        matches!(self.goal, Goal::OnAir | Goal::Over) && !self.is_finished()
    }

    /// The origin has not been heard of for too long.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// The end was said and the summary is there.
    pub(super) fn is_finished(&self) -> bool {
        self.goal == Goal::Over && self.is_settled && self.is_summarised
    }

    /// The end could not be said to everybody.
    pub(super) fn has_left_open(&self) -> bool {
        self.goal == Goal::Over && self.is_settled && !(self.is_over && self.told == Some(Status::Ended))
    }

    /// Takes what happened at `now`, and says what is to be done.
    pub(super) fn feed(&mut self, now: Duration, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Check if self.goal == Goal::Nothing => self.goal = Goal::Checked,
            Input::GoLive if matches!(self.goal, Goal::Nothing | Goal::Checked) => {
                *self = Self { goal: Goal::OnAir, ..Self::default() };
            }
            Input::Stop if self.goal == Goal::OnAir => self.end(now, &mut actions),
            Input::Dismiss if self.goal == Goal::Checked || self.is_finished() => *self = Self::default(),
            Input::Heard(phase, media) => self.hear(now, phase, media, &mut actions),
            Input::Found(phase) if self.busy == Some(Work::Create) => self.is_started = phase == Phase::Live,
            Input::Silent => self.is_silent = true,
            Input::Sending(is_sending) => self.is_sending = is_sending,
            Input::Done(work) => self.finish(now, work),
            Input::Failed(work) => self.fail(now, work),
            _ => {}
        }
        if self.goal == Goal::Over && now >= self.give_up_at {
            self.is_settled = true;
        }
        self.decide(now, &mut actions);
        actions
    }

    fn hear(&mut self, now: Duration, phase: Phase, media: StreamState, actions: &mut Vec<Action>) {
        if !self.is_created {
            return;
        }
        self.is_silent = false;
        self.has_media = media == StreamState::Live;
        self.is_started |= phase == Phase::Live;
        self.is_over |= phase == Phase::Ended;
        if self.is_over && self.goal == Goal::OnAir {
            self.end(now, actions);
        }
    }

    /// Viewers first: sending ends at once, whatever else is being done.
    fn end(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.before = self.state();
        self.goal = Goal::Over;
        self.give_up_at = now + ENDING;
        self.retry_at = now;
        // A stream that is being made has to be known before it can be ended.
        if self.busy.is_some_and(|work| work != Work::Create) {
            self.busy = None;
            actions.push(Action::Cancel);
        }
    }

    fn finish(&mut self, now: Duration, work: Work) {
        if work == Work::Close {
            (self.is_closed, self.is_closing) = (true, false);
            return;
        }
        if self.busy != Some(work) {
            return;
        }
        self.busy = None;
        match work {
            Work::Create => self.is_created = true,
            Work::Announce(status) => {
                self.told = Some(status);
                self.refresh_at = now + REFRESH;
            }
            Work::Start => self.is_started = true,
            Work::End => self.is_over = true,
            Work::Summarise => self.is_summarised = true,
            Work::Close => {}
        }
    }

    fn fail(&mut self, now: Duration, work: Work) {
        if work == Work::Close {
            return self.finish(now, work);
        }
        if self.busy != Some(work) {
            return;
        }
        self.busy = None;
        self.retry_at = now + RETRY;
        match work {
            Work::Create => *self = Self::default(),
            Work::Summarise => self.is_summarised = true,
            _ => {}
        }
    }

    fn decide(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match self.goal {
            Goal::OnAir if self.is_created && !self.is_open => {
                self.is_open = true;
                actions.push(Action::Open);
            }
            Goal::Over if !self.is_closing && !self.is_closed => {
                (self.is_closing, self.is_closed) = (self.is_open, !self.is_open);
                if self.is_open {
                    actions.push(Action::Do(Work::Close));
                }
            }
            _ => {}
        }
        if self.busy.is_some() || now < self.retry_at && !self.is_settled {
            return;
        }
        let work = match self.goal {
            Goal::Nothing | Goal::Checked => None,
            Goal::OnAir => self.next_on_air(now),
            Goal::Over => self.next_over(),
        };
        self.busy = work;
        actions.extend(work.map(Action::Do));
    }

    fn next_on_air(&self, now: Duration) -> Option<Work> {
        match self.told {
            _ if !self.is_created => Some(Work::Create),
            // Before anything else: who plays it wants to know that it is on.
            _ if self.has_media && !self.is_started => Some(Work::Start),
            None if !self.is_started => Some(Work::Announce(Status::Planned)),
            Some(Status::Live) if now < self.refresh_at => None,
            _ if self.is_started => Some(Work::Announce(Status::Live)),
            _ => None,
        }
    }

    fn next_over(&mut self) -> Option<Work> {
        if !self.is_closed {
            return None;
        }
        if !self.is_settled {
            if !self.is_over {
                return Some(Work::End);
            }
            if self.told != Some(Status::Ended) {
                return Some(Work::Announce(Status::Ended));
            }
            self.is_settled = true;
        }
        // Who does not hear the end does not say how it was.
        self.is_summarised |= !self.is_over;
        (!self.is_summarised).then_some(Work::Summarise)
    }
}

#[cfg(test)]
mod tests;
