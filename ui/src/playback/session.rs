//! One viewer in front of one stream.
//!
//! The page feeds what it hears (the origin's status, arrivals of media, events of the `<video>`, errors, a tick four
//! times a second) and carries out the commands. Playing begins only when the buffer holds a stride plus the margin:
//! beginning with the first byte that is there means to stall at once, since the next part is a stride away.

use skylark_protocol::{StreamState, StreamStatus};

use super::{
    Media,
    language::{Command, Event},
    latency::Follower,
    recovery::{Failure, Recovery, Remedy},
    view::{Reason, State, View},
};

/// A buffer that reaches this close to the listed end has all of it, in strides.
const EDGE_TOLERANCE_STRIDES: f64 = 0.2;
/// Where parts take long to load, one is always on its way: after this time that is close enough, in milliseconds.
const PATIENCE_MS: f64 = 1_000.0;
const PATIENT_TOLERANCE_STRIDES: f64 = 1.2;
/// Someone who paused goes on where they were if that is at most this far from the live edge, in seconds.
const RESUME_BEHIND_MAX_S: f64 = 10.0;
/// Further from the edge than this is "behind", for the badge, in seconds.
const BEHIND_S: f64 = 3.0;
/// The playhead stands still for so long, with media ahead of it: go to the live edge.
const STUCK_SEEK_MS: f64 = 2_500.0;
/// And for so long in whatever stage: load again.
const STUCK_RELOAD_MS: f64 = 9_000.0;
/// Answers that must fail in a row before the viewer is told of network trouble.
const UNREACHABLE_TOLD: u32 = 2;
/// A standstill shorter than this is not worth a word, in milliseconds.
const STANDSTILL_TOLD_MS: f64 = 1_200.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is loaded.
    Empty,
    /// Loaded, standing until there is enough.
    Filling,
    /// Playing, or stopped by the viewer.
    Rolling,
}

/// The state machine.
#[derive(Debug)]
pub struct Session {
    stage: Stage,
    status: Option<StreamStatus>,
    unknown_stream: bool,
    unreachable: u32,
    loaded_broadcast: Option<String>,
    reload_at_ms: Option<f64>,
    gave_up: Option<Reason>,
    playlist_ended: bool,
    finished: bool,
    wants_play: bool,
    following: bool,
    has_played: bool,
    waits: u32,
    filling_since_ms: f64,
    /// Less quality was asked for since the buffer ran dry.
    lowered: bool,
    position_s: f64,
    moved_ms: f64,
    /// Since when the picture has had every reason to move.
    expected_ms: f64,
    unstuck: bool,
    /// Loading after a failure, not for the first time.
    reloading: bool,
    now_ms: f64,
    behind: bool,
    follower: Follower,
    recovery: Recovery,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            stage: Stage::Empty,
            status: None,
            unknown_stream: false,
            unreachable: 0,
            loaded_broadcast: None,
            reload_at_ms: None,
            gave_up: None,
            playlist_ended: false,
            finished: false,
            wants_play: true,
            following: true,
            has_played: false,
            waits: 0,
            filling_since_ms: 0.0,
            lowered: false,
            position_s: 0.0,
            moved_ms: 0.0,
            expected_ms: 0.0,
            unstuck: false,
            reloading: false,
            now_ms: 0.0,
            behind: false,
            follower: Follower::default(),
            recovery: Recovery::default(),
        }
    }
}

impl Session {
    /// Takes in what happened; answers what to do about it.
    pub fn handle(&mut self, event: Event, media: &Media) -> Vec<Command> {
        let mut commands = Vec::new();
        self.observe(media);
        match event {
            Event::Status(status) => self.status(*status, &mut commands),
            Event::UnknownStream => {
                (self.unknown_stream, self.unreachable, self.status) = (true, 0, None);
                self.unload(&mut commands);
            }
            Event::ShownOut => {
                if let Some(status) = &mut self.status {
                    status.playlist = None;
                }
                self.unload(&mut commands);
            }
            Event::Unreachable => self.unreachable = self.unreachable.saturating_add(1),
            Event::Arrived { trough_s } => {
                if self.stage == Stage::Rolling {
                    self.follower.note_arrival(media.now_ms, trough_s);
                }
                self.begin_when_filled(media, &mut commands);
            }
            Event::PlaylistEnded => {
                self.playlist_ended = true;
                commands.push(Command::AskStatus);
                self.begin_when_filled(media, &mut commands);
            }
            Event::Failed(failure) => self.failed(failure, &mut commands),
            Event::Playing => {
                (self.has_played, self.reloading) = (true, false);
                self.moved_ms = media.now_ms;
            }
            Event::Waiting => self.starved(media, &mut commands),
            Event::Finished => {
                self.finished = true;
                commands.push(Command::AskStatus);
            }
            Event::Play => self.play(media, &mut commands),
            Event::Pause => {
                self.wants_play = false;
                commands.push(Command::Hold);
            }
            Event::GoLive => {
                self.wants_play = true;
                self.go_live(media, &mut commands);
            }
            Event::Retry => {
                self.gave_up = None;
                self.recovery.reset();
                self.unload(&mut commands);
                commands.push(Command::AskStatus);
            }
            Event::Tick => self.tick(media, &mut commands),
        }
        commands
    }

