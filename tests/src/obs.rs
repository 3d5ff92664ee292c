//! OBS Studio 29 without a screen, in a network of its own.
//!
//! OBS's remote control listens on every interface and OBS looks for updates: a test with OBS therefore runs in a
//! network namespace that has nothing but its own loopback ([`inside_namespace`]), the origin too.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use xtask::child::{self, Orphaned, Running};

use crate::{
    decode::{Decoded, decode},
    publish::Publisher,
};

/// Set in the process that runs inside of the namespace.
const INSIDE: &str = "SKYLARK_E2E_NAMESPACE";
/// OBS's settings, with `@NAMES@` for what differs from test to test.
const SETTINGS: [(&str, &str); 4] = [
    ("global.ini", include_str!("../fixtures/obs/global.ini")),
    ("basic/profiles/Test/basic.ini", include_str!("../fixtures/obs/basic/profiles/Test/basic.ini")),
    ("basic/profiles/Test/service.json", include_str!("../fixtures/obs/basic/profiles/Test/service.json")),
    ("basic/scenes/Test.json", include_str!("../fixtures/obs/basic/scenes/Test.json")),
];

/// How OBS places keyframes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyframes {
    /// Every 2 s, as our guide recommends.
    TwoSeconds,
    /// OBS's own default: x264 decides, up to 250 frames apart.
    Automatic,
}

/// A running OBS with its screen; ended when dropped.
#[derive(Debug)]
pub struct Obs {
    program: Publisher,
    display: u32,
    _screen: Running,
    home: TempDir,
}

/// Where and how OBS streams.
#[derive(Debug, Clone)]
pub struct Settings<'a> {
    /// What the user types into "Server".
    pub server: &'a str,
    /// What the user types into "Stream Key".
    pub key: &'a str,
    /// Keyframe interval.
    pub keyframes: Keyframes,
    /// What x264 is told about speed.
    pub preset: &'a str,
    /// The file that the scene plays.
    pub clip: &'a Path,
}

impl Obs {
    /// Starts OBS, which at once starts to stream, and to record the very same packets.
    ///
    /// # Errors
    /// When it or its screen do not start.
    pub fn stream(settings: &Settings<'_>) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("skylark-obs-").tempdir()?;
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700))?;
        write_settings(home.path(), settings)?;
        let (screen, display) = start_screen()?;
        let mut command = child::command("dbus-run-session", Orphaned::Killed);
        command.args(["--", "obs", "--multi", "--disable-missing-files-check", "--minimize-to-tray"]);
        command.args([
            "--collection",
            "Test",
            "--profile",
            "Test",
            "--scene",
            "Scene",
            "--startstreaming",
            "--startrecording",
            "--verbose",
        ]);
        command.env("HOME", home.path()).env("XDG_CONFIG_HOME", home.path()).env("XDG_RUNTIME_DIR", home.path());
        command.env("DISPLAY", format!(":{display}")).env("QT_QPA_PLATFORM", "xcb").env("LIBGL_ALWAYS_SOFTWARE", "1");
        let program = Publisher::spawn("obs", &mut command)?;
        Ok(Self { program, display, _screen: screen, home })
    }

    /// The process that OBS and what it starts are below of.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// OBS's log.
    #[must_use]
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// What OBS has recorded so far, decoded.
    ///
    /// # Errors
    /// When there is no recording.
    pub fn recording(&self) -> Result<Decoded> {
        let entries = fs::read_dir(self.home.path())?.filter_map(Result::ok).map(|entry| entry.path());
        let mut recordings = entries.filter(|path| path.extension().is_some_and(|extension| extension == "mkv"));
        let file = recordings.next().with_context(|| format!("OBS records nothing:\n{}", self.log()))?;
        decode(&file.to_string_lossy(), &[])
    }

    /// Saves what stands on OBS's screen.
    ///
    /// # Errors
    /// When it cannot be taken.
    pub fn screenshot(&self, name: &str) -> Result<()> {
        let path = crate::browser::output_folder()?.join(format!("{name}.png"));
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-loglevel", "error", "-nostdin", "-y", "-f", "x11grab", "-i", &format!(":{}", self.display)]);
        let status = ffmpeg.args(["-frames:v", "1"]).arg(path).stdin(Stdio::null()).status()?;
        ensure!(status.success(), "ffmpeg cannot take a picture of the screen: {status}");
        Ok(())
    }
}

fn write_settings(home: &Path, settings: &Settings<'_>) -> Result<()> {
    let keyframes = match settings.keyframes {
        Keyframes::TwoSeconds => "tune=zerolatency keyint=60",
        Keyframes::Automatic => "",
    };
    for (file, text) in SETTINGS {
        let path = home.join("obs-studio").join(file);
        fs::create_dir_all(path.parent().context("a settings file has a folder")?)?;
        let clip = settings.clip.to_string_lossy();
        let words = [
            ("@SERVER@", settings.server),
            ("@KEY@", settings.key),
            ("@X264@", keyframes),
            ("@PRESET@", settings.preset),
            ("@CLIP@", &clip),
            ("@HOME@", &home.to_string_lossy()),
        ];
        fs::write(path, words.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value)))?;
    }
    Ok(())
}

/// An X server on a display number that it finds itself.
fn start_screen() -> Result<(Running, u32)> {
    let mut command = child::command("Xvfb", Orphaned::Killed);
    command.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", "1280x800x24"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut screen = Running::spawn("Xvfb", &mut command, Duration::ZERO).context("cannot start Xvfb")?;
    let stdout = screen.child().stdout.take().context("Xvfb's output was asked for")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let display = line.trim().parse().with_context(|| format!("Xvfb names its display, not {line:?}"))?;
    Ok((screen, display))
}

/// This program again, in a network and process namespace of its own that has nothing but its loopback; arguments follow.
///
/// # Errors
/// When the system does not say which program this is.
pub fn namespace() -> Result<Command> {
    let mut command = child::command("unshare", Orphaned::Terminated);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]);
    command.args(["sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]);
    command.arg(std::env::current_exe()?).env(INSIDE, "1").stdin(Stdio::null());
    Ok(command)
}

/// Runs the test of this name again, in a network and process namespace of its own. `true` inside of it: go on;
/// `false` outside: it has been run, and passed.
///
/// Whatever the test leaves behind ends with its namespace.
///
/// # Errors
/// When the test failed inside.
pub fn inside_namespace(test: &str) -> Result<bool> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(true);
    }
    let mut command = namespace()?;
    command.args(["--exact", test, "--nocapture"]);
    let output = command.output().context("cannot start unshare")?;
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "in its own network:\n{printed}");
    ensure!(printed.contains("1 passed"), "there is no test {test}:\n{printed}");
    Ok(false)
}
