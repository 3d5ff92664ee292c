//! `cargo xtask test`: every check, one sum at the end.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use xtask::child::{self, Orphaned};

use crate::{
    progress::{self, Progress},
    run, setup, tools,
};

/// End-to-end tests that run side by side: each drives real programs in real time.
const E2E_THREADS: &str = "2";
/// Those that are run by themselves afterwards: beside others, two cores are too few to say something of single frames.
const ALONE: &str = "studio_viewer";

/// The Studio brings its pages along. In every command: cargo would build dependencies anew for another choice.
const EMBEDDED: [&str; 2] = ["--features", "skylark/custom-protocol"];

/// What was counted so far.
#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    failures: Vec<String>,
}

impl Tally {
    fn pass(&mut self) {
        self.passed += 1;
    }

    fn fail(&mut self, what: &str) {
        self.failed += 1;
        self.failures.push(what.to_owned());
    }

    /// A check that counts as one.
    fn check(&mut self, what: &str, outcome: Result<()>) -> bool {
        match outcome {
            Ok(()) => self.pass(),
            Err(error) => {
                eprintln!("{what}: {error:#}");
                self.fail(what);
                return false;
            }
        }
        true
    }

    /// One line of a test runner's output.
    fn read(&mut self, line: &str) -> bool {
        let line = plain(line);
        if let Some(test) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.push(test.to_owned());
        }
        let Some(counts) = line.strip_prefix("test result: ") else { return false };
        let count = |name: &str| {
            counts.split("; ").find_map(|field| field.strip_suffix(name)?.rsplit(' ').next()?.parse::<u64>().ok())
        };
        self.passed += count(" passed").unwrap_or(0);
        self.failed += count(" failed").unwrap_or(0);
        true
    }
}

/// A line without terminal colours.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\x1b' {
            // Up to the letter that ends the sequence.
            let _ = characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            text.push(character);
        }
    }
    text
}

/// Where property tests begin.
const PROPERTY_SEED: &str = "20261121";

/// Everything, or (with a filter) only the end-to-end tests of that name.
pub(crate) fn test(filter: Option<&str>) -> Result<()> {
    let mut tally = Tally::default();
    let mut progress = Progress::new(if filter.is_some() { 4 } else { 9 });
    progress.step("Looking for the packages it needs");
    setup::packages(setup::RUN)?;
    setup::packages(setup::STUDIO)?;
    setup::packages(setup::STUDIO_BUILD)?;
    setup::packages(setup::TEST)?;
    if filter.is_none() {
        progress.step("Formatting");
        tally.check("formatting", progress::run(progress::cargo().args(["fmt", "--all", "--check"])));
        progress.step("Licences, bans and sources of dependencies");
        tally.check("dependencies", dependencies());
    }
    progress.step("Building the viewer page");
    let site = tally.check("viewer page", run::build_site());
    if filter.is_none() {
        progress.step("Lints");
        let mut clippy = progress::cargo();
        clippy.args(["clippy", "--workspace", "--all-targets"]).args(EMBEDDED).args(["--", "-D", "warnings"]);
        tally.check("lints", progress::run(&mut clippy));
    }
    progress.step("Building everything");
    // The whole workspace at once, as below: cargo would build dependencies anew for another choice of packages.
    let built = tally.check("build", progress::run(progress::cargo().args(["build", "--workspace"]).args(EMBEDDED)));
    if filter.is_none() {
        progress.step("Unit tests");
        let mut unit = progress::cargo();
        unit.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--test", "serve", "--test", "capture"])
            .args(EMBEDDED);
        // The same cases in every run, so that a failure belongs to the change that is tested; fuzzing looks for new ones.
        unit.env("PROPTEST_RNG_SEED", PROPERTY_SEED);
        count(&mut tally, "unit tests", &mut unit)?;
        progress.step("Documentation tests");
        let mut doc = progress::cargo();
        doc.args(["test", "--workspace", "--no-fail-fast", "--doc"]).args(EMBEDDED);
        count(&mut tally, "documentation tests", &mut doc)?;
    }
    progress.step("End-to-end and browser tests");
    if site && built {
        let all = ["--test-threads", E2E_THREADS, "--skip", ALONE];
        match filter {
            Some(filter) => count(&mut tally, "end-to-end tests", &mut end_to_end(&[&all[..2], &[filter]].concat())?)?,
            None => {
                count(&mut tally, "end-to-end tests", &mut end_to_end(&all)?)?;
                count(&mut tally, "end-to-end tests by themselves", &mut end_to_end(&["--test-threads", "1", ALONE])?)?;
            }
        }
    } else {
        tally.fail("end-to-end tests: not run, because the build failed");
    }
    finish(&tally)
}

