//! `skylark-origin serve`: the server's process.

use std::{io::IsTerminal as _, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    config::{Config, Log, LogFormat},
    process,
};

/// Threads that may block (database, disk) at once.
const BLOCKING_THREADS: usize = 16;
/// An idle blocking thread ends after so long.
const BLOCKING_KEEP_ALIVE: Duration = Duration::from_secs(5);

pub(super) fn serve(config: &Config, data: &Path) -> Result<()> {
    process::keep_media_apart();
    start_log(&config.log)?;
    process::forbid_core_dumps();
    process::raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(BLOCKING_KEEP_ALIVE)
        .thread_name("skylark")
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
        let origin = crate::start(config, data).await?;
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping: SIGTERM"),
            _ = interrupt.recv() => tracing::info!("stopping: SIGINT"),
        }
        tokio::select! {
            () = origin.stop() => tracing::info!("stopped"),
            _ = terminate.recv() => tracing::warn!("stopped at once: second SIGTERM"),
            _ = interrupt.recv() => tracing::warn!("stopped at once: second SIGINT"),
        }
        Ok(())
    })
}

/// Logs to the standard error stream. `RUST_LOG` wins over the configured level.
fn start_log(log: &Log) -> Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::try_new(directives).context("RUST_LOG")?,
        _ => EnvFilter::try_new(&log.level).context("log.level")?,
    };
    let registry = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Text => {
            let ansi =
                std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            registry.with(fmt::layer().with_writer(std::io::stderr).with_ansi(ansi)).try_init()?;
        }
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()?
        }
    }
    Ok(())
}
