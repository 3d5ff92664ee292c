//! What is produced: the graph, its encoders, and who gets what they make.
//!
//! Encoders run while somebody needs them: a broadcast, or a recording.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use gstreamer::glib;
use skylark_protocol::{
    Health,
    studio::{Canvas, EncoderState, Notice, OutputSettings, Problem, RecordingView, Severity, View},
};
use tokio::{sync::watch, task::JoinHandle};

use super::{Folders, notice, now_ms, sentence};
use crate::{
    broadcast::{Air, Sent},
    encode::EncodingPlan,
    encoded::{Outlet, Outlets, Track},
    graph::{Graph, GraphError, Plan, Told},
    push::{self, Push, Rates},
    record::{Recorder, Replay},
};

/// Of an encoder that was not tried yet: enough for one good rendition.
const UNTRIED_SPEED_FPS: f64 = 80.0;
/// How often it is told how sending goes.
const SENT_INTERVAL: Duration = Duration::from_millis(250);

/// The graph and what leaves it.
pub(super) struct Stage {
    me: Weak<Stage>,
    folders: Folders,
    graph: ArcSwap<Graph>,
    told: Told,
    looks: Mutex<BTreeMap<View, Look>>,
    outlets: Arc<Outlets>,
    settings: ArcSwap<OutputSettings>,
    encoders: watch::Sender<Vec<EncoderState>>,
    recording: watch::Sender<RecordingView>,
    problems: watch::Sender<Vec<Notice>>,
    sent: watch::Sender<Sent>,
    uses: Mutex<Uses>,
}

/// Who looks at a view.
struct Look {
    width: u32,
    latest: watch::Sender<Option<Bytes>>,
}

/// Who needs the encoders.
#[derive(Default)]
struct Uses {
    /// What they encode; none: they do not run.
    plan: Option<EncodingPlan>,
    push: Option<OnAir>,
    recorder: Option<(Arc<Recorder>, JoinHandle<()>)>,
    replay: Option<Arc<Replay>>,
}

struct OnAir {
    push: Arc<Push>,
    report: JoinHandle<()>,
    /// The recording began with it, and ends with it.
    records: bool,
}

impl Stage {
    pub(super) fn open(folders: Folders, canvas: Canvas, settings: OutputSettings) -> Result<Arc<Self>, GraphError> {
        let outlets = Arc::new(Outlets::default());
        let told = Told::default();
        let graph = Graph::start(canvas, Arc::clone(&outlets), told.clone())?;
        graph.listen_on(&settings.monitor);
        Ok(Arc::new_cyclic(|me| Self {
            me: me.clone(),
            folders,
            graph: ArcSwap::from_pointee(graph),
            told,
            looks: Mutex::default(),
            outlets,
            settings: ArcSwap::from_pointee(settings),
            encoders: watch::Sender::new(Vec::new()),
            recording: watch::Sender::new(RecordingView::default()),
            problems: watch::Sender::new(Vec::new()),
            sent: watch::Sender::new(Sent::default()),
            uses: Mutex::default(),
        }))
    }

    pub(super) fn graph(&self) -> Arc<Graph> {
        self.graph.load_full()
    }

    pub(super) fn settings(&self) -> Arc<OutputSettings> {
        self.settings.load_full()
    }

    pub(super) fn encoders(&self) -> watch::Receiver<Vec<EncoderState>> {
        self.encoders.subscribe()
    }

    pub(super) fn tried(&self, encoders: Vec<EncoderState>) {
        self.encoders.send_replace(encoders);
    }

    pub(super) fn recording(&self) -> watch::Receiver<RecordingView> {
        self.recording.subscribe()
    }

    /// What goes wrong here.
    pub(super) fn problems(&self) -> watch::Receiver<Vec<Notice>> {
        self.problems.subscribe()
    }

    /// How the sources are, how loud it is, what the encoders do.
    pub(super) fn told(&self) -> &Told {
        &self.told
    }

