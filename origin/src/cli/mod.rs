//! The command line.
//!
//! | module | what |
//! |---|---|
//! | `serve` | the server: log, signals, limits of the process |
//! | `key` | create, list, revoke |
//! | `owner` | whom the server belongs to |
//! | [`crate::check`] | is this machine fit for it? |

mod key;
mod owner;
mod serve;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};

use crate::{
    check,
    config::{self, Config, ConfigError, ListenAddr},
};

/// Skylark's origin: RTMP and SRT in, low-latency HLS out.
#[derive(Debug, Parser)]
#[command(name = "skylark-origin", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Takes publishers and serves viewers.
    Serve {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        settings: Settings,
    },
    /// Stream keys: who may publish. Works while the server runs.
    #[command(subcommand)]
    Key(key::KeyCommand),
    Owner(owner::OwnerCommand),
    /// Says whether this machine is fit for the server: ports, clock, disk, file limit, UDP buffer.
    Check {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        settings: Settings,
    },
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Prints the configuration in force, as a file that can be used as one.
    Print {
        #[command(flatten)]
        settings: Settings,
    },
}

/// The folder with everything the server keeps.
#[derive(Debug, Args)]
struct Data {
    /// Folder for the database and the live media; created if it is not there.
    #[arg(long, value_name = "DIR", env = "SKYLARK_DATA", default_value = "data")]
    data: PathBuf,
}

/// Settings that flags can override.
#[derive(Debug, Args)]
struct Settings {
    /// Configuration file (TOML). Flags win over SKYLARK_… variables, and those over the file.
    #[arg(long, value_name = "FILE", env = "SKYLARK_CONFIG")]
    config: Option<PathBuf>,
    /// Where to serve viewers: :8080 for all addresses of this machine, or 127.0.0.1:8080; port 0 lets the system choose.
    #[arg(long, value_name = "ADDR")]
    http: Option<ListenAddr>,
    /// Where to take RTMP publishers.
    #[arg(long, value_name = "ADDR")]
    rtmp: Option<ListenAddr>,
    /// Where to take SRT publishers.
    #[arg(long, value_name = "ADDR")]
    srt: Option<ListenAddr>,
}

impl Settings {
    fn config(&self) -> Result<Config, ConfigError> {
        let text = match &self.config {
            None => None,
            Some(path) => {
                Some(std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.clone(), source })?)
            }
        };
        let file = self.config.as_deref().zip(text.as_deref());
        // A variable that is not UTF-8 cannot be one of ours.
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let mut config = config::parse(file, environment)?;
        for (flag, addr) in
            [(self.http, &mut config.http.addr), (self.rtmp, &mut config.rtmp.addr), (self.srt, &mut config.srt.addr)]
        {
            if let Some(flag) = flag {
                *addr = flag;
            }
        }
        config.check()?;
        Ok(config)
    }
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// When it cannot be done; the error is for the person at the terminal.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Serve { data, settings } => serve::serve(&settings.config()?, &data.data),
            Command::Key(command) => command.run(),
            Command::Owner(command) => command.run(),
            Command::Check { data, settings } => check::run(&settings.config()?, &data.data),
            Command::Config(ConfigCommand::Print { settings }) => {
                print!("{}", settings.config()?.to_toml().context("the configuration cannot be printed")?);
                Ok(())
            }
        }
    }
}
