//! Players other than the viewer page.

use std::{process::Stdio, time::Duration};

use anyhow::{Result, ensure};
use e2e::{
    clip::{COLUMNS, Clip, ROWS},
    decode::{decode, numbers},
    hls::Player,
    origin::Origin,
    publish,
};
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
    let file = tempfile::NamedTempFile::new()?;
    let pipeline = format!(
        "souphttpsrc location={} ! hlsdemux ! qtdemux ! h264parse ! avdec_h264 ! videoconvert ! \
         videoscale method=nearest-neighbour ! video/x-raw,format=GRAY8,width={COLUMNS},height={ROWS} ! \
         filesink sync=false buffer-mode=unbuffered location={}",
        origin.playlist(&key),
        file.path().display()
    );
    let mut command = child::command("gst-launch-1.0", Orphaned::Killed);
    command.args(pipeline.split_whitespace()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut gstreamer = Running::spawn("gst-launch", &mut command, Duration::ZERO)?;
    let numbers = e2e::wait::until("GStreamer decodes 6 s", Duration::from_secs(30), async || {
        let ended = gstreamer.ended().ok().flatten().is_some();
        let numbers = numbers(&std::fs::read(file.path()).ok()?);
        (numbers.len() >= 180 || ended).then_some(numbers)
    })
    .await?;
    ensure!(numbers.len() >= 180, "GStreamer ended after {} frames", numbers.len());
    ensure!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "frames {numbers:?}");
    Ok(())
}
