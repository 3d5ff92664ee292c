//! `cargo xtask bench` and `picture`: build in release, then hand over to the programs in `tests/`.

use std::process::Command;

use anyhow::Result;

use crate::{
    progress::{self, Progress},
    run, setup, tools,
};

/// Measures; the rows and options are the bench program's own.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    let mut program = prepare(setup::BENCH, "bench")?;
    let has_rows = arguments.iter().any(|argument| !argument.starts_with('-'));
    if !has_rows || arguments.iter().any(|argument| argument == "relay") {
        program.env("SKYLARK_NOSTR_RS_RELAY", tools::nostr_rs_relay()?);
    }
    progress::run(program.args(arguments))
}

/// Makes the picture of the README.
pub(crate) fn picture() -> Result<()> {
    let mut program = prepare(setup::TEST, "picture")?;
    progress::run(program.arg(progress::root().join("docs/viewer.png")))
}

/// A release origin with its site, and a program of the `e2e` package that knows where they are.
fn prepare(packages: &[&str], program: &str) -> Result<Command> {
    let mut progress = Progress::new(4);
    progress.step("Looking for the packages it needs");
    setup::packages(setup::RUN)?;
    // What drives it knows the Studio, too.
    setup::packages(setup::STUDIO)?;
    setup::packages(setup::STUDIO_BUILD)?;
    setup::packages(packages)?;
    progress.step("Building the viewer page");
    run::build_site()?;
    progress.step("Building the origin (release)");
    let origin = run::build_origin(true)?;
    progress.step("Building what drives it");
    progress::run(progress::cargo().args(["build", "--release", "--package", "e2e", "--bins"]))?;
    let mut command = Command::new(progress::target().join("release").join(program));
    command.env("SKYLARK_ORIGIN_BIN", origin).current_dir(progress::root());
    Ok(command)
}
