//! npm's packages for the tests, at locked versions, and programs of ours that use them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::child::{self, Orphaned, Running};

use crate::browser;

const FILES: [(&str, &str); 2] = [
    ("package.json", include_str!("../fixtures/nostr_tools/package.json")),
    ("package-lock.json", include_str!("../fixtures/nostr_tools/package-lock.json")),
];
/// How long npm may take to fetch a few packages.
const NPM_PATIENCE: Duration = Duration::from_secs(120);
/// How long a program may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(2);
/// What a program does not say within this time is not said.
const LINE_PATIENCE: Duration = Duration::from_secs(30);
/// One test at a time looks whether the packages are there.
static INSTALLING: Mutex<()> = Mutex::new(());

/// The folder with the packages, which are fetched when they are not there at the locked versions.
///
/// # Errors
/// When npm fails.
pub fn packages() -> Result<PathBuf> {
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = browser::output_folder()?.join("nostr_tools");
    fs::create_dir_all(&folder)?;
    let is_there =
        |(name, text): &(&str, &str)| fs::read_to_string(folder.join(name)).is_ok_and(|found| found == *text);
    let stamp = folder.join("node_modules/.installed");
    if !FILES.iter().all(is_there) || !stamp.exists() {
        for (name, text) in FILES {
            fs::write(folder.join(name), text)?;
        }
        let mut npm = child::command("npm", Orphaned::Killed);
        npm.current_dir(&folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
        run("npm", &mut npm, NPM_PATIENCE)?;
        fs::write(stamp, "")?;
    }
    Ok(folder)
}

/// Runs a program to its end; answers what it wrote, a few lines.
///
/// # Errors
/// When it fails or takes too long.
pub fn run(name: &str, command: &mut Command, patience: Duration) -> Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::spawn(name, command, GRACE).with_context(|| format!("{name} cannot be started"))?;
    let status = running.wait(patience)?;
    let (mut output, mut errors) = (String::new(), String::new());
    if status.is_some() {
        // A few lines, which fit into the pipes.
        running.child().stdout.take().context("no output")?.read_to_string(&mut output)?;
        running.child().stderr.take().context("no errors")?.read_to_string(&mut errors)?;
    }
    let status = status.with_context(|| format!("{name} did not end within {patience:?}"))?;
    ensure!(status.success(), "{name} ended with {status}:\n{output}{errors}");
    Ok(output)
}

/// A program of ours for node that talks in lines of JSON; it ends when this is dropped.
#[derive(Debug)]
pub struct Script {
    running: Running,
    lines: Receiver<String>,
}

impl Script {
    /// Starts it, beside the packages.
    ///
    /// # Errors
    /// When node cannot be started.
    pub fn start(name: &str, source: &str, arguments: &[&str]) -> Result<Self> {
        let folder = packages()?;
        fs::write(folder.join(name), source)?;
        let mut node = child::command("node", Orphaned::Killed);
        node.current_dir(folder).arg(name).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::spawn(name, &mut node, Duration::ZERO)?;
        let stdout = running.child().stdout.take().context("no output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { running, lines })
    }

    /// What it says next.
    ///
    /// # Errors
    /// When it says nothing in time, or no JSON.
    pub fn hear(&self) -> Result<Value> {
        let line = self.lines.recv_timeout(LINE_PATIENCE).context("the program says nothing")?;
        serde_json::from_str(&line).with_context(|| format!("it says {line}"))
    }

    /// What it has said meanwhile.
    #[must_use]
    pub fn heard(&self) -> Vec<Value> {
        self.lines.try_iter().filter_map(|line| serde_json::from_str(&line).ok()).collect()
    }

    /// Tells it something.
    ///
    /// # Errors
    /// When it does not listen.
    pub fn tell(&mut self, line: &Value) -> Result<()> {
        let stdin = self.running.child().stdin.as_mut().context("it does not listen")?;
        Ok(writeln!(stdin, "{line}")?)
    }
}
