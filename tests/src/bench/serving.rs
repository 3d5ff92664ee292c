//! Parts and playlists per CPU-second, beside nginx serving the same bytes as files from tmpfs.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{Row, Verdict, nginx::Nginx, process::tree_cpu_time};
use crate::{clip::Clip, hls::Player, hls::resolve, origin::Origin, publish};

/// Parts of 0.3 s weigh about 250 KB at this bitrate.
const CLIP: Clip =
    Clip { width: 1280, height: 720, frame_rate: 30, gop: 60, b_frames: 0, seconds: 120, bitrate_bps: 6_600_000 };
/// The servers' core and the load's.
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";
const CONNECTIONS: &str = "64";

/// One after the other on one core, the load on the other.
///
/// # Errors
/// When one of them does not work.
pub async fn measure(quick: bool) -> Result<Vec<Row>> {
    let seconds = if quick { 3 } else { 8 };
    let rounds = if quick { 1 } else { 3 };
    let origin = Origin::with_config("[live]\nreconnect_timeout_s = 600\n").await?;
    let nginx = Nginx::start().await?;
    pin(origin.id())?;
    pin(nginx.id())?;
    let key = origin.create_key()?;
    let publisher = publish::ffmpeg_rtmp(&CLIP.file()?, &origin.rtmp_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), Duration::from_secs(15)).await?;
    player.play_seconds(8.0).await?;
    // The window stays as it is while its publisher is away: nothing else happens while serving is measured.
    publisher.stop()?;
    tokio::time::sleep(Duration::from_secs(1)).await;

    let playlist = player.url.clone();
    let listed = player.playlist.segments.iter().flat_map(|segment| &segment.parts);
    let mut part = (String::new(), 0_usize);
    for candidate in listed {
        let url = resolve(&playlist, &candidate.uri);
        let bytes = origin.client().fetch(&url).await?.len();
        if bytes.abs_diff(250_000) < part.1.abs_diff(250_000) {
            part = (url, bytes);
        }
    }
    let mut rows = Vec::new();
    for (what, url, must, aim) in [("parts", part.0, 0.6, 0.8), ("playlists", playlist, 0.9, 1.1)] {
        let body = origin.client().fetch(&url).await?;
        fs::write(nginx.www().join(what), &body)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(per_cpu_second(origin.id(), &url, seconds)?);
            theirs.push(per_cpu_second(nginx.id(), &nginx.url(what), seconds)?);
        }
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        rows.push(Row {
            what: format!("{what} of {:.1} KB served per CPU-second", body.len() as f64 / 1000.0),
            ours: format!("{ours:.0}"),
            reference: format!("nginx {theirs:.0}"),
            ratio: Some(ours / theirs),
            goal: format!("must {must}×, aim {aim}×"),
            verdict: Verdict::at_least(ours / theirs, must, Some(aim)),
        });
    }
    Ok(rows)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Keeps a process and its children on the servers' core.
fn pin(pid: u32) -> Result<()> {
    let pids = String::from_utf8(Command::new("pgrep").args(["-P", &pid.to_string()]).output()?.stdout)?;
    for pid in pids.split_whitespace().chain([pid.to_string().as_str()]) {
        let status =
            Command::new("taskset").args(["-a", "-c", "-p", SERVER_CORE, pid]).stdout(Stdio::null()).status()?;
        ensure!(status.success(), "taskset: {status}");
    }
    Ok(())
}

/// Requests answered per second of the server's CPU time.
fn per_cpu_second(server: u32, url: &str, seconds: u64) -> Result<f64> {
    let before = tree_cpu_time(server)?;
    let output = Command::new("taskset")
        .args(["-c", LOAD_CORE, "wrk", "--threads", "1", "--connections", CONNECTIONS])
        .args(["--duration", &format!("{seconds}s"), url])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start wrk")?;
    let cpu = (tree_cpu_time(server)? - before).as_secs_f64();
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && !text.contains("Non-2xx"), "wrk: {text}");
    let line = text.lines().find(|line| line.contains(" requests in ")).with_context(|| format!("wrk: {text}"))?;
    let requests: f64 = line.split_whitespace().next().context("a number of requests")?.parse()?;
    Ok(requests / cpu)
}