/// End-to-end tests, told where the server's binary is. They die with this process.
fn end_to_end(choice: &[&str]) -> Result<Command> {
    let origin = progress::target().join("debug/skylark-origin");
    let studio = progress::target().join("debug/skylark");
    let cargo = std::env::var("CARGO").context("CARGO is not set: start this as `cargo xtask test`")?;
    let mut command = child::command(&cargo, Orphaned::Terminated);
    progress::forget_package(command.current_dir(progress::root()));
    command.args(["test", "--workspace", "--test", "e2e"]).args(EMBEDDED).arg("--").args(choice);
    // What went wrong, not the way of the error through the runtime, which would hide it in a long log.
    command.env("RUST_LIB_BACKTRACE", std::env::var_os("RUST_LIB_BACKTRACE").unwrap_or_else(|| "0".into()));
    command.env("SKYLARK_NOSTR_RELAY", tools::nostr_relay()?);
    command.env("SKYLARK_BIN", studio).env("SKYLARK_TAURI_DRIVER", tools::tauri_driver()?);
    command.env("SKYLARK_ORIGIN_BIN", origin).env("SKYLARK_E2E_OUTPUT", progress::target().join("e2e"));
    Ok(command)
}

/// Bans, licences and sources always; known vulnerabilities where their database can be reached.
fn dependencies() -> Result<()> {
    let deny = tools::cargo_deny()?;
    let check = |what: &[&str]| {
        let mut command = Command::new(&deny);
        command.current_dir(progress::root()).args(["--log-level", "error", "check"]).args(what);
        command
    };
    progress::run(&mut check(&["bans", "licenses", "sources"]))?;
    if !advisories_reachable(&deny) {
        eprintln!("      the advisory database cannot be reached: advisories not checked");
        return Ok(());
    }
    progress::run(&mut check(&["advisories"]))
}

fn advisories_reachable(deny: &Path) -> bool {
    let mut fetch = Command::new(deny);
    fetch.current_dir(progress::root()).args(["--log-level", "off", "fetch", "db"]);
    fetch.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs a test runner, shows what it prints and counts the results in it.
fn count(tally: &mut Tally, what: &str, command: &mut Command) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start the {what}"))?;
    let stdout = child.stdout.take().context("the test runner's output was asked for")?;
    let failed_before = tally.failed;
    let mut results = 0;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        println!("{line}");
        results += u64::from(tally.read(&line));
    }
    let status = child.wait()?;
    let counted_failures = tally.failed > failed_before;
    if !status.success() && !counted_failures {
        tally.fail(&format!("{what}: ended with {status}"));
    } else if results == 0 {
        tally.fail(&format!("{what}: no result"));
    }
    Ok(())
}

fn finish(tally: &Tally) -> Result<()> {
    for failure in &tally.failures {
        println!("failed: {failure}");
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    std::io::stdout().flush()?;
    if tally.failed > 0 {
        bail!("{} failed", tally.failed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_runners_are_added_up() {
        let mut tally = Tally::default();
        let output = "running 2 tests\ntest rtmp::plays ... FAILED\n\
            test result: \x1b[31mFAILED\x1b[0m. 11 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
            test result: \x1b[32mok\x1b[0m. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        let results = output.lines().filter(|line| tally.read(line)).count();
        assert_eq!((results, tally.passed, tally.failed), (2, 16, 1));
        assert_eq!(tally.failures, ["rtmp::plays"]);
    }
}
