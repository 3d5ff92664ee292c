//! `picture FILE`: the viewer page playing a test picture, as a PNG file. Started by `cargo xtask picture`.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    browser::{Autoplay, Browser, Window},
    origin::Origin,
};
use skylark_protocol::StreamState;
use xtask::child::{self, Orphaned, Running};

const SOON: Duration = Duration::from_secs(30);
/// Something nicer to look at than a frame counter, slow enough to be compressed well.
const PICTURE: &str =
    "gradients=size=1280x720:rate=30:c0=0x0b1d3a:c1=0x2a6fbb:c2=0xf3a65a:c3=0x14213d:nb_colors=4:seed=7:speed=0.02";

#[tokio::main]
async fn main() -> Result<()> {
    let file = PathBuf::from(std::env::args().nth(1).context("usage: picture FILE")?);
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let mut ffmpeg = child::command("ffmpeg", Orphaned::Killed);
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-re", "-f", "lavfi", "-i", PICTURE]);
    ffmpeg.args(["-re", "-f", "lavfi", "-i", "sine=frequency=330:sample_rate=48000", "-pix_fmt", "yuv420p"]);
    ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-g", "60", "-b:v", "2500k"]);
    ffmpeg.args(["-c:a", "aac", "-f", "flv", &origin.rtmp_url(&key)]).stdin(Stdio::null());
    let _publisher = Running::spawn("ffmpeg", &mut ffmpeg, Duration::ZERO)?;
    origin.wait_for_state(&key, StreamState::Live, SOON).await?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(&key)).await?;
    browser.wait_for_frames(240, SOON).await?;
    let picture = browser.screenshot("viewer").await?;
    fs::create_dir_all(file.parent().context("the file has a folder")?)?;
    // Fewer colours: a README should load quickly.
    let palette = "split[a][b];[a]palettegen=max_colors=192[p];[b][p]paletteuse=dither=bayer:bayer_scale=4";
    let status = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-i"])
        .arg(picture)
        .args(["-vf", palette])
        .arg(&file)
        .status()?;
    ensure!(status.success(), "ffmpeg cannot write {}: {status}", file.display());
    println!("{}", file.display());
    Ok(())
}
