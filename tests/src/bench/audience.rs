//! Thousands of low-latency HLS viewers of one stream.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{Row, STREAM, Verdict, viewers::Report};
use crate::{hls::Player, origin::Origin, publish};

/// The origin on one core, the viewers (a process of its own) on the other.
///
/// # Errors
/// When the stream or the load does not work.
pub async fn measure(quick: bool) -> Result<Vec<Row>> {
    let (viewers, ramp_s, measured_s) = if quick { ("1000", "5", "8") } else { ("3000", "10", "30") };
    let origin = Origin::start().await?;
    let status = Command::new("taskset")
        .args(["-a", "-c", "-p", "0", &origin.id().to_string()])
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "taskset: {status}");
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&STREAM.file()?, &origin.rtmp_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), Duration::from_secs(15)).await?;
    player.play_seconds(5.0).await?;
    let path = player.url.split_once(&origin.http.to_string()).context("the playlist is the origin's")?.1.to_owned();
    let report = load(origin.http, &path, viewers, ramp_s, measured_s, origin.id()).await?;
    let per_core = report.viewers_per_core.context("the origin's CPU time was asked for")?;
    Ok(vec![
        Row {
            what: format!("LL-HLS viewers of one 2.6 Mbit/s stream per core ({viewers} at once)"),
            ours: format!("{per_core:.0}"),
            reference: format!("the load itself used {:.2} of its core", report.load_cores),
            ratio: None,
            goal: "must 5000, aim 8000".to_owned(),
            verdict: Verdict::at_least(per_core, 5000.0, Some(8000.0)),
        },
        Row {
            what: "… part announced to the first → whole with each".to_owned(),
            ours: format!("p50 {:.0} ms, p99 {:.0} ms", report.p50_ms, report.p99_ms),
            reference: String::new(),
            ratio: None,
            goal: "must p99 150 ms, aim 100 ms".to_owned(),
            verdict: Verdict::at_most(report.p99_ms, 150.0, Some(100.0)),
        },
        Row {
            what: "… errors, missed parts".to_owned(),
            ours: format!("{}, {} of {}", report.errors.len(), report.missed, report.received),
            reference: report.errors.first().cloned().unwrap_or_default(),
            ratio: None,
            goal: "must 0, 0".to_owned(),
            verdict: Verdict::at_most((report.errors.len() + report.missed) as f64, 0.0, None),
        },
    ])
}

async fn load(
    address: SocketAddr,
    path: &str,
    viewers: &str,
    ramp_s: &str,
    measured_s: &str,
    origin: u32,
) -> Result<Report> {
    let program = std::env::current_exe()?.with_file_name("viewers");
    let mut command = Command::new("taskset");
    command.args(["-c", "1"]).arg(program).args([&address.to_string(), path, viewers, ramp_s, measured_s]);
    command.arg(origin.to_string()).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = tokio::task::spawn_blocking(move || command.output()).await?.context("cannot start the viewers")?;
    ensure!(output.status.success(), "the viewers ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}
