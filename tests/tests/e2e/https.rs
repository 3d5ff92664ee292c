//! HTTPS with HTTP/2, as Safari needs it for low latency.

use std::{process::Command, time::Duration};

use anyhow::Result;
use e2e::{
    browser::{Autoplay, Browser, Window, check_shown},
    clip::Clip,
    origin::Origin,
    publish,
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(40);

#[tokio::test]
async fn https_speaks_http_2_and_http_1() -> Result<()> {
    let origin = Origin::secure().await?;
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
    let origin = Origin::secure().await?;
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
