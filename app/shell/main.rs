//! Skylark Studio.

// No console window beside the Studio's own on Windows.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser;
use skylark_protocol::api::StreamDetails;
use skylark_studio::{
    broadcast::RECONNECT_TIMEOUT_S,
    headless::{self, Options},
    studio::Folders,
};

/// Skylark Studio: live streaming that the streamer owns. Without arguments it opens its window.
#[derive(Debug, Parser)]
#[command(name = "skylark", version)]
struct Arguments {
    /// Opens no window: composes, and does what the other options say, with the scenes of this file.
    #[arg(long, value_name = "SCENES.json")]
    headless: Option<PathBuf>,
    #[command(flatten)]
    headless_options: HeadlessOptions,
}

#[derive(Debug, clap::Args)]
struct HeadlessOptions {
    /// Makes a stream and goes live, as the identity that was used last.
    #[arg(long, requires = "headless")]
    go_live: bool,
    /// Title of the stream.
    #[arg(long, requires = "go_live", default_value = "Live")]
    title: String,
    /// Category of the stream.
    #[arg(long, requires = "go_live", default_value = "")]
    category: String,
    /// A tag of the stream; may be given several times.
    #[arg(long = "tag", requires = "go_live")]
    tags: Vec<String>,
    /// Streams to this origin instead of the one that was used last.
    #[arg(long, requires = "go_live", value_name = "URL")]
    origin: Option<String>,
    /// Streams to an origin that is started on this machine.
    #[arg(long, requires = "go_live", conflicts_with = "origin")]
    built_in_origin: bool,
    /// Records from the beginning.
    #[arg(long, requires = "headless")]
    record: bool,
    /// Ends after so many seconds.
    #[arg(long, requires = "headless", value_name = "SECONDS")]
    duration: Option<u64>,
    /// Prints a line of JSON every second.
    #[arg(long, requires = "headless")]
    report: bool,
    /// Makes live pictures as for a window, to measure what they cost.
    #[arg(long, requires = "headless")]
    watch: bool,
    /// Keeps identities, settings and recordings here instead of the user's folders.
    #[arg(long, requires = "headless", value_name = "FOLDER")]
    data: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    skylark_shell::start_log();
    match arguments.headless {
        Some(scene) => run_headless(scene, arguments.headless_options),
        None => skylark_shell::run(),
    }
}

fn run_headless(scene: PathBuf, given: HeadlessOptions) -> Result<()> {
    let folders = match given.data {
        Some(data) => Folders { videos: data.clone(), data },
        None => Folders::of_this_user()?,
    };
    let details = StreamDetails {
        title: given.title,
        category: given.category,
        tags: given.tags,
        reconnect_timeout_s: RECONNECT_TIMEOUT_S,
        ..StreamDetails::default()
    };
    let options = Options {
        scene,
        folders,
        live: given.go_live.then_some(details),
        origin: if given.built_in_origin { Some(String::new()) } else { given.origin },
        push_url: std::env::var(headless::PUSH_URL).ok(),
        records: given.record,
        duration: given.duration.map(Duration::from_secs),
        reports: given.report,
        watches: given.watch,
    };
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let stop = stop_signal().context("cannot listen for Ctrl-C")?;
        headless::run(options, stop).await?;
        Ok(())
    })
}

/// Ready when somebody wants this to end.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ready when somebody wants this to end.
#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without Ctrl-C it ends by its other ways.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
