//! Publishing by RTMP.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    clip::Clip,
    decode::Decoded,
    flv,
    hls::{self, Player},
    obs::{self, Keyframes, Obs, Settings},
    origin::Origin,
    publish::{self, Sink},
};

const SOON: Duration = Duration::from_secs(15);

/// Plays a stream from its first frame on and checks that picture and sound arrived whole and in sync.
async fn plays_every_frame(origin: &Origin, playlist: &str) -> Result<()> {
    let first = hls::play_whole(origin.client(), playlist, SOON).await?;
    assert_eq!(first, 0, "the first frame sent is the first frame played");
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
async fn several_video_tracks_are_qualities_with_the_same_sound() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let small = Clip { width: 320, height: 180, bitrate_bps: 300_000, ..Clip::default() };
    let tags = flv::several_tracks(&[&Clip::default().file()?, &small.file()?])?;
    // As OBS does after it has asked what to send.
    let url = format!("{}?clientConfigId=skylark", origin.rtmp_url(&key));
    let publisher = publish::tags_by_rtmp(tags, &url)?;
    let multivariant = origin.playlist(&key);
    let variants = hls::variants(origin.client(), &multivariant, 2, SOON).await;
    let variants = variants.with_context(|| format!("{}\n{}", publisher.log(), origin.log()))?;
    let listed = origin.client().get(&multivariant).await?.text();
    ensure!(listed.contains("RESOLUTION=640x360") && listed.contains("RESOLUTION=320x180"), "{listed}");
    for variant in variants {
        let first = hls::play_all_of(Player::open_media(origin.client(), variant).await?).await?;
        assert_eq!(first, 0, "the first frame sent is the first frame played");
    }
    Ok(())
}

#[tokio::test]
async fn rtmp_from_obs_plays_what_obs_sent() -> Result<()> {
    if !obs::inside_namespace("rtmp::rtmp_from_obs_plays_what_obs_sent")? {
        return Ok(());
    }
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let server = format!("rtmp://{}/live", origin.rtmp);
    let obs = Obs::stream(&Settings {
        server: &server,
        key: &key.key,
        keyframes: Keyframes::TwoSeconds,
        preset: "ultrafast",
        clip: &clip,
    })?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), Duration::from_secs(40)).await?;
    player.play_seconds(12.0).await?;
    obs.screenshot("obs-streaming")?;
    check_what_obs_sent(&obs, &player)
}

/// Frames that OBS has at least recorded when as many and more were played.
const LEAST_COMPARED: usize = 200;

/// For each output alone, OBS calls the first picture zero and the first sound frame zero, which begins up to half an AAC
/// frame before or after: stream and recording may differ by one such frame (21.3 ms at 48 kHz), beside how finely beeps
/// are found.
const OWN_ZERO_MS: f64 = 24.0;
/// That difference stays as it is.
const STEADY_MS: f64 = 10.0;

/// OBS draws anew what its clip shows, and on a busy machine it draws a frame twice, or sound late. Its own recording has
/// the very packets that it sent: what was played must be that, no better and no worse. OBS is still writing it, so it may
/// end earlier than what was played.
fn check_what_obs_sent(obs: &Obs, player: &Player) -> Result<()> {
    assert_eq!(player.runs.len(), 1);
    let played = player.runs[0].decode()?;
    let recorded = obs.recording()?;
    let numbers = |decoded: &Decoded| decoded.frames.iter().map(|frame| frame.number).collect::<Vec<u16>>();
    let (played_numbers, recorded_numbers) = (numbers(&played), numbers(&recorded));
    let first = recorded_numbers.iter().position(|number| Some(number) == played_numbers.first()).unwrap_or_default();
    let compared = played_numbers.len().min(recorded_numbers.len() - first);
    ensure!(compared >= LEAST_COMPARED, "OBS recorded {} frames", recorded_numbers.len());
    let same = played_numbers[..compared] == recorded_numbers[first..first + compared];
    ensure!(same, "played {played_numbers:?}\nrecorded {recorded_numbers:?}");
    for pair in played.frames.windows(2) {
        let step_ms = (pair[1].time_s - pair[0].time_s) * 1000.0;
        ensure!((step_ms - 33.3).abs() < 2.0, "{step_ms:.1} ms between frames at {:.3} s", pair[0].time_s);
    }
    let (played, recorded) = (played.skews_by_number(30), recorded.skews_by_number(30));
    let common = played.iter().filter_map(|(number, played)| Some((*number, *played, *recorded.get(number)?)));
    let common: Vec<(u16, f64, f64)> = common.collect();
    ensure!(common.len() >= LEAST_COMPARED / 30 - 1, "beeps played {played:.1?}, recorded {recorded:.1?}");
    let shifts = common.iter().map(|(_, played_ms, sent_ms)| played_ms - sent_ms);
    let (least, most) = shifts.fold((f64::MAX, f64::MIN), |(least, most), shift| (least.min(shift), most.max(shift)));
    let same = most - least < STEADY_MS && least.abs().max(most.abs()) < OWN_ZERO_MS;
    ensure!(same, "(frame, sound minus picture played, and recorded, ms): {common:.1?}");
    Ok(())
}

