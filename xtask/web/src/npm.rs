//! The packages from npm.

use std::{fs, process::Command};

use anyhow::{Context, Result};

use crate::{Workspace, progress, run};

/// Installs `ui/node_modules` at the locked versions, unless they are there already.
///
/// # Errors
/// npm is missing or failed.
pub fn install(workspace: &Workspace) -> Result<()> {
    let ui = workspace.ui();
    let wanted = fs::read(ui.join("package-lock.json")).context("reading ui/package-lock.json")?;
    let stamp = ui.join("node_modules/.skylark-lock");
    if fs::read(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    progress("installing npm packages");
    run(Command::new("npm").current_dir(&ui).args([
        "ci",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--loglevel=error",
    ]))
    .context("npm is needed to build the site (Debian: apt install nodejs npm)")?;
    fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))
}
