//! The real window: how long it takes to be usable, and what the Studio holds in memory while it is live.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{SOON, scenes};
use crate::{
    bench::{Row, Verdict, process},
    origin::Origin,
    streamer::OPEN_TO_ALL,
    studio_window::StudioWindow,
};

const MIB: f64 = 1024.0 * 1024.0;
/// What is kept of the stream fills before memory is looked at.
const SETTLING: Duration = Duration::from_secs(20);

pub(super) async fn measure(quick: bool) -> Result<Vec<Row>> {
    let mut launches = Vec::new();
    for _ in 0..if quick { 2 } else { 6 } {
        launches.push(StudioWindow::launch().await?.as_secs_f64());
    }
    launches.sort_by(f64::total_cmp);
    let middle = launches[launches.len() / 2];
    let worst = launches.last().copied().unwrap_or(middle);
    let launch = Row {
        what: format!("Studio, launch to usable window, {} launches", launches.len()),
        ours: format!("p50 {middle:.2} s, longest {worst:.2} s"),
        reference: String::new(),
        ratio: None,
        goal: "must 2 s, aim 1 s".to_owned(),
        verdict: Verdict::at_most(middle, 2.0, Some(1.0)),
    };
    Ok(vec![launch, memory().await?])
}

async fn memory() -> Result<Row> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let studio = StudioWindow::open_with(&scenes(), 1280, 720).await?;
    let rendition = json!({ "width": 1280, "height": 720, "frame_rate": 30, "bitrate_bps": 2_500_000 });
    let output = json!({
        "encoder": "x264enc", "renditions": [rendition], "audio_bitrate_bps": 128_000, "keyframe_interval_ms": 2000,
        "is_adaptive": true, "recording": { "folder": "", "with_broadcast": false, "bitrate_bps": 0, "replay_s": 0 },
    });
    studio.page().click_when_there("#leave-wizard", SOON).await?;
    for command in [
        json!({ "command": "create_identity" }),
        json!({ "command": "use_origin", "address": origin.url("") }),
        json!({ "command": "set_output", "output": output }),
        json!({ "command": "go_live", "details": { "title": "Memory" } }),
    ] {
        run(&studio, &command).await?;
    }
    let is_live = "return document.querySelector('#badge')?.dataset.state === 'live'";
    studio.page().wait_for("it is live", SOON, is_live).await?;
    tokio::time::sleep(SETTLING).await;
    let id = studio.process()?;
    let (alone, all) = (process::proportional_set_size(id)?, process::tree_proportional_set_size(id)?);
    Ok(Row {
        what: "Studio, memory (PSS) of its process while live at 720p30, window open".to_owned(),
        ours: format!("{:.0} MiB", alone as f64 / MIB),
        reference: format!("with the web view's processes {:.0} MiB", all as f64 / MIB),
        ratio: None,
        goal: "must 250 MiB, aim 180 MiB".to_owned(),
        verdict: Verdict::at_most(alone as f64, 250.0 * MIB, Some(180.0 * MIB)),
    })
}

/// Gives the Studio a command as its page does.
async fn run(studio: &StudioWindow, command: &Value) -> Result<()> {
    // WebKit's driver does not wait for promises of a script.
    let script = format!(
        "window.told = null; window.__TAURI_INTERNALS__.invoke('run', {{ command: {command} }}) \
         .then(() => window.told = 'done', problem => window.told = JSON.stringify(problem))"
    );
    studio.page().script(&script).await?;
    let told = studio.page().wait_for("it answers", SOON, "return window.told").await?;
    ensure!(told == json!("done"), "{command}: {told}");
    Ok(())
}
