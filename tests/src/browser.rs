//! Chromium on the viewer page.

use std::{fs, net::TcpListener, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{Actions, InputSource as _, MouseActions, PointerAction},
    wd::{Capabilities, WebDriverCompatibleCommand},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::child::{self, Orphaned, Running};

use crate::wait;

/// Runs in every page before its own scripts: notes frames, events and errors of the `<video>`.
const RECORDER: &str = include_str!("browser/recorder.js");
/// Listens to the `<video>`.
const EAR: &str = include_str!("browser/ear.js");
/// How long chromedriver may take to answer.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// Frames of the test picture in two seconds.
const LONGEST_JUMP: u16 = 60;

/// Size and kind of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// 1280 × 800 with a mouse.
    Desktop,
    /// 360 × 740 with touch.
    Phone,
}

/// What the browser lets a page do by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Autoplay {
    /// Play with sound.
    Allowed,
    /// Only muted, until the user touches the page: what people have.
    MutedOnly,
}

/// A browser with one page; ended when dropped.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    /// None: another's.
    _driver: Option<Running>,
    _profile: TempDir,
}

/// A frame that the page has shown.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct ShownFrame {
    /// Time on the `<video>`'s timeline, seconds.
    pub media_time: f64,
    /// When it was shown, Unix milliseconds.
    pub at_ms: f64,
    /// The number that the picture shows.
    pub number: u16,
}

/// What the recorder noted since the page was opened.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Recording {
    /// Frames shown, in order (only while the canvas could be read).
    pub frames: Vec<ShownFrame>,
    /// Events of the `<video>`: name and Unix milliseconds.
    pub events: Vec<(String, f64)>,
    /// Uncaught errors and refused resources.
    pub errors: Vec<String>,
    /// When the document began to load, Unix milliseconds.
    pub opened_ms: f64,
    /// Changes with every page load.
    pub page: String,
}

/// What was heard since [`Browser::listen`].
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Heard {
    /// When sounds began after silence, on the `<video>`'s timeline, seconds.
    pub sounds_s: Vec<f64>,
    /// When it was last loud, Unix milliseconds.
    pub loud_at_ms: f64,
}

impl Recording {
    /// How often an event happened after the first `playing`.
    #[must_use]
    pub fn count_after_playing(&self, name: &str) -> usize {
        let playing = self.events.iter().position(|(event, _)| event == "playing");
        playing.map_or(0, |at| self.events[at..].iter().filter(|(event, _)| event == name).count())
    }
}

impl Browser {
    /// Starts Chromium.
    ///
    /// # Errors
    /// When chromedriver or Chromium do not start.
    pub async fn open(window: Window, autoplay: Autoplay) -> Result<Self> {
        let profile = tempfile::Builder::new().prefix("skylark-chromium-").tempdir()?;
        // Chromedriver takes a port but does not say which it found: another's bind in between fails clearly below.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let log = fs::File::create(profile.path().join("chromedriver.log"))?;
        let mut command = child::command("chromedriver", Orphaned::Killed);
        command.arg(format!("--port={port}")).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let driver =
            Running::spawn("chromedriver", &mut command, Duration::ZERO).context("cannot start chromedriver")?;
        let capabilities = capabilities(&profile, window, autoplay);
        let client = wait::until("chromedriver starts Chromium", START_PATIENCE, async || {
            let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            builder.capabilities(capabilities.clone()).connect(&format!("http://127.0.0.1:{port}")).await.ok()
        })
        .await?;
        let browser = Self { client, _driver: Some(driver), _profile: profile };
        browser.command("Page.addScriptToEvaluateOnNewDocument", json!({ "source": RECORDER })).await?;
        Ok(browser)
    }

    /// A page that another driver has opened already.
    ///
    /// # Errors
    /// When there is no room for what it leaves on disk.
    pub(crate) fn of(client: Client) -> Result<Self> {
        let profile = tempfile::Builder::new().prefix("skylark-page-").tempdir()?;
        Ok(Self { client, _driver: None, _profile: profile })
    }

    /// Ends the driver's session, and with it the program whose page this is.
    ///
    /// # Errors
    /// When the driver knows nothing of it any more.
    pub(crate) async fn end(&self) -> Result<()> {
        self.client.clone().close().await.context("the driver does not end its session")
    }

    /// Makes the window as large as that.
    ///
    /// # Errors
    /// When the driver refuses.
    pub async fn resize(&self, width: u32, height: u32) -> Result<()> {
        self.client.set_window_rect(0, 0, width, height).await.context("cannot resize the window")
    }

    /// Moves mouse or keys.
    ///
    /// # Errors
    /// When the page does not take it.
    pub async fn perform(&self, actions: impl Into<Actions>) -> Result<()> {
        self.client.perform_actions(actions).await.context("cannot move mouse or keys")
    }

