//! What goes wrong while somebody streams from the Studio's real window: what the streamer is told, what viewers see, and that
//! both go on.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    browser::Browser,
    cable::Cable,
    decode,
    origin::{Origin, StreamKey},
    site::SOON,
    small_disk::SmallDisk,
    streamer::OPEN_TO_ALL,
    studio_on_air::{go_live, set_up, small_ladder, viewer_color, wait_for_badge, watch},
    studio_window::{Camera, StudioWindow},
    wait,
};
use serde_json::{Value, json};
use skylark_protocol::StreamState;

/// A failure is seen within this time.
const SEEN: Duration = Duration::from_secs(2);
/// Where the camera stands in the picture, and what is there while it films.
const CAMERA: (f64, f64) = (0.72, 0.85);
const IS_RED: &str = "r > 180 && g < 80 && b < 80";
const IS_NOT_RED: &str = "!(r > 120 && g < 100 && b < 100)";

/// A stream from the window, somebody who watches it, and the origin between them.
struct OnAir {
    viewer: Browser,
    studio: StudioWindow,
    cable: Cable,
    origin: Origin,
    stream: StreamKey,
    /// Of what is sent: the same as long as nothing ends it.
    broadcast: Option<String>,
    /// The page that the viewer opened.
    page: String,
}

impl OnAir {
    async fn begin(settings: Value) -> Result<Self> {
        let origin = Origin::with_config(OPEN_TO_ALL).await?;
        let cable = Cable::to(&origin).await?;
        let scenes = small_scene();
        let files = [("scenes.json", &scenes), ("settings.json", &settings)];
        let studio = StudioWindow::open_prepared(&files, 1280, 720).await?;
        set_up(&studio, &cable.url()).await?;
        studio.choose("select[name='camera']", "Fake Camera").await?;
        studio.choose("select[name='microphone']", "PulseAudio").await?;
        let link = go_live(&studio, "Evening jam").await?;
        let viewer = watch(&origin, &link).await?;
        viewer.wait_for("the viewer sees the camera", SOON, &viewer_color(CAMERA, IS_RED)).await?;
        let id = link.rsplit('/').next().context("the link names no stream")?;
        let stream = StreamKey { stream: id.to_owned(), key: String::new() };
        let broadcast = origin.status(&stream).await?.broadcast;
        let page = viewer.recording().await?.page;
        Ok(Self { viewer, studio, cable, origin, stream, broadcast, page })
    }

    /// The window says so where the stream stands, in these words.
    async fn is_told(&self, words: &str, patience: Duration) -> Result<()> {
        let told = format!(
            "return document.querySelector('#live .warning-list')?.innerText.toLowerCase().includes({})",
            json!(words.to_lowercase())
        );
        self.studio.page().wait_for(&format!("the streamer is told {words:?}"), patience, &told).await?;
        Ok(())
    }

    /// Nothing is left to be told, and the viewer's picture moves: the same broadcast, on the page that they opened.
    async fn goes_on(&self) -> Result<()> {
        wait_for_badge(&self.studio, "live", SOON).await?;
        let is_quiet = "return !document.querySelector('#live .warning-list [data-severity=failure]')";
        self.studio.page().wait_for("nothing is wrong any more", SOON, is_quiet).await?;
        self.viewer
            .wait_for(
                "the page shows the picture alone",
                SOON,
                "return document.querySelector('.message')?.classList.contains('hidden')",
            )
            .await?;
        self.viewer.wait_for_frames(30, SOON).await?;
        let status = self.origin.status(&self.stream).await?;
        ensure!(status.state == StreamState::Live && status.broadcast == self.broadcast, "{status:?}");
        ensure!(self.viewer.recording().await?.page == self.page, "the viewer's page was loaded again");
        Ok(())
    }

    async fn pictures(&self, name: &str) -> Result<()> {
        self.studio.page().screenshot(&format!("studio-{name}")).await?;
        self.viewer.screenshot(&format!("studio-{name}-viewer")).await?;
        Ok(())
    }
}

