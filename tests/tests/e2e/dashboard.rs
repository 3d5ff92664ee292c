//! The streamer's page, in Chromium: from a new stream to its end.

use std::time::Duration;

use anyhow::{Context as _, Result};
use e2e::{
    browser::{Autoplay, Browser, Window},
    clip::Clip,
    origin::{Origin, StreamKey},
    publish,
    site::sign_in_with_key,
    streamer::{OPEN_TO_ALL, Streamer},
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(40);

async fn wait_for_phase(browser: &Browser, phase: &str) -> Result<()> {
    let script = format!("return document.querySelector('#phase')?.dataset.phase === {}", json!(phase));
    browser.wait_for(&format!("the stream is {phase}"), SOON, &script).await?;
    Ok(())
}

async fn value(browser: &Browser, name: &str) -> Result<String> {
    let script = format!("return document.querySelector('input[name=\"{name}\"]')?.value");
    let value = browser.wait_for(&format!("{name} is shown"), SOON, &script).await?;
    Ok(value.as_str().context("no text")?.to_owned())
}

#[tokio::test]
async fn a_streamer_goes_live_from_the_browser_and_ends() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let nsec = Streamer::new(&origin, 1).await?.nsec()?;
    let host = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    host.goto(&origin.url("/studio-web")).await?;
    sign_in_with_key(&host, "#dashboard-sign-in", &nsec).await?;
    host.click_when_there("input[name='title']", SOON).await?;
    host.fill("input[name='title']", "Evening jam").await?;
    host.fill("input[name='tags']", "music, #jazz").await?;
    host.screenshot("dashboard-new").await?;
    host.click(".details-form [type='submit']").await?;

    wait_for_phase(&host, "planned").await?;
    let key = value(&host, "stream-key").await?;
    assert_eq!(value(&host, "server").await?, format!("rtmp://127.0.0.1:{}/live", origin.rtmp.port()));
    let stream = host.script("return new URLSearchParams(location.search).get('stream')").await?;
    let stream = StreamKey { stream: stream.as_str().context("no stream in the address")?.to_owned(), key };
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&stream))?;
    host.wait_for("one may go live", SOON, "return document.querySelector('#go-live')?.disabled === false").await?;
    host.screenshot("dashboard-ready").await?;
    host.click("#go-live").await?;
    wait_for_phase(&host, "live").await?;

    let viewer = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    viewer.goto(&origin.page(&stream)).await?;
    viewer.wait_for_text("Evening jam", SOON).await?;
    viewer.wait_for_text("#jazz", SOON).await?;
    viewer.wait_for_frames(30, SOON).await?;
    host.screenshot("dashboard-live").await?;
    host.fill("input[name='title']", " (encore)").await?;
    host.click(".details-form [type='submit']").await?;
    viewer.wait_for_text("Evening jam (encore)", SOON).await?;
    viewer.screenshot("watch-owned").await?;

    host.click("#end").await?;
    host.click_when_there("#end-now", SOON).await?;
    wait_for_phase(&host, "ended").await?;
    host.wait_for_text("That was it", SOON).await?;
    viewer.wait_for_text("the stream has ended", SOON).await?;
    host.screenshot("dashboard-ended").await?;
    assert_eq!(
        host.script("return document.querySelector('.trouble:not(:empty)')?.textContent ?? ''").await?,
        json!("")
    );
    assert_eq!(host.recording().await?.errors, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_dead_browser_and_a_dead_encoder_end_the_live_event() -> Result<()> {
    let origin = Origin::with_config(&format!("{OPEN_TO_ALL}[live]\nreconnect_timeout_s = 5\n")).await?;
    let nsec = Streamer::new(&origin, 1).await?.nsec()?;
    let host = Browser::open(Window::Phone, Autoplay::MutedOnly).await?;
    host.goto(&origin.url("/studio-web")).await?;
    sign_in_with_key(&host, "#dashboard-sign-in", &nsec).await?;
    host.click_when_there("input[name='title']", SOON).await?;
    host.fill("input[name='title']", "Short show").await?;
    host.click(".details-form [type='submit']").await?;
    wait_for_phase(&host, "planned").await?;
    let key = value(&host, "stream-key").await?;
    let stream = host.script("return new URLSearchParams(location.search).get('stream')").await?;
    let stream = StreamKey { stream: stream.as_str().context("no stream in the address")?.to_owned(), key };
    let width = host.script("return [innerWidth, document.documentElement.scrollWidth]").await?;
    assert_eq!(width, json!([360, 360]), "nothing is wider than the phone");
    host.screenshot("dashboard-phone").await?;
    let publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&stream))?;
    host.wait_for("one may go live", SOON, "return document.querySelector('#go-live')?.disabled === false").await?;
    host.click("#go-live").await?;
    wait_for_phase(&host, "live").await?;
    let is_told = "return document.querySelector('#end') && !document.querySelector('#end').disabled";
    host.wait_for("the end is left behind", SOON, is_told).await?;
    drop(host);
    drop(publisher);

    let viewer = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    viewer.goto(&origin.page(&stream)).await?;
    let status = "return (async () => { const socket = new WebSocket(`ws://${location.host}/`); \
        await new Promise(open => socket.onopen = open); \
        socket.send(JSON.stringify(['REQ', 'end', { kinds: [30311] }])); \
        const status = await new Promise(done => socket.onmessage = ({ data }) => { \
            const [type, , event] = JSON.parse(data); \
            if (type === 'EVENT') done(event.tags.find(([name]) => name === 'status')[1]); }); \
        socket.close(); return status === 'ended'; })()";
    viewer.wait_for("the relay says that it has ended", Duration::from_secs(60), status).await?;
    Ok(())
}