    /// Opens a page.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn goto(&self, url: &str) -> Result<()> {
        self.client.goto(url).await.with_context(|| format!("cannot open {url}"))
    }

    /// Runs a script in the page and answers what it returns.
    ///
    /// # Errors
    /// When it throws.
    pub async fn script(&self, script: &str) -> Result<Value> {
        self.client.execute(script, Vec::new()).await.with_context(|| format!("script: {script}"))
    }

    /// What follows happens in a frame of the page, until another page is opened.
    ///
    /// # Errors
    /// When there is no such frame.
    pub async fn enter_frame(&self, index: u16) -> Result<()> {
        self.client.enter_frame(index).await.with_context(|| format!("no frame {index}"))
    }

    /// What the recorder noted.
    ///
    /// # Errors
    /// When the page does not answer.
    pub async fn recording(&self) -> Result<Recording> {
        Ok(serde_json::from_value(self.script("return window.skylarkRecording ?? {};").await?)?)
    }

    /// Listens to the `<video>` from now on. It must be allowed to play with sound.
    ///
    /// # Errors
    /// When there is none.
    pub async fn listen(&self) -> Result<()> {
        self.script(EAR).await.map(drop)
    }

    /// What was heard.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn heard(&self) -> Result<Heard> {
        Ok(serde_json::from_value(self.script("return window.skylarkHeard").await?)?)
    }

    /// Waits until a script returns something truthy.
    ///
    /// # Errors
    /// When it does not in time; the page's text and errors are told.
    pub async fn wait_for(&self, what: &str, patience: Duration, script: &str) -> Result<Value> {
        let truthy = |value: &Value| {
            !matches!(value, Value::Null | Value::Bool(false)) && *value != json!("") && *value != json!(0)
        };
        let waited = wait::until(what, patience, async || self.script(script).await.ok().filter(truthy)).await;
        if waited.is_err() {
            let page = self.script("return document.body.innerText + '\\n' + JSON.stringify(window.skylarkRecording?.errors) + JSON.stringify(window.skylarkRecording?.events)").await;
            return waited.with_context(|| format!("the page says: {page:?}"));
        }
        waited
    }

    /// Waits until the page shows this text.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn wait_for_text(&self, text: &str, patience: Duration) -> Result<()> {
        let script = format!("return document.body.innerText.toLowerCase().includes({})", json!(text.to_lowercase()));
        self.wait_for(&format!("the page says {text:?}"), patience, &script).await?;
        Ok(())
    }

    /// Waits until the picture moves: at least `frames` frames were shown since now.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn wait_for_frames(&self, frames: usize, patience: Duration) -> Result<Recording> {
        let before = self.recording().await?.frames.len();
        let script = format!("return (window.skylarkRecording?.frames.length ?? 0) >= {}", before + frames);
        self.wait_for(&format!("{frames} more frames are shown"), patience, &script).await?;
        self.recording().await
    }

    /// Clicks on the first element of a CSS selector, as a mouse or finger does.
    ///
    /// # Errors
    /// When there is none or something covers it.
    pub async fn click(&self, css: &str) -> Result<()> {
        let element = self.client.find(Locator::Css(css)).await.with_context(|| format!("no {css}"))?;
        element.click().await.with_context(|| format!("cannot click on {css}"))
    }

    /// Types into the first element of a CSS selector.
    ///
    /// # Errors
    /// When there is none, or nothing can be typed into it.
    pub async fn fill(&self, css: &str, text: &str) -> Result<()> {
        let element = self.client.find(Locator::Css(css)).await.with_context(|| format!("no {css}"))?;
        element.send_keys(text).await.with_context(|| format!("cannot type into {css}"))
    }

    /// Waits for the first element of a CSS selector and clicks on it.
    ///
    /// # Errors
    /// When there is none in time, or something covers it.
    pub async fn click_when_there(&self, css: &str, patience: Duration) -> Result<()> {
        wait::until(&format!("{css} can be clicked"), patience, async || self.click(css).await.ok()).await
    }

    /// Moves the mouse over the first element of a CSS selector: controls that hide themselves come back.
    ///
    /// # Errors
    /// When there is none.
    pub async fn hover(&self, css: &str) -> Result<()> {
        let element = self.client.find(Locator::Css(css)).await.with_context(|| format!("no {css}"))?;
        // Twice: a pointer that is there already does not move.
        let moves = [(2, 2), (0, 0)].map(|(x, y)| PointerAction::MoveToElement {
            element: element.clone(),
            duration: None,
            x: f64::from(x),
            y: f64::from(y),
        });
        let mouse = moves.into_iter().fold(MouseActions::new("mouse".to_owned()), |mouse, step| mouse.then(step));
        self.client.perform_actions(mouse).await.with_context(|| format!("cannot move the mouse over {css}"))
    }

    /// Presses a key on the page.
    ///
    /// # Errors
    /// When there is no page.
    pub async fn press(&self, key: &str) -> Result<()> {
        let body = self.client.find(Locator::Css("body")).await?;
        body.send_keys(key).await.with_context(|| format!("cannot press {key}"))
    }

    /// Presses a key on the first element of a CSS selector.
    ///
    /// # Errors
    /// When there is none.
    pub async fn press_on(&self, css: &str, key: &str) -> Result<()> {
        let element = self.client.find(Locator::Css(css)).await.with_context(|| format!("no {css}"))?;
        element.send_keys(key).await.with_context(|| format!("cannot press {key} on {css}"))
    }

    /// Saves a picture of the page as `NAME.png` in the folder for test output.
    ///
    /// # Errors
    /// When it cannot be taken or written.
    pub async fn screenshot(&self, name: &str) -> Result<PathBuf> {
        let path = output_folder()?.join(format!("{name}.png"));
        fs::write(&path, self.client.screenshot().await?)?;
        Ok(path)
    }

    /// Sends a command of the DevTools protocol.
    ///
    /// # Errors
    /// When Chromium refuses it.
    pub async fn command(&self, name: &'static str, parameters: Value) -> Result<Value> {
        self.client.issue_cmd(DevTools { name, parameters }).await.with_context(|| format!("DevTools: {name}"))
    }

    /// Takes the network away from the page, or gives it back.
    ///
    /// # Errors
    /// When Chromium refuses.
    pub async fn set_offline(&self, offline: bool) -> Result<()> {
        self.emulate_network(
            json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 }),
        )
        .await
    }

    /// Nothing comes faster than this from now on, bits per second; none: as fast as it can.
    ///
    /// # Errors
    /// When Chromium refuses.
    pub async fn narrow(&self, download_bps: Option<u32>) -> Result<()> {
        let bytes_per_s = download_bps.map_or(-1, |bits| i64::from(bits / 8));
        self.emulate_network(
            json!({ "offline": false, "latency": 0, "downloadThroughput": bytes_per_s, "uploadThroughput": -1 }),
        )
        .await
    }

    async fn emulate_network(&self, conditions: Value) -> Result<()> {
        self.command("Network.enable", json!({})).await?;
        self.command("Network.emulateNetworkConditions", conditions).await?;
        Ok(())
    }
}

