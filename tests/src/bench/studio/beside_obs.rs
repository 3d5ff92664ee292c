//! OBS with a like scene: a film of 640×360, encoded by x264 veryfast. OBS draws with OpenGL, here in software.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use skylark_protocol::StreamState;

use super::{Headless, Rendition, SOON, stage::Stage};
use crate::{
    bench::{Row, Verdict, process::tree_cpu_time},
    clip::Clip,
    obs::{self, Keyframes, Obs},
    origin::{Origin, StreamKey},
};

/// The row of the program that runs in OBS's network.
pub const INSIDE: &str = "studio-obs-inside";

const FILM: Clip =
    Clip { width: 640, height: 360, frame_rate: 30, gop: 60, b_frames: 0, seconds: 20, bitrate_bps: 1_200_000 };
const SETTLING: Duration = Duration::from_secs(8);

/// Measures in a network of its own: OBS's remote control listens everywhere.
///
/// # Errors
/// When one of the two does not work.
pub fn measure(quick: bool) -> Result<Vec<Row>> {
    let mut command = obs::namespace()?;
    let output = command.arg(INSIDE).args(quick.then_some("--quick")).output().context("cannot start unshare")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "in its own network: {printed}{}", String::from_utf8_lossy(&output.stderr));
    let cores: Vec<f64> = printed.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [theirs, ours] = cores[..] else { anyhow::bail!("two figures were expected, not {printed:?}") };
    Ok(vec![Row {
        what: "Studio, CPU of one core: a film of 640×360, x264 veryfast, beside OBS 29 on software OpenGL".to_owned(),
        ours: format!("{:.1} %", ours * 100.0),
        reference: format!("OBS {:.1} %", theirs * 100.0),
        ratio: Some(ours / theirs),
        goal: "information only".to_owned(),
        verdict: Verdict::Reached,
    }])
}

/// Prints how many cores OBS kept busy, and the Studio.
///
/// # Errors
/// When one of the two does not work.
pub async fn measure_inside(quick: bool) -> Result<()> {
    let measured = Duration::from_secs(if quick { 10 } else { 30 });
    let origin = Origin::start().await?;
    let clip = FILM.file()?;
    let key = origin.create_key()?;
    let url = origin.rtmp_url(&key);
    let server = url.strip_suffix(&format!("/{}", key.key)).context("the key is the end of the address")?;
    let settings =
        obs::Settings { server, key: &key.key, keyframes: Keyframes::TwoSeconds, preset: "veryfast", clip: &clip };
    let obs = Obs::stream(&settings)?;
    let theirs = cores(&origin, &key, obs.id(), measured).await.with_context(|| obs.log())?;
    drop(obs);
    let stage = Stage::set().await?;
    let key = origin.create_key()?;
    let film = json!({
        "version": 1,
        "canvas": { "width": FILM.width, "height": FILM.height, "frame_rate": 30 },
        "sources": [{ "id": 2, "name": "Film", "strip": {}, "input": { "kind": "media", "path": clip, "is_looped": true } }],
        "scenes": [{ "id": 1, "name": "Main", "items": [{
            "id": 3, "source": 2, "is_visible": true,
            "place": { "x": 0, "y": 0, "width": FILM.width, "height": FILM.height },
        }] }],
        "program": 1,
        "next_id": 4,
    });
    let rendition = Rendition { width: FILM.width, height: FILM.height, bitrate_bps: FILM.bitrate_bps };
    let studio = Headless::start(&film, &stage, &origin, &key, &[rendition], &[])?;
    let ours = cores(&origin, &key, studio.publisher.id(), measured).await.with_context(|| studio.publisher.log())?;
    println!("{theirs} {ours}");
    Ok(())
}

async fn cores(origin: &Origin, key: &StreamKey, program: u32, measured: Duration) -> Result<f64> {
    origin.wait_for_state(key, StreamState::Live, SOON).await?;
    tokio::time::sleep(SETTLING).await;
    let before = tree_cpu_time(program)?;
    tokio::time::sleep(measured).await;
    Ok((tree_cpu_time(program)? - before).as_secs_f64() / measured.as_secs_f64())
}
