//! From a key to the right to publish.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use skylark_protocol::StreamId;
use tokio::sync::watch;

use super::{
    Live,
    publisher::{Publisher, Stop},
    state::{Entry, SessionId},
};
use crate::{
    db::KeyRecord,
    ingest::Protocol,
    secret::{KeyHash, MAX_KEY_LEN, Passphrase},
};

/// Why somebody may not publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// No stream has this key.
    #[error("unknown stream key")]
    UnknownKey,
    /// The key must not be used any more.
    #[error("this stream key was revoked")]
    Revoked,
    /// The stream has ended for good.
    #[error("this stream is over: create another")]
    Over,
    /// Another session with this key is delivering media.
    #[error("this stream key is in use")]
    InUse,
    /// As many publish as the server takes.
    #[error("too many publishers")]
    TooManyPublishers,
    /// The server stops.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The server cannot tell now (its database or a passphrase file fails).
    #[error("the server cannot check stream keys now")]
    Unavailable,
}

impl Live {
    /// Lets a session publish to the stream that `key` belongs to.
    ///
    /// # Errors
    /// [`Refusal`]: tell the publisher and close.
    pub async fn admit(
        self: &Arc<Self>,
        key: &str,
        protocol: Protocol,
        peer: SocketAddr,
    ) -> Result<Publisher, Refusal> {
        let admitted = self.try_admit(key, protocol, peer).await;
        if let Err(refusal) = &admitted {
            self.metrics.refuse(*refusal);
        }
        admitted
    }

    async fn try_admit(
        self: &Arc<Self>,
        key: &str,
        protocol: Protocol,
        peer: SocketAddr,
    ) -> Result<Publisher, Refusal> {
        let record = self.authorise(key).await?;
        if *self.stopping.borrow() {
            return Err(Refusal::ShuttingDown);
        }
        let stream = self.know(&record.stream).ok_or(Refusal::TooManyPublishers)?;
        let session = SessionId(self.next_session.fetch_add(1, Ordering::Relaxed));
        let bell = {
            let mut desk = stream.desk();
            // Whoever takes over a stream takes over its place among the publishers, too.
            let place = match desk.place.take() {
                Some(place) => place,
                None => Arc::clone(&self.publishers).try_acquire_owned().map_err(|_| Refusal::TooManyPublishers)?,
            };
            desk.place = Some(place);
            match desk.state.enter(session, self.clock.now()) {
                Entry::InUse => {
                    drop(desk);
                    self.log_error(
                        &record.stream,
                        "in-use",
                        format!("refused a second {protocol} publisher: the key is in use"),
                    );
                    return Err(Refusal::InUse);
                }
                Entry::Admitted { supersedes } => {
                    if let (Some(_), Some(bell)) = (supersedes, &desk.bell) {
                        bell.send_replace(Some(Stop::Superseded));
                    }
                }
            }
            let (sender, bell) = watch::channel(None);
            desk.bell = Some(sender);
            desk.key = Some(record.id);
            bell
        };
        stream.show_state();
        Ok(Publisher { live: Arc::clone(self), stream, session, protocol, peer, bell })
    }

    /// The SRT passphrase that callers with `key` have to use; `None` for the server's own, if it has one.
    ///
    /// # Errors
    /// When the key may not publish, or its passphrase file cannot be read.
    pub async fn passphrase(&self, key: &str) -> Result<Option<Passphrase>, Refusal> {
        let record = self.authorise(key).await?;
        let Some(path) = record.passphrase_file else { return Ok(None) };
        let read = tokio::fs::read_to_string(&path).await.map_err(|error| error.to_string());
        match read.and_then(|text| Passphrase::new(&text).map_err(|error| error.to_string())) {
            Ok(passphrase) => Ok(Some(passphrase)),
            Err(error) => {
                tracing::error!(stream = %record.stream, path = %path.display(), error, "cannot use a key's passphrase file");
                Err(Refusal::Unavailable)
            }
        }
    }

    /// Whether somebody with `key` may publish, as far as it is known before they do.
    ///
    /// # Errors
    /// Why not.
    pub async fn may_publish(&self, key: &str) -> Result<(), Refusal> {
        self.authorise(key).await.map(|_| ())
    }

    /// Whether `key` is a stream key of this stream, and not revoked.
    pub async fn owns(&self, id: &StreamId, key: &str) -> bool {
        self.authorise(key).await.is_ok_and(|record| record.stream == *id)
    }

    async fn authorise(&self, key: &str) -> Result<KeyRecord, Refusal> {
        if key.len() > MAX_KEY_LEN {
            return Err(Refusal::UnknownKey);
        }
        match self.db.find_key(&KeyHash::of(key)).await {
            Ok(Some(record)) if record.revoked => Err(Refusal::Revoked),
            Ok(Some(record)) if record.is_over => Err(Refusal::Over),
            Ok(Some(record)) => Ok(record),
            Ok(None) => Err(Refusal::UnknownKey),
            Err(error) => {
                tracing::error!(%error, "cannot look up a stream key");
                Err(Refusal::Unavailable)
            }
        }
    }
}
