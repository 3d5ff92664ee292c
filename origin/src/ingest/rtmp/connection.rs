//! One connection: a socket and a session, from the handshake to the end.

use std::{
    io,
    mem::take,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use skylark_media::{
    pipeline::Input,
    rtmp::{PublishRequest, Refusal, Session, SessionError, SessionOutput},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::{Instant, interval, sleep, timeout},
};

use super::{Counters, RtmpConfig, count};
use crate::places::Place;
use crate::{
    ingest::{Departure, Ingest, IngestError, Protocol},
    live::{self, Live, Stop},
};

/// Read at once before the key was found good.
const PENDING_READ_BYTES: usize = 4 * 1024;
/// Read at once from a publisher.
const READ_BYTES: usize = 64 * 1024;
/// Pause between two reads from a publisher. Encoders write every frame in several small pieces, and each read costs
/// about 15 microseconds in the kernel, whatever it brings; a part is an order of magnitude longer than this.
const READ_INTERVAL: Duration = Duration::from_millis(25);
/// The peer has to take a reply within this time.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that was sent away may take so long to close, and send so much meanwhile; after that it is cut off.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// A connection on the RTMP port.
pub(super) struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    session: Session,
    buffer: Vec<u8>,
    /// The ingest was fed since the last tick.
    fed: bool,
    config: RtmpConfig,
    counters: Arc<Counters>,
}

