//! The whole Studio: commands in; snapshots, meters and pictures out. Window and headless run alike.
//!
//! | module | does |
//! |---|---|
//! | `stage` | the graph, its encoders, and who gets what they make |
//! | `here` | what is looked at on this machine before going live |
//! | `assembly` | puts the snapshot together |
//! | `folders` | where things are kept |
//! | `hotkeys` | keys that work while another program is in front |
//! | `settings` | output settings and their file |

mod assembly;
mod folders;
mod here;
mod hotkeys;
mod settings;
mod stage;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use skylark_protocol::studio::{
    BroadcastView, Collection, Command, Edit, HotkeyAction, IdentityView, KeychainState, Meters, Notice, Outcome,
    OutputSettings, Problem, RecordingView, Refused, SceneId, Severity, Snapshot, View,
};
use tokio::{sync::watch, task::JoinHandle};

use self::{hotkeys::Hotkeys, stage::Stage};
use crate::{
    broadcast::{Air, Broadcast},
    capture::{self, DeviceWatch},
    document::{self, Document, FileError},
    encode,
    graph::{GraphError, Plan},
    identity::Identities,
};

pub use folders::Folders;

/// Why a Studio cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// GStreamer is missing or broken.
    #[error("GStreamer cannot be used: {0}")]
    Gstreamer(#[from] gstreamer::glib::Error),
    /// Neither the collection nor its last good copy can be read.
    #[error(transparent)]
    Collection(#[from] FileError),
    /// The graph does not start.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Identities or the broadcast cannot be read.
    #[error(transparent)]
    Kept(#[from] Problem),
    /// The system does not say where things are to be kept.
    #[error("there is no home folder to keep scenes and settings in")]
    Homeless,
}

/// A Studio. Dropping the last handle ends it.
pub struct Studio {
    folders: Folders,
    document: Mutex<Document>,
    stage: Arc<Stage>,
    identities: Arc<Identities>,
    broadcast: Arc<Broadcast>,
    hotkeys: Arc<Hotkeys>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    /// Looks for devices as they come and go.
    _devices: DeviceWatch,
    tasks: Vec<JoinHandle<()>>,
}

/// Pictures of a view, the newest only. While nobody holds one, no pictures are made.
pub struct Pictures {
    latest: watch::Receiver<Option<Bytes>>,
}

impl Pictures {
    /// The next picture, a JPEG file. None: the Studio is closed.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.latest.changed().await.ok()?;
            if let Some(picture) = self.latest.borrow_and_update().clone() {
                return Some(picture);
            }
        }
    }
}

impl Studio {
    /// Opens the Studio with what these folders hold.
    ///
    /// # Errors
    /// GStreamer cannot be used, or what is kept cannot be read.
    pub async fn open(folders: Folders) -> Result<Arc<Self>, OpenError> {
        let collection = document::load(&folders.collection())?.unwrap_or_default();
        Self::open_with(folders, collection).await
    }

    /// Opens the Studio with another collection than that which is kept. Changes of it are kept all the same.
    ///
    /// # Errors
    /// As of [`Studio::open`].
    pub async fn open_with(folders: Folders, collection: Collection) -> Result<Arc<Self>, OpenError> {
        gstreamer::init()?;
        let (output, problem) = settings::load(&folders.settings());
        let damaged = problem.map(|reason| notice("settings-damaged", Severity::Warning, &reason));
        let (hotkeys, no_hotkeys) = Hotkeys::open(folders.hotkeys());
        let hotkeys = Arc::new(hotkeys);
        let own = damaged.into_iter().chain(no_hotkeys).collect();
        let document = Document::new(collection);
        let stage = Stage::open(folders.clone(), document.collection().canvas, output)?;
        stage.graph().apply(Plan::of(document.collection()));
        let identities = Identities::open(&folders.data).await?;
        let air = Arc::clone(&stage) as Arc<dyn Air>;
        let broadcast = Broadcast::open(&folders.data, Arc::clone(&identities), air).await?;
        let snapshot = watch::Sender::new(Arc::new(first_snapshot(document.collection(), &stage.settings())));
        let (sender, devices) = watch::channel(Vec::new());
        let told = Arc::downgrade(&stage);
        let watching = capture::watch_devices(move |devices| {
            sender.send_replace(devices);
            if let Some(stage) = told.upgrade() {
                stage.graph().try_again();
            }
        });
        let parts = assembly::Parts {
            stage: Arc::clone(&stage),
            identities: Arc::clone(&identities),
            broadcast: Arc::clone(&broadcast),
            devices,
            hotkeys: hotkeys.all(),
            own,
        };
        let follow = assembly::follow(parts, snapshot.clone());
        let trying = Arc::clone(&stage);
        let trial = tokio::task::spawn_blocking(move || trying.tried(encode::try_encoders()));
        let tasks = vec![tokio::spawn(follow), trial];
        Ok(Arc::new(Self {
            folders,
            document: Mutex::new(document),
            stage,
            identities,
            broadcast,
            hotkeys,
            snapshot,
            _devices: watching,
            tasks,
        }))
    }

