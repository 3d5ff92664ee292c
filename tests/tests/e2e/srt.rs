//! Publishing by SRT.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    clip::Clip,
    hls::{self, Player},
    obs::{self, Keyframes, Obs, Settings},
    origin::Origin,
    publish::{self, Sink},
};

const SOON: Duration = Duration::from_secs(20);
const PASSPHRASE: &str = "correct-horse-battery";

/// Plays a stream and checks that picture and sound arrived whole and in sync. A TS demultiplexer learns what is in
/// the stream from tables that come again and again: the very first frames may be lost, but nothing later.
async fn plays_every_frame(origin: &Origin, playlist: &str) -> Result<()> {
    let first = hls::play_whole(origin.client(), playlist, SOON).await?;
    ensure!(first < 60, "the first keyframe is played, not frame {first}");
    Ok(())
}

#[tokio::test]
async fn srt_from_ffmpeg_plays_every_frame_in_sync() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_srt(&Clip::default().file()?, &origin.srt_url(&key))?;
    plays_every_frame(&origin, &origin.playlist(&key)).await
}

#[tokio::test]
async fn srt_from_gstreamer_plays_every_frame_in_sync() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::gstreamer(&Clip::default().file()?, Sink::Srt, &origin.srt_url(&key))?;
    plays_every_frame(&origin, &origin.playlist(&key)).await
}

#[tokio::test]
async fn srt_joined_in_the_middle_plays_from_the_next_keyframe_on() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    // A third of a clip of 12 s is cut off: what is left begins between two keyframes, and within a packet.
    let whole = Clip { seconds: 12, ..Clip::default() }.transport_stream()?;
    let bytes = std::fs::read(whole.path())?;
    let late = tempfile::Builder::new().suffix(".ts").tempfile()?;
    std::fs::write(late.path(), &bytes[bytes.len() / 3 + 77..])?;
    let _publisher = publish::ffmpeg_srt_as_it_is(late.path(), &origin.srt_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(4.0).await?;
    let decoded = player.runs[0].decode()?;
    decoded.check_every_frame()?;
    let first = decoded.frames[0].number;
    ensure!(first >= 60 && first.is_multiple_of(60), "the first frame played is a keyframe, not frame {first}");
    decoded.check_sync(30, 40.0, 3)
}

#[tokio::test]
async fn srt_accepts_the_stream_ids_that_people_type() -> Result<()> {
    let origin = Origin::start().await?;
    let clip = Clip::default().file()?;
    for form in ["{}", "live/{}", "publish:{}", "publish:live/{}", "publish/live/{}"] {
        let key = origin.create_key()?;
        let url = format!("srt://{}?streamid={}&pkt_size=1316", origin.srt, form.replace("{}", &key.key));
        let _publisher = publish::ffmpeg_srt(&clip, &url)?;
        let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
        player.play_seconds(1.0).await?;
    }
    Ok(())
}

#[tokio::test]
async fn srt_encrypted_plays_and_a_wrong_passphrase_is_refused() -> Result<()> {
    let origin =
        Origin::with_files("[srt]\npassphrase_file = \"@FOLDER@/passphrase\"\n", &[("passphrase", PASSPHRASE)]).await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let wrong = format!("{}&passphrase=another-passphrase&pbkeylen=16", origin.srt_url(&key));
    let mut refused = publish::ffmpeg_srt(&clip, &wrong)?;
    ensure!(!refused.ended(SOON).await?.success(), "a wrong passphrase is refused");
    let mut plain = publish::ffmpeg_srt(&clip, &origin.srt_url(&key))?;
    ensure!(!plain.ended(SOON).await?.success(), "no passphrase is refused");
    let url = format!("{}&passphrase={}&pbkeylen=32", origin.srt_url(&key), PASSPHRASE);
    let _publisher = publish::ffmpeg_srt(&clip, &url)?;
    plays_every_frame(&origin, &origin.playlist(&key)).await?;
    ensure!(!origin.log().contains(PASSPHRASE), "the log has the passphrase");
    Ok(())
}

#[tokio::test]
async fn srt_callers_with_different_latencies_share_a_port() -> Result<()> {
    let origin = Origin::start().await?;
    let clip = Clip::default().file()?;
    let mut publishers = Vec::new();
    for latency_ms in [120, 400, 1000] {
        let key = origin.create_key()?;
        let url = format!("{}&latency={}", origin.srt_url(&key), latency_ms * 1000);
        publishers.push((publish::ffmpeg_srt(&clip, &url)?, key));
    }
    for (_, key) in &publishers {
        let mut player = Player::open(origin.client(), &origin.playlist(key), SOON).await?;
        player.play_seconds(5.0).await?;
        player.runs[0].decode()?.check_every_frame()?;
    }
    Ok(())
}

#[tokio::test]
async fn srt_from_obs_plays_without_gaps() -> Result<()> {
    if !obs::inside_namespace("srt::srt_from_obs_plays_without_gaps")? {
        return Ok(());
    }
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let clip = Clip::default().file()?;
    let server = format!("srt://{}?streamid=#!::r=live/{},m=publish", origin.srt, key.key);
    let obs = Obs::stream(&Settings {
        server: &server,
        key: "",
        keyframes: Keyframes::TwoSeconds,
        preset: "ultrafast",
        clip: &clip,
    })?;
    let mut player = match Player::open(origin.client(), &origin.playlist(&key), Duration::from_secs(40)).await {
        Ok(player) => player,
        Err(error) => return Err(error.context(obs.log()).context(origin.log())),
    };
    player.play_seconds(12.0).await?;
    assert_eq!(player.runs.len(), 1);
    let played = player.runs[0].decode()?;
    for pair in played.frames.windows(2) {
        let step_ms = (pair[1].time_s - pair[0].time_s) * 1000.0;
        ensure!((step_ms - 33.3).abs() < 2.0, "{step_ms:.1} ms between frames at {:.3} s", pair[0].time_s);
    }
    assert_eq!(played.sound_gaps, [], "sound goes on without gaps");
    Ok(())
}

#[tokio::test]
async fn srt_keys_may_have_passphrases_of_their_own() -> Result<()> {
    let origin = Origin::start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("passphrase");
    std::fs::write(&file, PASSPHRASE)?;
    let printed = origin.cli(&["key", "create", "--quiet", "--passphrase-file", &file.to_string_lossy()])?;
    let (stream, secret) = printed.trim().split_once(' ').context("`key create` prints `<stream> <key>`")?;
    let url = format!("srt://{}?streamid=live/{secret}&pkt_size=1316", origin.srt);
    let clip = Clip::default().file()?;
    let mut plain = publish::ffmpeg_srt(&clip, &url)?;
    ensure!(!plain.ended(SOON).await?.success(), "no passphrase is refused");
    let encrypted = format!("{url}&passphrase={}&pbkeylen=24", PASSPHRASE.replace(' ', "%20"));
    let _publisher = publish::ffmpeg_srt(&clip, &encrypted)?;
    plays_every_frame(&origin, &origin.url(&format!("/live/{stream}/index.m3u8"))).await?;

    // A key without one is not affected.
    let other = origin.create_key()?;
    let _other = publish::ffmpeg_srt(&clip, &origin.srt_url(&other))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&other), SOON).await?;
    player.play_seconds(1.0).await
}
