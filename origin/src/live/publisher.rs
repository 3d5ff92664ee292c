//! The right to publish to a stream, held by one session.

use std::{future::Future, net::SocketAddr, sync::Arc};

use skylark_media::{
    UnixTime,
    pipeline::{Output, PackageConfig, Resume},
};
use skylark_protocol::{Health, StreamId, StreamState};
use tokio::sync::watch;

use super::{
    Live, LiveStream,
    state::{SessionId, Start},
    writer::BroadcastWriter,
};
use crate::{
    ingest::{Protocol, PublisherLimits},
    metrics::Metrics,
};

/// Why a session has to end that its publisher did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// A newcomer with the same key took over.
    #[error("another session took over this stream")]
    Superseded,
    /// The key was revoked.
    #[error("the stream key was revoked")]
    Revoked,
    /// The stream's owner ended it.
    #[error("the stream was ended by its owner")]
    Ended,
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

    /// What it may send.
    #[must_use]
    pub fn limits(&self) -> &PublisherLimits {
        &self.live.config.limits
    }

    /// The server's counters.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.live.metrics
    }

    /// Media arrived now: the session is in use.
    pub fn deliver(&self, now: UnixTime) {
        self.stream.desk().state.deliver(self.session, now);
    }

    /// Adds to the stream's error log.
    pub fn log_error(&self, code: &str, message: String) {
        self.live.log_error(self.stream.id(), code, message);
    }

    /// Takes up the waiting broadcast, or begins one: where the session's media goes.
    ///
    /// # Errors
    /// When the session has to end.
    pub async fn begin(&self) -> Result<(PackageConfig, Resume), Stop> {
        let mut writers = self.stream.writers.lock().await;
        let start = self.stream.desk().state.begin(self.session).ok_or(Stop::Superseded)?;
        let now = self.now();
        match (start, writers.current.as_mut()) {
            (Start::Resume, Some(writer)) => Ok((writer.package(), writer.resume(now))),
            _ => {
                let id = self.stream.id();
                let fresh =
                    BroadcastWriter::new(id, self.live.config.window(), now, &self.live.store, self.stream.gate());
                let fresh = fresh.map_err(|error| {
                    tracing::error!(stream = %id, %error, "cannot begin a broadcast");
                    Stop::Unavailable
                })?;
                let package = fresh.package();
                // One that nobody ever saw may be there from a session that left before its first part.
                if let Some(unseen) = writers.current.replace(fresh) {
                    unseen.remove();
                }
                Ok((package, Resume::default()))
            }
        }
    }

    /// Stores and announces what the pipeline yields.
    ///
    /// # Errors
    /// When the session has to end.
    pub async fn push(&self, output: Output) -> Result<(), Stop> {
        let mut writers = self.stream.writers.lock().await;
        if !self.stream.desk().state.is_held_by(self.session) {
            return Err(Stop::Superseded);
        }
        let Some(writer) = writers.current.as_mut() else { return Err(Stop::Unavailable) };
        let is_part = matches!(output, Output::Part(..));
        writer.push(output).await;
        if is_part && self.stream.state() != StreamState::Live {
            self.stream.desk().state.publish(self.session);
            self.stream.show(writer.broadcast());
            tracing::info!(stream = %self.stream.id(), broadcast = writer.broadcast().id(), "live");
        }
        Ok(())
    }

    /// Shows what arrives.
    pub fn show_health(&self, health: Health) {
        if self.stream.desk().state.is_held_by(self.session) {
            self.stream.show_health(Some(health));
        }
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
            desk.place = None;
            drop(desk);
            self.stream.show_health(None);
            self.stream.show_state();
        }
    }
}
