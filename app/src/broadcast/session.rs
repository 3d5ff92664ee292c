//! One broadcast's dealings with the origin and its relay: what [`super::machine::Work`] is.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::Method;
use skylark_protocol::{
    StreamId,
    api::{
        Analytics, ChangeStream, CreatedStream, LeaveEnding, Phase, RotateKey, RotatedKey, Stream, StreamAccess,
        StreamDetails, Ticket,
    },
    event::{PublicKey, update_time},
    live_event::{LiveEventDraft, Status},
    studio::{Picture, Problem, Resumable},
};
use zeroize::Zeroizing;

use super::{
    memory::{Memories, Memory},
    relay::Relay,
};
use crate::{
    clock,
    identity::Identities,
    origin::{ApiError, Client, sentence},
};

/// The origin is asked how the stream is so often.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(700);
/// What it does not answer within this time, it does not answer.
const POLL_PATIENCE: Duration = Duration::from_millis(1000);
/// How much older than the truth the date may be until when an origin waits, milliseconds.
const REMEMBER_INTERVAL_MS: i64 = 10_000;
/// A ticket is renewed so long before it ends, seconds.
const TICKET_MARGIN_S: u64 = 30;
/// Signers are not asked for another ticket before this, seconds.
const TICKET_AGAIN_S: u64 = 30;

/// One broadcast.
pub(super) struct Session {
    client: Client,
    identities: Arc<Identities>,
    memories: Memories,
    who: PublicKey,
    relay_url: String,
    details: Mutex<StreamDetails>,
    /// As the origin last said.
    stream: Mutex<Option<Stream>>,
    memory: Mutex<Option<Memory>>,
    srt_url: Mutex<Option<Zeroizing<String>>>,
    ticket: tokio::sync::Mutex<(Option<Ticket>, u64)>,
    /// What was announced last. Announcements follow each other.
    told: tokio::sync::Mutex<Option<LiveEventDraft>>,
}

impl Session {
    /// A broadcast that is to be made, or to be taken up again.
    pub(super) fn new(
        client: Client,
        identities: Arc<Identities>,
        memories: Memories,
        who: PublicKey,
        details: StreamDetails,
        resumed: Option<Memory>,
    ) -> Self {
        Self {
            relay_url: client.address().relay_url(),
            client,
            identities,
            memories,
            who,
            details: Mutex::new(details),
            stream: Mutex::default(),
            memory: Mutex::new(resumed),
            srt_url: Mutex::default(),
            ticket: tokio::sync::Mutex::default(),
            told: tokio::sync::Mutex::default(),
        }
    }

    /// As the origin last said.
    pub(super) fn stream(&self) -> Option<Stream> {
        lock(&self.stream).clone()
    }

    /// The stream's page.
    pub(super) fn page_url(&self) -> Option<String> {
        lock(&self.stream).as_ref().map(|stream| self.client.address().url(&format!("/s/{}", stream.id)))
    }

    /// The origin's relay.
    pub(super) fn relay_url(&self) -> &str {
        &self.relay_url
    }

    /// Where to send to, key included; once.
    pub(super) fn take_srt_url(&self) -> Option<Zeroizing<String>> {
        lock(&self.srt_url).take()
    }

