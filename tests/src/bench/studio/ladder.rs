//! Ten minutes of three renditions: not a frame is lost, and none is late.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use skylark_protocol::StreamState;

use super::{HD, Headless, Rendition, SOON, scenes, stage::Stage};
use crate::{
    bench::{Row, Verdict},
    origin::Origin,
};

const LADDER: [Rendition; 3] = [
    HD,
    Rendition { width: 854, height: 480, bitrate_bps: 1_200_000 },
    Rendition { width: 640, height: 360, bitrate_bps: 700_000 },
];

pub(super) async fn measure(stage: &Stage, origin: &Origin, quick: bool) -> Result<Row> {
    let minutes = if quick { 1 } else { 10 };
    let key = origin.create_key()?;
    let mut studio = Headless::start(&scenes(), stage, origin, &key, &LADDER, &[])?;
    origin.wait_for_state(&key, StreamState::Live, SOON).await.with_context(|| studio.publisher.log())?;
    tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
    ensure!(studio.publisher.is_running(), "it ended too early:\n{}", studio.publisher.log());
    let report = studio.report()?;
    let (dropped, made) = (report.of_pictures("dropped_frames"), report.of_pictures("made_frames"));
    let late = report.of_pictures("late_frames");
    ensure!(made >= 3 * 30 * 58 * minutes, "only {made} frames were made in {minutes} minutes");
    Ok(Row {
        what: format!("Studio, frames dropped or late in {minutes} min of 720p, 480p and 360p ({made} made)"),
        ours: format!("{dropped} dropped, {late} late"),
        reference: String::new(),
        ratio: None,
        goal: "must 0".to_owned(),
        verdict: Verdict::at_most((dropped + late) as f64, 0.0, None),
    })
}
