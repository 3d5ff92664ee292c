//! A bad network: a UDP proxy that loses and delays datagrams, the same ones with the same seed.

use std::{
    collections::{HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    net::UdpSocket,
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until},
};

/// No SRT datagram is larger.
const MAX_DATAGRAM: usize = 2048;

/// How bad.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    /// Which datagrams are lost.
    pub seed: u64,
    /// Datagrams lost each way, of 1.
    pub loss: f64,
    /// Time from one end to the other, each way.
    pub delay: Duration,
}

/// What a narrow link holds before it loses datagrams.
const LINK_BUFFER: Duration = Duration::from_millis(400);

/// What becomes of a network while it is used.
#[derive(Debug, Default)]
struct Weather {
    is_cut: AtomicBool,
    /// Bits per second each way; 0: any number.
    rate_bps: AtomicU64,
}

/// Forwards datagrams to a server and back as long as it lives.
#[derive(Debug)]
pub struct LossyProxy {
    addr: SocketAddr,
    weather: Arc<Weather>,
    task: JoinHandle<()>,
}

impl LossyProxy {
    /// Opens a port on loopback for `server`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start(server: SocketAddr, network: Network) -> Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), server, network).await
    }

    /// The same at an address of its own.
    ///
    /// # Errors
    /// When it is taken.
    pub async fn start_at(front: SocketAddr, server: SocketAddr, network: Network) -> Result<Self> {
        let front = Arc::new(UdpSocket::bind(front).await?);
        let addr = front.local_addr()?;
        let weather = Arc::new(Weather::default());
        let outside = Arc::clone(&weather);
        let task = tokio::spawn(async move {
            if let Err(error) = forward(front, server, network, outside).await {
                eprintln!("lossy proxy: {error:#}");
            }
        });
        Ok(Self { addr, weather, task })
    }

    /// Lets nothing through any more, or everything again.
    pub fn cut(&self, is_cut: bool) {
        self.weather.is_cut.store(is_cut, Ordering::Relaxed);
    }

    /// Lets no more than so many bits per second through each way; 0: any number. What comes faster waits a little, then is
    /// lost.
    pub fn narrow(&self, rate_bps: u64) {
        self.weather.rate_bps.store(rate_bps, Ordering::Relaxed);
    }

    /// Where callers find it.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for LossyProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(front: Arc<UdpSocket>, server: SocketAddr, network: Network, weather: Arc<Weather>) -> Result<()> {
    let mut callers: HashMap<SocketAddr, mpsc::UnboundedSender<Vec<u8>>> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut buffer = [0; MAX_DATAGRAM];
    loop {
        let (length, caller) = front.recv_from(&mut buffer).await?;
        if !callers.contains_key(&caller) {
            let back = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
            back.connect(server).await?;
            let seed = network.seed.wrapping_add(callers.len() as u64 * 2);
            let (forth, arrived) = mpsc::unbounded_channel();
            let (answers, answered) = mpsc::unbounded_channel();
            let sending = Arc::clone(&back);
            let here = Arc::clone(&weather);
            tasks.spawn(lane(arrived, Loss::new(seed, network.loss), network.delay, here, move |datagram| {
                _ = sending.try_send(&datagram);
            }));
            let front = Arc::clone(&front);
            let here = Arc::clone(&weather);
            tasks.spawn(lane(answered, Loss::new(!seed, network.loss), network.delay, here, move |datagram| {
                _ = front.try_send_to(&datagram, caller);
            }));
            tasks.spawn(async move {
                let mut buffer = [0; MAX_DATAGRAM];
                loop {
                    // A closed port behind us is an error for one datagram, not for the lane.
                    if let Ok(length) = back.recv(&mut buffer).await
                        && answers.send(buffer[..length].to_vec()).is_err()
                    {
                        return;
                    }
                }
            });
            callers.insert(caller, forth);
        }
        if let Some(forth) = callers.get(&caller) {
            _ = forth.send(buffer[..length].to_vec());
        }
    }
}

/// One direction: loses some datagrams and holds the others for `delay`.
async fn lane(
    mut arriving: mpsc::UnboundedReceiver<Vec<u8>>,
    mut loss: Loss,
    delay: Duration,
    weather: Arc<Weather>,
    send: impl Fn(Vec<u8>) + Send,
) {
    let mut free_at = Instant::now();
    let mut under_way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    loop {
        let due = under_way.front().map(|(due, _)| *due);
        tokio::select! {
            arrived = arriving.recv() => match arrived {
                Some(_) if loss.strikes() || weather.is_cut.load(Ordering::Relaxed) => {}
                Some(datagram) => {
                    let now = Instant::now();
                    let rate_bps = weather.rate_bps.load(Ordering::Relaxed);
                    let bits = datagram.len() as u64 * 8;
                    let leaves = free_at.max(now) + Duration::from_nanos((bits * 1_000_000_000).checked_div(rate_bps).unwrap_or(0));
                    if leaves < now + LINK_BUFFER {
                        free_at = leaves;
                        under_way.push_back((leaves + delay, datagram));
                    }
                }
                None => return,
            },
            () = async { match due { Some(due) => sleep_until(due).await, None => std::future::pending().await } } => {
                while let Some((_, datagram)) = under_way.pop_front_if(|(due, _)| *due <= Instant::now()) {
                    send(datagram);
                }
            }
        }
    }
}

/// Which datagrams are lost: every one with the same probability, the same ones with the same seed.
#[derive(Debug)]
pub struct Loss {
    state: u64,
    threshold: u64,
}

impl Loss {
    /// Loses `ratio` of 1.
    #[must_use]
    pub fn new(seed: u64, ratio: f64) -> Self {
        Self { state: seed, threshold: (ratio.clamp(0.0, 1.0) * u64::MAX as f64) as u64 }
    }

    /// Whether the next one is lost (splitmix64).
    pub fn strikes(&mut self) -> bool {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) < self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_what_was_asked_for_and_the_same_every_time() {
        let lost = |seed| (0..100_000).scan(Loss::new(seed, 0.05), |loss, _| Some(loss.strikes())).collect::<Vec<_>>();
        let count = lost(1).into_iter().filter(|lost| *lost).count();
        assert!((4_700..5_300).contains(&count), "{count}");
        assert_eq!(lost(1), lost(1));
        assert_ne!(lost(1), lost(2));
    }
}
