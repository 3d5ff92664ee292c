//! `picture FOLDER`: the Studio on air and the viewer page that plays it, as PNG files. Started by `cargo xtask picture`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    browser::{Autoplay, Browser, Window},
    origin::{Origin, StreamKey},
    site::SOON,
    streamer::{OPEN_TO_ALL, Streamer},
    studio_window::StudioWindow,
};
use serde_json::{Value, json};

/// Something nicer to look at than test pictures, slow enough to be compressed well.
const STAGE: &str =
    "gradients=size=1280x720:rate=30:c0=0x0b1d3a:c1=0x2a6fbb:c2=0xf3a65a:c3=0x14213d:nb_colors=4:seed=7:speed=0.02";
/// The same for a second camera.
const CLOSE_UP: &str =
    "gradients=size=640x360:rate=30:c0=0xf3a65a:c1=0x7b2d26:c2=0x14213d:nb_colors=3:seed=3:speed=0.02:type=radial";
/// A chord.
const SOUND: &str =
    "aevalsrc=exprs='0.1*(sin(2*PI*220*t)+sin(2*PI*277*t)+sin(2*PI*330*t))*(0.6+0.4*sin(2*PI*t/2))':sample_rate=48000";
/// How long the films are before they begin again, seconds.
const FILM_S: &str = "20";
/// What is said beside the stream: by whom, and how long ago.
const CHAT: [(u64, &str, u64); 4] = [
    (2, "Good evening! Sound and picture are great tonight", 50),
    (3, "Is this the new song?", 35),
    (4, "The close-up is a nice touch", 20),
    (5, "Encore!", 4),
];
/// What they are called, the streamer first.
const PEOPLE: [(u64, &str); 5] = [(1, "Ada"), (2, "Noor"), (3, "Linus"), (4, "Mei"), (5, "Tom")];

#[tokio::main]
async fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).context("usage: picture FOLDER")?);
    fs::create_dir_all(&folder)?;
    let films = tempfile::tempdir()?;
    let scenes = scenes(films.path())?;
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let mut streamer = Streamer::new(&origin, 1).await?;
    let studio = StudioWindow::open_with(&scenes, 1440, 810).await?;
    let link = go_live(&studio, &origin, &streamer.nsec()?).await?;
    let stream = link.rsplit('/').next().context("the link names no stream")?;
    let stream = StreamKey { stream: stream.to_owned(), key: String::new() };
    for (who, text, ago_s) in CHAT {
        streamer.let_have_said(who, &stream, text, ago_s).await?;
    }
    // Whom the relay knows by now.
    for (who, name) in PEOPLE {
        streamer.introduce(who, &json!({ "name": name })).await?;
    }
    let viewer = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    viewer.goto(&link).await?;
    viewer.wait_for_frames(240, SOON).await?;
    viewer.wait_for_text("Encore!", SOON).await?;
    shrink(&viewer.screenshot("viewer").await?, &folder.join("viewer.png"))?;
    let page = studio.page();
    page.wait_for_text("Encore!", SOON).await?;
    let viewers = "return document.querySelector('[data-figure=viewers] dd')?.textContent === '1'";
    page.wait_for("the Studio counts its viewer", SOON, viewers).await?;
    shrink(&page.screenshot("studio").await?, &folder.join("studio.png"))
}

/// An evening with two cameras, which are films here.
fn scenes(films: &Path) -> Result<Value> {
    let (stage, close_up) = (films.join("stage.mp4"), films.join("close-up.mp4"));
    film(STAGE, Some(SOUND), &stage)?;
    film(CLOSE_UP, None, &close_up)?;
    let place = |x, y, width, height| json!({ "x": x, "y": y, "width": width, "height": height });
    let item = |id, source, place| json!({ "id": id, "source": source, "is_visible": true, "place": place });
    let whole = place(0, 0, 1280, 720);
    let media = |id, name, path: &Path| {
        let mut source = json!({ "id": id, "name": name });
        source["input"] = json!({ "kind": "media", "path": path, "is_looped": true });
        source
    };
    let mut sound = media(10, "Stage", &stage);
    sound["strip"] = json!({});
    Ok(json!({
        "version": 1,
        "canvas": { "width": 1280, "height": 720, "frame_rate": 30 },
        "sources": [
            sound,
            media(11, "Close-up", &close_up),
            { "id": 12, "name": "Title", "input": {
                "kind": "text", "text": "Evening jam", "size": 56, "color": [255, 255, 255, 255],
            } },
            { "id": 13, "name": "Microphone", "strip": { "gain_db": -6 }, "input": { "kind": "microphone", "device": "" } },
        ],
        "scenes": [
            { "id": 1, "name": "On stage", "items": [
                item(20, 10, whole.clone()),
                item(21, 11, place(896, 456, 352, 198)),
                item(22, 12, place(48, 600, 420, 72)),
            ] },
            { "id": 2, "name": "Close-up", "items": [item(23, 11, whole.clone())] },
            { "id": 3, "name": "Back soon", "items": [item(24, 12, place(430, 320, 420, 72))] },
        ],
        "program": 1,
        "next_id": 30,
    }))
}

fn film(picture: &str, sound: Option<&str>, file: &Path) -> Result<()> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", picture]);
    if let Some(sound) = sound {
        ffmpeg.args(["-f", "lavfi", "-i", sound, "-c:a", "aac"]);
    }
    ffmpeg.args(["-t", FILM_S, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-g", "30"]);
    let status = ffmpeg.arg(file).stdin(Stdio::null()).status()?;
    ensure!(status.success(), "ffmpeg cannot make {}: {status}", file.display());
    Ok(())
}

/// Through the wizard; answers the link to share.
async fn go_live(studio: &StudioWindow, origin: &Origin, nsec: &str) -> Result<String> {
    let page = studio.page();
    page.click_when_there("#import-identity", SOON).await?;
    page.fill("input[name='secret']", nsec).await?;
    page.click(".secret-form [type='submit']").await?;
    page.click_when_there("#wizard-next:enabled", SOON).await?;
    page.fill("input[name='origin']", &origin.url("")).await?;
    page.click("#use-origin").await?;
    page.wait_for("the origin is chosen", SOON, "return !!document.querySelector('#origin-chosen')").await?;
    page.click("#wizard-next").await?;
    page.click_when_there("#wizard-next:enabled", SOON).await?;
    let is_checked = "return document.querySelector('.checks')?.dataset.done === 'true'";
    page.wait_for("everything is checked", SOON, is_checked).await?;
    page.click("#wizard-next").await?;
    page.fill("#announcement input[name='title']", "Evening jam").await?;
    page.click_when_there("#go-live-now:enabled", SOON).await?;
    page.wait_for("it is live", SOON, "return document.querySelector('#badge')?.dataset.state === 'live'").await?;
    page.click("#share-button").await?;
    let link = page.wait_for("the link is there", SOON, "return document.querySelector('#share-link')?.value").await?;
    page.click("#share [aria-label='Close']").await?;
    Ok(link.as_str().context("the link is no text")?.to_owned())
}

/// Fewer colours: a README should load quickly.
fn shrink(picture: &Path, file: &Path) -> Result<()> {
    let palette = "split[a][b];[a]palettegen=max_colors=192[p];[b][p]paletteuse=dither=bayer:bayer_scale=4";
    let status = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-i"])
        .arg(picture)
        .args(["-vf", palette])
        .arg(file)
        .status()?;
    ensure!(status.success(), "ffmpeg cannot write {}: {status}", file.display());
    println!("{}", file.display());
    Ok(())
}