#[tokio::test]
async fn obs_with_automatic_keyframes_plays_and_is_told_to_set_an_interval() -> Result<()> {
    if !obs::inside_namespace("rtmp::obs_with_automatic_keyframes_plays_and_is_told_to_set_an_interval")? {
        return Ok(());
    }
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let server = format!("rtmp://{}/live", origin.rtmp);
    let obs = Obs::stream(&Settings {
        server: &server,
        key: &key.key,
        keyframes: Keyframes::Automatic,
        preset: "ultrafast",
        clip: &clip,
    })?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), Duration::from_secs(40)).await?;
    // Long enough for two keyframes, 250 frames apart. The player checks that TARGETDURATION never changes.
    player.play_seconds(20.0).await?;
    check_what_obs_sent(&obs, &player)?;
    assert!(!player.playlist.independent_segments, "segments without a keyframe are not independent");
    let longest = player.playlist.segments.iter().map(|segment| segment.duration_s).fold(0.0, f64::max);
    ensure!(longest.round() as u64 <= player.playlist.target_duration_s, "a segment of {longest} s");
    ensure!(player.parts().any(|part| part.independent) && player.parts().any(|part| !part.independent));
    let health = origin.status(&key).await?.health.context("a live stream has health")?;
    ensure!(health.warnings.iter().any(|warning| warning.code == "long-gop"), "no warning: {:?}", health.warnings);
    Ok(())
}

#[tokio::test]
async fn another_picture_size_in_the_middle_plays_on() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let small = Clip { seconds: 6, ..Clip::default() };
    let large = Clip { width: 1280, height: 720, seconds: 6, ..Clip::default() };
    let joined = flv::join(&small.file()?, &large.file()?)?;
    let _publisher = publish::ffmpeg_rtmp(joined.path(), &origin.rtmp_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_until("the other size", SOON, |player| player.runs.len() == 2).await?;
    let so_far = player.seconds();
    player.play_seconds(so_far + 4.0).await?;
    assert!(player.runs[1].discontinuity, "another encoding begins with EXT-X-DISCONTINUITY");
    let (before, after) = (player.runs[0].decode()?, player.runs[1].decode()?);
    assert_eq!(before.frames.len(), 180, "every frame of the first size is played");
    for run in [&before, &after] {
        run.check_every_frame()?;
        run.check_sync(30, 40.0, 3)?;
    }
    assert_eq!(after.frames[0].number, 0);
    let pause_ms = (after.frames[0].time_s - before.frames[179].time_s) * 1000.0;
    ensure!((20.0..80.0).contains(&pause_ms), "time goes on: {pause_ms:.0} ms");
    Ok(())
}

#[tokio::test]
async fn a_picture_without_sound_plays() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let _publisher = publish::ffmpeg_rtmp_with(&clip, &["-an"], &origin.rtmp_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(6.0).await?;
    player.runs[0].decode()?.check_every_frame()
}
