//! RTMP publishers: the open port. Each connection is a task of its own, which holds a socket and a
//! [`Session`](skylark_media::rtmp::Session).

mod connection;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::{Id, JoinError, JoinSet},
    time::{sleep, timeout},
};

use self::connection::Connection;
use crate::{live::Live, places::Places};

/// Connections that have not been accepted as publishers yet, from everywhere.
const MAX_PENDING: usize = 512;
/// The same, from one address (IPv6: one /64 network).
const MAX_PENDING_PER_ADDRESS: usize = 64;
/// Pause after an `accept` that failed, which happens when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Publishers may take so long to hand over what they have when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Where and how RTMP is taken.
#[derive(Debug, Clone)]
pub struct RtmpConfig {
    /// Address to listen on.
    pub addr: SocketAddr,
    /// Connections at once; more are closed.
    pub max_connections: usize,
    /// Time from the connection to `publish`.
    pub handshake_timeout: Duration,
    /// A connection that sends nothing for so long is closed.
    pub idle_timeout: Duration,
}

/// What happened on the port since it was opened.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections taken.
    pub connections: AtomicU64,
    /// Connections closed at once, because there were too many.
    pub turned_away: AtomicU64,
    /// Publishers sent away: key unknown, revoked or in use, or no place.
    pub refused: AtomicU64,
    /// Connections closed for breaking the protocol or a limit of it.
    pub malformed: AtomicU64,
    /// Connections that did not ask to publish in time.
    pub handshake_timeouts: AtomicU64,
    /// Connections ended by an error of ours.
    pub panics: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The open port.
#[derive(Debug)]
pub struct Server {
    socket: TcpListener,
    addr: SocketAddr,
    config: RtmpConfig,
    counters: Arc<Counters>,
}

impl Server {
    /// Opens the port. Nobody is answered before [`Server::run`].
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn bind(config: RtmpConfig) -> io::Result<Self> {
        let socket = TcpListener::bind(config.addr).await?;
        let addr = socket.local_addr()?;
        Ok(Self { socket, addr, config, counters: Arc::default() })
    }

    /// The address in use: its port is the system's choice if 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// What happens on the port, for metrics.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Takes publishers until `stop` becomes true, then lets each hand over what it has.
    pub async fn run(self, live: Arc<Live>, mut stop: watch::Receiver<bool>) {
        let Self { socket, config, counters, .. } = self;
        let mut connections = Connections {
            live,
            stop: stop.clone(),
            slots: Arc::new(Semaphore::new(config.max_connections)),
            pending: Places::new(MAX_PENDING, MAX_PENDING_PER_ADDRESS),
            counters,
            config,
            tasks: JoinSet::new(),
            peers: HashMap::new(),
        };
        loop {
            tokio::select! {
                () = async { _ = stop.wait_for(|stop| *stop).await } => break,
                accepted = socket.accept() => match accepted {
                    Ok((stream, peer)) => connections.open(stream, peer),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept an RTMP connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = connections.tasks.join_next_with_id() => connections.close(ended),
            }
        }
        drop(socket);
        if timeout(STOP_TIMEOUT, connections.wait()).await.is_err() {
            tracing::warn!("RTMP publishers did not stop in time");
        }
    }
}

/// All connections of a port.
struct Connections {
    live: Arc<Live>,
    stop: watch::Receiver<bool>,
    slots: Arc<Semaphore>,
    pending: Places,
    counters: Arc<Counters>,
    config: RtmpConfig,
    tasks: JoinSet<OwnedSemaphorePermit>,
    peers: HashMap<Id, SocketAddr>,
}

impl Connections {
    /// Gives a connection its task, or closes it when there are too many.
    fn open(&mut self, stream: TcpStream, peer: SocketAddr) {
        let (Ok(slot), Some(place)) = (Arc::clone(&self.slots).try_acquire_owned(), self.pending.enter(peer.ip()))
        else {
            count(&self.counters.turned_away);
            tracing::debug!(%peer, "too many RTMP connections");
            return;
        };
        count(&self.counters.connections);
        // Replies are few and small, and the publisher waits for each of them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        let connection = Connection::new(stream, peer, self.config.clone(), Arc::clone(&self.counters));
        let (live, stop) = (Arc::clone(&self.live), self.stop.clone());
        let task = self.tasks.spawn(async move {
            connection.serve(&live, place, stop).await;
            slot
        });
        self.peers.insert(task.id(), peer);
    }

    fn close(&mut self, ended: Result<(Id, OwnedSemaphorePermit), JoinError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let peer = self.peers.remove(&id);
        if let Err(error) = ended
            && error.is_panic()
        {
            count(&self.counters.panics);
            tracing::error!(?peer, "an RTMP connection ended in a panic; others go on");
        }
    }

    async fn wait(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.close(ended);
        }
    }
}
