//! A private stream, as its host and a guest meet it in Chromium, and as another player does.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    browser::{Autoplay, Browser, Window},
    clip::Clip,
    decode::decode,
    hls::Player,
    origin::{Origin, StreamKey},
    publish,
    site::sign_in_with_key,
    streamer::{OPEN_TO_ALL, Streamer},
};
use hyper::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(40);

async fn wait_for_state(browser: &Browser, state: &str) -> Result<()> {
    let script = format!("return document.querySelector('#player')?.dataset.state === {}", json!(state));
    browser.wait_for(&format!("the player is {state}"), SOON, &script).await?;
    Ok(())
}

#[tokio::test]
async fn guests_are_let_in_watch_talk_and_are_shown_out() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let (streamer, friend) = (Streamer::new(&origin, 1).await?, Streamer::new(&origin, 2).await?);
    let host = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    host.goto(&origin.url("/studio-web")).await?;
    sign_in_with_key(&host, "#dashboard-sign-in", &streamer.nsec()?).await?;
    host.click_when_there("input[name='title']", SOON).await?;
    host.fill("input[name='title']", "Family only").await?;
    host.click("input[name='private']").await?;
    host.click(".details-form [type='submit']").await?;
    let shown = "return document.querySelector('input[name=\"stream-key\"]')?.value";
    let key = host.wait_for("the key is shown", SOON, shown).await?.as_str().context("no key")?.to_owned();
    let id = host.script("return new URLSearchParams(location.search).get('stream')").await?;
    let stream = StreamKey { stream: id.as_str().context("no stream in the address")?.to_owned(), key };
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&stream))?;
    host.wait_for("one may go live", SOON, "return document.querySelector('#go-live')?.disabled === false").await?;
    host.click("#go-live").await?;
    let is_live = "return document.querySelector('#phase')?.dataset.phase === 'live'";
    host.wait_for("the stream is live", SOON, is_live).await?;

    let guest = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    guest.goto(&origin.url("/")).await?;
    guest.wait_for("the front page is there", SOON, "return !!document.querySelector('main h1, main h2')").await?;
    assert_eq!(guest.script("return document.body.textContent.includes('Family only')").await?, json!(false));
    guest.goto(&origin.page(&stream)).await?;
    wait_for_state(&guest, "private").await?;
    guest.screenshot("private-signed-out").await?;
    sign_in_with_key(&guest, "#gate-sign-in", &friend.nsec()?).await?;
    guest.wait_for("the door stays shut", SOON, "return !!document.querySelector('#gate-refused')").await?;
    guest.screenshot("private-refused").await?;
    let npub = guest.script("return document.querySelector('.npub').textContent").await?;

    host.fill("input[name='guest']", npub.as_str().context("no npub")?).await?;
    host.click("#guests [type='submit']").await?;
    host.wait_for("the guest is listed", SOON, "return !!document.querySelector('[data-guest]')").await?;
    host.screenshot("private-guests").await?;
    guest.click("#gate-again").await?;
    guest.wait_for_frames(30, SOON).await?;
    guest.wait_for("the chat is there", SOON, "return !!document.querySelector('#chat-text')").await?;
    guest.fill("#chat-text", "Thanks for having me").await?;
    guest.click("#chat-send").await?;
    host.wait_for_text("Thanks for having me", SOON).await?;
    guest.screenshot("private-watching").await?;

    host.click("[data-guest]").await?;
    wait_for_state(&guest, "private").await?;
    guest.wait_for("they are told", SOON, "return !!document.querySelector('#gate-refused')").await?;
    assert_eq!(guest.script("return !!document.querySelector('#chat')").await?, json!(false), "nor do they read on");
    ensure!(host.script("return document.querySelector('#player').dataset.state").await? == json!("playing"));
    Ok(())
}

#[tokio::test]
async fn a_ticket_works_in_other_players_and_after_a_crash() -> Result<()> {
    let mut origin = Origin::with_config(OPEN_TO_ALL).await?;
    let (stream, path) = {
        let host = Streamer::new(&origin, 1).await?;
        let details = json!({ "title": "Family only", "private": true });
        let made = host.ask(Method::POST, "/api/v1/streams/create", &details).await?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("no text");
        let stream = StreamKey { stream: text(&made["stream"]["id"])?, key: text(&made["access"]["key"])? };
        let path = format!("/api/v1/streams/{}/ticket", stream.stream);
        let ticket = host.ask(Method::POST, &path, &Value::Null).await?;
        (stream, text(&ticket["playlist"])?)
    };
    let publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&stream))?;
    // Checks every rule on the way.
    Player::open(origin.client(), &origin.url(&path), SOON).await?.play_seconds(5.0).await?;
    let playlist = origin.url(&path);
    let mut decoded = tokio::task::spawn_blocking(move || decode(&playlist, &["-t", "6"])).await??;
    decoded.cut_open_end();
    decoded.check_every_frame()?;

    publisher.kill();
    origin.kill_and_restart().await?;
    let client = origin.client();
    let refused = client.get(&origin.url(&format!("/live/{}/index.m3u8", stream.stream))).await?;
    assert_eq!(refused.status, 403, "it is as private as before");
    let again = client.get(&origin.url(&path)).await?;
    assert_eq!(again.status, 200, "the ticket is still good");
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&stream))?;
    Player::open(client, &origin.url(&path), SOON).await?.play_seconds(3.0).await
}
