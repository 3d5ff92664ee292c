//! A Rust compiler for WebAssembly.
//!
//! With rustup's servers at hand that is the workspace's own toolchain plus one target. Where they cannot be reached,
//! Debian's archive carries a newer compiler with the sources of its standard library. As an installed package it
//! conflicts with rustup, so it is only unpacked into the cache, and the standard library is built from the sources.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{progress, run};

/// The target that browsers run.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler, its host standard library and the sources for the wasm one. The first two depend on a package
/// that carries the version in its name, which is why [`versioned_library`] asks for it.
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "libstd-rust-web-dev", "rust-web-src"];

/// How to compile for [`TARGET`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiler {
    /// The workspace's toolchain has the target.
    Rustup,
    /// Debian's compiler, unpacked here.
    Debian {
        /// Root of the unpacked packages.
        root: PathBuf,
        /// Its wasm linker.
        linker: PathBuf,
    },
}

impl Compiler {
    /// A cargo command that compiles with it.
    #[must_use]
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // What belongs to the build of this program must not leak into another compiler's.
        for name in
            ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR"]
        {
            command.env_remove(name);
        }
        if let Self::Debian { root, linker } = self {
            command
                .env("RUSTC", root.join("usr/bin/rustc"))
                .env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"))
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        command
    }
}

/// Finds a compiler, installing one if there is none yet.
///
/// # Errors
/// Neither rustup nor Debian's archive gave one.
pub fn find(cache: &Path) -> Result<Compiler> {
    if toolchain_has_target() {
        return Ok(Compiler::Rustup);
    }
    let unpacked = cache.join("rust-web");
    if unpacked.join("usr/bin/rustc").exists() {
        return debian(unpacked);
    }
    progress(&format!("adding the target {TARGET}"));
    let added =
        Command::new("rustup").args(["target", "add", TARGET]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if added.is_ok_and(|status| status.success()) && toolchain_has_target() {
        return Ok(Compiler::Rustup);
    }
    progress("rustup has no target to give here: fetching Debian's compiler for the web");
    unpack_debian(&unpacked).with_context(|| {
        format!("no compiler for {TARGET}: `rustup target add {TARGET}` failed, and so did Debian's rustc-web")
    })?;
    debian(unpacked)
}

fn toolchain_has_target() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

fn debian(root: PathBuf) -> Result<Compiler> {
    let linker = match wasm_linker() {
        Some(linker) => linker,
        None => {
            let llvm = llvm_version(&root)?;
            progress(&format!("installing LLVM {llvm} and its wasm linker"));
            install(&[&format!("libllvm{llvm}"), &format!("lld-{llvm}")])?;
            wasm_linker().context("lld was installed but brought no wasm-ld")?
        }
    };
    Ok(Compiler::Debian { root, linker })
}

/// The newest `/usr/bin/wasm-ld-N`.
fn wasm_linker() -> Option<PathBuf> {
    let names = fs::read_dir("/usr/bin").ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let newest = names.filter_map(|name| name.strip_prefix("wasm-ld-")?.parse::<u32>().ok()).max()?;
    Some(format!("/usr/bin/wasm-ld-{newest}").into())
}

/// The LLVM that the unpacked compiler was linked with, from the name of the library it looks for.
fn llvm_version(root: &Path) -> Result<String> {
    let output = Command::new("ldd")
        .arg(root.join("usr/bin/rustc"))
        .env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"))
        .output()
        .context("starting ldd")?;
    let listing = String::from_utf8_lossy(&output.stdout);
    listing
        .split("libLLVM.so.")
        .nth(1)
        .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next())
        .filter(|version| !version.is_empty())
        .map(str::to_owned)
        .context("the unpacked compiler does not say which LLVM it needs")
}

fn install(packages: &[&str]) -> Result<()> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0"));
    let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
    if !root {
        command.args(["-n", "apt-get"]);
    }
    command
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    run(&mut command)
}

/// Downloads the packages into a folder beside `destination`, unpacks them there and moves the result into place, so
/// that an interrupted run leaves nothing half done behind.
fn unpack_debian(destination: &Path) -> Result<()> {
    let parent = destination.parent().context("the cache folder has a parent")?;
    let work = parent.join(format!("rust-web.{}", std::process::id()));
    let root = work.join("root");
    fs::create_dir_all(&root).with_context(|| format!("creating {}", root.display()))?;
    let result = (|| {
        let library = versioned_library()?;
        run(Command::new("apt-get")
            .args(["download", "-qq", "-o", "APT::Sandbox::User=root"])
            .args(DEBIAN_PACKAGES)
            .arg(library)
            .current_dir(&work))?;
        let mut unpacked = 0;
        for entry in fs::read_dir(&work)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                run(Command::new("dpkg").arg("-x").arg(&path).arg(&root))?;
                unpacked += 1;
            }
        }
        ensure!(unpacked == DEBIAN_PACKAGES.len() + 1, "{unpacked} packages arrived");
        if fs::rename(&root, destination).is_err() && !destination.join("usr/bin/rustc").exists() {
            bail!("cannot move the compiler to {}", destination.display());
        }
        Ok(())
    })();
    fs::remove_dir_all(&work).ok();
    result
}

/// The package with the compiler's host library: `libstd-rust-web-1.96` today.
fn versioned_library() -> Result<String> {
    let output =
        Command::new("apt-cache").args(["depends", "libstd-rust-web-dev"]).output().context("starting apt-cache")?;
    let listing = String::from_utf8_lossy(&output.stdout);
    listing
        .split_whitespace()
        .find(|word| {
            word.strip_prefix("libstd-rust-web-").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(str::to_owned)
        .context("apt knows no libstd-rust-web-dev; its lists may be old (apt-get update)")
}
