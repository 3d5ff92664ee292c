//! A test inside a desktop session of its own, with a real keychain (gnome-keyring) that is unlocked, locked or missing.
//!
//! The keychain is found by the environment, and a process has one: such a test starts itself once more, inside.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use tempfile::{NamedTempFile, TempDir};
use xtask::child::{self, Orphaned, Running};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/studio/with-keyring.sh");
/// How long a test inside may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// How the keychain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keychain {
    /// Keys can be kept.
    Unlocked,
    /// Nobody unlocks it.
    Locked,
    /// There is none.
    Missing,
}

/// Somebody's home, and the sessions in it, one after the other.
#[derive(Debug)]
pub struct Home(TempDir);

impl Home {
    /// An empty one.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn new() -> Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("skylark-home-").tempdir()?))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a test of this program, which is ignored otherwise, inside a session; answers what it printed.
    ///
    /// # Errors
    /// When it fails; the error is what it printed.
    pub fn run(&self, keychain: Keychain, test: &str, environment: &[(&str, &str)]) -> Result<String> {
        let state = match keychain {
            Keychain::Unlocked => "unlocked",
            Keychain::Locked => "locked",
            Keychain::Missing => "missing",
        };
        let cache = xtask::cache_folder().context("HOME is not set")?;
        let program = std::env::current_exe()?;
        let mut command = child::command(SCRIPT, Orphaned::Killed);
        command.arg(self.path()).arg(state).arg(program);
        command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
        // Clips and packages are not made anew in each home.
        command.env("XDG_CACHE_HOME", cache.parent().context("the cache is a root")?).envs(environment.iter().copied());
        let log = NamedTempFile::new()?;
        command.stdin(Stdio::null()).stdout(log.reopen()?).stderr(log.reopen()?);
        let mut running = Running::spawn(test, &mut command, Duration::ZERO)?;
        let ended = running.wait(PATIENCE)?;
        let said = String::from_utf8_lossy(&fs::read(log.path())?).into_owned();
        let status = ended.with_context(|| format!("{test} goes on for ever:\n{said}"))?;
        ensure!(status.success(), "{test} ended with {status}:\n{said}");
        ensure!(said.contains("1 passed"), "there is no test {test}:\n{said}");
        Ok(said)
    }

    /// The files in which one of these is found.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn files_with(&self, needles: &[&[u8]]) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    let content = fs::read(entry.path())?;
                    if needles.iter().any(|needle| has(&content, needle)) {
                        found.push(entry.path());
                    }
                }
            }
        }
        Ok(found)
    }
}

/// Whether bytes occur in others.
#[must_use]
pub fn has(content: &[u8], needle: &[u8]) -> bool {
    content.windows(needle.len()).any(|window| window == needle)
}
