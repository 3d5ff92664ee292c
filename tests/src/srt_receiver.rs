//! Skylark's SRT receiver without the rest of the origin: to measure it against libsrt's on the same network.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::Result;
use skylark_media::{
    UnixTime,
    srt::{Listener, ListenerConfig, Output, Statistics},
};
use tokio::{
    net::UdpSocket,
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// What was received.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// All data.
    pub data: Vec<u8>,
    /// Its statistics, once it has ended.
    pub ended: Option<Statistics>,
}

/// Takes whoever calls.
#[derive(Debug)]
pub struct SrtReceiver {
    addr: SocketAddr,
    received: watch::Receiver<Received>,
    task: JoinHandle<()>,
}

impl SrtReceiver {
    /// Opens a port on loopback. Callers with `passphrase` are decrypted; without one, callers must not have one.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start(latency: Duration, passphrase: Option<String>) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = socket.local_addr()?;
        let (sender, received) = watch::channel(Received::default());
        let listener = Listener::new(ListenerConfig {
            latency,
            max_sessions: 1,
            max_pending: 8,
            handshake_timeout: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(5),
            secret: [7; 32],
        });
        let task = tokio::spawn(async move {
            if let Err(error) = serve(socket, listener, passphrase, &sender).await {
                eprintln!("SRT receiver: {error:#}");
            }
        });
        Ok(Self { addr, received, task })
    }

    /// Where callers find it.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until so many bytes have arrived.
    ///
    /// # Errors
    /// When the receiver failed.
    pub async fn received(&mut self, length: usize) -> Result<Received> {
        Ok(self.received.wait_for(|received| received.data.len() >= length).await?.clone())
    }

    /// Waits for the first session to end.
    ///
    /// # Errors
    /// When the receiver failed.
    pub async fn ended(&mut self) -> Result<Received> {
        Ok(self.received.wait_for(|received| received.ended.is_some()).await?.clone())
    }
}

impl Drop for SrtReceiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    socket: UdpSocket,
    mut listener: Listener,
    passphrase: Option<String>,
    sender: &watch::Sender<Received>,
) -> Result<()> {
    let start = Instant::now();
    let mut buffer = [0; 2048];
    loop {
        let now = || UnixTime::from_us(i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX));
        let due = listener.next_timeout().map(|due| start + due.since(UnixTime::default()));
        tokio::select! {
            arrived = socket.recv_from(&mut buffer) => {
                let (length, peer) = arrived?;
                listener.feed(now(), peer, &buffer[..length]);
            }
            () = async { match due { Some(due) => sleep_until(due).await, None => std::future::pending().await } } => {
                // What has arrived by now comes before the time: this process may have been kept waiting.
                while let Ok((length, peer)) = socket.try_recv_from(&mut buffer) {
                    listener.feed(now(), peer, &buffer[..length]);
                }
                listener.tick(now());
            }
        }
        while let Some(output) = listener.poll() {
            match output {
                Output::Send { to, datagram } => _ = socket.send_to(&datagram, to).await?,
                Output::Request(request) => match request.unlock(passphrase.as_deref()) {
                    Ok(keys) => _ = listener.accept(now(), request.id, keys),
                    Err(rejection) => listener.reject(request.id, rejection),
                },
                Output::Data { data, .. } => sender.send_modify(|received| received.data.extend_from_slice(&data)),
                Output::Closed { statistics, .. } => sender.send_modify(|received| received.ended = Some(statistics)),
            }
        }
    }
}