fn small_scene() -> Value {
    json!({
        "version": 1,
        "canvas": { "width": 640, "height": 360, "frame_rate": 30 },
        "sources": [],
        "scenes": [{ "id": 1, "name": "Desk", "items": [] }],
        "program": 1,
        "next_id": 2,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_while_live_is_told_to_both_sides_and_the_stream_goes_on() -> Result<()> {
    let disk = SmallDisk::of_mib(96)?;
    let mut settings = small_ladder();
    settings["recording"] = json!({ "with_broadcast": true, "folder": disk.path() });
    let mut air = OnAir::begin(settings).await?;
    lose_the_camera(&air).await?;
    pull_the_cable(&air).await?;
    kill_the_origin(&mut air).await?;
    fill_the_disk(&air, &disk).await?;
    reload_the_window(&air).await?;
    close_the_window(&air).await
}

async fn lose_the_camera(air: &OnAir) -> Result<()> {
    for (how, name) in [(Camera::Gone, "camera-pulled"), (Camera::Hangs, "camera-hangs")] {
        air.studio.set_camera(how)?;
        let lost = Instant::now();
        let is_named = "return [...document.querySelectorAll('#sources .row-line')].some(row => \
            row.innerText.includes('Camera') && row.innerText.includes('No signal'))";
        air.studio.page().wait_for("the list says which source is away", SEEN, is_named).await?;
        air.is_told("camera is away", SEEN.saturating_sub(lost.elapsed())).await?;
        air.viewer.wait_for("viewers see words in its place", SOON, &viewer_color(CAMERA, IS_NOT_RED)).await?;
        air.viewer.wait_for_frames(30, SOON).await?;
        air.pictures(name).await?;
        air.studio.set_camera(Camera::Runs)?;
        air.viewer.wait_for("the camera is back by itself", SOON, &viewer_color(CAMERA, IS_RED)).await?;
    }
    air.goes_on().await
}

async fn pull_the_cable(air: &OnAir) -> Result<()> {
    air.cable.pull();
    let pulled = Instant::now();
    wait_for_badge(&air.studio, "reconnecting", SEEN).await?;
    air.is_told("does not reach viewers", SEEN.saturating_sub(pulled.elapsed())).await?;
    air.viewer.wait_for_text("the streamer's connection dropped", SOON).await?;
    air.is_told("has not been heard of for", SOON).await?;
    air.pictures("cable-pulled").await?;
    air.cable.plug_in();
    air.goes_on().await
}

async fn kill_the_origin(air: &mut OnAir) -> Result<()> {
    air.origin.kill();
    let killed = Instant::now();
    wait_for_badge(&air.studio, "reconnecting", SEEN).await?;
    air.is_told("does not reach viewers", SEEN.saturating_sub(killed.elapsed())).await?;
    air.viewer.wait_for_text("trying to reach the server again", SOON).await?;
    air.is_told("check that the origin runs", SOON).await?;
    air.pictures("origin-killed").await?;
    air.origin.kill_and_restart().await?;
    air.goes_on().await
}

async fn fill_the_disk(air: &OnAir, disk: &SmallDisk) -> Result<()> {
    let recording = only_film(disk.path())?;
    disk.fill()?;
    let filled = Instant::now();
    air.is_told("the recording", SEEN).await?;
    air.is_told("the disk is full", SEEN.saturating_sub(filled.elapsed())).await?;
    air.pictures("disk-full").await?;
    ensure!(air.studio.page().script("return document.querySelector('#badge').dataset.state").await? == "live");
    air.goes_on().await?;
    let decoded = decode::decode(&recording.to_string_lossy(), &[])?;
    ensure!(decoded.frames.len() > 150, "only {} pictures can be played: {}", decoded.frames.len(), decoded.complaints);
    Ok(())
}

/// The page of the window is loaded again: nothing is lost, and nothing is ended.
async fn reload_the_window(air: &OnAir) -> Result<()> {
    let page = air.studio.page();
    page.script("window.isOld = true; location.reload()").await?;
    let is_back = "return !window.isOld && document.querySelector('#badge')?.dataset.state === 'live' && \
        document.querySelector('#live h3')?.textContent === 'Evening jam' && !document.querySelector('#wizard') && \
        document.querySelector('.picture-canvas')?.dataset.frames > 5 && !!document.querySelector('.strip .fader')";
    page.wait_for("the window is as it was", SOON, is_back).await?;
    air.goes_on().await
}

async fn close_the_window(air: &OnAir) -> Result<()> {
    let page = air.studio.page();
    air.studio.ask_to_close()?;
    page.wait_for("it asks", SOON, "return !!document.querySelector('#close-asked')").await?;
    page.screenshot("studio-close-asked").await?;
    page.click("#stay").await?;
    page.wait_for("it stays", SOON, "return !document.querySelector('#close-asked')").await?;
    air.goes_on().await?;
    air.studio.ask_to_close()?;
    page.click_when_there("#end-and-close", SOON).await?;
    wait::until("the Studio ends", SOON, async || (!air.studio.is_running()).then_some(())).await?;
    air.viewer.wait_for_text("the stream has ended", SOON).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_studio_goes_on_or_ends_its_stream_as_the_streamer_wants() -> Result<()> {
    let mut settings = small_ladder();
    settings["recording"] = json!({ "with_broadcast": true });
    let mut air = OnAir::begin(settings).await?;
    let videos = air.studio.folder().join("home/Videos");
    let recording = only_film(&videos)?;
    kill_the_studio(&mut air).await?;
    let decoded = decode::decode(&recording.to_string_lossy(), &[])?;
    ensure!(decoded.frames.len() > 60, "only {} pictures can be played: {}", decoded.frames.len(), decoded.complaints);
    air.studio.page().screenshot("studio-resume").await?;
    air.studio.page().click("#resume").await?;
    air.goes_on().await?;
    air.viewer.wait_for("the viewer sees the camera again", SOON, &viewer_color(CAMERA, IS_RED)).await?;

    kill_the_studio(&mut air).await?;
    air.studio.page().click("#abandon").await?;
    air.viewer.wait_for_text("the stream has ended", SOON).await?;
    air.studio.page().wait_for("nothing is left", SOON, "return !document.querySelector('#resumable')").await?;
    air.pictures("abandoned").await?;
    let path = format!("/api/v1/streams/{}", air.stream.stream);
    let stream: Value = air.origin.client().get(&air.origin.url(&path)).await?.json()?;
    ensure!(stream["phase"] == "ended", "{stream}");
    Ok(())
}

/// As a crash does; viewers wait, and the next launch offers to go on.
async fn kill_the_studio(air: &mut OnAir) -> Result<()> {
    air.studio.kill().await?;
    air.viewer.wait_for_text("the streamer's connection dropped", SOON).await?;
    air.viewer.screenshot("studio-killed-viewer").await?;
    air.studio.start_again().await?;
    let offers = "return document.querySelector('#resumable')?.innerText.includes('Evening jam')";
    air.studio.page().wait_for("it offers to go on", SOON, offers).await?;
    Ok(())
}

fn only_film(folder: &Path) -> Result<PathBuf> {
    let mut films = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    films
        .find(|path| path.extension().is_some_and(|end| end == "mp4"))
        .with_context(|| format!("{} is empty", folder.display()))
}
