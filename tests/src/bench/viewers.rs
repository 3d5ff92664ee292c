//! Many low-latency HLS viewers on one core: each waits for the next part by a blocking playlist reload, fetches it,
//! and waits again. Plain HTTP/1.1, one connection per viewer, no more work per byte than counting it.

use std::{
    cell::RefCell,
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::net::RecvFlags;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::TcpStream,
};

use super::process::cpu_time;

/// A response's head has to fit.
const MAX_HEAD_BYTES: usize = 4096;
/// Most bytes that are thrown away by one system call.
const DISCARD_BYTES: usize = 1 << 20;
/// One viewer in so many keeps the bytes of its parts and looks whether they are whole MP4 boxes.
const CHECKED_VIEWERS: usize = 100;
/// A viewer who gets nothing for so long has failed.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// What to do.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where the origin serves HTTP.
    pub addr: SocketAddr,
    /// Path of a media playlist with parts.
    pub playlist: String,
    /// How many watch at once.
    pub viewers: usize,
    /// The viewers come evenly over this time, and are not measured before it is over.
    pub ramp: Duration,
    /// How long is measured.
    pub measured: Duration,
    /// The origin's process, to count its CPU time.
    pub origin_pid: Option<u32>,
}

/// What was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Viewers at once.
    pub viewers: usize,
    /// Parts announced while measuring.
    pub parts: usize,
    /// Parts received whole, by all viewers together.
    pub received: usize,
    /// Bytes of parts received.
    pub received_bytes: u64,
    /// Time from the first viewer who has a part announced to each who has it whole: median, milliseconds.
    pub p50_ms: f64,
    /// The same, 99th percentile.
    pub p99_ms: f64,
    /// The same, the slowest.
    pub max_ms: f64,
    /// Parts that a viewer was never told of.
    pub missed: usize,
    /// Viewers who failed, with the first reasons.
    pub errors: Vec<String>,
    /// CPU time of the origin per second, in cores.
    pub origin_cores: Option<f64>,
    /// What that makes of one core.
    pub viewers_per_core: Option<f64>,
    /// CPU time of this load per second, in cores: near 1 it measures itself.
    pub load_cores: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct PartName {
    msn: u64,
    part: u32,
}

#[derive(Debug, Default)]
struct Seen {
    announced: HashMap<PartName, Instant>,
    delays: Vec<Duration>,
    received_bytes: u64,
    missed: usize,
    errors: Vec<String>,
}

impl Seen {
    /// Starts counting anew; a viewer who already failed stays counted.
    fn forget_ramp(&mut self) {
        *self = Self { errors: std::mem::take(&mut self.errors), ..Self::default() };
    }
}

/// Runs the load on this thread.
///
/// # Errors
/// When the playlist cannot be read at all; failing viewers are counted in the report.
pub fn run(load: &Load) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, measure(load))
}

async fn measure(load: &Load) -> Result<Report> {
    let start = Instant::now();
    let seen = Rc::new(RefCell::new(Seen::default()));
    let viewers: Vec<_> = (0..load.viewers)
        .map(|index| {
            let seen = Rc::clone(&seen);
            let load = load.clone();
            tokio::task::spawn_local(async move {
                let turn = load.ramp.mul_f64(index as f64 / load.viewers as f64);
                tokio::time::sleep_until((start + turn).into()).await;
                if let Err(error) = watch(&load, index, &seen).await {
                    seen.borrow_mut().errors.push(format!("viewer {index}: {error:#}"));
                }
            })
        })
        .collect();
    // The last to come have to catch up before they count.
    tokio::time::sleep(load.ramp + Duration::from_secs(2)).await;
    seen.borrow_mut().forget_ramp();
    let (began, own_cpu) = (Instant::now(), cpu_time(std::process::id())?);
    let origin_cpu = load.origin_pid.map(cpu_time).transpose()?;
    tokio::time::sleep(load.measured).await;
    let wall = began.elapsed().as_secs_f64();
    let cores = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() / wall;
    let origin_after = load.origin_pid.map(cpu_time).transpose()?;
    let origin_cores = origin_cpu.zip(origin_after).map(|(before, after)| cores(before, after));
    let load_cores = cores(own_cpu, cpu_time(std::process::id())?);
    viewers.iter().for_each(tokio::task::JoinHandle::abort);

    let mut seen = std::mem::take(&mut *seen.borrow_mut());
    seen.delays.sort_unstable();
    let quantile = |q: f64| {
        let index = (seen.delays.len().saturating_sub(1) as f64 * q).round() as usize;
        seen.delays.get(index).map_or(f64::NAN, |delay| delay.as_secs_f64() * 1000.0)
    };
    Ok(Report {
        viewers: load.viewers,
        parts: seen.announced.len(),
        received: seen.delays.len(),
        received_bytes: seen.received_bytes,
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
        max_ms: quantile(1.0),
        missed: seen.missed,
        errors: seen.errors,
        origin_cores,
        viewers_per_core: origin_cores.map(|cores| load.viewers as f64 / cores),
        load_cores,
    })
}