    /// What to show now.
    #[must_use]
    pub fn view(&self) -> View {
        let (state, reason) = self.state();
        let at_live_edge = state == State::Playing && self.following && !self.behind;
        View { state, reason, at_live_edge, waits: self.waits }
    }

    /// How long to wait before the status is asked for again, in milliseconds.
    #[must_use]
    pub fn status_interval_ms(&self) -> u32 {
        match self.view().state {
            State::Playing => 5_000,
            State::Loading | State::Reconnecting => 1_000,
            State::Offline if self.unknown_stream => 5_000,
            State::Offline => 1_500,
            State::Paused | State::Failed | State::Private => 5_000,
            State::Ended | State::Intermission => 4_000,
        }
    }

    /// The last answer of the origin.
    #[must_use]
    pub fn stream(&self) -> Option<&StreamStatus> {
        self.status.as_ref()
    }

    fn state(&self) -> (State, Option<Reason>) {
        if let Some(reason) = self.gave_up {
            return (State::Failed, Some(reason));
        }
        let is_closed = |status: &StreamStatus| status.is_private && status.playlist.is_none();
        if self.stage == Stage::Empty && self.status.as_ref().is_some_and(is_closed) {
            return (State::Private, None);
        }
        let stream = self.status.as_ref().map(|status| status.state);
        let over =
            stream == Some(StreamState::Ended) || (self.playlist_ended && stream != Some(StreamState::Reconnecting));
        if over && (self.finished || self.stage == Stage::Empty || (self.stands() && self.has_played)) {
            return (State::Ended, None);
        }
        if self.status.as_ref().is_some_and(|status| status.is_paused) {
            return (State::Intermission, None);
        }
        if self.stage == Stage::Rolling && !self.wants_play {
            return (State::Paused, None);
        }
        if self.stage == Stage::Rolling && self.has_played && !self.stands() {
            return (State::Playing, None);
        }
        if self.unreachable >= UNREACHABLE_TOLD {
            return (State::Reconnecting, Some(Reason::Network));
        }
        match stream {
            None if self.unknown_stream => (State::Offline, Some(Reason::UnknownStream)),
            Some(StreamState::Offline) => (State::Offline, None),
            Some(StreamState::Reconnecting) => (State::Reconnecting, Some(Reason::Publisher)),
            _ if self.reloading || (self.has_played && self.stands()) => (State::Reconnecting, None),
            _ if self.stage == Stage::Rolling && self.has_played => (State::Playing, None),
            _ => (State::Loading, None),
        }
    }

