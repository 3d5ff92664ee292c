//! `cargo xtask bench` and `picture`: build in release, then hand over to the programs in `tests/`.

use std::process::Command;

use anyhow::Result;

use crate::{
    progress::{self, Progress},
    run, setup, tools,
};

/// Measures; the rows and options are the bench program's own.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    let has_rows = arguments.iter().any(|argument| !argument.starts_with('-'));
    let asks_for = |row: &str| !has_rows || arguments.iter().any(|argument| argument.starts_with(row));
    let mut program = prepare(setup::BENCH, "bench", asks_for("studio"))?;
    if asks_for("relay") {
        program.env("SKYLARK_NOSTR_RS_RELAY", tools::nostr_rs_relay()?);
    }
    progress::run(program.args(arguments))
}

/// Makes the pictures of the README.
pub(crate) fn picture() -> Result<()> {
    let mut program = prepare(setup::TEST, "picture", true)?;
    progress::run(program.arg(progress::root().join("docs")))
}

/// A release origin with its site, the Studio if it is asked for, and a program of the `e2e` package that knows where they
/// are.
fn prepare(packages: &[&str], program: &str, with_studio: bool) -> Result<Command> {
    let mut progress = Progress::new(3);
    progress.step("Looking for the packages it needs");
    setup::packages(setup::RUN)?;
    // What drives it knows the Studio, too.
    setup::packages(setup::STUDIO)?;
    setup::packages(setup::STUDIO_BUILD)?;
    setup::packages(packages)?;
    if with_studio {
        setup::packages(setup::TEST)?;
    }
    progress.step("Building the pages");
    run::build_site()?;
    progress.step("Building what is measured and what drives it (release)");
    let mut cargo = progress::cargo();
    cargo.args(["build", "--release", "--bins", "--package", "e2e", "--package", "skylark-origin"]);
    if with_studio {
        cargo.args(["--package", "skylark", "--features", "skylark/custom-protocol"]);
    }
    progress::run(&mut cargo)?;
    let release = progress::target().join("release");
    let mut command = Command::new(release.join(program));
    command.env("SKYLARK_ORIGIN_BIN", release.join("skylark-origin")).current_dir(progress::root());
    if with_studio {
        command.env("SKYLARK_BIN", release.join("skylark")).env("SKYLARK_TAURI_DRIVER", tools::tauri_driver()?);
    }
    Ok(command)
}
