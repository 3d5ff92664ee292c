//! The Studio's real window under Xvfb, driven through tauri-driver: a home, a keyring, a sound server and a camera of its
//! own, all real programs but the camera, which is a library that answers for the kernel (`fakecam.c`).

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use fantoccini::{
    ClientBuilder,
    actions::{InputSource as _, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction},
    wd::Capabilities,
};
use rustix::process::{Pid, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask},
};
use xtask::child::{self, Orphaned, Running, Signal};

use crate::{browser::Browser, wait};

/// Where the Studio keeps what it knows, below the folder of its session.
const KEPT: &str = "home/.local/share/skylark";
/// What it writes when somebody can use its window.
const USABLE: &str = "the window is usable";
/// How often it is looked for.
const USABLE_POLL: Duration = Duration::from_millis(10);
/// How long the window may take to be there. A busy machine compiles its page slowly.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// What the camera does from the next picture on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Camera {
    /// It films.
    Runs,
    /// Its driver does not answer any more.
    Hangs,
    /// It is pulled out.
    Gone,
}

/// What belongs to the session and is gone with it, in this order.
#[derive(Debug)]
struct Session {
    _driver: Running,
    /// Where the driver is asked.
    address: String,
    application: PathBuf,
    display: String,
    _screen: Running,
    folder: TempDir,
    size: (u32, u32),
}

/// The Studio's window; ended with everything around it when dropped.
#[derive(Debug)]
pub struct StudioWindow {
    page: Browser,
    session: Session,
}

/// The Studio's binary, with its pages embedded.
///
/// # Errors
/// When `SKYLARK_BIN` does not name it.
pub fn binary() -> Result<PathBuf> {
    program("SKYLARK_BIN")
}

fn program(variable: &str) -> Result<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    let path = path.with_context(|| format!("{variable} is not set: run the tests with `cargo xtask test [NAME]`"))?;
    ensure!(path.is_file(), "{variable}: there is no {}", path.display());
    Ok(path)
}

impl StudioWindow {
    /// Starts a Studio that nobody has used before, on a screen of this size.
    ///
    /// # Errors
    /// When one of its programs does not start.
    pub async fn open(width: u32, height: u32) -> Result<Self> {
        Self::open_in(folder()?, &binary()?, width, height).await
    }

    /// The same with another Studio than the one that was built last.
    ///
    /// # Errors
    /// When one of its programs does not start.
    pub async fn open_program(studio: &Path, width: u32, height: u32) -> Result<Self> {
        Self::open_in(folder()?, studio, width, height).await
    }

    /// The same with scenes that were made before.
    ///
    /// # Errors
    /// When one of its programs does not start.
    pub async fn open_with(scenes: &Value, width: u32, height: u32) -> Result<Self> {
        Self::open_prepared(&[("scenes.json", scenes)], width, height).await
    }

    /// The same with these files in the folder where it keeps its things.
    ///
    /// # Errors
    /// When one of its programs does not start.
    pub async fn open_prepared(files: &[(&str, &Value)], width: u32, height: u32) -> Result<Self> {
        let folder = folder()?;
        let kept = folder.path().join(KEPT);
        fs::create_dir_all(&kept)?;
        for (name, content) in files {
            fs::write(kept.join(name), content.to_string())?;
        }
        Self::open_in(folder, &binary()?, width, height).await
    }

    async fn open_in(folder: TempDir, studio: &Path, width: u32, height: u32) -> Result<Self> {
        let session = Session::start(studio, folder, (width, height))?;
        let page = session.launch().await?;
        Ok(Self { page, session })
    }

