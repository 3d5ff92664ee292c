//! A whole way to the origin, HTTP and SRT, that can be pulled out: what is on its way then waits or is lost, as it would be
//! in a real network, and nobody is told.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{
    lossy_proxy::{LossyProxy, Network},
    origin::Origin,
};

/// This computer's other name: origins tell people to publish where they were asked, at the ports that they have.
const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Bytes that are carried at once.
const BUFFER: usize = 64 << 10;

/// The way to an origin; gone when dropped.
#[derive(Debug)]
pub struct Cable {
    http: SocketAddr,
    srt: LossyProxy,
    is_plugged: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Cable {
    /// Another address of this origin.
    ///
    /// # Errors
    /// When its ports are taken there.
    pub async fn to(origin: &Origin) -> Result<Self> {
        let fine = Network { seed: 1, loss: 0.0, delay: Duration::from_millis(1) };
        let srt = LossyProxy::start_at((HERE, origin.srt.port()).into(), origin.srt, fine).await?;
        let (is_plugged, plug) = watch::channel(true);
        let http = SocketAddr::from((HERE, origin.http.port()));
        let task = tokio::spawn(accept(TcpListener::bind(http).await?, origin.http, plug));
        Ok(Self { http, srt, is_plugged, task })
    }

    /// The origin's address by this way.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Nothing gets through any more.
    pub fn pull(&self) {
        self.srt.cut(true);
        self.is_plugged.send_replace(false);
    }

    /// Everything gets through again.
    pub fn plug_in(&self) {
        self.srt.cut(false);
        self.is_plugged.send_replace(true);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, plug: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((near, _)) => _ = connections.spawn(join(near, server, plug.clone())),
            Err(error) => eprintln!("cable: {error}"),
        }
    }
}

async fn join(near: TcpStream, server: SocketAddr, mut plug: watch::Receiver<bool>) {
    // A server that is away refuses: so is whoever called.
    if plug.wait_for(|is_plugged| *is_plugged).await.is_err() {
        return;
    }
    let Ok(far) = TcpStream::connect(server).await else { return };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let forth = carry(near_in, far_out, plug.clone());
    tokio::join!(forth, carry(far_in, near_out, plug));
}

/// One direction, until either end is closed.
async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut plug: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if plug.wait_for(|is_plugged| *is_plugged).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    // The other end hears of it when the network lets it.
    if plug.wait_for(|is_plugged| *is_plugged).await.is_ok() {
        _ = to.shutdown().await;
    }
}
