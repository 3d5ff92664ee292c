//! Carries out what the machine says: the only task that knows both the broadcast and the world.

use std::{sync::Arc, time::Duration};

use skylark_protocol::{
    StreamState,
    api::{Analytics, Phase, Stream},
    studio::{BroadcastState, BroadcastView, Notice, Problem, Severity, Summary},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::{
    Air, Sent,
    machine::{Action, Input, Machine, Work},
    session::{POLL_INTERVAL, Session, not_on_air},
};
use crate::{
    clock,
    origin::{ApiError, sentence},
};

/// How often time passes.
const TICK: Duration = Duration::from_millis(250);
/// An origin that was not heard of for so long is silent.
const SILENT_AFTER: Duration = Duration::from_millis(1500);
/// How long what waits may take to be sent before the end.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
/// Reports that wait.
const MAX_REPORTS: usize = 64;

/// The answer to whoever asked.
pub(super) type Reply = oneshot::Sender<Result<(), Problem>>;

/// What the driver is asked for.
pub(super) enum Ask {
    Check(Reply),
    GoLive(Arc<Session>, Reply),
    Stop(Reply),
    Dismiss,
    Recorded(Option<String>),
}

/// What work and questions come to.
enum Report {
    Heard(Result<Box<Stream>, ApiError>),
    Worked { work: Work, turn: u64, result: Result<Option<Analytics>, Problem> },
}

/// What others see of the driver.
pub(super) struct Shown {
    pub(super) view: watch::Sender<BroadcastView>,
    pub(super) notices: watch::Sender<Vec<Notice>>,
    pub(super) session: watch::Sender<Option<Arc<Session>>>,
    pub(super) is_on_air: watch::Sender<bool>,
}

pub(super) struct Driver {
    machine: Machine,
    began: Instant,
    air: Arc<dyn Air>,
    sent: watch::Receiver<Sent>,
    shown: Arc<Shown>,
    session: Option<Arc<Session>>,
    reports: mpsc::Receiver<Report>,
    report: mpsc::Sender<Report>,
    /// The work in progress, of which there is one at a time.
    working: Option<JoinHandle<()>>,
    turn: u64,
    polling: Option<JoinHandle<()>>,
    heard_at: Instant,
    going: Option<Reply>,
    stopping: Vec<Reply>,
    recording: Option<String>,
    analytics: Option<Analytics>,
}

impl Driver {
    pub(super) fn new(air: Arc<dyn Air>, shown: Arc<Shown>) -> Self {
        let (report, reports) = mpsc::channel(MAX_REPORTS);
        let now = Instant::now();
        Self {
            machine: Machine::default(),
            began: now,
            sent: air.sent(),
            air,
            shown,
            session: None,
            reports,
            report,
            working: None,
            turn: 0,
            polling: None,
            heard_at: now,
            going: None,
            stopping: Vec::new(),
            recording: None,
            analytics: None,
        }
    }

    /// Until nobody can ask any more.
    pub(super) async fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_air_there = true;
        loop {
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(ask) => self.take(ask),
                    None => break,
                },
                Some(report) = self.reports.recv() => self.hear(report),
                changed = self.sent.changed(), if is_air_there => {
                    is_air_there = changed.is_ok();
                    let is_connected = self.sent.borrow_and_update().is_connected;
                    self.feed(Input::Sending(is_connected));
                }
                _ = ticks.tick() => self.feed(Input::Tick),
            }
            // Whatever it was that happened: what is shown agrees with itself.
            if self.session.is_some() && self.heard_at.elapsed() >= SILENT_AFTER {
                self.feed(Input::Silent);
            }
            self.conclude();
            self.show();
        }
        self.stop_polling();
        if let Some(working) = self.working.take() {
            working.abort();
        }
    }

    fn take(&mut self, ask: Ask) {
        match ask {
            Ask::Check(reply) => {
                self.feed(Input::Check);
                let is_free = !self.machine.is_on_air();
                answer(reply, if is_free { Ok(()) } else { Err(on_air()) });
            }
            Ask::GoLive(..) if self.machine.is_on_air() => {
                if let Ask::GoLive(_, reply) = ask {
                    answer(reply, Err(on_air()));
                }
            }
            Ask::GoLive(session, reply) => {
                // What is over and was not put away goes without a word.
                self.feed(Input::Dismiss);
                (self.recording, self.analytics) = (None, None);
                self.session = Some(Arc::clone(&session));
                self.shown.session.send_replace(Some(session));
                self.shown.notices.send_replace(Vec::new());
                self.shown.view.send_modify(|view| (view.preflight, view.resumable, view.summary) = (None, None, None));
                self.going = Some(reply);
                self.heard_at = Instant::now();
                self.feed(Input::GoLive);
                let is_connected = self.sent.borrow().is_connected;
                self.feed(Input::Sending(is_connected));
            }
            Ask::Stop(reply) if self.machine.is_on_air() => {
                self.stopping.push(reply);
                self.feed(Input::Stop);
            }
            Ask::Stop(reply) => answer(reply, Err(not_on_air())),
            Ask::Dismiss => {
                self.feed(Input::Dismiss);
                if self.machine.state() == BroadcastState::Idle {
                    // Whose end could not be said.
                    let left = self.session.take().and_then(|session| session.resumable());
                    self.shown.session.send_replace(None);
                    self.shown.notices.send_replace(Vec::new());
                    self.shown.view.send_modify(|view| {
                        let resumable = left.or_else(|| view.resumable.take());
                        let last = view.last.take();
                        *view = BroadcastView { resumable, last, ..BroadcastView::default() };
                    });
                }
            }
            Ask::Recorded(path) => self.recording = path,
        }
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Heard(Ok(stream)) => {
                self.heard_at = Instant::now();
                self.note("origin-silent", None);
                if let Some(health) = &stream.status.health {
                    self.air.hear(health);
                }
                self.feed(Input::Heard(stream.phase, stream.status.state));
            }
            // Somebody deleted it.
            Report::Heard(Err(ApiError::Refused { status: 404, .. })) => {
                self.heard_at = Instant::now();
                self.feed(Input::Heard(Phase::Ended, StreamState::Ended));
            }
            Report::Heard(Err(error)) => {
                tracing::debug!(%error, "the origin was asked in vain");
                if matches!(error, ApiError::Refused { .. }) {
                    // It is there.
                    self.heard_at = Instant::now();
                }
                if self.heard_at.elapsed() >= SILENT_AFTER {
                    self.note("origin-silent", Some((Severity::Failure, error.problem().message)));
                }
            }
            Report::Worked { work, turn, result } => {
                // What was given up may have been done all the same.
                if work == Work::Close || turn == self.turn {
                    self.finish(work, result);
                }
            }
        }
    }

    fn finish(&mut self, work: Work, result: Result<Option<Analytics>, Problem>) {
        if work != Work::Close {
            self.working = None;
        }
        let problem = match result {
            Ok(analytics) => {
                self.analytics = analytics.or_else(|| self.analytics.take());
                None
            }
            Err(problem) => Some(problem),
        };
        let name = match work {
            Work::Announce(_) => "announce-failed",
            Work::Start => "start-failed",
            Work::End => "end-failed",
            Work::Create | Work::Close | Work::Summarise => "",
        };
        if !name.is_empty() {
            let message = problem.as_ref().map(|problem| problem.message.clone());
            self.note(name, message.map(|message| (Severity::Warning, message)));
        }
        match (work, &problem) {
            (Work::Create, None) => {
                self.heard_at = Instant::now();
                if let Some(stream) = self.session.as_ref().and_then(|session| session.stream()) {
                    self.feed(Input::Found(stream.phase));
                }
                self.poll();
            }
            (_, Some(problem)) => tracing::warn!(?work, %problem, "not done"),
            _ => {}
        }
        let is_done = problem.is_none();
        self.feed(if is_done { Input::Done(work) } else { Input::Failed(work) });
        if work == Work::Create {
            if let Some(reply) = self.going.take() {
                answer(reply, problem.map_or(Ok(()), Err));
            }
            if !is_done {
                // What was to be taken up is still there.
                let left = self.session.take().and_then(|session| session.resumable());
                self.shown.view.send_modify(|view| view.resumable = left);
                self.shown.session.send_replace(None);
                for reply in self.stopping.drain(..) {
                    answer(reply, Ok(()));
                }
            }
        }
    }

    fn feed(&mut self, input: Input) {
        let actions = self.machine.feed(self.began.elapsed(), input);
        for action in actions {
            match action {
                Action::Do(work) => self.begin(work),
                Action::Cancel => {
                    self.turn += 1;
                    if let Some(working) = self.working.take() {
                        working.abort();
                    }
                }
                // What else was to be done is of a broadcast that ends.
                Action::Open if !self.open() => return,
                Action::Open => {}
            }
        }
    }

    /// False: nothing can be sent, and the broadcast ends.
    fn open(&mut self) -> bool {
        let Some(url) = self.session.as_ref().and_then(|session| session.take_srt_url()) else { return true };
        if let Err(problem) = self.air.open(&url) {
            tracing::warn!(%problem, "nothing can be sent");
            self.note("push-failed", Some((Severity::Failure, problem.message.clone())));
            if let Some(reply) = self.going.take() {
                answer(reply, Err(problem));
            }
            self.feed(Input::Stop);
            return false;
        }
        true
    }

    fn begin(&mut self, work: Work) {
        let Some(session) = self.session.clone() else { return };
        let report = self.report.clone();
        if work == Work::Close {
            let close = self.air.close();
            tokio::spawn(async move {
                if timeout(CLOSE_PATIENCE, close).await.is_err() {
                    tracing::warn!("sending did not end in time");
                }
                _ = report.send(Report::Worked { work, turn: 0, result: Ok(None) }).await;
            });
            return;
        }
        self.turn += 1;
        let turn = self.turn;
        self.working = Some(tokio::spawn(async move {
            let done = |()| None;
            let result = match work {
                Work::Create => session.create().await.map(done),
                Work::Announce(status) => session.announce(status).await.map(done),
                Work::Start => session.start().await.map(done),
                Work::End => session.end().await.map(done),
                Work::Summarise => session.analytics().await.map(Some),
                Work::Close => Ok(None),
            };
            // An error is a driver that is gone.
            _ = report.send(Report::Worked { work, turn, result }).await;
        }));
    }

    fn poll(&mut self) {
        self.stop_polling();
        let Some(session) = self.session.clone() else { return };
        let report = self.report.clone();
        self.polling = Some(tokio::spawn(async move {
            let mut times = interval(POLL_INTERVAL);
            times.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                times.tick().await;
                let heard = session.poll().await.map(Box::new);
                if report.send(Report::Heard(heard)).await.is_err() {
                    return;
                }
            }
        }));
    }

    fn stop_polling(&mut self) {
        if let Some(polling) = self.polling.take() {
            polling.abort();
        }
    }

    /// Puts away what is over.
    fn conclude(&mut self) {
        if !self.machine.is_finished() || self.shown.view.borrow().summary.is_some() {
            return;
        }
        self.stop_polling();
        let Some(session) = &self.session else { return };
        if !self.machine.has_left_open()
            && let Err(problem) = session.forget()
        {
            tracing::warn!(%problem, "what is over could not be forgotten");
        }
        if self.machine.has_left_open() {
            let message = "The origin could not be told that it is over. It ends the stream by itself when nobody comes \
                           back.";
            self.note("end-failed", Some((Severity::Warning, message.into())));
        }
        for reply in self.stopping.drain(..) {
            answer(reply, Ok(()));
        }
        if let Some(stream) = self.session.as_ref().and_then(|session| session.stream()) {
            let summary = self.summary(stream);
            self.shown.view.send_modify(|view| view.summary = Some(summary));
        }
    }

    fn summary(&self, stream: Stream) -> Summary {
        let now_ms = clock::now_ms();
        let duration_ms = stream.started_at_ms.map_or(0, |began| stream.ended_at_ms.unwrap_or(now_ms) - began);
        Summary {
            duration_s: u64::try_from(duration_ms / 1000).unwrap_or_default(),
            analytics: self.analytics.clone(),
            dropped_frames: self.sent.borrow().dropped_frames,
            recording: self.recording.clone(),
            stream,
        }
    }

    fn show(&mut self) {
        let sent = self.sent.borrow().clone();
        let is_on_air = self.machine.is_on_air();
        let problem = sent.problem.clone().filter(|_| is_on_air && !sent.is_connected);
        let problem = problem.map(|problem| (Severity::Failure, sentence(&problem)));
        self.note("push-failed", problem);
        let state = self.machine.state();
        let stream = self.session.as_ref().and_then(|session| session.stream());
        let is_silent = is_on_air && stream.is_some() && self.machine.is_silent();
        let silent_for = self.heard_at.elapsed();
        self.shown.is_on_air.send_if_modified(|known| std::mem::replace(known, is_on_air) != is_on_air);
        self.shown.view.send_if_modified(|view| {
            let mut shown = view.clone();
            shown.state = state;
            shown.page_url = self.session.as_ref().and_then(|session| session.page_url());
            shown.relay_url = self.session.as_ref().map(|session| session.relay_url().to_owned());
            shown.live_since_ms = stream.as_ref().and_then(|stream| stream.started_at_ms);
            shown.health = stream.as_ref().and_then(|stream| stream.status.health.clone()).filter(|_| !is_silent);
            shown.viewers = stream.as_ref().map(|stream| stream.viewers.now).unwrap_or_default();
            shown.stream = stream;
            shown.origin_silent_s = is_silent.then(|| u32::try_from(silent_for.as_secs()).unwrap_or(u32::MAX));
            if is_on_air {
                (shown.sent_bps, shown.target_bps, shown.queued_ms) = (sent.sent_bps, sent.target_bps, sent.queued_ms);
                (shown.frames, shown.dropped_frames) = (sent.frames, sent.dropped_frames);
                (shown.rtt_ms, shown.loss_ratio) = (sent.rtt_ms, sent.loss_ratio);
            }
            if let Some(summary) = shown.summary.as_mut() {
                summary.recording.clone_from(&self.recording);
            }
            let is_new = shown != *view;
            *view = shown;
            is_new
        });
    }

    /// Says something, or says it no longer. What is said already keeps its time.
    fn note(&self, code: &str, what: Option<(Severity, String)>) {
        self.shown.notices.send_if_modified(|notices| {
            let known = notices.iter().position(|notice| notice.code == code);
            match (known, what) {
                (None, None) => false,
                (Some(index), None) => {
                    notices.remove(index);
                    true
                }
                (Some(index), Some((severity, message))) => {
                    let notice = &mut notices[index];
                    let is_new = notice.message != message;
                    (notice.severity, notice.message) = (severity, message);
                    is_new
                }
                (None, Some((severity, message))) => {
                    notices.push(Notice { code: code.into(), severity, message, since_ms: clock::now_ms() });
                    true
                }
            }
        });
    }
}

pub(super) fn on_air() -> Problem {
    Problem::new("on-air", "A stream is on air. Stop it first.")
}

/// Whoever asked may not be waiting any more.
fn answer(reply: Reply, result: Result<(), Problem>) {
    _ = reply.send(result);
}
