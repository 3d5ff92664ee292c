//! The HTTP port: accepts connections, speaks TLS if certificates are configured, and lets them end in peace.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;

use crate::places::{Place, Places};

use super::{
    hot,
    http1::{self, End},
    patience::Patience,
    peer::Peer,
    requests::Requests,
    service::Service,
    stall::{Unstalled, WRITE_STALL_LIMIT},
    tls::{Certificate, TlsError, TlsFiles},
};

/// Default of [`HttpConfig::max_connections`].
pub const MAX_CONNECTIONS: usize = 16_384;
/// Default of [`HttpConfig::max_connections_per_address`]: more than people behind one address need, and far from all.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 4096;
/// A request's head has to be complete after so long; also how long a connection may idle between requests.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// A whole response has to be taken by its reader within so long: nobody can watch slower than this, and it would keep
/// media in memory that is long out of the window.
pub(super) const RESPONSE_LIMIT: Duration = Duration::from_secs(30);
/// The TLS handshake has to be complete after so long.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// What requests in progress get after a stop before their connections are closed.
const GRACE: Duration = Duration::from_secs(5);
/// Largest head of a request, bytes.
pub(super) const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Most header fields of a request.
pub(super) const MAX_HEADER_FIELDS: usize = 64;
/// Most requests at once on one HTTP/2 connection.
const MAX_HTTP2_STREAMS: u32 = 32;
/// Most bytes of a response that HTTP/2 keeps for one stream while the viewer does not take them.
const MAX_HTTP2_SEND_BUFFER: usize = 256 * 1024;
/// An HTTP/2 peer is asked for a sign of life at this distance.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);
/// Connections the kernel may hold for us before we accept them.
const BACKLOG: u32 = 4096;
/// Rest after an error of `accept` itself (no file descriptors left).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Where and how HTTP is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Address to listen on.
    pub addr: SocketAddr,
    /// Serve HTTPS, not HTTP, with these files.
    pub tls: Option<TlsFiles>,
    /// Connections at once; more are turned away with a 503.
    pub max_connections: usize,
    /// Connections at once from one address, or one IPv6 /64 network; more are turned away with a 503.
    pub max_connections_per_address: usize,
}

/// Why HTTP cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr} for HTTP: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate files cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The open port.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    certificate: Option<Arc<Certificate>>,
    max_connections: usize,
    places: Places,
}

impl Server {
    /// Opens the port. Nothing is answered before [`Server::run`].
    ///
    /// # Errors
    /// When the address is taken or the certificate files cannot be used.
    pub fn bind(config: HttpConfig) -> Result<Self, HttpError> {
        let certificate = config.tls.map(Certificate::load).transpose()?;
        let (listener, addr) = listen(config.addr).map_err(|source| HttpError::Bind { addr: config.addr, source })?;
        let HttpConfig { max_connections, max_connections_per_address, .. } = config;
        let places = Places::new(max_connections, max_connections_per_address);
        Ok(Self { listener, addr, certificate, max_connections, places })
    }

