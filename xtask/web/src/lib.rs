//! Builds the viewer site into `ui/dist`.
//!
//! | module | part |
//! |---|---|
//! | [`compiler`] | finds or fetches a compiler for `wasm32-unknown-unknown` |
//! | [`npm`] | hls.js and the style compilers, at the versions of `ui/package-lock.json` |
//! | [`bundle`] | wasm glue, hashed names, pages, compressed copies |
//! | [`inputs`] | content hash of everything that the result depends on |
//!
//! [`build`] runs them in order and does nothing when the inputs are those of the last run.

pub mod bundle;
pub mod compiler;
pub mod inputs;
pub mod npm;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result, bail};

/// Where things are and go.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Root of the repository.
    pub root: PathBuf,
    /// Compilers and build products that survive a fresh clone.
    pub cache: PathBuf,
}

impl Workspace {
    /// The workspace in which cargo runs this (clones may share what they build); the cache is `$SKYLARK_CACHE`, else `~/.cache/skylark`.
    ///
    /// # Errors
    /// No home folder to put the cache into.
    pub fn locate() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root =
            Path::new(&package).ancestors().nth(2).context("xtask/web lies two folders below the workspace root")?;
        let cache = match std::env::var_os("SKYLARK_CACHE") {
            Some(folder) => PathBuf::from(folder),
            None => std::env::home_dir()
                .context("no home folder: set SKYLARK_CACHE to a folder for compilers and build products")?
                .join(".cache/skylark"),
        };
        Ok(Self { root: root.to_owned(), cache })
    }

    /// The crate with the site's sources.
    #[must_use]
    pub fn ui(&self) -> PathBuf {
        self.root.join("ui")
    }

    /// What the origin embeds.
    #[must_use]
    pub fn dist(&self) -> PathBuf {
        self.root.join("ui/dist")
    }
}

/// Builds the site unless `ui/dist` already holds the result for the present sources.
///
/// # Errors
/// A step failed; the error names it.
pub fn build(workspace: &Workspace) -> Result<()> {
    let started = Instant::now();
    let stamp = workspace.dist().join(".stamp");
    let hash = inputs::hash(&workspace.root)?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == hash) {
        progress("site is up to date");
        return Ok(());
    }
    npm::install(workspace)?;
    let compiler = compiler::find(&workspace.cache)?;
    let programs = compile(workspace, &compiler)?;
    progress("styles and assets");
    let site = bundle::assemble(workspace, &programs)?;
    site.write(&workspace.dist())?;
    fs::write(&stamp, &hash).with_context(|| format!("writing {}", stamp.display()))?;
    for line in site.report() {
        progress(&line);
    }
    progress(&format!("site built in {:.1} s", started.elapsed().as_secs_f32()));
    Ok(())
}

/// What makes the program smaller by a tenth: views without their types (as many copies of the same code), no places of
/// the source in what only a panic would say, no `Debug`, and SHA-256 as a loop. The middle two are unstable options, which change nothing
/// else; stable compilers take them when told to.
const SMALLER: &str =
    "--cfg=erase_components --cfg=sha2_backend_soft=\"compact\" -Zlocation-detail=none -Zfmt-debug=none";

/// Compiles the programs, and answers in which folder they lie.
fn compile(workspace: &Workspace, compiler: &compiler::Compiler) -> Result<PathBuf> {
    progress("compiling the site to WebAssembly (minutes the first time, seconds afterwards)");
    let target = workspace.cache.join("wasm-target");
    let mut command = compiler.cargo();
    command
        .current_dir(&workspace.root)
        .args(["build", "--profile", "web", "--package", "skylark-ui"])
        .args(bundle::PROGRAMS.iter().flat_map(|program| ["--bin", program]))
        .args(["--target", compiler::TARGET, "--locked", "--target-dir"])
        .arg(&target)
        .env("RUSTFLAGS", SMALLER)
        .env("RUSTC_BOOTSTRAP", "1");
    run(&mut command)?;
    Ok(target.join(compiler::TARGET).join("web"))
}

/// One line about what happens now, for the person who waits.
pub(crate) fn progress(line: &str) {
    eprintln!("     web  {line}");
}

/// Runs a program to its end with its output passed through.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("starting {program}"))?;
    if !status.success() {
        let arguments: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        bail!("`{program} {}` failed: {status}", arguments.join(" "));
    }
    Ok(())
}
