//! Who may publish: each client gets a refusal that it understands, and the log never has a key.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    clip::Clip,
    hls::Player,
    obs::{self, Keyframes, Obs, Settings},
    origin::{Origin, StreamKey},
    publish::{self, Publisher, Sink},
    wait,
};
use skylark_protocol::StreamState;

const SOON: Duration = Duration::from_secs(15);

/// A key of the right shape that nobody was given.
fn unknown_key(key: &StreamKey) -> StreamKey {
    StreamKey { stream: key.stream.clone(), key: key.key.chars().rev().collect::<String>().replace("_evil_yks", "") }
}

/// Waits until a publisher has given up, and answers what it told its user.
async fn refused(mut publisher: Publisher) -> Result<String> {
    let status = publisher.ended(SOON).await?;
    let log = publisher.log();
    ensure!(!status.success(), "a refused publisher ends with an error, not {status}:\n{log}");
    Ok(log)
}

fn check_log_keeps_secret(origin: &Origin, key: &StreamKey) {
    let log = origin.log();
    let secret = key.key.trim_start_matches("sky_live_");
    assert!(!log.contains(secret), "the log has a stream key:\n{log}");
}

#[tokio::test]
async fn a_wrong_key_is_refused_by_rtmp() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let wrong = unknown_key(&key);
    let clip = Clip::default().file()?;
    let ffmpeg = refused(publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&wrong))?).await?;
    ensure!(ffmpeg.contains("Server error"), "ffmpeg tells its user of the server's refusal:\n{ffmpeg}");
    let gstreamer = refused(publish::gstreamer(&clip, Sink::Rtmp2, &origin.rtmp_url(&wrong))?).await?;
    ensure!(gstreamer.contains("ERROR"), "GStreamer fails:\n{gstreamer}");
    let log = origin.log();
    ensure!(log.contains("unknown") || log.contains("no stream has this key"), "the log has the reason:\n{log}");
    check_log_keeps_secret(&origin, &wrong);
    Ok(())
}

#[tokio::test]
async fn a_wrong_key_is_refused_by_srt() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let wrong = unknown_key(&key);
    refused(publish::ffmpeg_srt(&Clip::default().file()?, &origin.srt_url(&wrong))?).await?;
    check_log_keeps_secret(&origin, &wrong);
    Ok(())
}

#[tokio::test]
async fn obs_shows_an_error_for_a_wrong_key_and_does_not_retry() -> Result<()> {
    if !obs::inside_namespace("keys::obs_shows_an_error_for_a_wrong_key_and_does_not_retry")? {
        return Ok(());
    }
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let wrong = unknown_key(&key);
    let clip = Clip::default().file()?;
    let server = format!("rtmp://{}/live", origin.rtmp);
    let obs = Obs::stream(&Settings {
        server: &server,
        key: &wrong.key,
        keyframes: Keyframes::TwoSeconds,
        preset: "ultrafast",
        clip: &clip,
    })?;
    let refused = async || obs.log().contains("NetStream.Publish.Denied").then_some(());
    wait::until("OBS is refused", Duration::from_secs(40), refused).await?;
    // Its message box takes a moment; a retry would come after 1 s.
    tokio::time::sleep(Duration::from_secs(4)).await;
    obs.screenshot("obs-wrong-key")?;
    let log = obs.log();
    ensure!(!log.contains("Reconnecting in"), "OBS retries:\n{log}");
    ensure!(origin.log().matches("refused").count() < 3, "OBS came again:\n{}", origin.log());
    check_log_keeps_secret(&origin, &wrong);
    Ok(())
}

#[tokio::test]
async fn a_revoked_key_ends_its_stream_and_is_refused_from_then_on() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let publisher = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?;
    origin.wait_for_state(&key, StreamState::Live, SOON).await?;
    let list = origin.cli(&["key", "list"])?;
    ensure!(list.contains(&key.stream) && !list.contains(&key.key), "`key list` names streams, not keys:\n{list}");
    origin.cli(&["key", "revoke", &key.stream])?;
    refused(publisher).await?;
    refused(publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?).await?;
    check_log_keeps_secret(&origin, &key);
    Ok(())
}

#[tokio::test]
async fn a_key_in_use_is_refused_and_the_first_publisher_plays_on() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let mut first = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(2.0).await?;
    refused(publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?).await?;
    refused(publish::ffmpeg_srt(&clip, &origin.srt_url(&key))?).await?;
    player.play_seconds(8.0).await?;
    assert!(first.is_running());
    assert_eq!(player.runs.len(), 1);
    player.runs[0].decode()?.check_every_frame()
}

#[tokio::test]
async fn a_publisher_silent_for_three_seconds_gives_way_to_a_newcomer() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let mut first = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(3.0).await?;
    first.freeze();
    // A newcomer is refused for as long as the first was heard in the last 3 s.
    let mut newcomer = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?;
    wait::until("a newcomer takes over", SOON, async || {
        if !newcomer.is_running() {
            newcomer = publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key)).ok()?;
        }
        newcomer.log().contains("frame=").then_some(())
    })
    .await?;
    player.play_until("the newcomer's media", SOON, |player| player.runs.len() == 2).await?;
    player.play_seconds(6.0).await?;
    assert!(player.runs[1].discontinuity, "another publisher's media begins with EXT-X-DISCONTINUITY");
    player.runs[1].decode()?.check_every_frame()
}
