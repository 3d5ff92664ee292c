//! The Studio as a Debian package: what is in it, and that it installs, works and goes again.
//!
//! Root really installs it; anybody else, and who has a real one installed, unpacks it and starts it from there.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::{http::Http, npm::run, site::SOON, studio_window::StudioWindow, wait};
use gstreamer::{self as gst, prelude::*};
use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::child::{self, Orphaned};

/// How long making, installing or removing may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// A package file, made of the programs that are tested.
struct Package {
    path: PathBuf,
    _folder: TempDir,
}

impl Package {
    fn make() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("skylark-package-").tempdir()?;
        let studio = e2e::studio_window::binary()?;
        let binaries = studio.parent().context("the Studio lies in no folder")?;
        let xtask = binaries.join("xtask");
        let mut bundle = child::command(&xtask.to_string_lossy(), Orphaned::Killed);
        bundle.args(["bundle", "--debug", "--binaries"]).arg(binaries).arg("--output").arg(folder.path());
        let said = run("xtask bundle", &mut bundle, PATIENCE)?;
        let files = fs::read_dir(folder.path())?.collect::<Result<Vec<_>, _>>()?;
        let [file] = files.as_slice() else { anyhow::bail!("there should be the package alone: {files:?}") };
        let path = file.path();
        ensure!(said.contains(&path.display().to_string()), "it does not say where the package is: {said}");
        ensure!(said.contains(" MB"), "it does not say how large the package is: {said}");
        Ok(Self { path, _folder: folder })
    }

    fn field(&self, name: &str) -> Result<String> {
        let output = run("dpkg-deb", Command::new("dpkg-deb").arg("--field").arg(&self.path).arg(name), PATIENCE)?;
        Ok(output.trim().to_owned())
    }

    /// The names of the packages that have to be there, of alternatives the first.
    fn dependencies(&self) -> Result<BTreeSet<String>> {
        let depends = self.field("Depends")?;
        Ok(depends.split(", ").filter_map(|one| one.split([' ', ':']).next()).map(str::to_owned).collect())
    }

    fn unpack(&self) -> Result<TempDir> {
        let folder = tempfile::Builder::new().prefix("skylark-unpacked-").tempdir()?;
        run("dpkg-deb", Command::new("dpkg-deb").arg("--extract").arg(&self.path).arg(folder.path()), PATIENCE)?;
        Ok(folder)
    }
}

/// What was installed, until it is removed or this is dropped.
struct Installed {
    /// Where `usr` is.
    root: PathBuf,
    unpacked: Option<TempDir>,
    /// One installation at a time, whoever else tests on this machine.
    _alone: File,
}

impl Installed {
    fn install(package: &Package) -> Result<Self> {
        let alone = File::create(std::env::temp_dir().join("skylark-package.lock"))?;
        alone.lock()?;
        if !rustix::process::geteuid().is_root() || has_a_real_one()? {
            let unpacked = package.unpack()?;
            return Ok(Self { root: unpacked.path().to_owned(), unpacked: Some(unpacked), _alone: alone });
        }
        // Everything that it depends on was installed to build it: what is not here is nowhere.
        let nowhere = ["-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=/dev/null"];
        let mut install = apt(&["install", "--no-install-recommends"]);
        run("apt-get", install.args(nowhere).arg(&package.path), PATIENCE)?;
        Ok(Self { root: "/".into(), unpacked: None, _alone: alone })
    }

    fn program(&self, name: &str) -> PathBuf {
        self.root.join("usr/bin").join(name)
    }

    /// Removes it again.
    fn remove(&mut self) -> Result<()> {
        match self.unpacked.take() {
            Some(folder) => Ok(folder.close()?),
            None => run("apt-get", apt(&["purge"]).arg("skylark"), PATIENCE).map(drop),
        }
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        if self.program("skylark").exists()
            && let Err(error) = self.remove()
        {
            eprintln!("the package stays installed: {error:#}");
        }
    }
}

