//! Events verified, stored and answered per CPU-second, beside nostr-rs-relay with the same events.

use std::{fs, net::TcpListener, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, Result};
use nostr::{Event, Keys, ToBech32 as _};
use tempfile::TempDir;
use tokio::task::JoinSet;
use xtask::child::{self, Orphaned, Running};

use super::{Row, Verdict, chat, process::cpu_time};
use crate::{
    origin::Origin,
    relay_client::{RelayClient, event, keys},
    wait,
};

/// Clients at once; each sends an event when the one before it was answered.
const CLIENTS: usize = 100;
/// Live events that the messages are about.
const LIVE_EVENTS: usize = 40;
const START_PATIENCE: Duration = Duration::from_secs(10);

/// The same events, first ours, then theirs.
///
/// # Errors
/// When one of them does not take an event.
pub async fn measure(quick: bool) -> Result<Vec<Row>> {
    let count = if quick { 2000 } else { 12_000 };
    let host = keys(1)?;
    let events = chat::messages(&host.public_key(), LIVE_EVENTS, count)?;
    let origin = Origin::with_config(&format!("[relay]\nhosts = [\"{}\"]\n", host.public_key().to_bech32()?)).await?;
    let ours = per_cpu_second(origin.id(), &format!("ws://{}/", origin.http), &host, &events).await?;
    drop(origin);
    let other = NostrRsRelay::start().await?;
    let theirs = per_cpu_second(other.running.id(), &other.url, &host, &events).await?;
    let ratio = ours / theirs;
    Ok(vec![Row {
        what: format!("events verified, stored and answered per CPU-second ({count}, {CLIENTS} clients)"),
        ours: format!("{ours:.0}"),
        reference: format!("nostr-rs-relay 0.8.12: {theirs:.0}"),
        ratio: Some(ratio),
        goal: "must 1.5×, aim 3×".to_owned(),
        verdict: Verdict::at_least(ratio, 1.5, Some(3.0)),
    }])
}

async fn per_cpu_second(pid: u32, url: &str, host: &Keys, events: &[Event]) -> Result<f64> {
    let mut client = RelayClient::connect(url).await?;
    for number in 0..LIVE_EVENTS {
        let identifier = format!("bench-{number}");
        client.publish(&event(host, 30311, &[&["d", &identifier], &["status", "live"]], "")?).await?;
    }
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(RelayClient::connect(url).await?);
    }
    let before = cpu_time(pid)?;
    let mut tasks = JoinSet::new();
    for (mut client, events) in clients.into_iter().zip(events.chunks(events.len().div_ceil(CLIENTS))) {
        let events = events.to_vec();
        tasks.spawn(async move {
            for event in &events {
                client.publish(event).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let used = cpu_time(pid)?.saturating_sub(before);
    Ok(events.len() as f64 / used.as_secs_f64())
}

/// The relay that ours is compared with, as it comes, on a database of its own.
struct NostrRsRelay {
    running: Running,
    url: String,
    _folder: TempDir,
}

impl NostrRsRelay {
    async fn start() -> Result<Self> {
        let binary: PathBuf = std::env::var_os("SKYLARK_NOSTR_RS_RELAY")
            .context("SKYLARK_NOSTR_RS_RELAY is not set: run `cargo xtask bench relay`")?
            .into();
        let folder = tempfile::Builder::new().prefix("skylark-nostr-rs-relay-").tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let config = folder.path().join("config.toml");
        fs::write(&config, format!("[network]\naddress = \"127.0.0.1\"\nport = {port}\n"))?;
        let mut command = child::command(binary.to_str().context("a path is text")?, Orphaned::Killed);
        command.arg("--config").arg(&config).arg("--db").arg(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).env("RUST_LOG", "warn");
        let running = Running::spawn("nostr-rs-relay", &mut command, Duration::from_secs(2))?;
        let url = format!("ws://127.0.0.1:{port}/");
        wait::until("nostr-rs-relay answers", START_PATIENCE, async || RelayClient::connect(&url).await.ok()).await?;
        Ok(Self { running, url, _folder: folder })
    }
}
