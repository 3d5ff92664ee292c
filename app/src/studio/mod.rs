//! The whole Studio: commands in; snapshots, meters and pictures out. Window and headless run alike.
//!
//! | module | does |
//! |---|---|
//! | `folders` | where things are kept |
//! | `settings` | output settings and their file |

mod folders;
mod settings;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use skylark_protocol::studio::{
    Command, IdentityView, KeychainState, Meters, Notice, Outcome, Problem, RecordingView, Refused, Severity, Snapshot,
    View,
};
use tokio::sync::watch;

use crate::document::{self, Document, FileError};

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
    /// The system does not say where things are to be kept.
    #[error("there is no home folder to keep scenes and settings in")]
    Homeless,
}

/// A Studio. Dropping the last handle ends it.
pub struct Studio {
    folders: Folders,
    document: Mutex<Document>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    meters: watch::Sender<Meters>,
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
        gstreamer::init()?;
        let collection = document::load(&folders.collection())?.unwrap_or_default();
        let (output, problem) = settings::load(&folders.settings());
        let document = Document::new(collection);
        let mut notices = Vec::new();
        if let Some(reason) = problem {
            notices.push(notice("settings-damaged", Severity::Warning, &reason));
        }
        let snapshot = Snapshot {
            collection: document.collection().as_ref().clone(),
            can_undo: false,
            can_redo: false,
            sources: Vec::new(),
            devices: Vec::new(),
            encoders: Vec::new(),
            output,
            identity: IdentityView { cards: Vec::new(), current: None, keychain: KeychainState::Ready },
            origin: None,
            origin_is_built_in: false,
            broadcast: skylark_protocol::studio::BroadcastView::default(),
            recording: RecordingView::default(),
            notices,
        };
        Ok(Arc::new(Self {
            folders,
            document: Mutex::new(document),
            snapshot: watch::Sender::new(Arc::new(snapshot)),
            meters: watch::Sender::new(Meters::default()),
        }))
    }

    /// Does what the window, a hotkey or a script asks for.
    ///
    /// # Errors
    /// What is wrong, in words for the person who asked.
    pub async fn run(&self, command: Command) -> Result<Outcome, Problem> {
        match command {
            Command::Edit { edit } => {
                self.change(|document| document.edit(edit, Instant::now()))?;
                Ok(Outcome::Done)
            }
            Command::Undo => {
                self.change(|document| {
                    document.undo();
                    Ok(())
                })?;
                Ok(Outcome::Done)
            }
            Command::Redo => {
                self.change(|document| {
                    document.redo();
                    Ok(())
                })?;
                Ok(Outcome::Done)
            }
            _ => Err(Problem::new("not-yet", "The Studio cannot do that yet.")),
        }
    }

    /// Everything that the window shows, whenever it changes.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// How loud it is, about 20 times a second.
    pub fn meters(&self) -> watch::Receiver<Meters> {
        self.meters.subscribe()
    }

    /// Pictures of a view, `width` pixels wide.
    pub fn pictures(&self, _view: View, _width: u32) -> Pictures {
        Pictures { latest: watch::Sender::new(None).subscribe() }
    }

    /// Ends what is running, and keeps what is to be kept.
    pub async fn close(&self) {}

    /// Changes the collection, keeps it, and tells everybody.
    fn change(&self, change: impl FnOnce(&mut Document) -> Result<(), Refused>) -> Result<(), Problem> {
        let mut document = self.document.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut document).map_err(|refused| Problem::new("edit-refused", sentence(&refused.to_string())))?;
        let collection = Arc::clone(document.collection());
        let (can_undo, can_redo) = (document.can_undo(), document.can_redo());
        self.snapshot.send_modify(|snapshot| {
            let snapshot = Arc::make_mut(snapshot);
            snapshot.collection = collection.as_ref().clone();
            (snapshot.can_undo, snapshot.can_redo) = (can_undo, can_redo);
        });
        document::save(&self.folders.collection(), &collection)
            .map_err(|error| Problem::new("not-kept", format!("The scenes could not be kept: {error}")))
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
