//! The right to publish to a stream, held by one session.

use std::{future::Future, net::SocketAddr, sync::Arc};

use skylark_media::{
    UnixTime,
    pipeline::{Output, PackageConfig, Resume},
};
use skylark_protocol::{Health, StreamId};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{
    Live, LiveStream,
    state::{SessionId, Start},
    writer::BroadcastWriter,
};
use crate::ingest::Protocol;

/// Why a session has to end that its publisher did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// A newcomer with the same key took over.
    #[error("another session took over this stream")]
    Superseded,
    /// The key was revoked.
    #[error("the stream key was revoked")]
    Revoked,
    /// The server stops.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The server cannot begin a broadcast now.
    #[error("the server cannot take the stream now")]
    Unavailable,
}

/// The right to publish to a stream. Dropping it gives the stream back.
#[derive(Debug)]
pub struct Publisher {
    pub(super) live: Arc<Live>,
    pub(super) stream: Arc<LiveStream>,
    pub(super) session: SessionId,
    pub(super) protocol: Protocol,
    pub(super) peer: SocketAddr,
    pub(super) bell: watch::Receiver<Option<Stop>>,
    pub(super) _permit: OwnedSemaphorePermit,
}

impl Publisher {
    /// The stream that it publishes to.
    #[must_use]
    pub fn stream_id(&self) -> &StreamId {
        self.stream.id()
    }

    /// How it reached us.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Where it calls from.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Now, on the clock that media is stamped with.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.live.clock.now()
    }

    /// Resolves when the session has to end.
    pub fn stopped(&self) -> impl Future<Output = Stop> + Send + use<> {
        let mut bell = self.bell.clone();
        async move {
            match bell.wait_for(Option::is_some).await {
                Ok(stop) => stop.unwrap_or(Stop::Superseded),
                Err(_) => Stop::Superseded,
            }
        }
    }

    /// Media arrived: the session is in use.
    pub fn deliver(&self) {
        self.stream.desk().state.deliver(self.session, self.now());
    }

    /// Takes up the waiting broadcast, or begins one: where the session's media goes.
    ///
    /// # Errors
    /// When the session has to end.
    pub async fn begin(&self) -> Result<(PackageConfig, Resume), Stop> {
        let mut writer = self.stream.writer.lock().await;
        let start = self.stream.desk().state.begin(self.session).ok_or(Stop::Superseded)?;
        let now = self.now();
        match (start, writer.as_mut()) {
            (Start::Resume, Some(writer)) => Ok((writer.package(), writer.resume(now))),
            _ => {
                let id = self.stream.id();
                let fresh = BroadcastWriter::new(id, self.live.config.window(), now, &self.live.store)
                    .map_err(|_| Stop::Unavailable)?;
                let package = fresh.package();
                *writer = Some(fresh);
                Ok((package, Resume::default()))
            }
        }
    }

    /// Stores and announces what the pipeline yields.
    ///
    /// # Errors
    /// When the session has to end.
    pub async fn push(&self, output: Output) -> Result<(), Stop> {
        let mut writer = self.stream.writer.lock().await;
        if !self.stream.desk().state.is_held_by(self.session) {
            return Err(Stop::Superseded);
        }
        let Some(writer) = writer.as_mut() else { return Err(Stop::Unavailable) };
        let first_part = matches!(output, Output::Part(..));
        writer.push(output).await;
        if first_part {
            self.stream.desk().state.publish(self.session);
            self.stream.show_broadcast(writer.broadcast());
            self.stream.show_state();
        }
        Ok(())
    }

    /// Shows what arrives, or that nothing does any more.
    pub fn show_health(&self, health: Option<Health>) {
        self.stream.show_health(health);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let now = self.now();
        let mut desk = self.stream.desk();
        if desk.state.is_held_by(self.session) {
            desk.state.leave(self.session, now);
            desk.bell = None;
            desk.key = None;
            drop(desk);
            self.stream.show_state();
        }
    }
}
