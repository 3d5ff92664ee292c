//! SRT publishers: the open port. One task owns the socket and the [`Listener`](skylark_media::srt::Listener) that
//! knows the protocol; each publisher is a task of its own, behind a bounded queue that the socket never waits for.

mod admission;
mod port;
mod publisher;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use skylark_media::srt::{Listener, ListenerConfig};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::UdpSocket, sync::watch};

use self::port::Port;
use crate::{clock::Clock, live::Live, secret::Passphrase};

/// Asked of the kernel for datagrams that wait to be read: a second of 60 Mbit/s. It may grant less.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;

/// Where and how SRT is taken.
#[derive(Debug, Clone)]
pub struct SrtConfig {
    /// Address to listen on.
    pub addr: SocketAddr,
    /// Callers without a passphrase of their key's own have to use this one.
    pub passphrase: Option<Passphrase>,
    /// Least receiver latency; a caller who asks for more gets it.
    pub latency: Duration,
    /// Sessions at once; more are rejected.
    pub max_sessions: usize,
    /// Handshakes in progress at once; more are dropped.
    pub max_pending: usize,
    /// Time from the first handshake packet to the last.
    pub handshake_timeout: Duration,
    /// A session that sends nothing for so long is closed.
    pub idle_timeout: Duration,
}

/// What happened on the port since it was opened.
#[derive(Debug, Default)]
pub struct Counters {
    /// Callers let in.
    pub accepted: AtomicU64,
    /// Callers turned away.
    pub refused: AtomicU64,
    /// Payloads thrown away because their publisher's queue was full.
    pub dropped: AtomicU64,
    /// Datagrams that the kernel did not take from us.
    pub unsent: AtomicU64,
    /// Sessions ended by an error of ours.
    pub panics: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The open port.
#[derive(Debug)]
pub struct Server {
    socket: UdpSocket,
    addr: SocketAddr,
    config: SrtConfig,
    secret: [u8; 32],
    counters: Arc<Counters>,
}

impl Server {
    /// Opens the port. Nobody is answered before [`Server::run`].
    ///
    /// # Errors
    /// When the address is taken, or the system gives no random bytes.
    pub async fn bind(config: SrtConfig) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(config.addr), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES) {
            tracing::warn!(%error, "cannot enlarge the UDP receive buffer");
        }
        socket.bind(&config.addr.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let addr = socket.local_addr()?;
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        Ok(Self { socket, addr, config, secret, counters: Arc::default() })
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
        let Self { socket, config, secret, counters, .. } = self;
        let listener = Listener::new(ListenerConfig {
            latency: config.latency,
            max_sessions: config.max_sessions,
            max_pending: config.max_pending,
            handshake_timeout: config.handshake_timeout,
            idle_timeout: config.idle_timeout,
            secret,
        });
        let stop = async { _ = stop.wait_for(|stop| *stop).await };
        Port::new(socket, listener, live, config.passphrase, Clock::system(), counters).run(stop).await;
    }
}
