//! The viewer page in Chromium.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    browser::{Autoplay, Browser, Window, check_shown},
    clip::Clip,
    origin::Origin,
    publish,
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(40);

#[tokio::test]
async fn a_stream_from_rtmp_is_watched_in_a_browser() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(&key)).await?;
    let recording = browser.wait_for_frames(150, SOON).await?;
    browser.screenshot("page-live").await?;
    check_shown(&recording.frames)?;
    assert_eq!(recording.errors, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_page_that_was_opened_early_starts_when_the_stream_does() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(&key)).await?;
    browser.wait_for_text("not live yet", SOON).await?;
    browser.screenshot("page-not-live-yet").await?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    let recording = browser.wait_for_frames(60, SOON).await?;
    assert_eq!(recording.errors, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn the_page_fits_a_phone() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    let browser = Browser::open(Window::Phone, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(&key)).await?;
    browser.wait_for_frames(60, SOON).await?;
    browser.screenshot("page-phone").await?;
    let width = browser.script("return [innerWidth, document.documentElement.scrollWidth]").await?;
    assert_eq!(width, json!([360, 360]), "nothing is wider than the phone");
    let small = "return [...document.querySelectorAll('button')].filter(button => button.offsetParent).map(button => \
        button.getBoundingClientRect()).filter(box => Math.min(box.width, box.height) < 32).length";
    assert_eq!(browser.script(small).await?, json!(0), "every button can be hit with a finger");
    browser.goto(&origin.url("/")).await?;
    browser.wait_for_text(&key.stream, SOON).await?;
    browser.screenshot("home-phone").await?;
    Ok(())
}

#[tokio::test]
async fn the_home_page_lists_what_is_live() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.url("/")).await?;
    browser.screenshot("home-empty").await?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    let link = format!("a[href$='/s/{}']", key.stream);
    browser
        .wait_for("the stream is listed", SOON, &format!("return !!document.querySelector({})", json!(link)))
        .await?;
    browser.screenshot("home-live").await?;
    browser.click(&link).await?;
    browser.wait_for_frames(30, SOON).await?;
    Ok(())
}

#[tokio::test]
async fn a_page_recovers_from_a_lost_network_by_itself() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(&key)).await?;
    let before = browser.wait_for_frames(60, SOON).await?;
    browser.set_offline(true).await?;
    browser
        .wait_for("the picture stops", SOON, "return skylarkRecording.events.some(([name]) => name === 'waiting')")
        .await?;
    browser.set_offline(false).await?;
    let after = browser.wait_for_frames(90, Duration::from_secs(30)).await?;
    assert_eq!(before.page, after.page, "the page was not loaded again");
    ensure!(after.frames.len() > before.frames.len());
    Ok(())
}