    /// Does what the window, a hotkey or a script asks for.
    ///
    /// # Errors
    /// What is wrong, in words for the person who asked.
    pub async fn run(&self, command: Command) -> Result<Outcome, Problem> {
        match command {
            Command::Edit { edit } => self.change(|document| document.edit(edit, Instant::now()))?,
            Command::Undo => self.change(|document| {
                document.undo();
                Ok(())
            })?,
            Command::Redo => self.change(|document| {
                document.redo();
                Ok(())
            })?,
            Command::Take { scene } => self.change(|document| take(document, scene))?,
            Command::FindDevices => self.stage.graph().try_again(),
            Command::SetOutput { output } => self.set_output(output)?,
            Command::SetHotkey { action, keys } => self.hotkeys.set(action, &keys)?,
            Command::StartRecording => self.stage.start_recording()?,
            Command::StopRecording => {
                let path = self.stage.stop_recording().await?.display().to_string();
                return Ok(Outcome::Saved { path });
            }
            Command::SaveReplay => {
                let path = self.stage.save_replay().await?.display().to_string();
                return Ok(Outcome::Saved { path });
            }
            other => return self.run_for_people(other).await,
        }
        Ok(Outcome::Done)
    }

    /// Commands about who streams, and about the broadcast.
    async fn run_for_people(&self, command: Command) -> Result<Outcome, Problem> {
        let (identities, broadcast) = (&self.identities, &self.broadcast);
        match command {
            Command::CreateIdentity => drop(identities.create().await?),
            Command::ImportIdentity { secret, password } => drop(identities.import(secret, password).await?),
            Command::ConnectBunker { uri } => drop(identities.connect_bunker(uri).await?),
            Command::UseIdentity { pubkey } => identities.choose(pubkey).await?,
            Command::ForgetIdentity { .. } if broadcast.is_on_air() => {
                return Err(Problem::new("on-air", "End the broadcast before you remove an identity."));
            }
            Command::ForgetIdentity { pubkey } => identities.forget(pubkey).await?,
            Command::BackUpIdentity { pubkey, password } => {
                return Ok(Outcome::Backup { ncryptsec: identities.back_up(pubkey, password).await? });
            }
            Command::Sign { event } => {
                let relay_url = broadcast.view().borrow().relay_url.clone();
                let event = identities.sign_for_window(event, relay_url.as_deref()).await?;
                return Ok(Outcome::Signed { event });
            }
            Command::Pin { message, is_pinned } => broadcast.pin(message, is_pinned).await?,
            Command::UseOrigin { address } => broadcast.use_origin(&address).await?,
            Command::UseBuiltInOrigin => broadcast.use_built_in().await?,
            Command::Check => {
                let collection = self.collection();
                let plan = self.stage.encoding_plan(collection.canvas)?;
                let pictures: u64 = plan.renditions.iter().map(|one| u64::from(one.bitrate_bps)).sum();
                let here = Box::pin(here::look(Arc::clone(&self.stage), collection));
                broadcast.check(pictures + u64::from(plan.audio_bitrate_bps), here).await?;
            }
            Command::GoLive { details } => broadcast.go_live(details).await?,
            Command::Describe { details } => broadcast.describe(details).await?,
            Command::Illustrate { picture } => broadcast.illustrate(picture).await?,
            Command::Stop => broadcast.stop().await?,
            Command::Resume => broadcast.resume().await?,
            Command::Abandon => broadcast.abandon().await?,
            Command::Dismiss => broadcast.dismiss(),
            other => {
                return Err(Problem::new("unknown-command", format!("The Studio does not know how to {other:?}.")));
            }
        }
        Ok(Outcome::Done)
    }

    /// Somebody pressed a key for this, in whatever program they are. What is wrong is told as a notice, as nobody may be
    /// looking at the window.
    pub async fn press(&self, action: HotkeyAction) {
        let commands = hotkeys::commands(action, &self.snapshot.borrow());
        let done = async {
            for command in commands? {
                self.run(command).await?;
            }
            Ok::<_, Problem>(())
        };
        let problem = done.await.err().map(|problem| (Severity::Warning, problem.message));
        self.stage.complain("hotkey-failed", problem);
    }

    /// What the system said when it was asked for the keys: those that it did not give, and why.
    pub fn asked_for_hotkeys(&self, refused: &[(HotkeyAction, String)]) {
        self.hotkeys.asked_for(refused);
    }

