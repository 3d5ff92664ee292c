//! `cargo xtask studio`: from a fresh clone to the Studio's window.

use std::path::PathBuf;

use anyhow::Result;
use xtask::child::{self, Orphaned};

use crate::{
    progress::{self, Progress},
    run, setup,
};

/// Builds the Studio, and the origin that it can start on this machine, and opens it. What follows on the command line is
/// given on to the Studio.
pub(crate) fn studio(arguments: &[String]) -> Result<()> {
    let mut progress = Progress::new(4);
    progress.step("Looking for the packages it needs");
    setup::packages(setup::RUN)?;
    setup::packages(setup::STUDIO)?;
    setup::packages(setup::STUDIO_BUILD)?;
    progress.step("Building its interface");
    run::build_site()?;
    progress.step("Building the Studio and the origin");
    let binary = build(false)?.join("skylark");
    progress.step("Opening the Studio");
    let mut command = child::command(&binary.to_string_lossy(), Orphaned::Terminated);
    progress::run(command.args(arguments))
}

/// Builds the Studio with its interface in it, and the origin; answers the folder with both.
pub(crate) fn build(release: bool) -> Result<PathBuf> {
    let mut cargo = progress::cargo();
    cargo.args(["build", "--package", "skylark", "--package", "skylark-origin"]);
    cargo.args(["--features", "skylark/custom-protocol"]);
    if release {
        cargo.arg("--release");
    }
    progress::run(&mut cargo)?;
    Ok(progress::target().join(if release { "release" } else { "debug" }))
}
