//! HTTPS with HTTP/2, as Safari needs it for low latency.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Result, ensure};
use e2e::{
    browser::{Autoplay, Browser, Window, check_shown},
    clip::Clip,
    origin::Origin,
    publish,
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(40);

/// A self-signed certificate for 127.0.0.1 and its key, PEM.
fn certificate() -> Result<(String, String)> {
    let folder = tempfile::tempdir()?;
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let status = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status()?;
    ensure!(status.success(), "openssl makes a certificate");
    Ok((fs::read_to_string(certificate)?, fs::read_to_string(key)?))
}

async fn secure_origin() -> Result<Origin> {
    let (certificate, key) = certificate()?;
    let toml = "[http]\ntls_cert = \"@FOLDER@/cert.pem\"\ntls_key = \"@FOLDER@/key.pem\"\n";
    Origin::with_files(toml, &[("cert.pem", &certificate), ("key.pem", &key)]).await
}

#[tokio::test]
async fn https_speaks_http_2_and_http_1() -> Result<()> {
    let origin = secure_origin().await?;
    for (option, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let output = Command::new("curl")
            .args([
                "--silent",
                "--insecure",
                option,
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_version} %{http_code}",
            ])
            .arg(origin.url("/readyz"))
            .output()?;
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{version} 200"));
    }
    Ok(())
}

#[tokio::test]
async fn a_browser_plays_over_http_2() -> Result<()> {
    let origin = secure_origin().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(&key)).await?;
    let recording = browser.wait_for_frames(120, SOON).await?;
    check_shown(&recording.frames)?;
    let protocols = "return [...new Set(performance.getEntriesByType('resource').map(entry => entry.nextHopProtocol))]";
    assert_eq!(browser.script(protocols).await?, json!(["h2"]));
    Ok(())
}
