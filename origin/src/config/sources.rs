//! A file's text and the environment, merged; errors that say where.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Config, OutOfRange};

/// `SKYLARK_HTTP_ADDR` sets `http.addr`, and so on.
pub const ENV_PREFIX: &str = "SKYLARK_";
/// Sections that the environment can set. Other `SKYLARK_…` variables are not ours.
const SECTIONS: [&str; 11] =
    ["http", "rtmp", "srt", "hls", "live", "limits", "relay", "discovery", "api", "store", "log"];

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file's text is wrong. Never shows the line itself: it may hold what was meant to be secret.
    #[error("{path}, line {line}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// An environment variable is wrong.
    #[error("{variable}: {reason}")]
    Environment {
        /// Its name.
        variable: String,
        /// What is wrong.
        reason: String,
    },
    /// A value cannot work.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// Reads a configuration: defaults, then the file (its path is only for errors), then `SKYLARK_…` variables.
/// [`Config::check`] is left to the caller, who may override more.
///
/// # Errors
/// When something is unknown, of the wrong type, or no TOML.
pub fn parse(
    file: Option<(&Path, &str)>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let (mut config, mut table) = match file {
        None => (Config::default(), Table::new()),
        Some((path, text)) => {
            let wrong = |error: toml::de::Error| ConfigError::File {
                path: path.to_owned(),
                line: line(text, error.span().map_or(0, |span| span.start)),
                reason: error.message().to_owned(),
            };
            (toml::from_str(text).map_err(wrong)?, text.parse().map_err(wrong)?)
        }
    };
    for (variable, text) in environment {
        let Some((section, name)) = setting(&variable) else { continue };
        config = set(&mut table, section, &name, &text)
            .map_err(|reason| ConfigError::Environment { variable: variable.clone(), reason })?;
    }
    Ok(config)
}

/// Section and name that a variable sets.
fn setting(variable: &str) -> Option<(&'static str, String)> {
    let (section, name) = variable.strip_prefix(ENV_PREFIX)?.split_once('_')?;
    let section = SECTIONS.into_iter().find(|known| known.eq_ignore_ascii_case(section))?;
    Some((section, name.to_ascii_lowercase()))
}

/// Sets one value, as a number or truth value if the setting takes one, otherwise as a text.
fn set(table: &mut Table, section: &str, name: &str, text: &str) -> Result<Config, String> {
    let plain = text.parse().map(Value::Integer).or_else(|_| text.parse().map(Value::Boolean)).ok();
    let mut reason = String::new();
    for value in plain.into_iter().chain([Value::String(text.to_owned())]) {
        let mut changed = table.clone();
        let entry = changed.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(entries) = entry {
            entries.insert(name.to_owned(), value);
        }
        match changed.clone().try_into() {
            Ok(config) => {
                *table = changed;
                return Ok(config);
            }
            Err(error) if reason.is_empty() => reason = error.message().to_owned(),
            Err(_) => {}
        }
    }
    Err(reason)
}

fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
