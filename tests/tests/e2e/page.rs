//! The viewer page in Chromium.

use std::time::Duration;

use anyhow::Result;
use e2e::{
    browser::{Autoplay, Browser, Window, check_shown},
    clip::Clip,
    origin::Origin,
    publish,
};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_stream_from_rtmp_is_watched_in_a_browser() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(&key)).await?;
    let recording = browser.wait_for_frames(150, SOON).await?;
    browser.screenshot("page-live").await?;
    check_shown(&recording.frames, recording.frames.len() / 10)?;
    assert_eq!(recording.errors, Vec::<String>::new());
    Ok(())
}
