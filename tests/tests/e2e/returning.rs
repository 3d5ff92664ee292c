//! A publisher drops out and comes back: same playlist, viewers carry on.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    browser::{Autoplay, Browser, Window},
    clip::Clip,
    hls::Player,
    origin::Origin,
    publish,
};
use skylark_protocol::StreamState;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_publisher_who_returns_resumes_the_same_playlist() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let publisher = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(6.0).await?;
    publisher.kill();
    origin.wait_for_state(&key, StreamState::Reconnecting, SOON).await?;
    let _returned = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?;
    player.play_until("media after the return", SOON, |player| player.runs.len() == 2).await?;
    let so_far = player.seconds();
    player.play_seconds(so_far + 6.0).await?;
    origin.wait_for_state(&key, StreamState::Live, SOON).await?;

    let numbers: Vec<_> = player.parts().map(|part| part.number).collect();
    for pair in numbers.windows(2) {
        let (old, new) = (pair[0], pair[1]);
        ensure!(new == (old.0, old.1 + 1) || new == (old.0 + 1, 0), "after part {old:?} comes {new:?}");
    }
    assert!(player.runs[1].discontinuity);
    let before = player.runs[0].decode()?;
    let after = player.runs[1].decode()?;
    for run in [&before, &after] {
        run.check_every_frame()?;
        run.check_sync(30, 40.0, 4)?;
    }
    assert_eq!(after.frames[0].number, 0, "the returning publisher's first frame is played");
    let last = before.frames[before.frames.len() - 1].time_s;
    ensure!(after.frames[0].time_s > last, "time goes on: {} after {last}", after.frames[0].time_s);
    Ok(())
}

#[tokio::test]
async fn a_viewer_page_carries_on_when_the_publisher_returns() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let publisher = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(&key)).await?;
    let before = browser.wait_for_frames(60, SOON).await?;
    publisher.kill();
    browser.wait_for_text("reconnecting", SOON).await?;
    browser.screenshot("page-reconnecting").await?;
    let _returned = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?;
    browser
        .wait_for("the new publisher's picture", SOON, "return skylarkRecording.frames.slice(-1)[0]?.number < 60")
        .await?;
    let after = browser.wait_for_frames(60, SOON).await?;
    assert_eq!(before.page, after.page, "the page was not loaded again");
    assert_eq!(after.errors, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_publisher_who_stays_away_ends_the_stream() -> Result<()> {
    let origin = Origin::with_config("[live]\nreconnect_timeout_s = 3\n").await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let publisher = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(&key)).await?;
    browser.wait_for_frames(30, SOON).await?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    publisher.stop()?;
    player.play_to_the_end(SOON).await?;
    player.runs[0].decode()?.check_every_frame()?;
    let first = origin.wait_for_state(&key, StreamState::Ended, SOON).await?;
    browser.wait_for_text("ended", SOON).await?;
    browser.screenshot("page-ended").await?;

    // The next broadcast of the same key is another one, and the open page finds it.
    let _next = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?;
    let second = origin.wait_for_state(&key, StreamState::Live, SOON).await?;
    assert_ne!(first.broadcast, second.broadcast);
    browser.wait_for_frames(30, SOON).await?;
    Ok(())
}
