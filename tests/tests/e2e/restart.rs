//! The server stops or dies, and comes back.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    browser::{Autoplay, Browser, Window},
    clip::Clip,
    hls::Player,
    origin::Origin,
    publish, wait,
};
use skylark_protocol::StreamState;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_killed_server_carries_on_the_same_stream() -> Result<()> {
    let mut origin = Origin::start().await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let publisher = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(&key)).await?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(7.0).await?;
    let before = browser.recording().await?;
    let last_before = player.playlist.next_part();

    origin.kill_and_restart().await?;
    publisher.kill();
    let status = origin.status(&key).await?;
    ensure!(status.state == StreamState::Reconnecting, "after the restart the stream waits: {:?}", status.state);
    let _returned = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?;
    let mut again = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    assert_eq!(again.url, player.url, "it is the same broadcast");
    again.play_until("the media after the restart", SOON, |player| player.runs.len() >= 2).await?;
    let so_far = again.seconds();
    again.play_seconds(so_far + 5.0).await?;

    let first_new = again.runs[again.runs.len() - 1].parts[0].number;
    ensure!(first_new.0 + 1 >= last_before.0, "numbers continue: {first_new:?} after {last_before:?}");
    ensure!(first_new.0 <= last_before.0 + 1, "no number is left out: {first_new:?} after {last_before:?}");
    for run in &again.runs {
        let decoded = run.decode()?;
        decoded.check_every_frame()?;
        decoded.check_sync(30, 40.0, 2)?;
    }
    let after = browser.wait_for_frames(60, SOON).await?;
    assert_eq!(before.page, after.page, "the viewer's page was not loaded again");
    Ok(())
}

#[tokio::test]
async fn a_stopping_server_gives_viewers_what_is_left() -> Result<()> {
    let mut origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(5.0).await?;
    // A held request is answered when the server stops, not cut off.
    let (msn, part) = player.playlist.next_part();
    let url = format!("{}?_HLS_msn={}&_HLS_part={part}", player.url, msn + 1);
    let client = origin.client().clone();
    let held = tokio::spawn(async move { client.get(&url).await });
    let is_held = async || {
        let metrics = origin.client().get(&origin.url("/metrics")).await.ok()?.text();
        metrics.lines().any(|line| line == "skylark_http_held 1").then_some(())
    };
    wait::until("the request is held", SOON, is_held).await?;
    let status = origin.terminate()?;
    ensure!(status.success(), "the server ended with {status}");
    let answer = held.await??;
    ensure!([200, 503].contains(&answer.status), "the held request was answered {}", answer.status);
    Ok(())
}
