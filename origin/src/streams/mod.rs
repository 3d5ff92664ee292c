//! Streams that belong to a Nostr key: who may make them, and what their owners do with them.
//!
//! | module | what |
//! |---|---|
//! | [`allow`] | who may create streams |
//! | [`escrow`] | ends of live events, signed ahead |
//! | [`guests`] | private streams: whom their hosts let in |
//! | [`keeper`] | time passing: what is over ends, ends are published, what is old is forgotten |
//! | [`pause`] | breaks that hosts take |
//! | [`thumbnail`] | small pictures |

pub mod allow;
pub mod escrow;
pub mod guests;
pub mod keeper;
pub mod pause;
pub mod thumbnail;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use skylark_protocol::{
    StreamId, StreamState,
    address::Address,
    api::{ChangeStream, FieldError, Phase, Stream, StreamDetails, Viewers},
    event::PublicKey,
};

pub use allow::Allow;
use pause::Paused;

use crate::{
    audience::Audience,
    db::{Db, DbError, Listing, OwnedStream, Sample, now_ms},
    live::{Live, LiveStream},
    relay::Relay,
    secret::StreamKey,
};

/// Where anybody may make streams, those of strangers end where one part in so many of `live.max_streams` is taken: keys
/// cost nothing, and the server's owner finds room whatever happens.
const STRANGERS_SHARE: usize = 2;
/// Names the live event that something belongs to.
const LIVE_EVENT_TAG: nostr::SingleLetterTag = nostr::SingleLetterTag::lowercase(nostr::Alphabet::A);

/// How streams of Nostr keys are run.
#[derive(Debug, Clone)]
pub struct StreamsConfig {
    /// Who may create streams.
    pub allow: Allow,
    /// Streams of one owner that have not ended.
    pub max_per_owner: u32,
    /// How long a stream that has ended is kept.
    pub ended_retention: Duration,
    /// How long what is measured of streams is kept.
    pub metrics_retention: Duration,
    /// What the owner's client gets to announce the end by itself.
    pub answer_time: Duration,
}

impl Default for StreamsConfig {
    fn default() -> Self {
        Self {
            allow: Allow::Only(BTreeSet::new()),
            max_per_owner: 20,
            ended_retention: Duration::from_secs(24 * 3600),
            metrics_retention: Duration::from_secs(30 * 24 * 3600),
            answer_time: Duration::from_secs(5),
        }
    }
}

/// Why something cannot be done with a stream.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is none with this id, or it belongs to nobody.
    #[error("no stream has this id")]
    NoSuchStream,
    /// It belongs to somebody else.
    #[error("this stream belongs to somebody else")]
    NotYours,
    /// This key may not create streams here.
    #[error("this key may not create streams here: ask whoever runs the server")]
    NotAllowed,
    /// It has as many as it may have.
    #[error("you may have {0} streams that have not ended, and keep five times as many: end or delete one")]
    TooMany(u32),
    /// It is over, for good.
    #[error("this stream is over: create another")]
    Over,
    /// It is private, and they are not among its guests.
    #[error("this stream is private: its host has not let you in")]
    NotInvited,
    /// It has no guests.
    #[error("everybody may watch this stream: only private ones have guests")]
    NotPrivate,
    /// It has to be ended first.
    #[error("this stream is live: stop it first")]
    IsLive,
    /// It has to be live first.
    #[error("this stream is not live")]
    NotLive,
    /// The server knows as many streams as it takes.
    #[error("the server has no room for more streams")]
    Full,
    /// Fields cannot be taken.
    #[error("{}", sentence(.0))]
    Invalid(Vec<FieldError>),
    /// The database fails.
    #[error("the server cannot do this at the moment")]
    Db(#[from] DbError),
}

fn sentence(fields: &[FieldError]) -> String {
    let fields: Vec<_> = fields.iter().map(|wrong| format!("{} {}", wrong.field, wrong.reason)).collect();
    fields.join("; ")
}

impl Refused {
    /// One field cannot be taken.
    fn field(field: &str, reason: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, reason)])
    }
}

/// The streams of Nostr keys.
#[derive(Debug)]
pub struct Streams {
    config: StreamsConfig,
    db: Db,
    live: Arc<Live>,
    relay: Arc<Relay>,
    audience: Arc<Audience>,
    paused: Paused,
    /// Pictures that may be read now.
    decoders: Arc<tokio::sync::Semaphore>,
    /// Guests are let in and shown out one after the other.
    guest_lists: tokio::sync::Mutex<()>,
    opened_at_ms: i64,
}

