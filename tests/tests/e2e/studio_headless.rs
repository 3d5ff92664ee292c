//! The Studio without its window: scenes in, a stream at the origin out. Everything is real but the camera: a test picture
//! with the number of each frame in it, and a tone that says when it was made.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    decode::{self, Decoded},
    hls::{self, Player},
    origin::{Origin, StreamKey},
    publish::Publisher,
};
use serde_json::{Value, json};
use skylark_protocol::StreamState;
use tempfile::TempDir;
use xtask::child::{self, Orphaned};

const SOON: Duration = Duration::from_secs(30);
/// Sound and picture are this close: two frames.
const SYNC_MS: f64 = 67.0;

/// A Studio at work.
struct Headless {
    publisher: Publisher,
    folder: TempDir,
}

impl Headless {
    /// Composes numbered frames and a tone, and sends these renditions to a stream.
    fn start(origin: &Origin, key: &StreamKey, renditions: &Value, options: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let scenes = json!({
            "version": 1,
            "canvas": { "width": 640, "height": 360, "frame_rate": 30 },
            "sources": [
                { "id": 2, "name": "Numbers", "input": { "kind": "test", "pattern": "counter" } },
                {
                    "id": 3, "name": "Tone", "strip": {},
                    "input": { "kind": "tone", "frequency_hz": 1000, "level_db": -6 },
                },
            ],
            "scenes": [{ "id": 1, "name": "Main", "items": [{
                "id": 4, "source": 2, "is_visible": true,
                "place": { "x": 0, "y": 0, "width": 640, "height": 360 },
            }] }],
            "program": 1,
            "next_id": 5,
        });
        std::fs::write(folder.path().join("evening.json"), scenes.to_string())?;
        let settings = json!({ "renditions": renditions, "recording": { "with_broadcast": false } });
        std::fs::write(folder.path().join("settings.json"), settings.to_string())?;
        let binary = std::env::var_os("SKYLARK_BIN").context("SKYLARK_BIN is not set: run `cargo xtask test`")?;
        let mut command = child::command(&binary.to_string_lossy(), Orphaned::Killed);
        command.arg("--headless").arg(folder.path().join("evening.json")).arg("--data").arg(folder.path());
        // Without a screen, a sound system or a keychain: composing and sending need none.
        command.args(options).env("SKYLARK_PUSH_URL", origin.srt_url(key)).env_remove("DISPLAY");
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere").env("HOME", folder.path());
        Ok(Self { publisher: Publisher::spawn("skylark", &mut command)?, folder })
    }
}

/// Leaves out the beginning: while the Studio opens it also tries every encoder of the machine.
fn settled(mut decoded: Decoded) -> Decoded {
    let start_s = decoded.frames.first().map_or(0.0, |frame| frame.time_s) + 3.0;
    decoded.frames.retain(|frame| frame.time_s >= start_s);
    decoded
}

/// Frames come in their order, and hardly one is shown twice or not at all: the camera's pace is not the canvas's, and other
/// tests run on this machine.
fn check_frames(decoded: &Decoded) -> Result<()> {
    let steps: Vec<_> = decoded.frames.windows(2).map(|pair| pair[1].number.wrapping_sub(pair[0].number)).collect();
    ensure!(steps.len() >= 45, "only {} frames were seen", steps.len());
    ensure!(steps.iter().all(|step| *step < 30), "frames come in their order, and none is a second late: {steps:?}");
    let odd = steps.iter().filter(|step| **step != 1).count();
    ensure!(odd * 10 <= steps.len(), "{odd} of {} frames do not follow the one before: {steps:?}", steps.len());
    Ok(())
}

fn rendition(width: u32, height: u32, bitrate_bps: u32) -> Value {
    json!({ "width": width, "height": height, "frame_rate": 30, "bitrate_bps": bitrate_bps })
}

#[tokio::test]
async fn composed_frames_arrive_in_sync_in_both_renditions() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let ladder = json!([rendition(640, 360, 900_000), rendition(320, 180, 300_000)]);
    let studio = Headless::start(&origin, &key, &ladder, &[])?;
    let multivariant = origin.playlist(&key);
    let variants = hls::variants(origin.client(), &multivariant, 2, SOON).await;
    let variants = variants.with_context(|| studio.publisher.log())?;
    let mut players = Vec::new();
    for url in variants {
        players.push(Player::open_media(origin.client(), url).await?);
    }
    for player in &mut players {
        player.play_seconds(8.0).await?;
        assert_eq!(player.runs.len(), 1, "one broadcast without interruption is one run");
    }
    for player in &players {
        let decoded = settled(player.runs[0].decode()?);
        check_frames(&decoded)?;
        decoded.check_sync(30, SYNC_MS, 4)?;
        assert_eq!(decoded.sound_gaps, [], "sound goes on without gaps");
    }
    studio.publisher.stop()
}

#[tokio::test]
async fn what_is_recorded_meanwhile_is_whole_and_stopping_finishes_it() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let studio = Headless::start(&origin, &key, &json!([rendition(640, 360, 900_000)]), &["--record"])?;
    origin.wait_for_state(&key, StreamState::Live, SOON).await.with_context(|| studio.publisher.log())?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(5.0).await?;
    let Headless { publisher, folder } = studio;
    publisher.stop()?;
    let files: Vec<_> = std::fs::read_dir(folder.path())?.collect::<Result<_, _>>()?;
    let film = files.iter().map(std::fs::DirEntry::path).find(|path| path.extension().is_some_and(|end| end == "mp4"));
    let film = film.context("there is a recording")?;
    let decoded = decode::decode(&film.to_string_lossy(), &[])?;
    ensure!(decoded.frames.len() >= 120, "only {} frames are in the file", decoded.frames.len());
    let decoded = settled(decoded);
    check_frames(&decoded)?;
    decoded.check_sync(30, SYNC_MS, 2)?;
    Ok(())
}
