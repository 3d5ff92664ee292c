//! Publishing by RTMP.

use std::time::Duration;

use anyhow::Result;
use e2e::{
    clip::Clip,
    hls::Player,
    obs::{self, Keyframes, Obs, Settings},
    origin::Origin,
    publish::{self, Sink},
};

const SOON: Duration = Duration::from_secs(15);

/// Plays a stream from its first frame on and checks that picture and sound arrived whole and in sync.
async fn plays_every_frame(origin: &Origin, playlist: &str) -> Result<()> {
    let mut player = Player::open(origin.client(), playlist, SOON).await?;
    player.play_seconds(10.0).await?;
    assert_eq!(player.runs.len(), 1, "one publisher without interruption is one run");
    let decoded = player.runs[0].decode()?;
    decoded.check_every_frame()?;
    assert_eq!(decoded.frames[0].number, 0, "the first frame sent is the first frame played");
    decoded.check_sync(30, 40.0, 8)?;
    assert_eq!(decoded.sound_gaps, [], "sound goes on without gaps");
    Ok(())
}

#[tokio::test]
async fn rtmp_from_ffmpeg_plays_every_frame_in_sync() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    plays_every_frame(&origin, &origin.playlist(&key)).await
}

#[tokio::test]
async fn rtmp_from_gstreamer_plays_every_frame_in_sync() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::gstreamer(&Clip::default().file()?, Sink::Rtmp2, &origin.rtmp_url(&key))?;
    plays_every_frame(&origin, &origin.playlist(&key)).await
}

#[tokio::test]
async fn rtmp_from_librtmp_plays_every_frame_in_sync() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::gstreamer(&Clip::default().file()?, Sink::LibRtmp, &origin.rtmp_url(&key))?;
    plays_every_frame(&origin, &origin.playlist(&key)).await
}

#[tokio::test]
async fn rtmp_from_obs_plays_in_sync() -> Result<()> {
    if !obs::inside_namespace("rtmp::rtmp_from_obs_plays_in_sync")? {
        return Ok(());
    }
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let server = format!("rtmp://{}/live", origin.rtmp);
    let obs = Obs::stream(&Settings { server: &server, key: &key.key, keyframes: Keyframes::TwoSeconds, clip: &clip })?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), Duration::from_secs(40)).await?;
    player.play_seconds(12.0).await?;
    obs.screenshot("obs-streaming")?;
    let decoded = player.runs[0].decode()?;
    Ok(())
}