    /// Makes the stream; or takes up that of an earlier run, if the origin still waits for it.
    pub(super) async fn create(&self) -> Result<(), Problem> {
        let remembered = lock(&self.memory).clone();
        if let Some(memory) = remembered {
            match self.take_up(&memory.stream).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // It may be gone for good: then, too, it goes on as a new one.
                Err(ApiError::Refused { status: 404, .. }) => {}
                Err(error) => return Err(error.problem()),
            }
        }
        let details = lock(&self.details).clone();
        let asked = self.client.ask(self.who, Method::POST, "/api/v1/streams/create", &details).await;
        let CreatedStream { stream, access } = asked.map_err(ApiError::problem)?;
        let address = self.client.address().to_string();
        let memory = Memory::new(address, self.who, stream.id.clone(), stream.details.clone(), clock::now_ms());
        self.remember(memory)?;
        self.know(stream, access);
        Ok(())
    }

    /// With a new key: the old one is nowhere.
    async fn take_up(&self, id: &StreamId) -> Result<bool, ApiError> {
        // Signed: private ones are told to nobody else.
        let path = format!("/api/v1/streams/{id}");
        let stream: Stream = self.client.ask(self.who, Method::GET, &path, &()).await?;
        if stream.phase == Phase::Ended {
            return Ok(false);
        }
        let path = format!("{path}/key");
        let rotated: RotatedKey = self.client.ask(self.who, Method::POST, &path, &RotateKey::default()).await?;
        let access = rotated.access.ok_or_else(|| ApiError::Odd("it gives no key".into()))?;
        self.know(stream, access);
        Ok(true)
    }

    fn know(&self, stream: Stream, access: StreamAccess) {
        *lock(&self.srt_url) = Some(Zeroizing::new(access.srt_url));
        *lock(&self.stream) = Some(stream);
    }

    /// Asks how it is.
    pub(super) async fn poll(&self) -> Result<Stream, ApiError> {
        let path = self.path("")?;
        let is_private = lock(&self.stream).as_ref().is_some_and(|stream| stream.details.private);
        let ticket = if is_private { self.ticket().await } else { None };
        let stream: Stream = self.client.get(&path, ticket.as_deref(), POLL_PATIENCE).await?;
        *lock(&self.stream) = Some(stream.clone());
        self.note_heard();
        Ok(stream)
    }

    /// What answers for the host of a private stream without a signature each second.
    async fn ticket(&self) -> Option<String> {
        let mut held = self.ticket.lock().await;
        let now = clock::now_s();
        let is_good = |ticket: &Ticket| ticket.good_until_s > now + TICKET_MARGIN_S;
        if !held.0.as_ref().is_some_and(is_good) && held.1 <= now {
            held.1 = now + TICKET_AGAIN_S;
            let path = self.path("/ticket").ok()?;
            match self.client.ask::<Ticket>(self.who, Method::POST, &path, &()).await {
                Ok(ticket) => held.0 = Some(ticket),
                Err(error) => tracing::warn!(%error, "no ticket for the private stream"),
            }
        }
        held.0.as_ref().and_then(Ticket::secret).map(str::to_owned)
    }

    /// It has begun.
    pub(super) async fn start(&self) -> Result<(), Problem> {
        self.change_phase("/start").await
    }

    /// It is over.
    pub(super) async fn end(&self) -> Result<(), Problem> {
        self.change_phase("/stop").await
    }

    async fn change_phase(&self, step: &str) -> Result<(), Problem> {
        let asked = self.client.ask(self.who, Method::POST, &self.path(step).map_err(ApiError::problem)?, &()).await;
        match asked {
            Ok(stream) => *lock(&self.stream) = Some(stream),
            // What is gone is over.
            Err(ApiError::Refused { status: 404, .. }) if step == "/stop" => {}
            Err(error) => return Err(error.problem()),
        }
        Ok(())
    }

    /// Ends what an earlier run left on air.
    pub(super) async fn abandon(&self) -> Result<(), Problem> {
        let Some(memory) = lock(&self.memory).clone() else { return Ok(()) };
        let path = format!("/api/v1/streams/{}", memory.stream);
        match self.client.ask::<Stream>(self.who, Method::GET, &path, &()).await {
            Ok(stream) => {
                *lock(&self.stream) = Some(stream);
                self.end().await?;
                self.announce(Status::Ended).await?;
            }
            Err(ApiError::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error.problem()),
        }
        self.forget()
    }

    /// Says where it stands. While it is live, its end is left with the origin first.
    pub(super) async fn announce(&self, status: Status) -> Result<(), Problem> {
        self.announce_changed(status, |_| {}).await
    }

    /// The same, with something changed that the announcement alone says.
    pub(super) async fn announce_changed(
        &self,
        status: Status,
        change: impl FnOnce(&mut LiveEventDraft),
    ) -> Result<(), Problem> {
        let mut told = self.told.lock().await;
        if told.as_ref().is_some_and(|told| told.status == Status::Ended) {
            // An end is not taken back.
            return Ok(());
        }
        let stream = self.stream().ok_or_else(not_on_air)?;
        let mut relay = Relay::connect(&self.relay_url).await?;
        // Others of the host's programs may have added to it meanwhile.
        let there = relay.live_event(self.who, stream.id.as_str()).await?;
        let there_at_s = there.as_ref().map(|event| event.created_at);
        let earlier = there.as_ref().map(LiveEventDraft::from).or_else(|| told.clone());
        let earlier = earlier.unwrap_or_else(|| LiveEventDraft::new(stream.id.as_str(), status, &stream.details.title));
        let (site, now_s) = (self.client.address().to_string(), clock::now_s());
        let mut draft = earlier.telling(&stream, status, &site, &self.relay_url, now_s);
        change(&mut draft);
        let at_s = self.next_date(now_s, there_at_s)?;
        let wrong = |error: &dyn std::fmt::Display| Problem::new("not-announced", sentence(&error.to_string()));
        let event = self.identities.sign(draft.unsigned(self.who, at_s).map_err(|error| wrong(&error))?).await?;
        if status == Status::Live {
            let ending = draft.ending(at_s).unsigned(self.who, at_s + 1).map_err(|error| wrong(&error))?;
            let body = LeaveEnding { event: self.identities.sign(ending).await? };
            let path = self.path("/ending").map_err(ApiError::problem)?;
            self.client.ask::<()>(self.who, Method::PUT, &path, &body).await.map_err(ApiError::problem)?;
        }
        relay.publish(&event, &self.identities).await?;
        *told = Some(draft);
        Ok(())
    }

    /// A date after all before; written down before anybody sees it.
    fn next_date(&self, now_s: u64, there_at_s: Option<u64>) -> Result<u64, Problem> {
        let mut memory = lock(&self.memory);
        let earlier = memory.as_ref().and_then(|memory| memory.told_at_s).max(there_at_s);
        let at_s = update_time(now_s, earlier)
            .map_err(|error| Problem::new("clock-wrong", format!("{} Set the clock.", sentence(&error.to_string()))))?;
        if let Some(memory) = memory.as_mut() {
            memory.told_at_s = Some(at_s);
            self.memories.keep(memory)?;
        }
        Ok(at_s)
    }

    /// Says something else of it.
    pub(super) async fn describe(&self, details: StreamDetails) -> Result<(), Problem> {
        let change = ChangeStream {
            title: Some(details.title),
            description: Some(details.description),
            category: Some(details.category),
            tags: Some(details.tags),
            image: Some(details.image),
            chat: Some(details.chat),
            reactions: Some(details.reactions),
            ..ChangeStream::default()
        };
        let path = self.path("").map_err(ApiError::problem)?;
        let asked = self.client.ask::<Stream>(self.who, Method::PATCH, &path, &change).await;
        let stream = asked.map_err(ApiError::problem)?;
        if let Some(memory) = lock(&self.memory).as_mut() {
            memory.details = stream.details.clone();
            self.memories.keep(memory)?;
        }
        *lock(&self.details) = stream.details.clone();
        let status = status(stream.phase);
        *lock(&self.stream) = Some(stream);
        self.announce(status).await
    }

    /// Gives it a small picture.
    pub(super) async fn illustrate(&self, picture: Picture) -> Result<(), Problem> {
        let path = self.path("/thumbnail").map_err(ApiError::problem)?;
        let asked = self.client.send::<Stream>(self.who, Method::PUT, &path, picture.into_bytes()).await;
        let stream = asked.map_err(ApiError::problem)?;
        let status = status(stream.phase);
        *lock(&self.stream) = Some(stream);
        self.announce(status).await
    }

    /// What the origin measured.
    pub(super) async fn analytics(&self) -> Result<Analytics, Problem> {
        let path = self.path("/analytics").map_err(ApiError::problem)?;
        self.client.ask(self.who, Method::GET, &path, &()).await.map_err(ApiError::problem)
    }

    /// What could be taken up again.
    pub(super) fn resumable(&self) -> Option<Resumable> {
        lock(&self.memory).as_ref().map(Memory::resumable)
    }

    /// Nothing is left to be resumed.
    pub(super) fn forget(&self) -> Result<(), Problem> {
        *lock(&self.memory) = None;
        self.memories.forget()
    }

    fn remember(&self, memory: Memory) -> Result<(), Problem> {
        self.memories.keep(&memory)?;
        *lock(&self.memory) = Some(memory);
        Ok(())
    }

    /// That the origin was heard of, if that was not written down a moment ago.
    fn note_heard(&self) {
        let mut memory = lock(&self.memory);
        let now_ms = clock::now_ms();
        if let Some(memory) = memory.as_mut().filter(|memory| now_ms - memory.heard_at_ms >= REMEMBER_INTERVAL_MS) {
            memory.heard_at_ms = now_ms;
            if let Err(problem) = self.memories.keep(memory) {
                tracing::warn!(%problem, "what is on air could not be noted");
            }
        }
    }

    fn path(&self, rest: &str) -> Result<String, ApiError> {
        let stream = lock(&self.stream);
        let id = stream.as_ref().map(|stream| &stream.id).ok_or_else(|| ApiError::Unsigned(not_on_air()))?;
        Ok(format!("/api/v1/streams/{id}{rest}"))
    }
}

/// As an announcement says it.
pub(super) fn status(phase: Phase) -> Status {
    match phase {
        Phase::Planned => Status::Planned,
        Phase::Live => Status::Live,
        Phase::Ended => Status::Ended,
    }
}

pub(super) fn not_on_air() -> Problem {
    Problem::new("not-on-air", "Nothing is on air.")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