    /// Ends the Studio as a crash does.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        let process = Pid::from_raw(self.process()?.cast_signed()).context("no process id")?;
        kill_process(process, Signal::KILL)?;
        wait::until("the Studio is gone", START_PATIENCE, async || (!self.is_running()).then_some(())).await
    }

    /// Starts it again, after its end.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        // A driver whose program has ended may have noticed by itself.
        _ = self.page.end().await;
        self.page = self.session.launch().await?;
        Ok(())
    }

    /// Whether the Studio runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let state = self.process().and_then(|process| Ok(fs::read_to_string(format!("/proc/{process}/stat"))?));
        // What has ended and was not asked how is still listed.
        state.is_ok_and(|state| !state.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
    }

    /// Asks the window to close, as the cross at its corner does.
    ///
    /// # Errors
    /// When there is no window, or the X server does not listen.
    pub fn ask_to_close(&self) -> Result<()> {
        let (x, screen) = x11rb::connect(Some(self.display()))?;
        let root = x.setup().roots.get(screen).context("no screen")?.root;
        let atom = |name: &[u8]| -> Result<u32> { Ok(x.intern_atom(false, name)?.reply()?.atom) };
        let (protocols, delete) = (atom(b"WM_PROTOCOLS")?, atom(b"WM_DELETE_WINDOW")?);
        let is_named = |window: u32| {
            let name = x.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::ANY, 0, 64).ok()?.reply().ok()?;
            (name.value == b"Skylark Studio").then_some(window)
        };
        let window = x.query_tree(root)?.reply()?.children.into_iter().find_map(is_named);
        let window = window.context("the Studio has no window")?;
        let event = ClientMessageEvent::new(32, window, protocols, [delete, x11rb::CURRENT_TIME, 0, 0, 0]);
        x.send_event(false, window, EventMask::NO_EVENT, event)?.check()?;
        Ok(())
    }

    /// Tells the camera what to do.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn set_camera(&self, camera: Camera) -> Result<()> {
        let word = match camera {
            Camera::Runs => "run",
            Camera::Hangs => "freeze",
            Camera::Gone => "gone",
        };
        Ok(fs::write(self.folder().join("camera"), word)?)
    }

    /// Plays a film over and over in front of everything, with its sound: screen and microphone capture it.
    ///
    /// # Errors
    /// When GStreamer does not start.
    pub fn play(&self, film: &Path) -> Result<Running> {
        const FILM: &str = "while gst-launch-1.0 -q filesrc location=\"$0\" ! decodebin name=film \
            film. ! queue ! videoconvert ! ximagesink film. ! queue ! audioconvert ! audioresample ! pulsesink; do :; done";
        let mut command = child::command("bash", Orphaned::Killed);
        command.args(["-c", FILM]).arg(film).env("DISPLAY", self.display());
        command.env("PULSE_SERVER", format!("unix:{}/pulse/native", self.folder().display()));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Running::spawn("the film", &mut command, Duration::ZERO).context("cannot play the film")
    }

    /// What the window shows.
    #[must_use]
    pub fn page(&self) -> &Browser {
        &self.page
    }

    /// The folder with everything that it writes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.session.folder.path()
    }

    /// The X display that it is on.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.session.display
    }

    /// The scenes as they are kept on disk.
    ///
    /// # Errors
    /// When they are not there, or cannot be read.
    pub fn scenes(&self) -> Result<Value> {
        let path = self.folder().join(KEPT).join("scenes.json");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The Studio's process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn process(&self) -> Result<u32> {
        let id = fs::read_to_string(self.folder().join("studio.pid")).context("the Studio was not started")?;
        Ok(id.trim().parse()?)
    }

    /// How long a Studio takes from its start until its window can be used. Nobody drives it: a driver slows it down.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn launch() -> Result<Duration> {
        let folder = folder()?;
        let (_screen, display) = screen(1280, 720)?;
        let mut command = session(folder.path(), &display);
        command.arg(with_camera(folder.path(), &binary()?)?).env("RUST_LOG", "skylark_shell=info");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _studio = Running::spawn("studio", &mut command, Duration::from_secs(5)).context("cannot start it")?;
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let patience = Instant::now() + START_PATIENCE;
        while !read("studio.log").contains(USABLE) {
            ensure!(Instant::now() < patience, "its window did not come:\n{}", read("studio.log"));
            tokio::time::sleep(USABLE_POLL).await;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(now.saturating_sub(Duration::from_millis(read("studio.started").trim().parse()?)))
    }

    /// Presses the mouse at a point of the window, moves it by so much and lets go.
    ///
    /// # Errors
    /// When the window does not take it.
    pub async fn drag(&self, (x, y): (f64, f64), (dx, dy): (f64, f64)) -> Result<()> {
        let to = |x: f64, y: f64| PointerAction::MoveTo {
            duration: Some(Duration::from_millis(40)),
            x: x.round(),
            y: y.round(),
        };
        let steps = (1..=8).map(|step| f64::from(step) / 8.0).map(|part| to(x + dx * part, y + dy * part));
        let mouse = MouseActions::new("mouse".to_owned())
            .then(to(x, y))
            .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT });
        let mouse = steps.fold(mouse, MouseActions::then).then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.page.perform(mouse).await
    }

    /// The same while a key is held.
    ///
    /// # Errors
    /// When the window does not take it.
    pub async fn drag_with(&self, key: char, from: (f64, f64), by: (f64, f64)) -> Result<()> {
        let keys = |action| KeyActions::new("keyboard".to_owned()).then(action);
        self.page.perform(keys(KeyAction::Down { value: key })).await?;
        let dragged = self.drag(from, by).await;
        self.page.perform(keys(KeyAction::Up { value: key })).await?;
        dragged
    }

    /// The middle of an element, in pixels of the window.
    ///
    /// # Errors
    /// When there is none.
    pub async fn middle_of(&self, css: &str) -> Result<(f64, f64)> {
        let script = format!(
            "const box = document.querySelector({}).getBoundingClientRect(); \
             return [box.left + box.width / 2, box.top + box.height / 2]",
            json!(css)
        );
        Ok(serde_json::from_value(self.page.script(&script).await?)?)
    }

    /// Chooses an option of a `<select>`, as a person does.
    ///
    /// # Errors
    /// When there is no such option.
    pub async fn choose(&self, css: &str, option: &str) -> Result<()> {
        let script = format!(
            "const select = document.querySelector({}); \
             const option = [...select.options].find(one => one.textContent.includes({})); \
             if (!option) return false; select.value = option.value; \
             select.dispatchEvent(new Event('change', {{ bubbles: true }})); return true",
            json!(css),
            json!(option)
        );
        self.page.wait_for(&format!("{css} offers {option:?}"), START_PATIENCE, &script).await?;
        Ok(())
    }
}