    fn is_live(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.state == StreamState::Live)
    }

    /// Whether the picture has not moved for long enough to say so.
    fn stands(&self) -> bool {
        self.now_ms - self.moved_ms > STANDSTILL_TOLD_MS
    }

    fn observe(&mut self, media: &Media) {
        self.now_ms = media.now_ms;
        if media.position_s != self.position_s {
            (self.position_s, self.moved_ms, self.unstuck) = (media.position_s, media.now_ms, false);
        }
        self.behind = media.edge_s > 0.0 && media.edge_s - media.position_s > BEHIND_S + media.stride_s;
    }

    fn status(&mut self, status: StreamStatus, commands: &mut Vec<Command>) {
        if status.state == StreamState::Live && (self.unreachable > 0 || !self.is_live()) {
            self.expected_ms = self.now_ms;
        }
        (self.unknown_stream, self.unreachable) = (false, 0);
        // While the publisher is gone there is nothing new to load: a picture that is there stays.
        let playable = status.state == StreamState::Live && !status.is_paused;
        if status.state == StreamState::Offline && self.stage != Stage::Empty {
            self.unload(commands);
        }
        if status.is_paused && status.state != StreamState::Ended {
            self.unload(commands);
            // What comes after the break is a beginning, not something that was waited for.
            self.has_played = false;
        }
        let another = self.loaded_broadcast.is_some() && self.loaded_broadcast != status.broadcast;
        self.reloading &= !another && status.state != StreamState::Ended;
        if playable && self.gave_up.is_none() && (another || self.stage == Stage::Empty) && self.reload_at_ms.is_none()
        {
            self.load(&status, commands);
        }
        self.status = Some(status);
    }

    fn load(&mut self, status: &StreamStatus, commands: &mut Vec<Command>) {
        let Some(playlist) = &status.playlist else { return };
        commands.push(Command::Load(playlist.clone()));
        self.fill();
        self.loaded_broadcast.clone_from(&status.broadcast);
        (self.playlist_ended, self.finished, self.following, self.reload_at_ms) = (false, false, true, None);
        (self.moved_ms, self.expected_ms, self.unstuck) = (self.now_ms, self.now_ms, false);
        self.follower.forget();
    }

    fn unload(&mut self, commands: &mut Vec<Command>) {
        if self.stage != Stage::Empty {
            commands.push(Command::Unload);
        }
        self.stage = Stage::Empty;
        (self.loaded_broadcast, self.reload_at_ms, self.playlist_ended, self.finished) = (None, None, false, false);
    }

    /// Playing begins here, or goes on after it ran dry.
    fn begin_when_filled(&mut self, media: &Media, commands: &mut Vec<Command>) {
        if self.stage != Stage::Filling || !self.wants_play || media.seeking {
            return;
        }
        if self.playlist_ended || media.native {
            self.stage = Stage::Rolling;
            commands.push(Command::Begin(None));
            return;
        }
        if media.stride_s <= 0.0 || !self.has_newest(media) {
            return;
        }
        let wanted_s = self.follower.start_s(media.now_ms, media.stride_s);
        let ideal_s = media.buffered_end_s - wanted_s;
        // Never back over what was seen already, never before what is there.
        let from_s =
            if self.has_played { media.position_s.max(media.buffered_start_s) } else { media.buffered_start_s };
        let position_s = ideal_s.max(from_s);
        if media.buffered_end_s - position_s + 0.001
            >= wanted_s.min(media.stride_s + self.follower.margin_s(media.now_ms, media.stride_s))
        {
            self.stage = Stage::Rolling;
            self.moved_ms = media.now_ms;
            self.follower.forget();
            commands.push(Command::SetRate(1.0));
            commands.push(Command::Begin(Some(position_s)));
        }
    }

    /// Whether the buffer reaches the end of what is listed, or as close as this connection ever gets.
    fn has_newest(&self, media: &Media) -> bool {
        let waited = self.stage == Stage::Filling && media.now_ms - self.filling_since_ms > PATIENCE_MS;
        let tolerated =
            if waited || self.stage == Stage::Rolling { PATIENT_TOLERANCE_STRIDES } else { EDGE_TOLERANCE_STRIDES };
        media.edge_s - media.buffered_end_s <= media.stride_s * tolerated
    }

    /// Stands until there is enough to play.
    fn fill(&mut self) {
        (self.stage, self.filling_since_ms) = (Stage::Filling, self.now_ms);
    }

    fn starved(&mut self, media: &Media, commands: &mut Vec<Command>) {
        // A jump makes the video wait as well, but for nothing that is missing.
        if self.stage != Stage::Rolling || !self.wants_play || !self.has_played || media.seeking {
            return;
        }
        self.waits = self.waits.saturating_add(1);
        if media.native || self.playlist_ended {
            return;
        }
        self.follower.note_stall(media.now_ms);
        self.lowered = false;
        self.fill();
        commands.push(Command::Hold);
        commands.push(Command::AskStatus);
        self.begin_when_filled(media, commands);
    }

    fn play(&mut self, media: &Media, commands: &mut Vec<Command>) {
        self.wants_play = true;
        match self.stage {
            Stage::Empty => commands.push(Command::AskStatus),
            Stage::Filling => self.begin_when_filled(media, commands),
            Stage::Rolling => {
                let resumable = media.position_s >= media.buffered_start_s && media.ahead_s() > 0.5;
                let behind_s = media.edge_s - media.position_s;
                if media.native || (resumable && behind_s < RESUME_BEHIND_MAX_S) {
                    self.moved_ms = media.now_ms;
                    self.following = behind_s < BEHIND_S + media.stride_s;
                    self.follower.forget();
                    commands.push(Command::Begin(None));
                } else {
                    self.go_live(media, commands);
                }
            }
        }
    }

    fn go_live(&mut self, media: &Media, commands: &mut Vec<Command>) {
        self.following = true;
        self.moved_ms = media.now_ms;
        if self.stage == Stage::Empty {
            commands.push(Command::AskStatus);
            return;
        }
        self.follower.forget();
        let wanted_s = self.follower.start_s(media.now_ms, media.stride_s);
        if media.native {
            commands.push(Command::Begin(Some(f64::MAX)));
            return;
        }
        commands.push(Command::SetRate(1.0));
        if self.has_newest(media) {
            self.stage = Stage::Rolling;
            commands.push(Command::Begin(Some((media.buffered_end_s - wanted_s).max(media.buffered_start_s))));
        } else {
            self.fill();
            commands.push(Command::Hold);
            commands.push(Command::Seek((media.edge_s - wanted_s).max(0.0)));
        }
    }

    fn failed(&mut self, failure: Failure, commands: &mut Vec<Command>) {
        match self.recovery.remedy(failure, self.now_ms) {
            Remedy::RecoverMedia => {
                self.fill();
                commands.push(Command::RecoverMedia);
            }
            Remedy::Reload(wait_ms) => {
                self.unload(commands);
                self.reloading = self.has_played;
                self.reload_at_ms = Some(self.now_ms + wait_ms);
                commands.push(Command::AskStatus);
            }
            Remedy::GiveUp => {
                self.unload(commands);
                self.gave_up = Some(if failure == Failure::Unsupported { Reason::Unsupported } else { Reason::Broken });
            }
        }
    }

    fn tick(&mut self, media: &Media, commands: &mut Vec<Command>) {
        if self.reload_at_ms.is_some_and(|at| at <= media.now_ms) {
            self.reload_at_ms = None;
            commands.push(Command::AskStatus);
        }
        self.begin_when_filled(media, commands);
        if !self.wants_play || self.stage == Stage::Empty || self.gave_up.is_some() {
            return;
        }
        self.lower(media, commands);
        self.unstick(media, commands);
        if self.stage != Stage::Rolling || media.native || !self.following {
            return;
        }
        if self.follower.should_jump(media.now_ms, media.stride_s) {
            self.go_live(media, commands);
        } else {
            commands.push(Command::SetRate(self.follower.rate(media.now_ms, media.stride_s)));
        }
    }

    /// Media is there and does not come in time: this connection does not carry the quality. hls.js does not see it while the
    /// picture stands, and a jump gives up what is on its way before anything is learnt from it.
    fn lower(&mut self, media: &Media, commands: &mut Vec<Command>) {
        let is_slow = media.now_ms - self.filling_since_ms > PATIENCE_MS && !self.has_newest(media);
        if self.stage == Stage::Filling
            && self.has_played
            && !self.lowered
            && self.is_live()
            && self.unreachable == 0
            && is_slow
        {
            self.lowered = true;
            commands.push(Command::Lower);
        }
    }

    /// Whether a jump may help: there is media to play, or media to load that nobody loads.
    fn is_stuck(&self, media: &Media) -> bool {
        let unloaded_s = media.edge_s - media.buffered_end_s;
        !media.native && (self.stage == Stage::Rolling || (self.has_played && unloaded_s > 1.0 + media.stride_s))
    }

    /// Watches over a picture that should move and does not, whatever the reason.
    fn unstick(&mut self, media: &Media, commands: &mut Vec<Command>) {
        if !self.is_live() || self.playlist_ended || self.unreachable > 0 {
            return;
        }
        let standing_ms = media.now_ms - self.moved_ms.max(self.expected_ms);
        if standing_ms > STUCK_RELOAD_MS {
            self.expected_ms = media.now_ms;
            self.failed(Failure::Network, commands);
        } else if standing_ms > STUCK_SEEK_MS && !self.unstuck && self.is_stuck(media) {
            self.unstuck = true;
            let moved_ms = self.moved_ms;
            self.go_live(media, commands);
            self.moved_ms = moved_ms;
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
