//! Reads frame numbers and beeps back from media, with ffmpeg as the decoder.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::clip::{COLUMNS, COUNTER_BITS, ROWS};

/// Samples per second that sound is decoded to.
const SAMPLE_RATE: usize = 48_000;
/// Loudness is judged in windows of this many samples (2 ms).
const WINDOW: usize = SAMPLE_RATE / 500;
/// Mean square from which a window is loud: well below the test tone, well above what an encoder leaves in silence.
const LOUD: f64 = 0.01;
/// So many quiet windows must precede a beep (50 ms).
const QUIET_WINDOWS: usize = 25;
/// Frames that can be sent before others which are shown earlier.
const REORDERED: usize = 6;
/// A white cell is brighter than this.
const WHITE: u8 = 128;

/// A decoded frame of the test picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Presentation time, seconds on the broadcast's timeline.
    pub time_s: f64,
    /// The number that the picture shows.
    pub number: u16,
}

/// What a decoder made of a piece of media.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// Every frame, in the order of presentation.
    pub frames: Vec<Frame>,
    /// When each beep begins, seconds on the same timeline.
    pub beeps_s: Vec<f64>,
    /// Places where a sound frame does not begin where the one before it ended: (time, seconds missing).
    pub sound_gaps: Vec<(f64, f64)>,
    /// What the decoder complained about.
    pub complaints: String,
}

impl Decoded {
    /// Checks that every frame follows its predecessor: none lost, none twice, none out of order.
    ///
    /// # Errors
    /// Names the first that does not.
    pub fn check_every_frame(&self) -> Result<()> {
        ensure!(!self.frames.is_empty(), "no frame was decoded: {}", self.complaints);
        for pair in self.frames.windows(2) {
            ensure!(
                pair[1].number == pair[0].number.wrapping_add(1),
                "after frame {} at {:.3} s comes frame {} at {:.3} s",
                pair[0].number,
                pair[0].time_s,
                pair[1].number,
                pair[1].time_s
            );
        }
        Ok(())
    }

    /// Leaves out the last frames when others between them are missing: where a run stops in the middle, a frame that
    /// comes early because others refer to it stands alone.
    pub fn cut_open_end(&mut self) {
        let tail = self.frames.len().saturating_sub(REORDERED);
        let last = self.frames[tail..].windows(2).position(|pair| pair[1].number != pair[0].number.wrapping_add(1));
        if let Some(last) = last {
            self.frames.truncate(tail + last + 1);
        }
    }

    /// Sound minus picture, milliseconds, at every second that begins in this piece.
    #[must_use]
    pub fn skews_ms(&self, frame_rate: u16) -> Vec<f64> {
        self.skews_by_number(frame_rate).into_values().collect()
    }

    /// The same, by the number of the second's first frame.
    #[must_use]
    pub fn skews_by_number(&self, frame_rate: u16) -> BTreeMap<u16, f64> {
        let seconds = self.frames.iter().filter(|frame| frame.number % frame_rate == 0);
        let nearest = |frame: &Frame| {
            let distances = self.beeps_s.iter().map(|beep| (beep - frame.time_s) * 1000.0);
            distances.min_by(|a, b| a.abs().total_cmp(&b.abs()))
        };
        // A second's beep may lie outside of the piece: what is half a second away belongs to another second.
        let skews = seconds.filter_map(|frame| Some((frame.number, nearest(frame)?)));
        skews.filter(|(_, skew)| skew.abs() < 500.0).collect()
    }

    /// Checks that sound and picture are less than `limit_ms` apart, in at least `seconds` places.
    ///
    /// # Errors
    /// When they are not.
    pub fn check_sync(&self, frame_rate: u16, limit_ms: f64, seconds: usize) -> Result<()> {
        let skews = self.skews_ms(frame_rate);
        ensure!(
            skews.len() >= seconds,
            "only {} beeps were found beside {seconds} or more seconds: {skews:?}",
            skews.len()
        );
        ensure!(skews.iter().all(|skew| skew.abs() < limit_ms), "sound minus picture, ms: {skews:.1?}");
        Ok(())
    }
}

/// Decodes a file or URL with ffmpeg; `options` stand before the input.
///
/// # Errors
/// When ffmpeg cannot open it, or there is no picture in it.
pub fn decode(input: &str, options: &[&str]) -> Result<Decoded> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-hide_banner", "-loglevel", "warning", "-nostdin", "-y", "-copyts"])
        .args(options)
        .args(["-i", input]);
    let grid = format!("[0:v]scale={COLUMNS}:{ROWS}:flags=area,format=gray,split[bytes][times]");
    ffmpeg.args(["-filter_complex", &grid]);
    ffmpeg.args(["-map", "[bytes]", "-fps_mode", "passthrough", "-f", "rawvideo", &path("grid")]);
    ffmpeg.args(["-map", "[times]", "-fps_mode", "passthrough", "-f", "framecrc", &path("grid.txt")]);
    if has_sound(input, options)? {
        let sound = ["-map", "0:a", "-ac", "1", "-ar", "48000", "-c:a", "pcm_s16le"];
        ffmpeg.args(sound).args(["-f", "s16le", &path("sound")]);
        ffmpeg.args(sound).args(["-f", "framecrc", &path("sound.txt")]);
    }
    let output = ffmpeg.stdin(Stdio::null()).output().context("cannot start ffmpeg")?;
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "ffmpeg cannot decode {input}: {complaints}");
    let frames = frames(&fs::read(path("grid"))?, &times(Path::new(&path("grid.txt")))?)?;
    let samples = fs::read(path("sound")).unwrap_or_default();
    let samples: Vec<i16> = samples.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    let sound_times = times(Path::new(&path("sound.txt"))).unwrap_or_default();
    let (beeps_s, sound_gaps) = beeps(&samples, &sound_times);
    Ok(Decoded { frames, beeps_s, sound_gaps, complaints })
}