    /// Pictures of a view. Who looked at it before sees nothing new.
    pub(super) fn look(&self, view: View, width: u32) -> watch::Receiver<Option<Bytes>> {
        let latest = watch::Sender::new(None);
        let receiver = latest.subscribe();
        self.graph().look(view, width, latest.clone());
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).insert(view, Look { width, latest });
        receiver
    }

    /// A graph for another canvas.
    ///
    /// # Errors
    /// Something is on air or recorded, or the graph cannot be started.
    pub(super) fn resize(&self, canvas: Canvas, plan: Plan) -> Result<(), Problem> {
        if self.uses().plan.is_some() {
            let words = "The size of the picture cannot change while it is on air or recorded.";
            return Err(Problem::new("canvas-in-use", words));
        }
        let started = Graph::start(canvas, Arc::clone(&self.outlets), self.told.clone());
        let graph = started.map_err(|error| Problem::new("graph", sentence(&error.to_string())))?;
        graph.listen_on(&self.settings().monitor);
        graph.apply(plan);
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        for (view, look) in looks.iter().filter(|(_, look)| look.latest.receiver_count() > 0) {
            graph.look(*view, look.width, look.latest.clone());
        }
        self.graph.store(Arc::new(graph));
        Ok(())
    }

    /// Other settings, from the next broadcast or recording on; what the streamer hears, at once.
    pub(super) fn set(&self, settings: OutputSettings) {
        self.graph().listen_on(&settings.monitor);
        self.settings.store(Arc::new(settings));
    }

    /// What would be encoded now.
    ///
    /// # Errors
    /// No encoder works.
    pub(super) fn encoding_plan(&self, canvas: Canvas) -> Result<EncodingPlan, Problem> {
        let mut encoders = self.encoders.borrow().clone();
        if encoders.is_empty() {
            // Not tried yet: x264 works nearly everywhere.
            encoders.push(EncoderState {
                name: "x264enc".into(),
                title: String::new(),
                works: true,
                speed_fps: UNTRIED_SPEED_FPS,
                reason: None,
            });
        }
        EncodingPlan::of(&self.settings(), &encoders, canvas).ok_or_else(|| {
            let words = "No H.264 encoder works on this computer. Install GStreamer's x264 plugin.";
            Problem::new("no-encoder", words)
        })
    }

    /// Begins to record.
    ///
    /// # Errors
    /// It is recorded already, or the disk says no.
    pub(super) fn start_recording(&self) -> Result<(), Problem> {
        let mut uses = self.uses();
        if uses.recorder.is_some() {
            return Err(Problem::new("recording", "It is recorded already."));
        }
        let plan = self.need(&mut uses)?;
        let track = if plan.recording.is_some() { Track::Recording } else { Track::Video(0) };
        let started = Recorder::start(&self.recordings(), &file_name("Skylark"), track, now_ms());
        let recorder = match started {
            Ok(recorder) => recorder,
            Err(error) => {
                self.rest(&mut uses);
                return Err(Problem::new("recording-failed", sentence(&error.to_string())));
            }
        };
        self.outlets.add(Arc::clone(&recorder) as Arc<dyn Outlet>);
        self.graph().ask_keyframe();
        let report = self.follow_recorder(&recorder);
        uses.recorder = Some((recorder, report));
        Ok(())
    }

    /// Finishes the recording: its path.
    ///
    /// # Errors
    /// Nothing is recorded, or the file is not whole.
    pub(super) async fn stop_recording(&self) -> Result<PathBuf, Problem> {
        let taken = self.uses().recorder.take();
        let Some((recorder, report)) = taken else {
            return Err(Problem::new("not-recording", "Nothing is being recorded."));
        };
        let finished = recorder.finish().await;
        self.outlets.remove(&(recorder as Arc<dyn Outlet>));
        report.abort();
        self.rest(&mut self.uses());
        self.recording.send_modify(|view| {
            view.path = None;
            view.since_ms = None;
            match &finished {
                Ok(path) => view.finished = Some(path.display().to_string()),
                Err(error) => view.problem = Some(sentence(&error.to_string())),
            }
        });
        finished.map_err(|error| Problem::new("recording-failed", sentence(&error.to_string())))
    }

    /// Writes what the replay buffer holds.
    ///
    /// # Errors
    /// There is no replay buffer, or the disk says no.
    pub(super) async fn save_replay(&self) -> Result<PathBuf, Problem> {
        let Some(replay) = self.uses().replay.clone() else {
            let words = "There is no replay buffer: give it a length in the settings, and go live or record.";
            return Err(Problem::new("no-replay", words));
        };
        let folder = self.recordings();
        let saving = tokio::task::spawn_blocking(move || replay.save(&folder, &file_name("Replay")));
        let saved = saving.await.map_err(|error| Problem::new("replay-failed", sentence(&error.to_string())))?;
        saved.map_err(|error| Problem::new("replay-failed", sentence(&error.to_string())))
    }

    /// Where recordings go.
    pub(super) fn recordings(&self) -> PathBuf {
        let folder = &self.settings().recording.folder;
        if folder.is_empty() { self.folders.videos.clone() } else { PathBuf::from(folder) }
    }

    /// Seconds that the replay buffer holds.
    pub(super) fn replay_s(&self) -> u32 {
        self.uses().replay.as_ref().map_or(0, |replay| replay.held_s())
    }

    /// Tells, or takes back, that something is wrong.
    pub(super) fn complain(&self, code: &str, message: Option<(Severity, String)>) {
        self.problems.send_if_modified(|all| {
            let known = all.iter().position(|one| one.code == code);
            match (known, message) {
                (Some(at), Some((severity, message))) => {
                    let is_new = all[at].message != message || all[at].severity != severity;
                    (all[at].severity, all[at].message) = (severity, message);
                    is_new
                }
                (None, Some((severity, message))) => {
                    all.push(notice(code, severity, &message));
                    true
                }
                (Some(at), None) => {
                    all.remove(at);
                    true
                }
                (None, None) => false,
            }
        });
    }

    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The encoders run from now on, if they do not yet.
    fn need(&self, uses: &mut Uses) -> Result<EncodingPlan, Problem> {
        if let Some(plan) = &uses.plan {
            return Ok(plan.clone());
        }
        let plan = self.encoding_plan(self.graph().canvas())?;
        self.graph().begin_encoding(plan.clone());
        let length_s = self.settings().recording.replay_s;
        if length_s > 0 {
            let track = if plan.recording.is_some() { Track::Recording } else { Track::Video(0) };
            let replay = Arc::new(Replay::new(track, Duration::from_secs(length_s.into())));
            self.outlets.add(Arc::clone(&replay) as Arc<dyn Outlet>);
            uses.replay = Some(replay);
        }
        uses.plan = Some(plan.clone());
        Ok(plan)
    }

    /// The encoders stop, if nobody needs them any more.
    fn rest(&self, uses: &mut Uses) {
        if uses.push.is_none() && uses.recorder.is_none() && uses.plan.take().is_some() {
            self.graph().stop_encoding();
            if let Some(replay) = uses.replay.take() {
                self.outlets.remove(&(replay as Arc<dyn Outlet>));
            }
        }
    }

    /// What the encoders make of all pictures that are sent, when no link changes that.
    fn fixed_bps(&self) -> u64 {
        let uses = self.uses();
        uses.plan.iter().flat_map(|plan| &plan.renditions).map(|one| u64::from(one.bitrate_bps)).sum()
    }

    fn follow_recorder(&self, recorder: &Arc<Recorder>) -> JoinHandle<()> {
        let (mut reports, view) = (recorder.reports(), self.recording.clone());
        tokio::spawn(async move {
            loop {
                let report = reports.borrow_and_update().clone();
                view.send_modify(|view| {
                    let finished = report.finished.clone().or(view.finished.take());
                    *view = RecordingView { finished, ..report };
                });
                if reports.changed().await.is_err() {
                    return;
                }
            }
        })
    }

    fn follow_push(&self, push: &Arc<Push>) -> JoinHandle<()> {
        let (reports, sent, stage) = (push.reports(), self.sent.clone(), self.me.clone());
        tokio::spawn(async move {
            let mut turns = tokio::time::interval(SENT_INTERVAL);
            loop {
                turns.tick().await;
                let Some(stage) = stage.upgrade() else { return };
                let encoding = stage.told.encoding.borrow().clone();
                let report = reports.borrow().clone();
                let fixed_bps = (!stage.settings().is_adaptive).then(|| stage.fixed_bps());
                sent.send_replace(Sent {
                    is_connected: report.state == push::State::Connected,
                    sent_bps: report.sent_bps,
                    target_bps: fixed_bps.unwrap_or(report.target_bps),
                    queued_ms: report.queued_ms,
                    frames: encoding.frames,
                    dropped_frames: encoding.dropped_frames + report.dropped_frames,
                    rtt_ms: report.rtt_ms,
                    loss_ratio: report.loss_ratio,
                    problem: encoding.failure.map(|failure| sentence(&failure)).or(report.error),
                });
            }
        })
    }
}

