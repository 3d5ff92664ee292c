//! A stream from the Studio's real window: through the wizard, and on.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    browser::{Autoplay, Browser, Window},
    origin::Origin,
    site::SOON,
    studio_window::StudioWindow,
};

/// Through the wizard up to what is to be seen and heard.
///
/// # Errors
/// When the window does not follow.
pub async fn set_up(studio: &StudioWindow, origin: &str) -> Result<()> {
    let page = studio.page();
    page.click_when_there("#create-identity", SOON).await?;
    page.click_when_there("#backup-later", SOON).await?;
    page.click_when_there("#wizard-next:enabled", SOON).await?;
    page.fill("input[name='origin']", origin).await?;
    page.click("#use-origin").await?;
    page.wait_for("the origin is chosen", SOON, "return !!document.querySelector('#origin-chosen')").await?;
    page.click("#wizard-next").await?;
    studio.choose("select[name='screen']", "").await
}

/// From what is seen and heard through the check and the announcement; answers the page that the Studio says to share.
///
/// # Errors
/// When the window does not follow, or it does not go live.
pub async fn go_live(studio: &StudioWindow, title: &str) -> Result<String> {
    let page = studio.page();
    page.click("#wizard-next").await?;
    page.wait_for("everything is checked", SOON, "return document.querySelector('.checks')?.dataset.done === 'true'")
        .await?;
    page.click("#wizard-next").await?;
    page.fill("#announcement input[name='title']", title).await?;
    page.click_when_there("#go-live-now:enabled", SOON).await?;
    wait_for_badge(studio, "live", SOON).await?;
    page.click("#share-button").await?;
    let link = page.wait_for("the link is there", SOON, "return document.querySelector('#share-link')?.value").await?;
    page.click("#share [aria-label='Close']").await?;
    Ok(link.as_str().context("the link is no text")?.to_owned())
}

/// Waits until the window says of its stream that it stands so.
///
/// # Errors
/// When it does not in time.
pub async fn wait_for_badge(studio: &StudioWindow, state: &str, patience: Duration) -> Result<()> {
    let script = format!("return document.querySelector('#badge')?.dataset.state === {}", json!(state));
    studio.page().wait_for(&format!("the badge says {state}"), patience, &script).await?;
    Ok(())
}

/// Settings with which several Studios and browsers have room on one small computer: three little renditions, no recording.
#[must_use]
pub fn small_ladder() -> Value {
    let rendition = |(width, height, bitrate_bps)| json!({ "width": width, "height": height, "frame_rate": 30, "bitrate_bps": bitrate_bps });
    let ladder = [(640, 360, 900_000), (480, 270, 500_000), (320, 180, 250_000)].map(rendition);
    json!({ "renditions": ladder, "recording": { "with_broadcast": false } })
}

/// A viewer on the origin's page of a stream, whose link the Studio has given.
///
/// # Errors
/// When nothing is to be seen there.
pub async fn watch(origin: &Origin, link: &str) -> Result<Browser> {
    let id = link.rsplit('/').next().context("the link names no stream")?;
    let viewer = Browser::open(Window::Desktop, Autoplay::Allowed).await?;
    // Viewers have a network of their own.
    viewer.goto(&origin.url(&format!("/s/{id}"))).await?;
    viewer.wait_for_frames(30, SOON).await?;
    Ok(viewer)
}

/// A script that says whether the colour of the viewer's picture at a point, both 0 to 1, is so: `r`, `g` and `b` are at hand.
#[must_use]
pub fn viewer_color((x, y): (f64, f64), is_it: &str) -> String {
    format!(
        "const video = document.querySelector('video'); if (!(video?.videoWidth > 0)) return false; \
         const canvas = Object.assign(document.createElement('canvas'), {{ width: 160, height: 90 }}); \
         const context = canvas.getContext('2d'); context.drawImage(video, 0, 0, 160, 90); \
         const [r, g, b] = context.getImageData(160 * {x}, 90 * {y}, 1, 1).data; return {is_it}"
    )
}