fn has_sound(input: &str, options: &[&str]) -> Result<bool> {
    // Options that only limit how long is decoded are not ffprobe's.
    let ours = if options.contains(&"-t") { &[][..] } else { options };
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args([
        "-loglevel",
        "error",
        "-select_streams",
        "a",
        "-show_entries",
        "stream=codec_name",
        "-of",
        "csv=p=0",
    ]);
    let output = ffprobe.args(ours).arg(input).stdin(Stdio::null()).output().context("cannot start ffprobe")?;
    ensure!(output.status.success(), "ffprobe cannot open {input}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(!output.stdout.is_empty())
}

/// The numbers of frames that were scaled to one grey pixel per cell of the grid, one after the other.
#[must_use]
pub fn numbers(grids: &[u8]) -> Vec<u16> {
    grids.chunks_exact(COLUMNS * ROWS).map(number).collect()
}

/// One line of ffmpeg's `framecrc`: when, and how many bytes.
#[derive(Debug, Clone, Copy)]
struct Packet {
    time_s: f64,
    bytes: usize,
}

fn times(path: &Path) -> Result<Vec<Packet>> {
    let text = fs::read_to_string(path)?;
    let mut tick_s = None;
    let mut packets = Vec::new();
    for line in text.lines() {
        if let Some(base) = line.strip_prefix("#tb 0: ") {
            let (numerator, denominator) = base.split_once('/').context("a time base is a fraction")?;
            tick_s = Some(numerator.parse::<f64>()? / denominator.parse::<f64>()?);
        }
        if line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [_stream, _dts, pts, _duration, bytes, ..] = fields[..] else { bail!("framecrc line: {line}") };
        let tick_s = tick_s.context("framecrc says its time base first")?;
        packets.push(Packet { time_s: pts.parse::<f64>()? * tick_s, bytes: bytes.parse()? });
    }
    Ok(packets)
}

fn frames(grids: &[u8], times: &[Packet]) -> Result<Vec<Frame>> {
    let grids: Vec<&[u8]> = grids.chunks_exact(COLUMNS * ROWS).collect();
    ensure!(grids.len() == times.len(), "{} pictures with {} times", grids.len(), times.len());
    Ok(grids.iter().zip(times).map(|(grid, packet)| Frame { time_s: packet.time_s, number: number(grid) }).collect())
}

/// The number in the top row of the grid.
fn number(grid: &[u8]) -> u16 {
    (0..COUNTER_BITS).zip(grid).filter(|(_, cell)| **cell > WHITE).fold(0, |number, (bit, _)| number | (1 << bit))
}

/// Where beeps begin, and where sound is missing.
fn beeps(samples: &[i16], packets: &[Packet]) -> (Vec<f64>, Vec<(f64, f64)>) {
    let mut beeps = Vec::new();
    let mut gaps = Vec::new();
    let mut quiet = 0;
    let mut expected_s = None;
    let mut first = 0;
    // Sample index → time, packet by packet; a window belongs to the packet in which it begins.
    let mut next_window = 0;
    for packet in packets {
        let length = packet.bytes / 2;
        if let Some(expected_s) = expected_s {
            let missing: f64 = packet.time_s - expected_s;
            if missing.abs() > 0.0015 {
                gaps.push((packet.time_s, missing));
            }
        }
        expected_s = Some(packet.time_s + length as f64 / SAMPLE_RATE as f64);
        while next_window < first + length {
            let Some(window) = samples.get(next_window..next_window + WINDOW) else { break };
            let energy = window.iter().map(|sample| (f64::from(*sample) / 32_768.0).powi(2)).sum::<f64>();
            if energy / (WINDOW as f64) < LOUD {
                quiet += 1;
            } else {
                if quiet >= QUIET_WINDOWS {
                    beeps.push(packet.time_s + (next_window - first) as f64 / SAMPLE_RATE as f64);
                }
                quiet = 0;
            }
            next_window += WINDOW;
        }
        first += length;
    }
    (beeps, gaps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::Clip;

    #[test]
    fn the_test_picture_is_read_back_as_it_was_drawn() -> Result<()> {
        let clip = Clip { seconds: 3, ..Clip::default() }.file()?;
        let decoded = decode(&clip.to_string_lossy(), &[])?;
        let numbers: Vec<u16> = decoded.frames.iter().map(|frame| frame.number).collect();
        assert_eq!(numbers, (0..90).collect::<Vec<u16>>());
        decoded.check_sync(30, 10.0, 2)?;
        assert_eq!(decoded.sound_gaps, []);
        Ok(())
    }
}