/// Where tests leave pictures for people to look at.
///
/// # Errors
/// When it cannot be made.
pub fn output_folder() -> Result<PathBuf> {
    let folder =
        std::env::var_os("SKYLARK_E2E_OUTPUT").map_or_else(|| std::env::temp_dir().join("skylark-e2e"), PathBuf::from);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

fn capabilities(profile: &TempDir, window: Window, autoplay: Autoplay) -> Capabilities {
    let size = if window == Window::Phone { "360,740" } else { "1280,800" };
    let mut arguments = vec![
        "--headless".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-quic".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--ignore-certificate-errors".to_owned(),
        format!("--window-size={size}"),
        format!("--user-data-dir={}", profile.path().display()),
    ];
    if autoplay == Autoplay::Allowed {
        arguments.push("--autoplay-policy=no-user-gesture-required".to_owned());
    }
    let mut options = json!({ "args": arguments });
    if window == Window::Phone {
        options["mobileEmulation"] =
            json!({ "deviceMetrics": { "width": 360, "height": 740, "pixelRatio": 2.0, "touch": true } });
    }
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    capabilities
}

/// Chromedriver's door to the DevTools protocol.
#[derive(Debug)]
struct DevTools {
    name: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base_url: &url::Url, session_id: Option<&str>) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/goog/cdp/execute", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &url::Url) -> (hyper::Method, Option<String>) {
        (hyper::Method::POST, Some(json!({ "cmd": self.name, "params": self.parameters }).to_string()))
    }
}

/// Checks the numbers that a page has shown: forwards only, and nothing left out at one place for longer than two
/// seconds. A busy machine shows fewer frames than were sent; the players' tests look at each.
///
/// # Errors
/// When the picture jumped or went back.
pub fn check_shown(frames: &[ShownFrame]) -> Result<()> {
    ensure!(!frames.is_empty(), "no frame was shown");
    for pair in frames.windows(2) {
        let step = pair[1].number.wrapping_sub(pair[0].number);
        ensure!(step <= LONGEST_JUMP, "after frame {} the page showed frame {}", pair[0].number, pair[1].number);
    }
    Ok(())
}