impl Streams {
    /// The streams over the origin's rooms; [`Streams::run`] makes time pass for them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(config: StreamsConfig, db: Db, live: Arc<Live>, relay: Arc<Relay>) -> Result<Arc<Self>, DbError> {
        for (id, timeout_s) in db.reconnect_timeouts().await? {
            live.set_reconnect_timeout(&id, Duration::from_secs(timeout_s.into()));
        }
        for host in db.hosts().await? {
            relay.add_host(host);
        }
        for stream in db.past_private().await? {
            relay.close(stream);
        }
        for (id, gate) in db.gates().await? {
            relay.guard(Address::live_event(gate.host, id.as_str()), gate);
        }
        let paused = Paused::new(db.paused().await?);
        Ok(Arc::new(Self {
            config,
            db,
            live,
            relay,
            audience: Arc::default(),
            paused,
            decoders: Arc::new(tokio::sync::Semaphore::new(thumbnail::MAX_DECODERS)),
            guest_lists: tokio::sync::Mutex::default(),
            opened_at_ms: now_ms(),
        }))
    }

    /// Who watches.
    #[must_use]
    pub fn audience(&self) -> &Arc<Audience> {
        &self.audience
    }

    /// Whether somebody may make streams here because anybody may.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_stranger(&self, who: &PublicKey) -> Result<bool, Refused> {
        Ok(self.config.allow.is_stranger(who, self.db.owner().await?.as_ref()))
    }

    /// Streams of one owner that have not ended: at most so many.
    #[must_use]
    pub fn max_per_owner(&self) -> u32 {
        self.config.max_per_owner
    }

    /// Makes a stream. The key is shown this once.
    ///
    /// # Errors
    /// Why it is not made.
    pub async fn create(&self, who: &PublicKey, details: StreamDetails) -> Result<(OwnedStream, StreamKey), Refused> {
        let details = details.checked().map_err(Refused::Invalid)?;
        if !self.config.allow.admits(who, self.db.owner().await?.as_ref()) {
            return Err(Refused::NotAllowed);
        }
        let (streams, max_streams) = self.live.occupancy();
        if self.is_stranger(who).await? && streams >= max_streams / STRANGERS_SHARE {
            return Err(Refused::Full);
        }
        let max = self.config.max_per_owner;
        let gate = details.private.then(|| guests::new_gate(*who)).transpose()?;
        let created = self.db.create_owned(who, &details, max, gate.as_ref()).await?;
        let (id, key) = created.ok_or(Refused::TooMany(max))?;
        if let Some(gate) = gate {
            self.close(&id, gate);
        }
        if self.live.introduce(&id).is_none() {
            self.forget(&id).await?;
            return Err(Refused::Full);
        }
        self.live.set_reconnect_timeout(&id, Duration::from_secs(details.reconnect_timeout_s.into()));
        self.relay.add_host(*who);
        tracing::info!(stream = %id, owner = %who, "created");
        Ok((self.get(&id).await?, key))
    }

    /// The stream with this id.
    ///
    /// # Errors
    /// When there is none.
    pub async fn get(&self, id: &StreamId) -> Result<OwnedStream, Refused> {
        self.db.owned(id).await?.ok_or(Refused::NoSuchStream)
    }

    /// The stream with this id, if it belongs to `who`.
    ///
    /// # Errors
    /// When it does not.
    pub async fn mine(&self, who: &PublicKey, id: &StreamId) -> Result<OwnedStream, Refused> {
        let stream = self.get(id).await?;
        if stream.owner == *who { Ok(stream) } else { Err(Refused::NotYours) }
    }

    /// The same, if it is not over.
    async fn mine_to_use(&self, who: &PublicKey, id: &StreamId) -> Result<OwnedStream, Refused> {
        let stream = self.mine(who, id).await?;
        if stream.ended_at_ms.is_some() { Err(Refused::Over) } else { Ok(stream) }
    }

    /// Changes what its owner says of it.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub async fn change(&self, who: &PublicKey, id: &StreamId, change: ChangeStream) -> Result<OwnedStream, Refused> {
        let stream = self.mine(who, id).await?;
        let details = change.applied_to(stream.details).map_err(Refused::Invalid)?;
        self.db.change_owned(id, &details).await?;
        self.live.set_reconnect_timeout(id, Duration::from_secs(details.reconnect_timeout_s.into()));
        self.get(id).await
    }

    /// It goes live by its owner's word.
    ///
    /// # Errors
    /// When it is over, or not the owner's.
    pub async fn start(&self, who: &PublicKey, id: &StreamId) -> Result<OwnedStream, Refused> {
        self.mine_to_use(who, id).await?;
        self.db.mark_started(id).await?;
        if self.media(id).is_some_and(|media| media.state() == StreamState::Live) {
            self.db.mark_had_media(id).await?;
        }
        self.get(id).await
    }

    /// It is over, for good: its publisher is closed. What is over already stays so.
    ///
    /// # Errors
    /// When it is not the owner's.
    pub async fn stop(&self, who: &PublicKey, id: &StreamId) -> Result<OwnedStream, Refused> {
        self.mine(who, id).await?;
        self.end(id).await?;
        self.get(id).await
    }

    /// Written down before anybody sees it: an end is never taken back.
    async fn end(&self, id: &StreamId) -> Result<(), DbError> {
        self.db.mark_ended(id).await?;
        self.paused.set(id, false);
        self.live.end(id).await;
        Ok(())
    }

    /// Forgets it and all that belongs to it.
    ///
    /// # Errors
    /// When it is live, or not the owner's.
    pub async fn delete(&self, who: &PublicKey, id: &StreamId) -> Result<(), Refused> {
        if self.mine(who, id).await?.phase() == Phase::Live {
            return Err(Refused::IsLive);
        }
        self.forget(id).await?;
        Ok(())
    }

    async fn forget(&self, id: &StreamId) -> Result<(), DbError> {
        // No guest is let in meanwhile.
        let _one_at_a_time = self.guest_lists.lock().await;
        let private = self.db.owned(id).await?.filter(|stream| stream.details.private);
        self.db.delete_owned(id).await?;
        self.live.forget(id).await;
        if let Some(stream) = private {
            self.relay.forget_private(Address::live_event(stream.owner, id.as_str())).await?;
        }
        self.audience.forget(id);
        self.paused.set(id, false);
        tracing::info!(stream = %id, "deleted");
        Ok(())
    }

    /// A new key; those before are revoked.
    ///
    /// # Errors
    /// When it is over, or not the owner's.
    pub async fn rotate_key(&self, who: &PublicKey, id: &StreamId) -> Result<StreamKey, Refused> {
        self.mine_to_use(who, id).await?;
        Ok(self.db.rotate_key(id).await?)
    }

    /// The key of another stream of the same owner publishes to this one from now on.
    ///
    /// # Errors
    /// When one of them is not the owner's, this one is over, or the other one is live or has no key.
    pub async fn take_key(&self, who: &PublicKey, from: &StreamId, to: &StreamId) -> Result<(), Refused> {
        self.mine_to_use(who, to).await?;
        let source = self.mine(who, from).await.map_err(|refused| match refused {
            Refused::NoSuchStream => Refused::field("from", "is no stream"),
            other => other,
        })?;
        if from == to {
            return Err(Refused::field("from", "is this stream"));
        }
        if source.phase() == Phase::Live {
            return Err(Refused::IsLive);
        }
        match self.db.move_keys(from, to).await? {
            0 => Err(Refused::field("from", "has no key any more")),
            _ => {
                // Whoever publishes with it has to come again, to the other stream.
                self.live.end(from).await;
                Ok(())
            }
        }
    }

    /// Streams that are asked for, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, listing: &Listing) -> Result<Vec<Stream>, Refused> {
        Ok(self.db.list_owned(listing).await?.into_iter().map(|stream| self.describe(stream)).collect())
    }

    /// Events of these kinds that belong to the stream's live event, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events(
        &self,
        stream: &OwnedStream,
        kinds: &[u16],
        limit: usize,
    ) -> Result<Vec<nostr::Event>, Refused> {
        let address = Address::live_event(stream.owner, stream.id.as_str()).to_string();
        let kinds = kinds.iter().copied().map(nostr::Kind::from);
        let filter = nostr::Filter::new().kinds(kinds).custom_tag(LIVE_EVENT_TAG, address).limit(limit);
        Ok(self.relay.query_everything(&[filter]).await?)
    }

    /// What was measured of a stream, the newest `limit`, oldest first.
    ///
    /// # Errors
    /// When it is not the owner's.
    pub async fn analytics(
        &self,
        who: &PublicKey,
        id: &StreamId,
        limit: u32,
    ) -> Result<(OwnedStream, Vec<Sample>), Refused> {
        let stream = self.mine(who, id).await?;
        Ok((stream, self.db.samples(id, limit).await?))
    }

    /// Of these streams, those that are not live by their owner's word: what they show is a preview.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn previews(&self, ids: &[StreamId]) -> Result<Vec<StreamId>, Refused> {
        Ok(self.db.previews_among(ids).await?)
    }

    /// A stream's media.
    #[must_use]
    pub fn media(&self, id: &StreamId) -> Option<Arc<LiveStream>> {
        self.live.get(id).or_else(|| self.live.introduce(id))
    }

    /// Who watches a stream, and who did.
    #[must_use]
    pub fn viewers(&self, stream: &OwnedStream) -> Viewers {
        let known = Viewers { now: 0, peak: stream.peak_viewers, total: stream.total_viewers };
        self.audience.viewers(&stream.id).unwrap_or(known)
    }

    /// A stream as the API says it.
    #[must_use]
    pub fn describe(&self, stream: OwnedStream) -> Stream {
        let viewers = self.viewers(&stream);
        let phase = stream.phase();
        let status = match self.media(&stream.id) {
            Some(media) => self.seen(media.status()),
            None => skylark_protocol::StreamStatus::offline(stream.id.clone(), now_ms()),
        };
        Stream {
            phase,
            viewers,
            status,
            thumbnail: stream.thumbnail.map(|hash| format!("/api/v1/streams/{}/thumbnail?v={hash}", stream.id)),
            id: stream.id,
            owner: stream.owner,
            details: stream.details,
            created_at_ms: stream.created_at_ms,
            updated_at_ms: stream.updated_at_ms,
            started_at_ms: stream.started_at_ms,
            ended_at_ms: stream.ended_at_ms,
        }
    }
}

#[cfg(test)]
mod tests;