async fn watch(load: &Load, index: usize, seen: &RefCell<Seen>) -> Result<()> {
    let (folder, _) = load.playlist.rsplit_once('/').context("the playlist's path has no folder")?;
    let mut connection = Connection::open(load.addr).await?;
    let mut wanted = hinted(connection.text(&load.playlist).await?).context("no part is hinted in the playlist")?;
    let checked = index.is_multiple_of(CHECKED_VIEWERS);
    loop {
        let path = format!("{}?_HLS_msn={}&_HLS_part={}", load.playlist, wanted.msn, wanted.part);
        let text = connection.text(&path).await?;
        let told = Instant::now();
        let next = hinted(text).context("no part is hinted in the playlist")?;
        ensure!(next > wanted, "the playlist has nothing new after {wanted:?}");
        let fresh = listed_from(text, wanted);
        // Parts follow each other without a gap, and a segment's first part is 0.
        let first = fresh.first().copied();
        seen.borrow_mut().missed += usize::from(first != Some(wanted) && first.map(|part| part.part) != Some(0));
        for part in fresh {
            let announced = *seen.borrow_mut().announced.entry(part).or_insert(told);
            let length = connection.part(&format!("{folder}/{}.{}.m4s", part.msn, part.part), checked).await?;
            let mut seen = seen.borrow_mut();
            seen.delays.push(announced.elapsed());
            seen.received_bytes += length;
        }
        wanted = next;
    }
}

/// The part that `EXT-X-PRELOAD-HINT` names.
fn hinted(playlist: &str) -> Option<PartName> {
    playlist.lines().rev().find(|line| line.starts_with("#EXT-X-PRELOAD-HINT:")).and_then(part_name)
}

/// The parts from `first` on that the playlist lists, in order.
fn listed_from(playlist: &str, first: PartName) -> Vec<PartName> {
    let parts = playlist.lines().rev().filter(|line| line.starts_with("#EXT-X-PART:")).filter_map(part_name);
    let mut fresh: Vec<_> = parts.take_while(|part| *part >= first).collect();
    fresh.reverse();
    fresh
}

