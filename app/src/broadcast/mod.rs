//! A broadcast: from the check before it to the summary after it.
//!
//! | module | does |
//! |---|---|
//! | `air` | what it asks of whoever encodes and sends |

mod air;
mod machine;

use std::{path::Path, sync::Arc};

use futures_util::future::BoxFuture;
use skylark_protocol::{
    api::StreamDetails,
    event::EventId,
    studio::{BroadcastView, Check, Notice, Problem},
};
use tokio::sync::watch;

use crate::identity::Identities;

pub use air::{Air, Sent};

/// The broadcasts of this Studio, one at a time. Dropping it ends nothing at the origin: that is what resuming is for.
pub struct Broadcast {
    view: watch::Sender<BroadcastView>,
    origin: watch::Sender<Origin>,
    notices: watch::Sender<Vec<Notice>>,
}

/// Where the Studio streams to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// `https://…`; none: not chosen yet.
    pub address: Option<String>,
    /// It runs on this machine, and the Studio starts it.
    pub is_built_in: bool,
}

impl Broadcast {
    /// Opens what this folder holds: which origin, and whether an earlier run left something on air.
    ///
    /// # Errors
    /// What is kept cannot be read.
    pub async fn open(_folder: &Path, _identities: Arc<Identities>, _air: Arc<dyn Air>) -> Result<Arc<Self>, Problem> {
        Ok(Arc::new(Self {
            view: watch::Sender::new(BroadcastView::default()),
            origin: watch::Sender::new(Origin::default()),
            notices: watch::Sender::new(Vec::new()),
        }))
    }

    /// What the window shows of it, whenever it changes.
    pub fn view(&self) -> watch::Receiver<BroadcastView> {
        self.view.subscribe()
    }

    /// Where the Studio streams to.
    pub fn origin(&self) -> watch::Receiver<Origin> {
        self.origin.subscribe()
    }

    /// What the streamer should know of it now, the newest last.
    pub fn notices(&self) -> watch::Receiver<Vec<Notice>> {
        self.notices.subscribe()
    }

    /// Whether quitting now would leave viewers behind.
    pub fn is_on_air(&self) -> bool {
        false
    }

    /// Streams to this origin from now on.
    ///
    /// # Errors
    /// It is no address, or no Skylark answers there, or one is on air.
    pub async fn use_origin(&self, _address: &str) -> Result<(), Problem> {
        Err(not_yet())
    }

    /// Starts an origin on this machine, for the current identity, and streams to it from now on.
    ///
    /// # Errors
    /// It cannot be started, or one is on air.
    pub async fn use_built_in(&self) -> Result<(), Problem> {
        Err(not_yet())
    }

    /// Looks at everything that a broadcast needs: `needed_bps` is what the output settings send, and `here` what is
    /// looked at on this machine (checks `encoder`, `microphone`, `disk`, `picture`). Returns when all is looked at.
    ///
    /// # Errors
    /// One is on air.
    pub async fn check(&self, _needed_bps: u64, _here: BoxFuture<'static, Vec<Check>>) -> Result<(), Problem> {
        Err(not_yet())
    }

    /// Makes a stream, announces it and begins to send. Returns when that is under way; the view says when it is live.
    ///
    /// # Errors
    /// Why there is no stream.
    pub async fn go_live(&self, _details: StreamDetails) -> Result<(), Problem> {
        Err(not_yet())
    }

    /// Says something else of the stream that is on air.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn describe(&self, _details: StreamDetails) -> Result<(), Problem> {
        Err(not_yet())
    }

    /// Pins a chat message, or no longer does.
    ///
    /// # Errors
    /// Nothing is on air, or nobody took the announcement.
    pub async fn pin(&self, _message: EventId, _is_pinned: bool) -> Result<(), Problem> {
        Err(not_yet())
    }

    /// Ends the broadcast: for viewers first, then at the origin, then for everybody else.
    ///
    /// # Errors
    /// Nothing is on air.
    pub async fn stop(&self) -> Result<(), Problem> {
        Err(not_yet())
    }

    /// Goes on with what an earlier run left on air; when the origin no longer waits for it, as a new stream with the
    /// same settings.
    ///
    /// # Errors
    /// Why not.
    pub async fn resume(&self) -> Result<(), Problem> {
        Err(not_yet())
    }

    /// Ends what an earlier run left on air.
    ///
    /// # Errors
    /// Why not.
    pub async fn abandon(&self) -> Result<(), Problem> {
        Err(not_yet())
    }

    /// Back from the summary, or from the check.
    pub fn dismiss(&self) {}

    /// The file that was recorded, for the summary.
    pub fn recorded(&self, _path: Option<String>) {}

    /// Stops what runs here for it (the built-in origin); what is on air stays so for as long as the origin waits.
    pub async fn close(&self) {}
}

fn not_yet() -> Problem {
    Problem::new("not-yet", "The Studio cannot do that yet.")
}
