//! Encoders for the Studio's outlets: clips, encoded before, come out of them as if they were encoded now.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use skylark_studio::encoded::{Outlet, Packet, Track};
use tokio::time::{Instant, sleep_until};

use crate::clip::Clip;

/// Samples of a frame of AAC.
const FRAME_SAMPLES: u64 = 1024;
const SAMPLE_RATE: u64 = 48_000;
const NS_PER_S: u64 = 1_000_000_000;

/// A ladder of clips and the sound of the first: packets in the order in which encoders give them.
#[derive(Debug, Clone)]
pub struct Encoders {
    packets: Vec<Packet>,
}

impl Encoders {
    /// Takes the first `seconds` of clips apart, which must be without B-frames. The first one is the best rendition.
    ///
    /// # Errors
    /// When ffmpeg cannot.
    pub fn of(clips: &[Clip], seconds: u64) -> Result<Self> {
        let mut packets = Vec::new();
        for (index, clip) in clips.iter().enumerate() {
            ensure!(clip.b_frames == 0, "frames are told by their order");
            let args = ["-an", "-c:v", "copy", "-bsf:v", "h264_mp4toannexb,h264_metadata=aud=insert", "-f", "h264"];
            let stream = Bytes::from(ffmpeg(clip, seconds, &args)?);
            let duration_ns = NS_PER_S / u64::from(clip.frame_rate);
            let units = split(&stream, access_unit_starts(&stream));
            packets.extend(units.zip(0..).map(|(data, number)| Packet {
                track: Track::Video(index),
                pts_ns: number * NS_PER_S / u64::from(clip.frame_rate),
                dts_ns: number * NS_PER_S / u64::from(clip.frame_rate),
                duration_ns,
                is_keyframe: number % u64::from(clip.gop) == 0,
                data,
            }));
        }
        let first = clips.first().context("no clip")?;
        let stream = Bytes::from(ffmpeg(first, seconds, &["-vn", "-c:a", "copy", "-f", "adts"])?);
        // The encoder's first frame is from before the beginning.
        let frames = split(&stream, adts_starts(&stream)).skip(1);
        packets.extend(frames.zip(0..).map(|(data, number)| Packet {
            track: Track::Audio,
            pts_ns: number * FRAME_SAMPLES * NS_PER_S / SAMPLE_RATE,
            dts_ns: number * FRAME_SAMPLES * NS_PER_S / SAMPLE_RATE,
            duration_ns: FRAME_SAMPLES * NS_PER_S / SAMPLE_RATE,
            is_keyframe: true,
            data,
        }));
        packets.sort_by_key(|packet| packet.dts_ns);
        Ok(Self { packets })
    }

    /// What they give.
    #[must_use]
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// Frames of a rendition.
    #[must_use]
    pub fn pictures(&self, rendition: usize) -> u64 {
        self.packets.iter().filter(|packet| packet.track == Track::Video(rendition)).count() as u64
    }

    /// Gives everything as fast as it would be encoded.
    pub async fn run(&self, outlet: &Arc<dyn Outlet>) {
        let began = Instant::now();
        for packet in &self.packets {
            sleep_until(began + Duration::from_nanos(packet.dts_ns)).await;
            outlet.take(packet);
        }
    }

    /// The same, but with the picture of others of the same kind from a keyframe on, as long as `is_other` at it.
    pub async fn run_or(&self, other: &Self, is_other: impl Fn() -> bool, outlet: &Arc<dyn Outlet>) {
        let began = Instant::now();
        let mut uses_other = false;
        for (packet, alike) in self.packets.iter().zip(&other.packets) {
            sleep_until(began + Duration::from_nanos(packet.dts_ns)).await;
            if packet.is_keyframe && packet.track != Track::Audio {
                uses_other = is_other();
            }
            outlet.take(if uses_other { alike } else { packet });
        }
    }
}

fn ffmpeg(clip: &Clip, seconds: u64, args: &[&str]) -> Result<Vec<u8>> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-t", &seconds.to_string(), "-i"]);
    let output = command.arg(clip.file()?).args(args).arg("pipe:1").stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

fn split(stream: &Bytes, starts: Vec<usize>) -> impl Iterator<Item = Bytes> {
    let ends = starts.clone().into_iter().skip(1).chain([stream.len()]);
    starts.into_iter().zip(ends).map(|(start, end)| stream.slice(start..end))
}

/// Where access unit delimiters stand.
fn access_unit_starts(stream: &[u8]) -> Vec<usize> {
    stream.windows(5).enumerate().filter(|(_, five)| *five == [0, 0, 0, 1, 9]).map(|(at, _)| at).collect()
}

fn adts_starts(stream: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some([0xFF, _, _, high, middle, low, _]) = stream.get(at..at + 7) {
        starts.push(at);
        at += (usize::from(high & 3) << 11 | usize::from(*middle) << 3 | usize::from(low >> 5)).max(7);
    }
    starts
}