    /// Everything that the window shows, whenever it changes.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// How loud it is, about 20 times a second.
    pub fn meters(&self) -> watch::Receiver<Meters> {
        self.stage.told().meters.subscribe()
    }

    /// Pictures of a view, `width` pixels wide.
    pub fn pictures(&self, view: View, width: u32) -> Pictures {
        Pictures { latest: self.stage.look(view, width) }
    }

    /// Ready when every encoder of this computer has been tried, or is not waited for any longer.
    pub async fn encoders_tried(&self) {
        here::encoders_tried(&self.stage).await;
    }

    /// How the encoders do, for benchmarks and scripts.
    pub fn encoding(&self) -> watch::Receiver<crate::graph::EncodingState> {
        self.stage.told().encoding.subscribe()
    }

    /// Sends to an SRT address whoever answers there: no stream is made, and nothing is announced. For scripts.
    ///
    /// # Errors
    /// Nothing can be sent.
    pub fn push_to(&self, srt_url: &str) -> Result<(), Problem> {
        Air::open(self.stage.as_ref(), srt_url)
    }

    /// How sending goes.
    pub fn sent(&self) -> watch::Receiver<crate::broadcast::Sent> {
        Air::sent(self.stage.as_ref())
    }

    /// Whether quitting now would leave viewers behind.
    pub fn is_on_air(&self) -> bool {
        self.broadcast.is_on_air()
    }

    /// Ends what is running here, and keeps what is to be kept. A broadcast stays on air for as long as its origin waits;
    /// who wants it to end stops it before.
    pub async fn close(&self) {
        Air::close(self.stage.as_ref()).await;
        // Nothing recorded is no error here.
        if let Err(problem) = self.stage.stop_recording().await
            && problem.code != "not-recording"
        {
            tracing::warn!(%problem, "the recording is not whole");
        }
        self.broadcast.close().await;
    }

    fn document(&self) -> MutexGuard<'_, Document> {
        self.document.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collection(&self) -> Arc<Collection> {
        Arc::clone(self.document().collection())
    }

    /// Changes the collection, keeps it, and tells everybody.
    fn change(&self, change: impl FnOnce(&mut Document) -> Result<(), Refused>) -> Result<(), Problem> {
        let mut document = self.document();
        let before = Arc::clone(document.collection());
        change(&mut document).map_err(|refused| Problem::new("edit-refused", sentence(&refused.to_string())))?;
        let collection = Arc::clone(document.collection());
        let plan = Plan::of(&collection);
        if before.canvas == collection.canvas {
            self.stage.graph().apply(plan);
        } else if let Err(problem) = self.stage.resize(collection.canvas, plan) {
            document.undo();
            return Err(problem);
        }
        let (can_undo, can_redo) = (document.can_undo(), document.can_redo());
        self.snapshot.send_modify(|snapshot| {
            let snapshot = Arc::make_mut(snapshot);
            snapshot.collection = collection.as_ref().clone();
            (snapshot.can_undo, snapshot.can_redo) = (can_undo, can_redo);
        });
        document::save(&self.folders.collection(), &collection)
            .map_err(|error| Problem::new("not-kept", format!("The scenes could not be kept: {error}")))
    }

    fn set_output(&self, output: OutputSettings) -> Result<(), Problem> {
        settings::save(&self.folders.settings(), &output)?;
        self.stage.set(output);
        Ok(())
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Brings a scene on air; in studio mode, the one that was is prepared next.
fn take(document: &mut Document, scene: SceneId) -> Result<(), Refused> {
    let (now, before) = (Instant::now(), document.collection().program);
    let is_studio_mode = document.collection().preview.is_some();
    document.edit(Edit::Switch { scene }, now)?;
    if is_studio_mode && before != scene {
        document.edit(Edit::Prepare { scene: Some(before) }, now)?;
    }
    Ok(())
}

fn first_snapshot(collection: &Collection, output: &OutputSettings) -> Snapshot {
    Snapshot {
        collection: collection.clone(),
        can_undo: false,
        can_redo: false,
        sources: Vec::new(),
        devices: Vec::new(),
        encoders: Vec::new(),
        output: output.clone(),
        identity: IdentityView { cards: Vec::new(), current: None, keychain: KeychainState::Ready },
        origin: None,
        origin_is_built_in: false,
        broadcast: BroadcastView::default(),
        recording: RecordingView::default(),
        hotkeys: Vec::new(),
        notices: Vec::new(),
    }
}

/// A reason as a sentence.
fn sentence(reason: &str) -> String {
    let mut characters = reason.chars();
    let first = characters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

fn notice(code: &str, severity: Severity, message: &str) -> Notice {
    Notice { code: code.into(), severity, message: message.into(), since_ms: now_ms() }
}

/// Unix time, milliseconds.
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