    /// The address in use: its port is the system's choice if 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `stop` becomes true (or its sender is dropped), then lets requests in progress end.
    pub async fn run(self, service: Service, mut stop: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(self.max_connections));
        let tls = self.certificate.as_ref().map(Certificate::acceptor);
        let _renewal = self.certificate.map(|certificate| AbortOnDrop(tokio::spawn(certificate.renew())));
        let stopping = stop.clone();
        let stopped = async move { _ = stop.wait_for(|stop| *stop).await };
        tokio::pin!(stopped);
        let mut sweeps = tokio::time::interval(hot::SWEEP_INTERVAL);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = sweeps.tick() => {
                    service.hot_parts().sweep();
                    continue;
                }
                () = &mut stopped => break,
            };
            match accepted {
                Ok((stream, peer)) => match self.places.enter(peer.ip()).zip(slots.clone().try_acquire_owned().ok()) {
                    Some(slot) => {
                        let (service, stop) = (service.clone(), stopping.clone());
                        let connection = Connection { service, peer: Peer(peer.ip()), stop };
                        tokio::spawn(connection.serve(stream, tls.clone(), slot));
                    }
                    None => {
                        service.counters().turned_away.increment();
                        turn_away(&stream, peer);
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
        drop(self.listener);
        // Every place is free again once the last connection has ended.
        let all = u32::try_from(self.max_connections).unwrap_or(u32::MAX);
        if tokio::time::timeout(GRACE, slots.acquire_many(all)).await.is_err() {
            tracing::info!("closing connections that are still busy");
        }
    }
}

#[derive(Debug)]
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn listen(addr: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = if addr.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    let listener = socket.listen(BACKLOG)?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

/// Says why, if the peer listens; a peer that does not must not cost anything either.
fn turn_away(stream: &TcpStream, peer: SocketAddr) {
    tracing::debug!(%peer, "connection limit reached");
    _ = stream.try_write(
        b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\ncontent-length: 0\r\n\r\n",
    );
}

/// What every connection is served with.
#[derive(Debug, Clone)]
struct Connection {
    service: Service,
    peer: Peer,
    stop: watch::Receiver<bool>,
}

impl Connection {
    /// One connection from its first byte to its last.
    async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>, slot: (Place, OwnedSemaphorePermit)) {
        let service = self.service.clone();
        service.counters().accepted.increment();
        let _open = service.counters().connections.enter();
        // A response is written as a whole: waiting for more to send would only delay its end.
        _ = stream.set_nodelay(true);
        match tls {
            None => self.serve_plain(stream).await,
            Some(acceptor) => {
                let stream = Unstalled::new(stream, Vec::new(), WRITE_STALL_LIMIT);
                match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => self.speak(stream).await,
                    Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                    Err(_) => tracing::debug!("TLS handshake timed out"),
                }
            }
        }
        drop(slot);
    }

    async fn serve_plain(self, stream: TcpStream) {
        let mut patience = Patience::new(self.stop.clone());
        match http1::serve(stream, self.peer, &self.service, &mut patience).await {
            Ok(End::Closed) => {}
            Ok(End::HandOver(stream, unread)) => {
                // Boxed: rare, and large beside what every viewer's connection needs.
                Box::pin(self.speak(Unstalled::new(stream, unread, WRITE_STALL_LIMIT))).await;
            }
            Err(error) => tracing::debug!(%error, "connection ended"),
        }
    }

    /// Whatever the peer speaks of HTTP/1.1 and HTTP/2.
    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADER_FIELDS)
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
            .max_concurrent_streams(MAX_HTTP2_STREAMS)
            .max_send_buf_size(MAX_HTTP2_SEND_BUFFER)
            .keep_alive_interval(HTTP2_PING_INTERVAL);
        let requests = Requests::new();
        let service = service_fn(|mut request| {
            let (service, stop) = (self.service.clone(), self.stop.clone());
            request.extensions_mut().insert(self.peer);
            let open = requests.begin();
            async move {
                let mut patience = Patience::new(stop);
                let response = service.call(request, &mut patience).await;
                Ok::<_, std::convert::Infallible>(response.map(|body| open.watch(body)))
            }
        });
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let mut stop = self.stop.clone();
        let stopped = async {
            _ = stop.wait_for(|stop| *stop).await;
        };
        let overdue = async {
            let reason = requests.overdue().await;
            tracing::debug!(reason, "connection closed");
            self.service.counters().slow.increment();
        };
        let conversation = async {
            let ended = tokio::select! {
                outcome = connection.as_mut() => Some(outcome),
                () = stopped => None,
            };
            let outcome = match ended {
                Some(outcome) => outcome,
                None => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = outcome {
                tracing::debug!(%error, "connection ended");
            }
        };
        tokio::select! {
            () = conversation => {}
            () = overdue => {}
        }
    }
}