/// `URI="{msn}.{part}.m4s"` of a tag.
fn part_name(line: &str) -> Option<PartName> {
    let (_, uri) = line.split_once("URI=\"")?;
    let (msn, part) = uri.split_once(".m4s")?.0.split_once('.')?;
    Some(PartName { msn: msn.parse().ok()?, part: part.parse().ok()? })
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(addr: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(addr).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: Vec::with_capacity(256), answer: Vec::with_capacity(4 * MAX_HEAD_BYTES) })
    }

    /// The text at `path`.
    async fn text(&mut self, path: &str) -> Result<&str> {
        let body = tokio::time::timeout(ANSWER_LIMIT, self.whole(path))
            .await
            .with_context(|| format!("no answer: {path}"))??;
        Ok(std::str::from_utf8(self.answer.get(body..).unwrap_or_default())?)
    }

    /// The length of the part at `path`.
    async fn part(&mut self, path: &str, checked: bool) -> Result<u64> {
        let answer = async {
            if checked {
                let body = self.whole(path).await?;
                let bytes = self.answer.get(body..).unwrap_or_default();
                check_boxes(bytes).with_context(|| path.to_owned())?;
                Ok(bytes.len() as u64)
            } else {
                self.discard(path).await
            }
        };
        tokio::time::timeout(ANSWER_LIMIT, answer).await.with_context(|| format!("no answer: {path}"))?
    }

    /// Sends a request, reads its answer into `self.answer`, returns where its body begins.
    async fn whole(&mut self, path: &str) -> Result<usize> {
        let (body, length) = self.head(path).await?;
        while self.answer.len() < body + length {
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "the origin closed the connection: {path}");
        }
        Ok(body)
    }

    /// The same for a body that nobody looks at: the kernel throws it away without copying it.
    async fn discard(&mut self, path: &str) -> Result<u64> {
        thread_local! {
            static NOWHERE: RefCell<Vec<u8>> = RefCell::new(vec![0; DISCARD_BYTES]);
        }
        let (body, length) = self.head(path).await?;
        let mut left = (body + length).saturating_sub(self.answer.len());
        while left > 0 {
            self.stream.readable().await?;
            let read = self.stream.try_io(Interest::READABLE, || {
                NOWHERE.with_borrow_mut(|nowhere| {
                    let nowhere = nowhere.get_mut(..left.min(DISCARD_BYTES)).unwrap_or_default();
                    Ok(rustix::net::recv(&self.stream, nowhere, RecvFlags::TRUNC)?.1)
                })
            });
            match read {
                Ok(0) => bail!("the origin closed the connection: {path}"),
                Ok(read) => left = left.saturating_sub(read),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error).context("cannot read"),
            }
        }
        Ok(length as u64)
    }

    /// Sends a request and reads the head of its answer: where the body begins and how long it is.
    async fn head(&mut self, path: &str) -> Result<(usize, usize)> {
        self.request.clear();
        self.request.extend_from_slice(b"GET ");
        self.request.extend_from_slice(path.as_bytes());
        self.request.extend_from_slice(
            b" HTTP/1.1\r\nHost: origin.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n\
              Accept-Encoding: gzip, deflate, br\r\nReferer: http://origin.test/\r\n\r\n",
        );
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "the origin closed the connection: {path}");
            if let Some(end) = self.answer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = std::str::from_utf8(self.answer.get(..end).unwrap_or_default())?;
                let mut lines = head.split("\r\n");
                let status = lines.next().unwrap_or_default();
                ensure!(status.starts_with("HTTP/1.1 200"), "{status}: {path}");
                let length = lines
                    .filter_map(|line| line.split_once(':'))
                    .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                    .context("no Content-Length")?;
                return Ok((end + 4, length.1.trim().parse()?));
            }
            ensure!(self.answer.len() < MAX_HEAD_BYTES, "the answer's head is too long");
        }
    }
}

/// Whether `bytes` are whole MP4 boxes with a `moof` among them.
fn check_boxes(mut bytes: &[u8]) -> Result<()> {
    let mut moof = false;
    while !bytes.is_empty() {
        let head = bytes.first_chunk::<8>().context("a box is cut off")?;
        let [a, b, c, d, kind @ ..] = *head;
        let size = u32::from_be_bytes([a, b, c, d]) as usize;
        ensure!((8..=bytes.len()).contains(&size), "box of {size} bytes where {} are left", bytes.len());
        moof |= &kind == b"moof";
        bytes = bytes.get(size..).unwrap_or_default();
    }
    ensure!(moof, "no moof");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAYLIST: &str = "#EXTM3U\n#EXT-X-PART:DURATION=0.3,URI=\"6.6.m4s\"\n#EXTINF:2.0,\n6.m4s\n\
        #EXT-X-PART:DURATION=0.3,URI=\"7.0.m4s\",INDEPENDENT=YES\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"7.1.m4s\"\n";

    #[test]
    fn new_parts_are_found() {
        assert_eq!(hinted(PLAYLIST), Some(PartName { msn: 7, part: 1 }));
        assert_eq!(listed_from(PLAYLIST, PartName { msn: 7, part: 0 }), [PartName { msn: 7, part: 0 }]);
        assert_eq!(listed_from(PLAYLIST, PartName { msn: 6, part: 6 }).len(), 2);
    }

    #[test]
    fn half_a_part_is_noticed() {
        let moof = [0, 0, 0, 8, b'm', b'o', b'o', b'f', 0, 0, 0, 9, b'm', b'd', b'a', b't', 1];
        check_boxes(&moof).unwrap();
        assert!(check_boxes(&moof[..16]).is_err());
        assert!(check_boxes(&moof[8..]).is_err());
    }
}
