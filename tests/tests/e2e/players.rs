//! Players other than the viewer page.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{clip::Clip, decode::decode, hls::Player, origin::Origin, publish};
use xtask::child::{self, Orphaned, Running};

const SOON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn ffmpeg_plays_the_stream() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(5.0).await?;
    let playlist = origin.playlist(&key);
    let mut decoded = tokio::task::spawn_blocking(move || decode(&playlist, &["-t", "8"])).await??;
    decoded.cut_open_end();
    decoded.check_every_frame()?;
    decoded.check_sync(30, 40.0, 5)
}

#[tokio::test]
async fn gstreamer_plays_the_stream() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(5.0).await?;
    let pipeline = format!(
        "souphttpsrc location={} ! hlsdemux name=demux ! qtdemux ! h264parse ! avdec_h264 ! \
         identity eos-after=121 ! fakesink sync=false",
        origin.playlist(&key)
    );
    let mut command = child::command("gst-launch-1.0", Orphaned::Killed);
    command.args(pipeline.split_whitespace()).stdin(Stdio::null());
    let mut gstreamer = Running::spawn("gst-launch", &mut command, Duration::ZERO)?;
    let ended = e2e::wait::until("GStreamer decodes 120 frames", Duration::from_secs(30), async || {
        gstreamer.ended().ok().flatten()
    });
    ensure!(ended.await.context("hlsdemux")?.success(), "GStreamer failed");
    Ok(())
}
