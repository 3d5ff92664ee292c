//! scratch
use anyhow::Result;
use e2e::{
    browser::*,
    clip::Clip,
    decode::decode,
    obs::{self, Keyframes, Obs, Settings},
};
use std::time::Duration;
#[tokio::test]
async fn obs_scratch() -> Result<()> {
    if !obs::inside_namespace("obs_scratch")? {
        return Ok(());
    }
    let mut listen = e2e::publish::Publisher::spawn(
        "l",
        xtask::child::command("ffmpeg", xtask::child::Orphaned::Killed).args([
            "-y",
            "-listen",
            "1",
            "-f",
            "flv",
            "-i",
            "rtmp://127.0.0.1:1999/live/abc",
            "-t",
            "12",
            "-c",
            "copy",
            "/tmp/xt/obs.flv",
        ]),
    )?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let clip = Clip::default().file()?;
    let obs = Obs::stream(&Settings {
        server: "rtmp://127.0.0.1:1999/live",
        key: "abc",
        keyframes: Keyframes::TwoSeconds,
        clip: &clip,
    })?;
    tokio::time::sleep(Duration::from_secs(8)).await;
    obs.screenshot("obs-streaming")?;
    let e = listen.ended(Duration::from_secs(30)).await;
    std::fs::write("/tmp/xt/obs.log", obs.log())?;
    eprintln!("{e:?} {}", listen.log());
    let d = decode("/tmp/xt/obs.flv", &[])?;
    eprintln!("{:?}\n{:?}\n{:?}", d.frames, d.skews_ms(30), d.sound_gaps);
    Ok(())
}
#[tokio::test]
async fn chrome_scratch() -> Result<()> {
    let b = Browser::open(Window::Phone, Autoplay::MutedOnly).await?;
    b.goto("data:text/html,<video></video><p>hello").await?;
    eprintln!("{:?} {:?}", b.recording().await?, b.script("return [innerWidth, innerHeight]").await?);
    eprintln!(
        "{}",
        String::from_utf8_lossy(&std::process::Command::new("ps").args(["-eo", "pid,ppid,pgid,args"]).output()?.stdout)
            .lines()
            .filter(|l| l.contains("chrom"))
            .map(|l| l.chars().take(120).collect::<String>())
            .collect::<Vec<_>>()
            .join("\n")
    );
    drop(b);
    tokio::time::sleep(Duration::from_secs(1)).await;
    eprintln!(
        "after {}",
        String::from_utf8_lossy(&std::process::Command::new("ps").args(["-eo", "pid,ppid,pgid,args"]).output()?.stdout)
            .lines()
            .filter(|l| l.contains("chrom"))
            .map(|l| l.chars().take(120).collect::<String>())
            .collect::<Vec<_>>()
            .join("\n")
    );
    Ok(())
}
#[test]
fn dec() { let d = decode("/tmp/xt/obs.flv", &[]).unwrap();
    eprintln!("{:?}\n{:?}\n{:?}", d.frames.iter().map(|f| (f.number, (f.time_s*1000.0) as i64)).collect::<Vec<_>>(), d.skews_ms(30), d.sound_gaps); }
