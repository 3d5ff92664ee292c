//! What a viewer of the page notices: glass-to-glass latency, time to the first frame, stalls.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use skylark_protocol::StreamState;

use super::{
    Row, Verdict,
    clock::{CLOCK_MS, Clock},
};
use crate::{
    browser::{Autoplay, Browser, Window},
    origin::{Origin, StreamKey},
};

const SOON: Duration = Duration::from_secs(20);
/// The player may settle for so long before latency counts.
const SETTLING_MS: f64 = 10_000.0;

/// A clock from before the encoder to the browser's screen, then the page opened again and again.
///
/// # Errors
/// When there is no picture.
pub async fn measure(quick: bool) -> Result<Vec<Row>> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _clock = Clock::push(&origin.rtmp_url(&key))?;
    origin.wait_for_state(&key, StreamState::Live, SOON).await?;
    let seen = watch(&origin, &key, quick).await?;
    let glass = seen.row("glass to glass", 1000.0, 700.0);
    let glass_p95 = Verdict::at_most(seen.p95_ms, 1200.0, None);
    let Seen { browser, mut stalls, .. } = seen;

    browser.command("Network.enable", json!({})).await?;
    browser.command("Network.setCacheDisabled", json!({ "cacheDisabled": true })).await?;
    let loads = if quick { 5 } else { 20 };
    let mut openings = Vec::new();
    for _ in 0..loads {
        browser.goto("about:blank").await?;
        browser.goto(&origin.page(&key)).await?;
        let recording = browser.wait_for_frames(30, SOON).await?;
        openings.push(recording.frames[0].at_ms - recording.opened_ms);
        stalls += recording.count_after_playing("waiting");
    }
    let (opening_p50, opening_p95) = (percentile(&mut openings, 50), percentile(&mut openings, 95));
    Ok(vec![
        Row {
            goal: "must p50 1.0 s, p95 1.2 s; aim p50 0.7 s".to_owned(),
            verdict: glass.verdict.and(glass_p95),
            ..glass
        },
        Row {
            what: format!("page open to first frame, {loads} loads without cache"),
            ours: format!("p50 {:.2} s, p95 {:.2} s", opening_p50 / 1000.0, opening_p95 / 1000.0),
            reference: String::new(),
            ratio: None,
            goal: "must p95 1.0 s, aim 0.5 s".to_owned(),
            verdict: Verdict::at_most(opening_p95, 1000.0, Some(500.0)),
        },
        Row {
            what: format!("`waiting` events after the first `playing`, {} page loads", loads + 1),
            ours: stalls.to_string(),
            reference: String::new(),
            ratio: None,
            goal: "must 0".to_owned(),
            verdict: Verdict::at_most(stalls as f64, 0.0, None),
        },
    ])
}

/// What a browser showed of a clock, after the player had settled.
pub(super) struct Seen {
    browser: Browser,
    seconds: u64,
    shown_per_s: f64,
    p50_ms: f64,
    p95_ms: f64,
    stalls: usize,
}

impl Seen {
    /// The latency as a row: what the middle must be, and should be at best, milliseconds.
    pub(super) fn row(&self, what: &str, must_ms: f64, aim_ms: f64) -> Row {
        let Self { seconds, shown_per_s, p50_ms, p95_ms, .. } = self;
        Row {
            what: format!("{what}, {seconds} s after the first 10 ({shown_per_s:.1} frames/s shown)"),
            ours: format!("p50 {:.2} s, p95 {:.2} s", p50_ms / 1000.0, p95_ms / 1000.0),
            reference: String::new(),
            ratio: None,
            goal: format!("must p50 {:.1} s, aim {:.1} s", must_ms / 1000.0, aim_ms / 1000.0),
            verdict: Verdict::at_most(*p50_ms, must_ms, Some(aim_ms)),
        }
    }
}

/// Opens the page of a stream that shows a [`Clock`], and reads it off the screen.
///
/// # Errors
/// When there is no picture, or too few.
pub(super) async fn watch(origin: &Origin, key: &StreamKey, quick: bool) -> Result<Seen> {
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(key)).await?;
    browser.wait_for_frames(1, SOON).await?;
    let seconds = if quick { 20 } else { 60 };
    tokio::time::sleep(Duration::from_secs(10 + seconds)).await;
    let recording = browser.recording().await?;
    let first_ms = recording.frames.first().context("no frame was shown")?.at_ms;
    let settled = recording.frames.iter().filter(|frame| frame.at_ms > first_ms + SETTLING_MS);
    let mut latencies: Vec<f64> =
        settled.map(|frame| (frame.at_ms - f64::from(frame.number)).rem_euclid(CLOCK_MS)).collect();
    let shown_per_s = latencies.len() as f64 / seconds as f64;
    ensure!(
        shown_per_s > 10.0,
        "only {shown_per_s:.1} frames a second were shown: this machine is too slow to measure"
    );
    let (p50_ms, p95_ms) = (percentile(&mut latencies, 50), percentile(&mut latencies, 95));
    let stalls = recording.count_after_playing("waiting");
    Ok(Seen { browser, seconds, shown_per_s, p50_ms, p95_ms, stalls })
}

/// The nearest-rank percentile.
fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values[rank - 1]
}