impl Rates for Stage {
    fn set_bitrate(&self, track: Track, bitrate_bps: u64) {
        if self.settings().is_adaptive {
            self.graph().set_bitrate(track, u32::try_from(bitrate_bps).unwrap_or(u32::MAX));
        }
    }

    fn request_keyframe(&self) {
        self.graph().ask_keyframe();
    }
}

impl Air for Stage {
    fn open(&self, srt_url: &str) -> Result<(), Problem> {
        let Some(me) = self.me.upgrade() else { return Err(Problem::new("closing", "The Studio is closing.")) };
        let mut uses = self.uses();
        let plan = self.need(&mut uses)?;
        let push = match Push::start(srt_url, &plan.renditions, me) {
            Ok(push) => push,
            Err(error) => {
                self.rest(&mut uses);
                return Err(Problem::new("push-failed", sentence(&error.to_string())));
            }
        };
        self.outlets.add(Arc::clone(&push) as Arc<dyn Outlet>);
        // A newcomer can use nothing before a keyframe.
        self.graph().ask_keyframe();
        let report = self.follow_push(&push);
        let before = uses.push.replace(OnAir { push, report, records: false });
        if let Some(before) = before {
            before.report.abort();
            self.outlets.remove(&(before.push as Arc<dyn Outlet>));
            if let Some(now) = &mut uses.push {
                now.records = before.records;
            }
        }
        let records = self.settings().recording.with_broadcast && uses.recorder.is_none();
        drop(uses);
        if records {
            match self.start_recording() {
                Ok(()) => {
                    if let Some(now) = &mut self.uses().push {
                        now.records = true;
                    }
                    self.complain("recording-failed", None);
                }
                // A broadcast does not fail with its recording.
                Err(problem) => self.complain("recording-failed", Some((Severity::Warning, problem.message))),
            }
        }
        Ok(())
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let me = self.me.clone();
        Box::pin(async move {
            let Some(stage) = me.upgrade() else { return };
            let taken = stage.uses().push.take();
            let Some(OnAir { push, report, records }) = taken else { return };
            push.close().await;
            report.abort();
            stage.outlets.remove(&(push as Arc<dyn Outlet>));
            stage.sent.send_replace(Sent::default());
            if records && let Err(problem) = stage.stop_recording().await {
                stage.complain("recording-failed", Some((Severity::Warning, problem.message)));
            }
            stage.rest(&mut stage.uses());
        })
    }

    fn sent(&self) -> watch::Receiver<Sent> {
        self.sent.subscribe()
    }

    fn hear(&self, health: &Health) {
        if let Some(on_air) = &self.uses().push {
            on_air.push.hear(health);
        }
    }
}

/// A name for a file, with the local date and time.
fn file_name(what: &str) -> String {
    let now = glib::DateTime::now_local().and_then(|now| now.format("%Y-%m-%d %H-%M-%S"));
    now.map_or_else(|_| format!("{what} {}", now_ms()), |now| format!("{what} {now}"))
}
