//! The front page: how long until five hundred live events are drawn in Chromium, by the page's own marks.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Row, Verdict, quantile_ms};
use crate::{
    browser::{Autoplay, Browser, Window},
    origin::Origin,
    relay_client::{RelayClient, event, keys},
    wait,
};

/// Live events on the page.
const LIVE_EVENTS: u64 = 500;
/// Events that one client of the relay may send at once.
const PER_CLIENT: u64 = 80;
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Since the navigation began: when the page was drawn, and how many cards it has.
const DRAWN: &str = "const mark = performance.getEntriesByName('skylark:discover-drawn')[0]; \
     return mark ? [mark.startTime, document.querySelectorAll('.card').length] : null";

/// A first visit, with nothing in the browser's cache, and further ones.
///
/// # Errors
/// When the page does not show all of them.
pub async fn measure(quick: bool) -> Result<Vec<Row>> {
    let visits = if quick { 5 } else { 25 };
    let outside = Origin::with_config("[relay]\nscope = \"live\"\n").await?;
    announce(&outside).await?;
    let origin = Origin::with_config(&format!("[discovery]\nrelays = [\"ws://{}\"]\n", outside.http)).await?;
    let url = origin.url("/api/v1/discover");
    wait::until("all live events are found, and their hosts' names", PATIENCE, async || {
        let found: Value = origin.client().get(&url).await.ok()?.json().ok()?;
        let cards = found["live"].as_array()?;
        let is_whole = cards.len() as u64 == LIVE_EVENTS && cards.iter().all(|card| card["host"]["name"].is_string());
        is_whole.then_some(())
    })
    .await?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    let mut rows = Vec::new();
    for (what, is_first) in [("first visit", true), ("again", false)] {
        let mut times = Vec::new();
        // The browser's own first page is not the server's doing.
        visit(&browser, &origin, is_first).await?;
        for _ in 0..visits {
            times.push(visit(&browser, &origin, is_first).await?);
        }
        let (median, p95) = (quantile_ms(&mut times, 0.5), quantile_ms(&mut times, 0.95));
        rows.push(Row {
            what: format!("{LIVE_EVENTS} live events to a drawn front page, {what}"),
            ours: format!("p50 {median:.0} ms, p95 {p95:.0} ms"),
            reference: String::new(),
            ratio: None,
            goal: "must p95 1 s, aim 0.3 s".to_owned(),
            verdict: Verdict::at_most(p95, 1000.0, Some(300.0)),
        });
    }
    Ok(rows)
}

async fn visit(browser: &Browser, origin: &Origin, is_first: bool) -> Result<Duration> {
    browser.goto("about:blank").await?;
    if is_first {
        browser.command("Network.clearBrowserCache", json!({})).await?;
    }
    browser.goto(&origin.url("/")).await?;
    let drawn = browser.wait_for("the page is drawn", PATIENCE, DRAWN).await?;
    ensure!(drawn[1].as_u64() == Some(LIVE_EVENTS), "{} cards are drawn, not {LIVE_EVENTS}", drawn[1]);
    let ms = drawn[0].as_f64().context("the mark has a time")?;
    Ok(Duration::from_secs_f64(ms / 1000.0))
}

/// Five hundred people go live, as another server would announce them.
async fn announce(outside: &Origin) -> Result<()> {
    let url = format!("ws://{}", outside.http);
    let mut relay = RelayClient::connect(&url).await?;
    for number in 0..LIVE_EVENTS {
        if number % PER_CLIENT == 0 {
            relay = RelayClient::connect(&url).await?;
        }
        let host = keys(1 + number)?;
        let (title, viewers) =
            (format!("Live event number {number}, with a title of usual length"), number.to_string());
        let tags: [&[&str]; 8] = [
            &["d", "bench"],
            &["status", "live"],
            &["title", &title],
            &["summary", "What it is about, in a sentence or two that nobody reads on a card."],
            &["streaming", "https://media.example/live.m3u8"],
            &["t", ["music", "gaming", "talk", "art"][number as usize % 4]],
            &["t", "live"],
            &["current_participants", &viewers],
        ];
        relay.publish(&event(&host, 30311, &tags, "")?).await?;
        relay.publish(&event(&host, 0, &[], &json!({ "name": format!("Host {number}") }).to_string())?).await?;
    }
    Ok(())
}
