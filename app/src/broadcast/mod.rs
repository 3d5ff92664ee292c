//! A broadcast: from the check before it to the summary after it.
//!
//! | module | does |
//! |---|---|
//! | `air` | what it asks of whoever encodes and sends |
//! | `machine` | what is to be done next: pure |
//! | `driver` | carries that out |
//! | `session` | the dealings with origin and relay |
//! | `relay` | a connection to the origin's relay |
//! | `memory` | what the next launch has to know |
//! | `preflight` | what is looked at before going live |

mod air;
mod driver;
mod machine;
mod memory;
mod preflight;
mod relay;
mod session;

use std::{path::Path, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use skylark_protocol::{
    api::StreamDetails,
    event::{EventId, PublicKey},
    live_event::{LiveEventDraft, Status},
    studio::{BroadcastView, Check, Notice, Picture, Problem},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use crate::{
    identity::Identities,
    origin::{Address, BuiltIn, Client, sentence},
};
use driver::{Ask, Driver, Shown};
use memory::{Memories, Memory};
use session::{Session, not_on_air, status};

pub use air::{Air, Sent};

/// How long the origin waits for a Studio that is gone, seconds: long enough to start a computer again.
pub const RECONNECT_TIMEOUT_S: u32 = 600;
/// Questions to the driver that wait.
const MAX_ASKS: usize = 32;
/// How long ending what an earlier run left on air may take.
const ABANDON_PATIENCE: Duration = Duration::from_secs(60);
/// Where profiles are looked for besides the origin's own relay, when that is a public one.
const PROFILE_RELAYS: [&str; 3] = ["wss://purplepag.es", "wss://relay.damus.io", "wss://nos.lol"];

/// The broadcasts of this Studio, one at a time. Dropping it ends nothing at the origin: that is what resuming is for.
pub struct Broadcast {
    asks: mpsc::Sender<Ask>,
    shown: Arc<Shown>,
    origin: watch::Sender<Origin>,
    identities: Arc<Identities>,
    memories: Memories,
    built_in: BuiltIn,
    /// One thing that changes the origin at a time.
    choosing: tokio::sync::Mutex<()>,
}

/// Where the Studio streams to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// `https://…`; none: not chosen yet.
    pub address: Option<String>,
    /// It runs on this machine, and the Studio starts it.
    pub is_built_in: bool,
}

impl Broadcast {
    /// Opens what this folder holds: which origin, and whether an earlier run left something on air. An origin on this
    /// machine is started again, behind the scenes.
    ///
    /// # Errors
    /// What is kept cannot be read.
    pub async fn open(folder: &Path, identities: Arc<Identities>, air: Arc<dyn Air>) -> Result<Arc<Self>, Problem> {
        let memories = Memories::new(folder);
        let (origin, left) = (memories.origin()?, memories.broadcast()?);
        let resumable = left.as_ref().map(Memory::resumable);
        let shown = Arc::new(Shown {
            view: watch::Sender::new(BroadcastView { resumable, last: memories.last(), ..BroadcastView::default() }),
            notices: watch::Sender::new(Vec::new()),
            session: watch::Sender::new(None),
            is_on_air: watch::Sender::new(false),
        });
        let (asks, asked) = mpsc::channel(MAX_ASKS);
        tokio::spawn(Driver::new(air, Arc::clone(&shown)).run(asked));
        let broadcast = Arc::new(Self {
            asks,
            shown,
            identities,
            built_in: BuiltIn::new(memories.built_in()),
            memories,
            choosing: tokio::sync::Mutex::default(),
            origin: watch::Sender::new(origin),
        });
        let opened = Arc::clone(&broadcast);
        tokio::spawn(async move {
            if opened.origin.borrow().is_built_in
                && opened.identities.current().is_some()
                && let Err(problem) = opened.use_built_in().await
            {
                tracing::warn!(%problem, "the origin on this machine was not started");
            }
            let mut identities = opened.identities.view();
            let opened = Arc::downgrade(&opened);
            // Of everybody who comes.
            let mut known = Vec::new();
            while let Some(broadcast) = opened.upgrade() {
                let all = broadcast.identities.all();
                if known != all {
                    known = all;
                    broadcast.look_for_profiles();
                }
                drop(broadcast);
                if identities.changed().await.is_err() {
                    break;
                }
            }
        });
        Ok(broadcast)
    }

    /// What the window shows of it, whenever it changes.
    pub fn view(&self) -> watch::Receiver<BroadcastView> {
        self.shown.view.subscribe()
    }

    /// Where the Studio streams to.
    pub fn origin(&self) -> watch::Receiver<Origin> {
        self.origin.subscribe()
    }

    /// What the streamer should know of it now, the newest last.
    pub fn notices(&self) -> watch::Receiver<Vec<Notice>> {
        self.shown.notices.subscribe()
    }

    /// Whether quitting now would leave viewers behind.
    pub fn is_on_air(&self) -> bool {
        *self.shown.is_on_air.borrow()
    }

    /// The origin's relay; none while no origin is chosen.
    pub fn relay_url(&self) -> Option<String> {
        let address = self.origin.borrow().address.clone()?;
        Address::read(&address).ok().map(|address| address.relay_url())
    }

    /// Streams to this origin from now on.
    ///
    /// # Errors
    /// It is no address, or no Skylark answers there, or one is on air.
    pub async fn use_origin(&self, address: &str) -> Result<(), Problem> {
        let address = Address::read(address)?;
        let _one_at_a_time = self.choosing.lock().await;
        self.expect_off_air()?;
        let client = Client::new(address.clone(), Arc::clone(&self.identities))?;
        client.about().await.map_err(crate::origin::ApiError::problem)?;
        self.choose(Origin { address: Some(address.to_string()), is_built_in: false })?;
        self.built_in.stop().await;
        self.look_for_profiles();
        Ok(())
    }

    /// Starts an origin on this machine, for the current identity, and streams to it from now on.
    ///
    /// # Errors
    /// It cannot be started, or one is on air.
    pub async fn use_built_in(&self) -> Result<(), Problem> {
        let _one_at_a_time = self.choosing.lock().await;
        self.expect_off_air()?;
        self.start_built_in().await?;
        self.look_for_profiles();
        Ok(())
    }

    async fn start_built_in(&self) -> Result<Address, Problem> {
        let owner = self.who()?;
        let address = self.built_in.start(owner, &self.identities.all()).await?;
        self.choose(Origin { address: Some(address.to_string()), is_built_in: true })?;
        Ok(address)
    }

    /// Looks at everything that a broadcast needs: `needed_bps` is what the output settings send, and `here` what is
    /// looked at on this machine (checks `encoder`, `picture`, `microphone`, `disk`). Returns when all is looked at;
    /// the view says meanwhile how far it is.
    ///
    /// # Errors
    /// One is on air.
    pub async fn check(&self, needed_bps: u64, here: BoxFuture<'static, Vec<Check>>) -> Result<(), Problem> {
        self.ask(Ask::Check).await?;
        self.shown.view.send_modify(|view| view.preflight = Some(preflight::blank()));
        let tell = |found: Vec<Check>| {
            self.shown.view.send_modify(|view| {
                let Some(preflight) = view.preflight.as_mut() else { return };
                for check in found {
                    match preflight.checks.iter_mut().find(|known| known.code == check.code) {
                        Some(known) => *known = check,
                        None => preflight.checks.push(check),
                    }
                }
            });
        };
        let client = self.client().await;
        preflight::look(client, self.identities.current(), needed_bps, here, tell).await;
        self.shown.view.send_modify(|view| {
            if let Some(preflight) = view.preflight.as_mut() {
                preflight.is_done = true;
            }
        });
        Ok(())
    }

    /// Makes a stream, announces it and begins to send. Returns when that is under way; the view says when it is live.
    /// What an earlier run left on air is ended.
    ///
    /// # Errors
    /// Why there is no stream.
    pub async fn go_live(&self, details: StreamDetails) -> Result<(), Problem> {
        self.expect_off_air()?;
        let details = checked(details)?;
        if self.shown.view.borrow().resumable.is_some()
            && let Err(problem) = self.abandon().await
        {
            tracing::warn!(%problem, "what an earlier run left on air could not be ended");
        }
        let (client, who) = (self.client().await?, self.who()?);
        self.keep_last(&details);
        self.begin(client, who, details, None).await
    }

    async fn begin(
        &self,
        client: Client,
        who: PublicKey,
        details: StreamDetails,
        resumed: Option<Memory>,
    ) -> Result<(), Problem> {
        let (identities, memories) = (Arc::clone(&self.identities), self.memories.clone());
        let session = Arc::new(Session::new(client, identities, memories, who, details, resumed));
        self.ask(|reply| Ask::GoLive(session, reply)).await
    }

    /// Says something else of the stream that is on air.
    ///
    /// # Errors
    /// Nothing was changed; or it was, and could not be announced: it is tried again within a minute.
    pub async fn describe(&self, details: StreamDetails) -> Result<(), Problem> {
        let details = checked(details)?;
        self.keep_last(&details);
        self.session()?.describe(details).await
    }

    /// Gives the stream that is on air a small picture.
    ///
    /// # Errors
    /// The origin does not take it; or it did, and that could not be announced: it is tried again within a minute.
    pub async fn illustrate(&self, picture: Picture) -> Result<(), Problem> {
        self.session()?.illustrate(picture).await
    }

    /// What the next stream begins with.
    fn keep_last(&self, details: &StreamDetails) {
        // No date: it was that stream's.
        let details = StreamDetails { starts_at_s: None, ..details.clone() };
        if let Err(problem) = self.memories.keep_last(&details) {
            tracing::warn!(%problem, "how this stream is announced could not be noted");
        }
        self.shown.view.send_modify(|view| view.last = Some(details));
    }

    /// Pins a chat message, or no longer does.
    ///
    /// # Errors
    /// Nothing is on air, or nobody took the announcement.
    pub async fn pin(&self, message: EventId, is_pinned: bool) -> Result<(), Problem> {
        let session = self.session()?;
        let status = session.stream().map_or(Status::Planned, |stream| status(stream.phase));
        let change = |draft: &mut LiveEventDraft| {
            draft.pinned.retain(|id| *id != message);
            if is_pinned {
                draft.pinned.push(message);
                let too_many = draft.pinned.len().saturating_sub(LiveEventDraft::MAX_PINNED);
                draft.pinned.drain(..too_many);
            }
        };
        session.announce_changed(status, change).await
    }

    /// Ends the broadcast: for viewers first, then at the origin, then for everybody else. Returns when it is over.
    ///
    /// # Errors
    /// Nothing is on air.
    pub async fn stop(&self) -> Result<(), Problem> {
        self.ask(Ask::Stop).await
    }

    /// Goes on with what an earlier run left on air; when the origin no longer waits for it, as a new stream with the
    /// same settings.
    ///
    /// # Errors
    /// Why not.
    pub async fn resume(&self) -> Result<(), Problem> {
        self.expect_off_air()?;
        let (client, memory) = self.left_on_air().await?;
        let (who, details) = (memory.who, memory.details.clone());
        self.begin(client, who, details, Some(memory)).await
    }

    /// Ends what an earlier run left on air.
    ///
    /// # Errors
    /// Why not; it is still offered then.
    pub async fn abandon(&self) -> Result<(), Problem> {
        self.expect_off_air()?;
        let (client, memory) = self.left_on_air().await?;
        let (identities, memories) = (Arc::clone(&self.identities), self.memories.clone());
        let (who, details) = (memory.who, memory.details.clone());
        let session = Session::new(client, identities, memories, who, details, Some(memory));
        let too_long = |_| Problem::new("origin-silent", "The origin does not answer in time.");
        timeout(ABANDON_PATIENCE, session.abandon()).await.map_err(too_long)??;
        self.shown.view.send_modify(|view| view.resumable = None);
        Ok(())
    }

    async fn left_on_air(&self) -> Result<(Client, Memory), Problem> {
        let nothing = || Problem::new("nothing-left", "No earlier stream is waiting.");
        let memory = self.memories.broadcast()?.ok_or_else(nothing)?;
        let (is_built_in, here) = {
            let origin = self.origin.borrow();
            (origin.is_built_in, origin.address.clone())
        };
        let address = match is_built_in && here.as_ref() == Some(&memory.address) {
            true => self.start_built_in().await?,
            false => Address::read(&memory.address)?,
        };
        Ok((Client::new(address, Arc::clone(&self.identities))?, memory))
    }

    /// Back from the summary, or from the check.
    pub fn dismiss(&self) {
        self.tell(Ask::Dismiss);
    }

    /// The file that was recorded, for the summary.
    pub fn recorded(&self, path: Option<String>) {
        self.tell(Ask::Recorded(path));
    }

    fn tell(&self, ask: Ask) {
        if self.asks.try_send(ask).is_err() {
            tracing::warn!("the broadcast does not listen");
        }
    }

    /// Stops what runs here for it (the origin on this machine); what is on air elsewhere stays so for as long as its
    /// origin waits.
    pub async fn close(&self) {
        self.built_in.stop().await;
    }

    /// The process of the origin on this machine, while it runs.
    pub async fn built_in_process(&self) -> Option<u32> {
        self.built_in.process_id().await
    }

    async fn ask(&self, ask: impl FnOnce(driver::Reply) -> Ask) -> Result<(), Problem> {
        let closed = || Problem::new("closed", "The Studio is closing.");
        let (reply, answer) = oneshot::channel();
        self.asks.send(ask(reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    async fn client(&self) -> Result<Client, Problem> {
        let Origin { address, is_built_in } = self.origin.borrow().clone();
        let address = match address {
            _ if is_built_in => self.start_built_in().await?,
            Some(address) => Address::read(&address)?,
            None => return Err(Problem::new("no-origin", "Choose an origin first: an address, or the one built in.")),
        };
        Client::new(address, Arc::clone(&self.identities))
    }

    fn who(&self) -> Result<PublicKey, Problem> {
        let nobody = || Problem::new("no-identity", "Create or import an identity first.");
        self.identities.current().ok_or_else(nobody)
    }

    fn session(&self) -> Result<Arc<Session>, Problem> {
        self.shown.session.borrow().clone().filter(|_| self.is_on_air()).ok_or_else(not_on_air)
    }

    fn expect_off_air(&self) -> Result<(), Problem> {
        if self.is_on_air() { Err(driver::on_air()) } else { Ok(()) }
    }

    fn choose(&self, origin: Origin) -> Result<(), Problem> {
        if *self.origin.borrow() != origin {
            self.memories.keep_origin(&origin)?;
            self.origin.send_replace(origin);
        }
        Ok(())
    }

    /// Only who streams to a public origin is looked for in public.
    fn look_for_profiles(&self) {
        let address = self.origin.borrow().address.as_deref().and_then(|address| Address::read(address).ok());
        let Some(address) = address else { return };
        let public = PROFILE_RELAYS.into_iter().filter(|_| !address.is_near()).map(str::to_owned);
        self.identities.look_for_profiles(std::iter::once(address.relay_url()).chain(public).collect());
    }
}

/// The details as they are kept, with what the Studio asks of the origin.
fn checked(details: StreamDetails) -> Result<StreamDetails, Problem> {
    let details = StreamDetails { reconnect_timeout_s: RECONNECT_TIMEOUT_S, ..details };
    details.checked().map_err(|wrong| {
        let fields: Vec<_> = wrong.iter().map(|wrong| format!("{} {}", wrong.field, wrong.reason)).collect();
        Problem::new("details", sentence(&fields.join("; ")))
    })
}