/// Where a session keeps everything.
fn folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("skylark-studio-").tempdir()?)
}

/// A screen without a monitor, and how programs name it.
///
/// # Errors
/// When Xvfb does not start.
pub fn screen(width: u32, height: u32) -> Result<(Running, String)> {
    let mut command = child::command("Xvfb", Orphaned::Killed);
    command.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", &format!("{width}x{height}x24")]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut screen = Running::spawn("Xvfb", &mut command, Duration::from_secs(2)).context("cannot start Xvfb")?;
    let stdout = screen.child().stdout.take().context("its output was asked for")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let display = format!(":{}", line.trim());
    ensure!(display.len() > 1, "Xvfb does not say which display it is");
    Ok((screen, display))
}

impl Session {
    /// Everything that a Studio needs around it.
    fn start(studio: &Path, folder: TempDir, size: (u32, u32)) -> Result<Self> {
        let (screen, display) = screen(size.0, size.1)?;
        let application = with_camera(folder.path(), studio)?;
        // Both take ports, and neither says which it found: another's bind in between fails clearly below.
        let free = || Ok::<_, std::io::Error>(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port());
        let (port, native_port) = (free()?, free()?);
        let log = fs::File::create(folder.path().join("driver.log"))?;
        let mut command = session(folder.path(), &display);
        command.arg(program("SKYLARK_TAURI_DRIVER")?);
        command.args(["--port", &port.to_string(), "--native-port", &native_port.to_string()]);
        command.args(["--native-driver", "/usr/bin/WebKitWebDriver"]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let driver =
            Running::spawn("tauri-driver", &mut command, Duration::from_secs(5)).context("cannot start the session")?;
        let address = format!("http://127.0.0.1:{port}");
        Ok(Self { _driver: driver, address, application, display, _screen: screen, folder, size })
    }

    /// Starts the Studio; its page.
    async fn launch(&self) -> Result<Browser> {
        let mut capabilities = Capabilities::new();
        capabilities.insert("browserName".to_owned(), json!("wry"));
        capabilities.insert("tauri:options".to_owned(), json!({ "application": self.application }));
        let client = wait::until("tauri-driver opens the Studio", START_PATIENCE, async || {
            let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            builder.capabilities(capabilities.clone()).connect(&self.address).await.ok()
        })
        .await
        .with_context(|| fs::read_to_string(self.folder.path().join("driver.log")).unwrap_or_default())?;
        let page = Browser::of(client)?;
        page.resize(self.size.0, self.size.1).await?;
        page.wait_for("the Studio is open", START_PATIENCE, "return !!document.querySelector('.studio')").await?;
        Ok(page)
    }
}

/// A session of its own for the program that is the next argument.
fn session(folder: &Path, display: &str) -> Command {
    let mut command = child::command("bash", Orphaned::Killed);
    command.arg(fixtures().join("session.sh")).arg(folder);
    command.env("DISPLAY", display).env_remove("WAYLAND_DISPLAY").env_remove("DBUS_SESSION_BUS_ADDRESS");
    // Without a graphics card, drawing in layers costs more than it saves.
    command.env("WEBKIT_DISABLE_COMPOSITING_MODE", "1").env("NO_AT_BRIDGE", "1");
    command
}

/// Where the scripts and the camera of these sessions are.
#[must_use]
pub fn fixtures() -> PathBuf {
    // Clones may share what they build: the folder is that of the run.
    let tests = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&tests).join("fixtures/studio")
}

/// Compiles the camera: a library that answers for the kernel in programs that load it first.
///
/// # Errors
/// When it does not compile.
pub fn camera(folder: &Path) -> Result<PathBuf> {
    let camera = folder.join("libfakecam.so");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&camera).arg(fixtures().join("fakecam.c")).arg("-ldl");
    ensure!(compile.status()?.success(), "the camera does not compile");
    Ok(camera)
}

/// A program that starts the Studio with the camera that only it sees.
fn with_camera(folder: &Path, studio: &Path) -> Result<PathBuf> {
    let camera = camera(folder)?;
    let start = folder.join("skylark");
    let (camera, studio) = (camera.display(), studio.display());
    fs::write(
        &start,
        format!(
            "#!/bin/sh\ncd '{}'\necho $$ >studio.pid\ndate +%s%3N >studio.started\n\
             LD_PRELOAD='{camera}' FAKECAM_CONTROL=\"$PWD/camera\" exec '{studio}' \"$@\" 2>>studio.log\n",
            folder.display()
        ),
    )?;
    fs::set_permissions(&start, fs::Permissions::from_mode(0o755))?;
    Ok(start)
}
