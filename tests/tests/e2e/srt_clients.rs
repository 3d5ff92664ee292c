//! SRT from every kind of sender to our receiver alone: what arrives is byte for byte what was sent.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{clip::Clip, srt_receiver::SrtReceiver};
use tokio::{
    io::AsyncWriteExt as _,
    process::Command,
    time::{interval, timeout},
};

const LATENCY: Duration = Duration::from_millis(120);
const SOON: Duration = Duration::from_secs(30);
/// Seven transport packets: what senders put into a packet.
const PAYLOAD: usize = 1316;
const PASSPHRASE: &str = "correct-horse-battery";
const STREAM_ID: &str = "#!::r=live/sky_live_test,m=publish";

/// A few seconds of MPEG-TS, made by ffmpeg.
async fn transport_stream(folder: &Path) -> Result<std::path::PathBuf> {
    let file = folder.join("clip.ts");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(Clip::default().file()?)
        .args(["-t", "3", "-c", "copy", "-f", "mpegts"])
        .arg(&file)
        .status()
        .await?;
    ensure!(status.success(), "ffmpeg cannot make a transport stream");
    Ok(file)
}

/// Encryption: passphrase and key length in bytes.
type Encryption = Option<(&'static str, u8)>;
/// A program that sends what it reads.
type Sender = fn(server: SocketAddr, encryption: Encryption) -> Command;

/// As libsrt takes it in a URL.
fn query(encryption: Encryption) -> String {
    encryption.map_or_else(String::new, |(passphrase, length)| format!("&passphrase={passphrase}&pbkeylen={length}"))
}

fn ffmpeg(server: SocketAddr, encryption: Encryption) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-f", "data", "-raw_packet_size", "1316", "-i", "-"]);
    command.args(["-map", "0", "-c", "copy", "-flush_packets", "1", "-f", "data"]);
    command.arg(format!("srt://{server}?streamid={STREAM_ID}&pkt_size=1316{}", query(encryption)));
    command
}

fn gstreamer(server: SocketAddr, encryption: Encryption) -> Command {
    let mut command = Command::new("gst-launch-1.0");
    command.args(["-q", "fdsrc", "fd=0", "blocksize=1316", "!", "srtsink", "sync=false", "latency=120"]);
    command.arg(format!("uri=srt://{server}?mode=caller")).arg(format!("streamid={STREAM_ID}"));
    if let Some((passphrase, length)) = encryption {
        command.arg(format!("passphrase={passphrase}")).arg(format!("pbkeylen={length}"));
    }
    command
}

/// Sends a clip, a little faster than it plays, and compares what arrives.
async fn arrives(sender: Sender, clip: &[u8], encryption: Encryption) -> Result<()> {
    let passphrase = encryption.map(|(passphrase, _)| passphrase.to_owned());
    let mut server = SrtReceiver::start(LATENCY, passphrase).await?;
    let mut command = sender(server.addr(), encryption);
    let mut sender =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
    let mut input = sender.stdin.take().context("no input")?;
    let mut pace = interval(Duration::from_millis(2));
    for packet in clip.chunks(PAYLOAD) {
        pace.tick().await;
        input.write_all(packet).await.context("the sender has gone")?;
    }
    // Senders leave as soon as their input ends, whatever is under way, so the input stays open until all has arrived.
    let received = timeout(SOON, server.received(clip.len())).await;
    drop(input);
    let received = received.context("not everything arrives")??;
    ensure!(received.data == clip, "what arrived is not what was sent");
    timeout(SOON, sender.wait()).await.context("the sender stays")??;
    let statistics = timeout(SOON, server.ended()).await.context("the session does not end")??.ended;
    ensure!(statistics.is_some_and(|seen| (seen.lost, seen.undecrypted) == (0, 0)), "{statistics:?}");
    Ok(())
}

async fn arrives_with_every_key_length(sender: Sender) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut clip = std::fs::read(transport_stream(folder.path()).await?)?;
    // Senders wait until they can fill a packet.
    clip.truncate(clip.len() / PAYLOAD * PAYLOAD);
    for encryption in [None, Some((PASSPHRASE, 16)), Some((PASSPHRASE, 24)), Some((PASSPHRASE, 32))] {
        arrives(sender, &clip, encryption).await.with_context(|| format!("{encryption:?}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn srt_bytes_from_ffmpeg_arrive_with_every_key_length() -> Result<()> {
    arrives_with_every_key_length(ffmpeg).await
}

#[tokio::test]
async fn srt_bytes_from_gstreamer_arrive_with_every_key_length() -> Result<()> {
    arrives_with_every_key_length(gstreamer).await
}
