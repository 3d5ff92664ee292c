//! System packages: asks what is there first, installs only what is missing.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Result, bail};
use rustix::process::geteuid;

use crate::progress;

/// To build and start the origin with its site.
pub(crate) const RUN: &[&str] = &["build-essential", "ca-certificates", "nodejs", "npm", "pkg-config", "util-linux"];
/// What the Studio runs with, besides the libraries that it is linked with: GStreamer's plugins with their encoders, and the way
/// from ALSA's microphones to a sound server. Its package depends on them.
pub(crate) const STUDIO: &[&str] = &[
    "gstreamer1.0-libav",
    "gstreamer1.0-pipewire",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-ugly",
    "gstreamer1.0-pulseaudio",
    "gstreamer1.0-x",
    "libasound2-plugins",
];
/// What it is compiled with, and a keychain.
pub(crate) const STUDIO_BUILD: &[&str] = &[
    "clang",
    "gnome-keyring",
    "libasound2-dev",
    "libgstreamer-plugins-base1.0-dev",
    "libgstreamer1.0-dev",
    "libwebkit2gtk-4.1-dev",
];
/// For the moving picture of `run --demo`.
pub(crate) const DEMO: &[&str] = &["ffmpeg"];
/// The publishers and players that the tests drive, and what the whole workspace needs to compile.
pub(crate) const TEST: &[&str] = &[
    "chromium",
    "chromium-driver",
    "curl",
    "dbus",
    "desktop-file-utils",
    "ffmpeg",
    "fonts-dejavu-core",
    "fonts-noto-color-emoji",
    "gstreamer1.0-tools",
    "iproute2",
    "obs-studio",
    "openssl",
    "pulseaudio",
    "pulseaudio-utils",
    "python3",
    "python3-pip",
    "python3-venv",
    "rtmpdump",
    "srt-tools",
    "webkit2gtk-driver",
    "x11-utils",
    "xdotool",
    "xvfb",
];
/// What the benchmarks compare with.
pub(crate) const BENCH: &[&str] = &[
    "chromium",
    "chromium-driver",
    "ffmpeg",
    "libnginx-mod-rtmp",
    "nginx-light",
    "protobuf-compiler",
    "srt-tools",
    "wrk",
];

/// Installs those of `packages` that are missing.
pub(crate) fn packages(packages: &[&str]) -> Result<()> {
    if !Path::new("/usr/bin/dpkg-query").exists() {
        return elsewhere(packages);
    }
    let missing = missing(packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("      installing {}", missing.join(" "));
    let apt = |arguments: &[&str]| {
        let mut command = if geteuid().is_root() { Command::new("apt-get") } else { Command::new("sudo") };
        if !geteuid().is_root() {
            command.arg("apt-get");
        }
        command.args(["-qq", "-o", "Dpkg::Use-Pty=0"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        progress::run(&mut command)
    };
    apt(&["update"])?;
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(&missing);
    apt(&install)
}

/// Those of `packages` that dpkg does not have installed.
fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"]).args(packages).stderr(Stdio::null());
    // dpkg-query answers with an error when it has never heard of one of them, and still lists the others.
    let installed = query.output()?;
    let installed = String::from_utf8_lossy(&installed.stdout);
    let has = |package: &str| {
        installed.lines().any(|line| line.split_once(' ') == Some((package, "installed")))
            || alternative(package).is_some_and(|path| Path::new(path).exists())
    };
    Ok(packages.iter().copied().filter(|package| !has(package)).collect())
}

/// A file that shows that something else already does a package's work (node from elsewhere, another nginx flavour).
fn alternative(package: &str) -> Option<&'static str> {
    match package {
        "nodejs" | "npm" if in_path("node") && in_path("npm") => Some("/"),
        "nginx-light" => Some("/usr/sbin/nginx"),
        "clang" if in_path("clang") => Some("/"),
        _ => None,
    }
}

/// A program of this name can be started.
pub(crate) fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Not a Debian: nothing is installed, but what is needed is said.
fn elsewhere(packages: &[&str]) -> Result<()> {
    let programs = ["cc", "node", "npm", "ffmpeg"];
    let needed = |program: &str| match program {
        "cc" => packages.contains(&"build-essential"),
        "node" | "npm" => packages.contains(&program) || packages.contains(&"nodejs"),
        other => packages.contains(&other),
    };
    let absent: Vec<_> = programs.into_iter().filter(|program| needed(program) && !in_path(program)).collect();
    if absent.is_empty() {
        return Ok(());
    }
    bail!(
        "this is not a Debian, so nothing is installed by itself. Missing here: {}. On Debian 12 these packages are used: {}",
        absent.join(", "),
        packages.join(" ")
    )
}
