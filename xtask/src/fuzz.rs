//! `cargo xtask fuzz`: the targets of `fuzz/` under cargo-fuzz, which needs nightly Rust.

use std::{
    fs,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{progress, tools};

/// cargo-fuzz's version.
const CARGO_FUZZ: &str = "0.13.1";
/// How long a target runs when nothing is said, seconds.
const DEFAULT_SECONDS: &str = "60";

/// One target, or all in turn, for a number of seconds each.
pub(crate) fn fuzz(arguments: &[String]) -> Result<()> {
    let known = targets()?;
    let seconds = arguments.iter().find(|argument| argument.parse::<u32>().is_ok());
    let seconds = seconds.map_or(DEFAULT_SECONDS, String::as_str);
    let chosen: Vec<&String> = arguments.iter().filter(|argument| argument.parse::<u32>().is_err()).collect();
    if let Some(unknown) = chosen.iter().find(|name| !known.contains(name)) {
        bail!("there is no fuzz target `{unknown}`; there are {}", known.join(", "));
    }
    let has_nightly = Command::new("rustup")
        .args(["run", "nightly", "rustc", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_nightly {
        bail!(
            "fuzzing needs nightly Rust: `rustup toolchain install nightly` (the tests run the same bodies on stable)"
        );
    }
    let folder = xtask::cache_folder().context("HOME is not set")?.join(format!("tools/cargo-fuzz-{CARGO_FUZZ}"));
    if !folder.join("bin/cargo-fuzz").is_file() {
        eprintln!("installing cargo-fuzz {CARGO_FUZZ}, once");
        tools::install("cargo-fuzz", CARGO_FUZZ, &folder, tools::Lock::Kept)?;
    }
    let targets = if chosen.is_empty() { known.iter().collect() } else { chosen };
    for target in targets {
        eprintln!("fuzzing {target} for {seconds} s");
        let mut command = Command::new("rustup");
        command.args(["run", "nightly"]).arg(folder.join("bin/cargo-fuzz"));
        command.args(["fuzz", "run", target, "--", &format!("-max_total_time={seconds}")]);
        // The environment of the stable cargo that started this would win over rustup's choice.
        for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR"] {
            command.env_remove(variable);
        }
        command.current_dir(progress::root());
        progress::run(&mut command)?;
    }
    Ok(())
}

/// The names of the files in `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>> {
    let folder = progress::root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}
