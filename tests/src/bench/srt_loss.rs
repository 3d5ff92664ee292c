//! SRT over a bad network: what is lost for good, here and with libsrt, on the same seeds.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::{
    process::{Child, Command},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    lossy_proxy::{LossyProxy, Network},
    srt_receiver::SrtReceiver,
};

/// Bytes of a transport packet.
const PACKET: usize = 188;

/// A bad network and a receiver's latency.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Datagrams lost each way, of 1.
    pub loss: f64,
    /// Round-trip time.
    pub round_trip: Duration,
    /// What sender and receiver agree on.
    pub latency: Duration,
}

/// Who receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// Skylark.
    Skylark,
    /// libsrt, by `srt-live-transmit`.
    Libsrt,
}

/// What became of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Transport packets sent.
    pub sent: usize,
    /// Transport packets that are missing, except in the last second.
    pub missing: usize,
    /// Transport packets that are missing in the last second: what was under way when the sender left.
    pub tail: usize,
}

/// Sends `clip` (MPEG-TS, of this length) in real time once for each seed, all at once.
///
/// # Errors
/// When a program is missing or does not work.
pub async fn run(
    clip: &Path,
    length: Duration,
    case: Case,
    receiver: Receiver,
    seeds: std::ops::Range<u64>,
) -> Result<Vec<Outcome>> {
    let mut runs = JoinSet::new();
    for seed in seeds {
        let clip = clip.to_owned();
        runs.spawn(async move { one(&clip, length, case, receiver, seed).await });
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = runs.join_next().await {
        outcomes.push(outcome??);
    }
    Ok(outcomes)
}

async fn one(clip: &Path, length: Duration, case: Case, receiver: Receiver, seed: u64) -> Result<Outcome> {
    let network = Network { seed, loss: case.loss, delay: case.round_trip / 2 };
    let received = match receiver {
        Receiver::Skylark => {
            let mut server = SrtReceiver::start(case.latency, None).await?;
            let proxy = LossyProxy::start(server.addr(), network).await?;
            send(clip, length, proxy.addr(), case).await?;
            let ended =
                timeout(Duration::from_secs(10), server.ended()).await.context("the session does not end")??;
            ended.data
        }
        Receiver::Libsrt => {
            let folder = tempfile::tempdir()?;
            let file = folder.path().join("received.ts");
            let (addr, mut server) = libsrt_listener(&file, case).await?;
            let proxy = LossyProxy::start(addr, network).await?;
            send(clip, length, proxy.addr(), case).await?;
            _ = timeout(Duration::from_secs(10), server.wait()).await;
            std::fs::read(&file)?
        }
    };
    let sent = std::fs::read(clip)?;
    Ok(compare(&sent, &received, length))
}

/// `srt-live-transmit` on a free port, writing what it receives. The port may be taken by another run between being
/// found free and being used: then the listener ends at once, and another is tried.
async fn libsrt_listener(file: &Path, case: Case) -> Result<(SocketAddr, Child)> {
    for _ in 0..10 {
        let addr = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut server = Command::new("srt-live-transmit")
            .args(["-q", "-a:no"])
            .arg(format!("srt://{addr}?mode=listener&latency={}", case.latency.as_millis()))
            .arg("file://con")
            .stdout(std::fs::File::create(file)?)
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("srt-live-transmit")?;
        sleep(Duration::from_secs(1)).await;
        if server.try_wait()?.is_none() {
            return Ok((addr, server));
        }
    }
    anyhow::bail!("srt-live-transmit does not start")
}

async fn send(clip: &Path, length: Duration, to: SocketAddr, case: Case) -> Result<()> {
    // The clip's own packets, so that what arrives can be compared byte by byte, paced by their clock reference.
    let mut sender = Command::new("gst-launch-1.0")
        .args(["-q", "filesrc"])
        .arg(format!("location={}", clip.display()))
        .args(["!", "tsparse", "set-timestamps=true", "alignment=7", "!", "srtsink", "sync=true"])
        .arg(format!("uri=srt://{to}?mode=caller"))
        .arg(format!("latency={}", case.latency.as_millis()))
        .args(["wait-for-connection=true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("gst-launch-1.0")?;
    let status = timeout(length * 2 + Duration::from_secs(10), sender.wait()).await.context("the sender stays")??;
    anyhow::ensure!(status.success(), "gst-launch-1.0 failed: {status}");
    Ok(())
}

/// Finds each received transport packet in what was sent, in order. Transport packets are counted as lost from the first
/// that arrived on.
fn compare(sent: &[u8], received: &[u8], length: Duration) -> Outcome {
    let packets: Vec<&[u8]> = sent.chunks_exact(PACKET).collect();
    let last_second = packets.len() - (packets.len() as f64 / length.as_secs_f64()) as usize;
    let mut outcome = Outcome { sent: packets.len(), ..Outcome::default() };
    let mut lose = |range: std::ops::Range<usize>| {
        outcome.missing += range.len().min(last_second.saturating_sub(range.start));
        outcome.tail += range.len().min(range.end.saturating_sub(last_second));
    };
    let mut position = None;
    for packet in received.chunks_exact(PACKET) {
        let from = position.unwrap_or(0);
        let Some(offset) = packets.get(from..).and_then(|rest| rest.iter().position(|sent| *sent == packet)) else {
            continue;
        };
        if position.is_some() {
            lose(from..from + offset);
        }
        position = Some(from + offset + 1);
    }
    lose(position.unwrap_or(0)..packets.len());
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_from_what_was_under_way_at_the_end() {
        let packet = |n: u8| [n; PACKET];
        let sent: Vec<u8> = (0..100).flat_map(packet).collect();
        let received: Vec<u8> = (3..95).filter(|n| *n != 50 && *n != 92).flat_map(packet).collect();
        let outcome = compare(&sent, &received, Duration::from_secs(10));
        assert_eq!(outcome, Outcome { sent: 100, missing: 1, tail: 6 });
    }
}
