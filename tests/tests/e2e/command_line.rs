//! The command line that scripts rely on.

use std::process::Command;

use anyhow::{Result, ensure};
use e2e::{
    origin::{self, Origin},
    relay_client::keys,
    streamer::Streamer,
};
use nostr::ToBech32 as _;

#[tokio::test]
async fn a_key_is_made_while_the_server_runs_on_one_line() -> Result<()> {
    let origin = Origin::start().await?;
    let line = origin.cli(&["key", "create", "--quiet"])?;
    ensure!(line.ends_with('\n') && line.lines().count() == 1, "one line: {line:?}");
    let (stream, key) = line.trim_end().split_once(' ').unwrap_or_default();
    ensure!(stream.parse::<skylark_protocol::StreamId>().is_ok(), "a stream id: {stream}");
    ensure!(key.starts_with("sky_live_") && key.len() >= "sky_live_".len() + 22, "16 random bytes or more");
    for entry in std::fs::read_dir(origin.data())? {
        let path = entry?.path();
        if path.is_file() {
            let bytes = std::fs::read(&path)?;
            ensure!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()), "{} has the key", path.display());
        }
    }
    Ok(())
}

#[tokio::test]
async fn health_readiness_and_metrics_answer() -> Result<()> {
    let origin = Origin::start().await?;
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = origin.client().get(&origin.url(path)).await?;
        ensure!(answer.status == 200, "{path} answered {}", answer.status);
    }
    Ok(())
}

#[tokio::test]
async fn the_owner_is_set_while_the_server_runs_and_may_create_streams() -> Result<()> {
    let origin = Origin::start().await?;
    let streamer = Streamer::new(&origin, 1).await?;
    ensure!(origin.cli(&["owner"])? == "nobody yet\n");
    ensure!(streamer.create("Show").await.is_err(), "who is not the owner may not");
    let npub = keys(1)?.public_key().to_bech32()?;
    ensure!(origin.cli(&["owner", &npub])?.trim_end() == npub);
    ensure!(origin.cli(&["owner", "npub1nonsense"]).is_err());
    ensure!(origin.cli(&["owner"])?.trim_end() == npub, "a mistake changes nothing");
    let stream = streamer.create("Show").await?;
    ensure!(!origin.log().contains(&stream.key), "a key is not logged");
    Ok(())
}

#[test]
fn check_reports_on_this_machine() -> Result<()> {
    let data = tempfile::tempdir()?;
    let output = Command::new(origin::binary()?)
        .args(["check", "--http", "127.0.0.1:0", "--rtmp", "127.0.0.1:0", "--srt", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).to_lowercase();
    for subject in ["port", "clock", "disk", "file", "udp"] {
        ensure!(text.contains(subject), "`check` says nothing of {subject}:\n{text}");
    }
    ensure!(output.status.success(), "`check` ended with {}:\n{text}", output.status);
    Ok(())
}

#[test]
fn an_unknown_key_in_the_configuration_is_refused_by_name() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("skylark.toml");
    std::fs::write(&file, "[live]\nreconect_timeout_s = 30\n")?;
    let output = Command::new(origin::binary()?).args(["config", "print", "--config"]).arg(&file).output()?;
    ensure!(!output.status.success(), "a misspelt key is accepted");
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(text.contains("reconect_timeout_s"), "the error names the key: {text}");
    Ok(())
}

#[test]
fn the_printed_configuration_is_a_configuration() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let print = |arguments: &[&std::ffi::OsStr]| -> Result<String> {
        let output = Command::new(origin::binary()?).args(["config", "print"]).args(arguments).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    };
    let defaults = print(&[])?;
    let file = folder.path().join("skylark.toml");
    std::fs::write(&file, &defaults)?;
    assert_eq!(print(&["--config".as_ref(), file.as_os_str()])?, defaults);
    Ok(())
}