/// Why there is nothing more to read.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the connection was closed")]
    Closed,
    #[error("the connection failed: {0}")]
    Socket(#[from] io::Error),
    #[error("nothing was sent for {} s", .0.as_secs())]
    Idle(Duration),
    #[error("a reply could not be sent within {} s", WRITE_TIMEOUT.as_secs())]
    WriteTimeout,
    #[error("malformed RTMP at {0}")]
    Protocol(#[from] SessionError),
    #[error("the peer was sent away")]
    Refused,
    #[error("the publisher ended its stream")]
    Unpublished,
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

impl Connection {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, config: RtmpConfig, counters: Arc<Counters>) -> Self {
        Self {
            stream,
            peer,
            session: Session::new(),
            buffer: vec![0; PENDING_READ_BYTES],
            fed: false,
            config,
            counters,
        }
    }

    /// Serves the connection to its end. `place` is given back as soon as the peer is a publisher.
    pub(super) async fn serve(mut self, live: &Arc<Live>, place: Place, mut stop: watch::Receiver<bool>) {
        let peer = self.peer;
        let request = tokio::select! {
            () = async { _ = stop.wait_for(|stop| *stop).await } => return,
            request = timeout(self.config.handshake_timeout, self.await_publish()) => request,
        };
        let request = match request {
            Ok(Ok(request)) => request,
            Ok(Err(ended)) => {
                if matches!(ended, Ended::Protocol(_)) {
                    count(&self.counters.malformed);
                }
                return tracing::info!(%peer, reason = %ended, "RTMP connection ended before publishing");
            }
            Err(_) => {
                count(&self.counters.handshake_timeouts);
                return tracing::info!(%peer, timeout = ?self.config.handshake_timeout, "RTMP connection did not publish in time");
            }
        };
        match live.admit(request.key.reveal(), Protocol::Rtmp, peer).await {
            Ok(publisher) => {
                drop(place);
                tracing::info!(%peer, stream = %publisher.stream_id(), encoder = %request.encoder, "RTMP publisher");
                self.publish(Ingest::new(publisher)).await;
            }
            Err(refusal) => {
                count(&self.counters.refused);
                tracing::warn!(%peer, encoder = %request.encoder, reason = %refusal, "RTMP publisher refused");
                self.send_away(status(refusal), &refusal.to_string()).await;
            }
        }
    }

    /// Reads until the peer asks to publish.
    async fn await_publish(&mut self) -> Result<PublishRequest, Ended> {
        loop {
            while let Some(output) = self.session.poll() {
                match output {
                    SessionOutput::Reply(bytes) => self.write(&bytes).await?,
                    SessionOutput::Publish(request) => return Ok(request),
                    SessionOutput::Close => {
                        self.linger().await;
                        return Err(Ended::Refused);
                    }
                    SessionOutput::Tag(_) | SessionOutput::Unpublish => {}
                }
            }
            match self.stream.read(&mut self.buffer).await? {
                0 => return Err(Ended::Closed),
                read => self.session.feed(self.buffer.get(..read).unwrap_or_default())?,
            }
        }
    }

    /// Takes an admitted publisher's media until one side ends it.
    async fn publish(mut self, mut ingest: Ingest) {
        self.buffer = vec![0; READ_BYTES];
        let ended = match self.session.accept() {
            Ok(()) => self.pump(&mut ingest).await,
            Err(error) => Ended::Protocol(error),
        };
        let peer = self.peer;
        match &ended {
            Ended::Ingest(error) => tracing::warn!(%peer, reason = %error, "RTMP publisher sent away"),
            ended => tracing::info!(%peer, reason = %ended, "RTMP publisher left"),
        }
        let departure = match ended {
            Ended::Unpublished => Departure::Clean,
            Ended::Ingest(error) => {
                // Viewers first: what is complete goes out while the publisher is being told.
                let (refusal, description) = (status_of_error(&error), error.to_string());
                ingest.finish(Departure::Refused(error)).await;
                return self.send_away(refusal, &description).await;
            }
            lost => {
                if matches!(lost, Ended::Protocol(_)) {
                    count(&self.counters.malformed);
                }
                Departure::Lost(lost.to_string())
            }
        };
        ingest.finish(departure).await;
        self.linger().await;
    }

    async fn pump(&mut self, ingest: &mut Ingest) -> Ended {
        let mut superseded = pin!(ingest.superseded());
        let mut tick = interval(Ingest::TICK);
        let mut pause = pin!(sleep(Duration::ZERO));
        let mut last_read = Instant::now();
        loop {
            if let Err(ended) = self.drain(ingest).await {
                return ended;
            }
            let read = async {
                pause.as_mut().await;
                self.stream.read(&mut self.buffer).await
            };
            tokio::select! {
                biased;
                stop = &mut superseded => return Ended::Ingest(stop.into()),
                read = read => match read {
                    Ok(0) => return Ended::Closed,
                    Ok(read) => {
                        last_read = Instant::now();
                        if read < self.buffer.len() {
                            pause.as_mut().reset(next_read(last_read));
                        }
                        if let Err(error) = self.session.feed(self.buffer.get(..read).unwrap_or_default()) {
                            // What was complete before the fault is good media.
                            return self.drain(ingest).await.err().unwrap_or(Ended::Protocol(error));
                        }
                    }
                    Err(error) => return Ended::Socket(error),
                },
                _ = tick.tick() => {
                    if last_read.elapsed() >= self.config.idle_timeout {
                        return Ended::Idle(self.config.idle_timeout);
                    }
                    // Pings and the like keep the connection, but do not count as media.
                    if !take(&mut self.fed)
                        && let Err(error) = ingest.feed(Input::Tick).await
                    {
                        return Ended::Ingest(error);
                    }
                }
            }
        }
    }

    /// Does what the session wants done. Media that arrived before a reply could not be sent is taken all the same.
    async fn drain(&mut self, ingest: &mut Ingest) -> Result<(), Ended> {
        let mut unsent = None;
        while let Some(output) = self.session.poll() {
            match output {
                SessionOutput::Reply(bytes) if unsent.is_none() => unsent = self.write(&bytes).await.err(),
                SessionOutput::Tag(tag) => {
                    self.fed = true;
                    ingest.feed(Input::Flv(tag)).await?;
                }
                SessionOutput::Unpublish => return Err(Ended::Unpublished),
                SessionOutput::Close => return Err(Ended::Refused),
                SessionOutput::Reply(_) | SessionOutput::Publish(_) => {}
            }
        }
        unsent.map_or(Ok(()), Err)
    }

    async fn write(&mut self, bytes: &Bytes) -> Result<(), Ended> {
        match timeout(WRITE_TIMEOUT, self.stream.write_all(bytes)).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(Ended::WriteTimeout),
        }
    }

    /// Tells the peer why, and closes.
    async fn send_away(mut self, refusal: Refusal, description: &str) {
        self.session.refuse(refusal, description);
        while let Some(output) = self.session.poll() {
            if let SessionOutput::Reply(bytes) = output
                && self.write(&bytes).await.is_err()
            {
                return;
            }
        }
        self.linger().await;
    }

    /// Lets the peer read our last words: a socket closed with unread input is reset, and they would be lost.
    async fn linger(&mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let read_rest = async {
            let mut left = LINGER_BYTES;
            while let Ok(read @ 1..) = self.stream.read(&mut self.buffer).await
                && left >= read
            {
                left -= read;
            }
        };
        _ = timeout(LINGER_TIMEOUT, read_rest).await;
    }
}

/// When to read again after `now`: at the next of the moments that all publishers share, so that one wake-up of the
/// process serves them all.
fn next_read(now: Instant) -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(|| now);
    let passed = now.saturating_duration_since(start).as_nanos() / READ_INTERVAL.as_nanos();
    u32::try_from(passed + 1).map_or(now + READ_INTERVAL, |next| start + READ_INTERVAL * next)
}

fn status(refusal: live::Refusal) -> Refusal {
    match refusal {
        live::Refusal::InUse => Refusal::BadName,
        live::Refusal::UnknownKey
        | live::Refusal::Revoked
        | live::Refusal::Over
        | live::Refusal::TooManyPublishers
        | live::Refusal::ShuttingDown
        | live::Refusal::Unavailable => Refusal::Denied,
    }
}

fn status_of_error(error: &IngestError) -> Refusal {
    match error {
        IngestError::Stopped(Stop::Revoked | Stop::Ended) => Refusal::Denied,
        IngestError::Stopped(Stop::Superseded) => Refusal::BadName,
        _ => Refusal::Failed,
    }
}
