//! The Studio: what it costs beside a bare pipeline of the same shape, how late its frames are, how fast it opens.
//!
//! | module | does |
//! |---|---|
//! | `stage` | what it captures: a screen with a clock on it, a camera, a microphone |
//! | `cost` | CPU time, and the encoder's latency, without the window |
//! | `ladder` | ten minutes of three renditions |
//! | `window` | launch, and memory while live |
//! | `beside_obs` | what OBS costs with a like scene |

pub mod beside_obs;
mod cost;
mod ladder;
mod stage;
mod window;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use skylark_protocol::StreamState;

use self::stage::Stage;
use super::{Row, latency};
use crate::{
    origin::{Origin, StreamKey},
    publish::Publisher,
};

/// How long anything may take to be live.
const SOON: Duration = Duration::from_secs(30);

/// What it costs, how late frames are, how fast it opens.
///
/// # Errors
/// When a part of it does not work.
pub async fn measure(quick: bool) -> Result<Vec<Row>> {
    let stage = Stage::set().await?;
    let origin = Origin::start().await?;
    let mut rows = cost::measure(&stage, &origin, quick).await?;
    rows.push(glass_to_glass(&stage, &origin, quick).await?);
    drop(stage);
    rows.extend(window::measure(quick).await?);
    Ok(rows)
}

/// Ten minutes of 720p, 480p and 360p.
///
/// # Errors
/// When nothing is sent.
pub async fn measure_ladder(quick: bool) -> Result<Vec<Row>> {
    let stage = Stage::set().await?;
    let origin = Origin::start().await?;
    Ok(vec![ladder::measure(&stage, &origin, quick).await?])
}

/// The clock on the screen, through the Studio, the origin and Chromium.
async fn glass_to_glass(stage: &Stage, origin: &Origin, quick: bool) -> Result<Row> {
    let key = origin.create_key()?;
    let studio = Headless::start(&scenes(), stage, origin, &key, &[HD], &[])?;
    origin.wait_for_state(&key, StreamState::Live, SOON).await.with_context(|| studio.publisher.log())?;
    let seen = latency::watch(origin, &key, quick).await?;
    Ok(seen.row("Studio, glass to glass: screen to Chromium", 1300.0, 900.0))
}

/// 720p30 at 2.5 Mbit/s.
const HD: Rendition = Rendition { width: 1280, height: 720, bitrate_bps: 2_500_000 };

/// What is encoded, at 30 frames a second.
#[derive(Debug, Clone, Copy)]
struct Rendition {
    width: u32,
    height: u32,
    bitrate_bps: u32,
}

/// A Studio without its window that sends what the stage shows.
struct Headless {
    publisher: Publisher,
    _folder: tempfile::TempDir,
}

impl Headless {
    fn start(
        scenes: &Value,
        stage: &Stage,
        origin: &Origin,
        key: &StreamKey,
        renditions: &[Rendition],
        options: &[&str],
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("scenes.json"), scenes.to_string())?;
        let renditions: Vec<_> = renditions
            .iter()
            .map(|one| {
                json!({ "width": one.width, "height": one.height, "frame_rate": 30, "bitrate_bps": one.bitrate_bps })
            })
            .collect();
        let settings = json!({
            "encoder": "x264enc", "renditions": renditions, "audio_bitrate_bps": 128_000, "is_adaptive": false,
            "recording": { "with_broadcast": false },
        });
        std::fs::write(folder.path().join("settings.json"), settings.to_string())?;
        let mut command = stage.command(&binary()?.to_string_lossy());
        command.arg("--headless").arg(folder.path().join("scenes.json")).arg("--data").arg(folder.path());
        command.arg("--report").args(options).env("SKYLARK_PUSH_URL", origin.srt_url(key));
        command.env("LD_PRELOAD", stage.camera()).env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
        Ok(Self { publisher: Publisher::spawn("skylark", &mut command)?, _folder: folder })
    }

    /// The newest of the lines of JSON that it prints every second.
    fn report(&self) -> Result<Report> {
        let log = self.publisher.log();
        let line = log.lines().rev().find(|line| line.starts_with('{'));
        Ok(Report(serde_json::from_str(line.with_context(|| format!("it reports nothing:\n{log}"))?)?))
    }
}

/// How its encoders do.
struct Report(Value);

impl Report {
    /// A figure of the first picture's encoder.
    fn of_picture(&self, name: &str) -> Result<f64> {
        let picture = self.pictures().next();
        picture.and_then(|track| track[name].as_f64()).with_context(|| format!("no {name} in {}", self.0))
    }

    /// A figure of all pictures' encoders together.
    fn of_pictures(&self, name: &str) -> u64 {
        self.pictures().filter_map(|track| track[name].as_u64()).sum()
    }

    fn pictures(&self) -> impl Iterator<Item = &Value> {
        let tracks = self.0["tracks"].as_array().map(Vec::as_slice).unwrap_or_default();
        tracks.iter().filter(|track| track["track"].as_str().is_some_and(|name| name.starts_with("Video")))
    }
}

/// The screen, with the camera in its lower right corner, and the microphone.
fn scenes() -> Value {
    let item = |id: u32, source: u32, place: [u32; 4]| {
        let [x, y, width, height] = place;
        json!({
            "id": id, "source": source, "is_visible": true,
            "place": { "x": x, "y": y, "width": width, "height": height },
        })
    };
    json!({
        "version": 1,
        "canvas": { "width": 1280, "height": 720, "frame_rate": 30 },
        "sources": [
            { "id": 2, "name": "Screen", "input": { "kind": "screen", "device": "", "shows_pointer": false } },
            { "id": 3, "name": "Camera", "input": { "kind": "camera", "device": "" } },
            { "id": 4, "name": "Microphone", "strip": {}, "input": { "kind": "microphone", "device": "" } },
        ],
        "scenes": [{
            "id": 1, "name": "Main",
            "items": [item(5, 2, [0, 0, 1280, 720]), item(6, 3, [896, 504, 384, 216])],
        }],
        "program": 1,
        "next_id": 7,
    })
}

/// The Studio's binary, of the release build.
fn binary() -> Result<PathBuf> {
    crate::studio_window::binary().context("the Studio is measured")
}