fn apt(arguments: &[&str]) -> Command {
    let mut apt = Command::new("apt-get");
    apt.args(["-y", "-qq", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=120"]).args(arguments);
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

/// Somebody uses Skylark on this machine. What a test left when it was killed is none.
fn has_a_real_one() -> Result<bool> {
    let query = Command::new("dpkg-query").args(["--show", "--showformat", "${Version}", "skylark"]).output()?;
    let version = String::from_utf8_lossy(&query.stdout);
    Ok(query.status.success() && !version.is_empty() && !version.ends_with("-debug"))
}

/// The packages of the GStreamer plugins whose elements the Studio's source names, each with one of the names.
fn plugin_packages() -> Result<BTreeSet<(String, String)>> {
    gst::init()?;
    let tests = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let source = Path::new(&tests).parent().context("the tests are a folder of the workspace")?.join("app/src");
    let mut words = BTreeSet::new();
    collect_words(&source, &mut words)?;
    let mut plugins = std::collections::BTreeMap::new();
    for word in words {
        if let Some(plugin) = gst::ElementFactory::find(&word).and_then(|factory| factory.plugin())
            && let Some(file) = plugin.filename()
        {
            // Packages know it by its real path.
            plugins.entry(fs::canonicalize(file)?).or_insert(word);
        }
    }
    ensure!(plugins.len() > 10, "the Studio is made of more than {plugins:?}");
    let mut packages = BTreeSet::new();
    for (file, word) in plugins {
        let owner = run("dpkg-query", Command::new("dpkg-query").arg("--search").arg(&file), PATIENCE)?;
        let package = owner.split(':').next().context("dpkg-query names no package")?;
        packages.insert((package.to_owned(), word));
    }
    Ok(packages)
}

/// Every word in a string of the Rust files below a folder: more than there are names of elements, and no fewer.
fn collect_words(folder: &Path, words: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_words(&path, words)?;
            continue;
        }
        for line in fs::read_to_string(&path)?.lines().filter(|line| !line.trim_start().starts_with("//")) {
            // A string may go on over several lines, so that all words of a line count in which there is none.
            let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            words.extend(line.split(|letter| !is_word(letter)).filter(|word| !word.is_empty()).map(str::to_owned));
        }
    }
    Ok(())
}

/// It says what the Studio needs, and brings what desktops want to know.
fn check_contents(package: &Package) -> Result<()> {
    ensure!(package.field("Package")? == "skylark");
    ensure!(package.field("Version")? == concat!(env!("CARGO_PKG_VERSION"), "-debug"));
    ensure!(package.field("Description")?.contains("own"), "{}", package.field("Description")?);
    let dependencies = package.dependencies()?;
    for (needed, element) in plugin_packages()? {
        ensure!(dependencies.contains(&needed), "{element} comes with {needed}, which is not among {dependencies:?}");
    }
    for library in ["libc6", "libgstreamer1.0-0", "libwebkit2gtk-4.1-0", "libasound2"] {
        ensure!(dependencies.contains(library), "{library} is not among {dependencies:?}");
    }

    let unpacked = package.unpack()?;
    let share = unpacked.path().join("usr/share");
    for size in [32, 48, 64, 128, 256, 512] {
        let icon = fs::read(share.join(format!("icons/hicolor/{size}x{size}/apps/skylark.png")))
            .with_context(|| format!("there is no icon of {size} pixels"))?;
        let width = icon.get(16..20).and_then(|width| width.try_into().ok()).map(u32::from_be_bytes);
        ensure!(width == Some(size), "the icon of {size} pixels is {width:?} wide");
    }
    ensure!(share.join("icons/hicolor/scalable/apps/skylark.svg").is_file(), "there is no icon of any size");
    let entry = share.join("applications/Skylark.desktop");
    run("desktop-file-validate", Command::new("desktop-file-validate").arg(&entry), PATIENCE)?;
    let entry = fs::read_to_string(entry)?;
    for line in ["Exec=skylark", "Icon=skylark", "Name=Skylark Studio"] {
        ensure!(entry.lines().any(|has| has == line), "{line} is not in the desktop entry:\n{entry}");
    }
    let licence = fs::read_to_string(share.join("doc/skylark/copyright"))?;
    ensure!(licence.contains("MIT License") && licence.contains("Copyright"), "{licence}");
    let changes = run("gzip", Command::new("gzip").arg("-dc").arg(share.join("doc/skylark/changelog.gz")), PATIENCE)?;
    ensure!(changes.starts_with("# Changelog"), "{changes}");
    Ok(())
}

#[tokio::test]
async fn the_package_is_whole_installs_works_and_goes_again() -> Result<()> {
    let package = Package::make()?;
    check_contents(&package)?;
    let mut installed = Installed::install(&package)?;
    compose_without_a_window(&installed)?;

    let studio = StudioWindow::open_program(&installed.program("skylark"), 1280, 720).await?;
    let page = studio.page();
    let title = ["-display", studio.display(), "-name", "Skylark Studio"];
    run("xwininfo", Command::new("xwininfo").args(title), PATIENCE)?;
    page.click_when_there("#create-identity", SOON).await?;
    page.click_when_there("#backup-later", SOON).await?;
    page.click_when_there("#wizard-next:enabled", SOON).await?;
    page.click_when_there("#built-in-origin:enabled", SOON).await?;
    let address = "return document.querySelector('#origin-chosen code')?.textContent";
    let address = page.wait_for("the origin on this machine runs", SOON, address).await?;
    page.screenshot("studio-package").await?;
    let address = address.as_str().context("the address is no text")?;
    let site = Http::default().get(address).await?;
    ensure!(site.status == 200 && site.text().contains("Skylark"), "its site is not there: {site:?}");
    let origin = installed.program("skylark-origin");
    ensure!(running(&origin, studio.folder())?, "it is not the one that was installed");

    let folder = studio.folder().to_owned();
    drop(studio);
    wait::until("the origin ends with its Studio", SOON, async || {
        running(&origin, &folder).is_ok_and(|runs| !runs).then_some(())
    })
    .await?;
    installed.remove()?;
    for program in ["skylark", "skylark-origin"] {
        ensure!(!installed.program(program).exists(), "{program} is still there");
    }
    Ok(())
}

/// The Studio from a terminal, without a screen, a sound system or a keychain: composes, encodes and records.
fn compose_without_a_window(installed: &Installed) -> Result<()> {
    let home = tempfile::tempdir()?;
    let scenes = home.path().join("scenes.json");
    let picture = json!({ "id": 2, "name": "Bars", "input": { "kind": "test", "pattern": "bars" } });
    let item = json!({
        "id": 3, "source": 2, "is_visible": true, "place": { "x": 0, "y": 0, "width": 640, "height": 360 },
    });
    let composed = json!({
        "version": 1, "canvas": { "width": 640, "height": 360, "frame_rate": 30 }, "sources": [picture],
        "scenes": [{ "id": 1, "name": "Main", "items": [item] }], "program": 1, "next_id": 4,
    });
    fs::write(&scenes, composed.to_string())?;
    let mut command = child::command(&installed.program("skylark").to_string_lossy(), Orphaned::Killed);
    command.arg("--headless").arg(&scenes).arg("--data").arg(home.path()).args([
        "--duration",
        "3",
        "--report",
        "--record",
    ]);
    command.env_remove("DISPLAY").env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere").env("HOME", home.path());
    let said = run("skylark", &mut command, PATIENCE)?;
    let report = said.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    ensure!(report.is_some_and(|report| report["frames"].as_u64() > Some(0)), "it encodes nothing:\n{said}");
    let files = fs::read_dir(home.path())?.collect::<Result<Vec<_>, _>>()?;
    let film = files.iter().map(fs::DirEntry::path).find(|path| path.extension().is_some_and(|end| end == "mp4"));
    ensure!(film.is_some_and(|film| film.metadata().is_ok_and(|film| film.len() > 10_000)), "no recording: {files:?}");
    Ok(())
}

/// Whether a program runs with a folder as its data.
fn running(program: &Path, folder: &Path) -> Result<bool> {
    for entry in fs::read_dir("/proc")? {
        let process = entry?.path();
        // Processes come and go meanwhile, and others' are not told about.
        let (Ok(runs), Ok(arguments)) = (fs::read_link(process.join("exe")), fs::read(process.join("cmdline"))) else {
            continue;
        };
        if runs == program && String::from_utf8_lossy(&arguments).contains(&*folder.to_string_lossy()) {
            return Ok(true);
        }
    }
    Ok(false)
}
