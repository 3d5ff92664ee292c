//! Ten minutes of three renditions: not a frame is lost, and none is late.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use skylark_protocol::StreamState;

use super::{HD, Headless, Rendition, SOON, scenes, stage::Stage};
use crate::{
    bench::{Row, Verdict, process::stolen_time},
    origin::Origin,
};

const LADDER: [Rendition; 3] = [
    HD,
    Rendition { width: 854, height: 480, bitrate_bps: 1_200_000 },
    Rendition { width: 640, height: 360, bitrate_bps: 700_000 },
];

/// A late frame is in the newest report after so many seconds.
const REPORTED_WITHIN_S: u32 = 3;

pub(super) async fn measure(stage: &Stage, origin: &Origin, quick: bool) -> Result<Row> {
    let minutes = if quick { 1 } else { 10 };
    let key = origin.create_key()?;
    let mut studio = Headless::start(&scenes(), stage, origin, &key, &LADDER, &[])?;
    origin.wait_for_state(&key, StreamState::Live, SOON).await.with_context(|| studio.publisher.log())?;
    let mut witness = Witness::begin()?;
    let (mut seen, mut undisturbed) = (0, 0);
    for _ in 0..60 * minutes {
        witness.watch_a_second().await?;
        // What half of the frames take changes, and with it which are late.
        let late = studio.report()?.of_pictures("late_frames");
        if witness.quiet_s >= REPORTED_WITHIN_S {
            undisturbed += late.saturating_sub(seen);
        }
        seen = late.max(seen);
    }
    ensure!(studio.publisher.is_running(), "it ended too early:\n{}", studio.publisher.log());
    let report = studio.report()?;
    let (dropped, made) = (report.of_pictures("dropped_frames"), report.of_pictures("made_frames"));
    let late = report.of_pictures("late_frames");
    ensure!(made >= 3 * 30 * 58 * minutes, "only {made} frames were made in {minutes} minutes");
    let (p50, p95) = (report.of_picture("p50_ms")?, report.of_picture("p95_ms")?);
    Ok(Row {
        what: format!(
            "Studio, frames dropped or late in {minutes} min of 720p, 480p and 360p ({made} made, 720p after p50 {p50:.0} ms, \
             p95 {p95:.0} ms; processors were held back in {} seconds)",
            witness.disturbed_s
        ),
        ours: format!("{dropped} dropped, {late} late, {undisturbed} of them in undisturbed seconds"),
        reference: String::new(),
        ratio: None,
        goal: "must 0".to_owned(),
        verdict: Verdict::at_most((dropped + late) as f64, 0.0, None),
    })
}

/// Sees in which seconds processors are held back, as a virtual machine's are while its host has none for it. That explains late
/// frames of those seconds, and excuses none.
struct Witness {
    stolen: Duration,
    /// Undisturbed seconds in a row.
    quiet_s: u32,
    disturbed_s: u32,
}

impl Witness {
    /// How often it looks.
    const LOOK: Duration = Duration::from_millis(5);
    /// Who sleeps so much longer than asked for was held up: most of what a late frame is late by.
    const STILL: Duration = Duration::from_millis(20);

    fn begin() -> Result<Self> {
        Ok(Self { stolen: stolen_time()?, quiet_s: 0, disturbed_s: 0 })
    }

    async fn watch_a_second(&mut self) -> Result<()> {
        let watching = tokio::task::spawn_blocking(|| {
            let (began, mut longest) = (Instant::now(), Duration::ZERO);
            while began.elapsed() < Duration::from_secs(1) {
                let before = Instant::now();
                thread::sleep(Self::LOOK);
                longest = longest.max(before.elapsed().saturating_sub(Self::LOOK));
            }
            longest
        });
        let longest = watching.await?;
        let stolen = stolen_time()?;
        let is_disturbed = longest >= Self::STILL || stolen.saturating_sub(self.stolen) >= Self::STILL;
        self.quiet_s = if is_disturbed { 0 } else { self.quiet_s + 1 };
        self.disturbed_s += u32::from(is_disturbed);
        self.stolen = stolen;
        Ok(())
    }
}
