//! What a viewer can do with the player: sound, pause, quality, keys.

use std::time::Duration;

use anyhow::Result;
use e2e::{
    browser::{Autoplay, Browser, Window},
    clip::Clip,
    origin::{Origin, StreamKey},
    publish::{self, Publisher},
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(40);

/// A page that plays.
struct Watching {
    browser: Browser,
    _publisher: Publisher,
    _origin: Origin,
}

async fn watch(publish: impl FnOnce(&Origin, &StreamKey) -> Result<Publisher>) -> Result<Watching> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let publisher = publish(&origin, &key)?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(&key)).await?;
    browser.wait_for_frames(60, SOON).await?;
    Ok(Watching { browser, _publisher: publisher, _origin: origin })
}

async fn watch_one_quality() -> Result<Watching> {
    watch(|origin, key| publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(key))).await
}

#[tokio::test]
async fn a_page_starts_muted_and_one_click_gives_sound() -> Result<()> {
    let Watching { browser, .. } = &watch_one_quality().await?;
    assert_eq!(browser.script("return document.querySelector('video').muted").await?, json!(true));
    browser.screenshot("page-muted").await?;
    browser.click("#unmute").await?;
    browser.wait_for("sound is on", SOON, "return !document.querySelector('video').muted").await?;
    browser.wait_for_frames(30, SOON).await?;
    let decoded = "return document.querySelector('video').webkitAudioDecodedByteCount > 0";
    browser.wait_for("sound is decoded", SOON, decoded).await?;
    Ok(())
}

#[tokio::test]
async fn keys_pause_mute_and_show_help() -> Result<()> {
    let Watching { browser, .. } = &watch_one_quality().await?;
    browser.press("k").await?;
    browser.wait_for("k pauses", SOON, "return document.querySelector('video').paused").await?;
    browser.screenshot("page-paused").await?;
    browser.press("k").await?;
    browser.wait_for("k plays", SOON, "return !document.querySelector('video').paused").await?;
    browser.wait_for_frames(30, SOON).await?;
    browser.press("m").await?;
    browser.wait_for("m gives sound", SOON, "return !document.querySelector('video').muted").await?;
    browser.press("m").await?;
    browser.wait_for("m mutes", SOON, "return document.querySelector('video').muted").await?;
    browser.press("?").await?;
    browser.wait_for_text("Play or pause", SOON).await?;
    browser.screenshot("page-keys").await?;
    Ok(())
}

#[tokio::test]
async fn a_viewer_who_paused_goes_back_to_live() -> Result<()> {
    let Watching { browser, .. } = &watch_one_quality().await?;
    let behind = "const video = document.querySelector('video'); \
        return video.buffered.length ? video.buffered.end(video.buffered.length - 1) - video.currentTime : 0";
    browser.press("k").await?;
    browser
        .wait_for(
            "the viewer is 5 s behind",
            SOON,
            &format!("const behind = () => {{ {behind} }}; return behind() > 5"),
        )
        .await?;
    browser.press("k").await?;
    browser.wait_for("the picture moves", SOON, "return !document.querySelector('video').paused").await?;
    browser.press("l").await?;
    browser
        .wait_for("the viewer is live", SOON, &format!("const behind = () => {{ {behind} }}; return behind() < 2.5"))
        .await?;
    browser.wait_for_frames(60, SOON).await?;
    Ok(())
}

#[tokio::test]
async fn a_viewer_chooses_among_the_qualities_that_were_sent() -> Result<()> {
    let Watching { browser, .. } = &watch(|origin, key| {
        let large = Clip { width: 1280, height: 720, ..Clip::default() };
        publish::ffmpeg_srt_programs(&[&large.file()?, &Clip::default().file()?], &origin.srt_url(key))
    })
    .await?;
    let width = |pixels: u32| format!("return document.querySelector('video').videoWidth === {pixels}");
    for pixels in [640, 1280] {
        browser.hover("#quality").await?;
        browser.click("#quality").await?;
        browser.screenshot("page-quality").await?;
        let label = format!("{}p", pixels * 9 / 16);
        let choose = format!(
            "const choice = [...document.querySelectorAll('#quality-menu .choice')].find(each => each.innerText.includes({})); \
             choice?.click(); return !!choice",
            json!(label)
        );
        browser.wait_for(&format!("{label} is offered"), SOON, &choose).await?;
        browser.wait_for(&format!("the picture is {pixels} wide"), SOON, &width(pixels)).await?;
        browser.wait_for_frames(30, SOON).await?;
    }
    Ok(())
}
