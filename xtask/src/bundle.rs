//! `cargo xtask bundle`: the Studio, with the origin that it can start, as a package for Debian 12 and what descends from it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use crate::{
    progress::{self, Progress},
    run, setup, studio, tools,
};

/// What does without, but not as well: a keychain, what shows screens to programs on Wayland, and somebody to play sound.
const RECOMMENDED: [&str; 3] = [
    "gnome-keyring | libkf5wallet-bin | keepassxc",
    "xdg-desktop-portal-gtk | xdg-desktop-portal-backend",
    "pipewire-pulse | pulseaudio",
];

/// What the user asked for.
pub(crate) struct Options {
    debug: bool,
    /// Holds the programs; without it they are built.
    binaries: Option<PathBuf>,
    output: PathBuf,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self { debug: false, binaries: None, output: progress::target().join("package") };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut folder = || -> Result<PathBuf> {
                let value = arguments.next().with_context(|| format!("{argument} needs a folder"))?;
                Ok(std::path::absolute(value)?)
            };
            match argument.as_str() {
                "--debug" => options.debug = true,
                "--binaries" => options.binaries = Some(folder()?),
                "--output" => options.output = folder()?,
                unknown => bail!("bundle does not know `{unknown}` (it takes --debug, --binaries and --output)"),
            }
        }
        Ok(options)
    }

    fn profile(&self) -> &'static str {
        if self.debug { "debug" } else { "release" }
    }

    /// A debug build says that it is one, so that nobody takes it for the real thing.
    fn version(&self) -> String {
        format!("{}{}", env!("CARGO_PKG_VERSION"), if self.debug { "-debug" } else { "" })
    }
}

/// Builds what belongs into the package, and makes it.
pub(crate) fn bundle(options: &Options) -> Result<()> {
    ensure!(Path::new("/usr/bin/dpkg-deb").exists(), "packages are made on Debian and what descends from it");
    let mut progress = Progress::new(4);
    progress.step("Looking for the packages it needs");
    setup::packages(setup::RUN)?;
    setup::packages(setup::STUDIO)?;
    setup::packages(setup::STUDIO_BUILD)?;
    let tauri = tools::tauri_cli()?;
    progress.step("Building the interface");
    if options.binaries.is_none() {
        run::build_site()?;
    }
    progress.step(&format!("Building the Studio and the origin ({})", options.profile()));
    let binaries = match &options.binaries {
        Some(folder) => folder.clone(),
        None => studio::build(!options.debug)?,
    };
    progress.step("Making the package");
    fs::create_dir_all(&options.output).with_context(|| format!("cannot make {}", options.output.display()))?;
    let staging = Staging::fill(&options.output, &binaries, options)?;
    let package = staging.package(&tauri, options)?;
    println!();
    println!("  Package  {}", package.display());
    println!("  Size     {:.1} MB", fs::metadata(&package)?.len() as f64 / 1e6);
    println!("  Install  sudo apt install {}", package.display());
    Ok(())
}

/// A folder beside the package with everything that goes into it; gone when dropped.
struct Staging(PathBuf);

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("      {} is left over: {error}", self.0.display());
        }
    }
}

impl Staging {
    fn fill(output: &Path, binaries: &Path, options: &Options) -> Result<Self> {
        let staging = Self(output.join(format!("staging-{}", std::process::id())));
        // Where the bundler looks for what cargo has built.
        let built = staging.0.join(options.profile());
        fs::create_dir_all(&built).with_context(|| format!("cannot make {}", built.display()))?;
        for program in ["skylark", "skylark-origin"] {
            let from = binaries.join(program);
            ensure!(from.is_file(), "there is no {}", from.display());
            // Debugging information is most of a program, and of no use to those who install it.
            quietly(Command::new("strip").arg("-o").arg(built.join(program)).arg(&from))?;
        }
        let changelog = progress::root().join("CHANGELOG.md");
        let packed = Command::new("gzip").args(["-9nc"]).arg(&changelog).output().context("cannot start gzip")?;
        ensure!(packed.status.success(), "gzip does not pack {}", changelog.display());
        fs::write(staging.0.join("changelog.gz"), packed.stdout)?;
        Ok(staging)
    }

    /// Has Tauri's bundler make the package; answers where it is.
    fn package(&self, tauri: &Path, options: &Options) -> Result<PathBuf> {
        let built = self.0.join(options.profile());
        let mut depends: Vec<String> = setup::STUDIO.iter().map(ToString::to_string).collect();
        depends.extend(libraries(&self.0, &built)?);
        let config = json!({
            "version": options.version(),
            "bundle": { "linux": { "deb": {
                "depends": depends,
                "recommends": RECOMMENDED,
                "files": {
                    "/usr/bin/skylark-origin": built.join("skylark-origin"),
                    "/usr/share/doc/skylark/changelog.gz": self.0.join("changelog.gz"),
                    "/usr/share/doc/skylark/copyright": "LICENSE",
                    "/usr/share/icons/hicolor/scalable/apps/skylark.svg": "app/icons/icon.svg",
                },
            } } },
        });
        let config_path = self.0.join("config.json");
        fs::write(&config_path, config.to_string())?;
        let mut command = Command::new(tauri);
        // What kind of package it came in would be written into the program for those who update themselves: ours do not.
        command.args(["bundle", "--ci", "--bundles", "deb", "--no-binary-patching", "--config"]).arg(&config_path);
        if options.debug {
            command.arg("--debug");
        }
        command.current_dir(progress::root()).env("CARGO_TARGET_DIR", &self.0);
        progress::forget_package(&mut command);
        quietly(&mut command)?;
        let made = fs::read_dir(built.join("bundle/deb"))?.collect::<Result<Vec<_>, _>>()?;
        let made = made.iter().map(fs::DirEntry::path).find(|path| path.extension().is_some_and(|end| end == "deb"));
        let made = made.context("Tauri's bundler made no package")?;
        let architecture = progress::output(Command::new("dpkg").arg("--print-architecture"))?;
        let name = format!("skylark_{}_{}.deb", options.version(), architecture.trim());
        let package = options.output.join(name);
        fs::rename(&made, &package).with_context(|| format!("cannot write {}", package.display()))?;
        Ok(package)
    }
}

/// The packages of the libraries that the programs are linked with, as dependencies: `libc6 (>= 2.36)`.
fn libraries(staging: &Path, built: &Path) -> Result<Vec<String>> {
    // The tool wants to be in a source package.
    let debian = staging.join("debian");
    fs::create_dir_all(&debian)?;
    fs::write(debian.join("control"), "Source: skylark\n\nPackage: skylark\nArchitecture: any\n")?;
    let mut command = Command::new("dpkg-shlibdeps");
    command.arg("-O").arg(built.join("skylark")).arg(built.join("skylark-origin")).current_dir(staging);
    let said = quietly(&mut command)?;
    let line = said.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    Ok(line.context("dpkg-shlibdeps names no libraries")?.split(", ").map(str::to_owned).collect())
}

/// Runs a command to its end; what it says is told only if it fails.
fn quietly(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", progress::line(command)))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` ended with {}:\n{said}{complaint}", progress::line(command), output.status);
    }
    Ok(said.into_owned())
}
