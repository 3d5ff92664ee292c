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
    origin::Origin,
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
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(&key)).await?;
    browser.wait_for_frames(1, SOON).await?;
    let measured_s = if quick { 20 } else { 60 };
    tokio::time::sleep(Duration::from_secs(10 + measured_s)).await;
    let recording = browser.recording().await?;
    let first_ms = recording.frames.first().context("no frame was shown")?.at_ms;
    let settled = recording.frames.iter().filter(|frame| frame.at_ms > first_ms + SETTLING_MS);
    let mut latencies: Vec<f64> =
        settled.map(|frame| (frame.at_ms - f64::from(frame.number)).rem_euclid(CLOCK_MS)).collect();
    let shown_per_s = latencies.len() as f64 / measured_s as f64;
    ensure!(
        shown_per_s > 10.0,
        "only {shown_per_s:.1} frames a second were shown: this machine is too slow to measure"
    );
    let (p50, p95) = (percentile(&mut latencies, 50), percentile(&mut latencies, 95));
    let mut stalls = recording.count_after_playing("waiting");

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
            what: format!("glass to glass, {measured_s} s after the first 10 ({shown_per_s:.1} frames/s shown)"),
            ours: format!("p50 {:.2} s, p95 {:.2} s", p50 / 1000.0, p95 / 1000.0),
            reference: String::new(),
            ratio: None,
            goal: "must p50 1.0 s, p95 1.2 s; aim p50 0.7 s".to_owned(),
            verdict: Verdict::at_most(p50, 1000.0, Some(700.0)).and(Verdict::at_most(p95, 1200.0, None)),
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

/// The nearest-rank percentile.
fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values[rank - 1]
}
