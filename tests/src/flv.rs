//! FLV that no program here writes: two clips joined as one recording, as an encoder makes it whose picture size is changed
//! while it streams; and several pictures in one stream.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use tempfile::NamedTempFile;

/// File header and the first back pointer.
const HEADER: usize = 9 + 4;
/// Tag header, and the back pointer after its body.
const TAG_HEADER: usize = 11;
const BACK_POINTER: usize = 4;
/// The kind of a video tag, and the packet type that several tracks have in Enhanced RTMP.
const VIDEO: u8 = 9;
const MULTITRACK: u8 = 6;

/// The second clip goes on where the first ends; its sequence headers come again.
///
/// # Errors
/// When ffmpeg cannot read one of them.
pub fn join(first: &Path, second: &Path) -> Result<NamedTempFile> {
    let (first, second) = (flv(first)?, flv(second)?);
    let mut joined = tempfile::Builder::new().suffix(".flv").tempfile()?;
    joined.write_all(&first)?;
    // Video frames of the test clips last 33 ms.
    let offset =
        tags(&first)?.iter().filter(|tag| tag.kind == VIDEO).map(|tag| tag.timestamp_ms).max().unwrap_or(0) + 33;
    for tag in tags(&second)? {
        let mut bytes = tag.bytes.to_vec();
        let timestamp = (tag.timestamp_ms + offset).to_be_bytes();
        bytes[4..7].copy_from_slice(&timestamp[1..]);
        bytes[7] = timestamp[0];
        // onMetaData would announce a new file: the size is what the sequence header says.
        if tag.kind != 18 {
            joined.write_all(&bytes)?;
        }
    }
    joined.flush()?;
    Ok(joined)
}

/// A tag for itself, as it is sent.
#[derive(Debug, Clone)]
pub struct OwnTag {
    /// When, in the clip's time, milliseconds.
    pub timestamp_ms: u32,
    /// Header, body and back pointer.
    pub bytes: Vec<u8>,
}

/// Enhanced RTMP with several video tracks, as OBS writes it: the first clip as it is, of the others the pictures.
///
/// # Errors
/// When ffmpeg cannot read one of them.
pub fn several_tracks(clips: &[&Path]) -> Result<Vec<OwnTag>> {
    let mut all = Vec::new();
    for (track, clip) in (0u8..).zip(clips) {
        let file = flv(clip)?;
        let of_track = tags(&file)?.into_iter().filter(|tag| track == 0 || tag.kind == VIDEO);
        all.extend(of_track.map(|tag| match track {
            0 => OwnTag { timestamp_ms: tag.timestamp_ms, bytes: tag.bytes.to_vec() },
            _ => OwnTag { timestamp_ms: tag.timestamp_ms, bytes: on_track(&tag, track) },
        }));
    }
    all.sort_by_key(|tag| tag.timestamp_ms);
    let header = all.first_mut().context("no clip")?;
    header.bytes.splice(..0, *b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
    Ok(all)
}

/// A classic AVC tag as the only one of a `Multitrack` packet.
fn on_track(tag: &Tag<'_>, track: u8) -> Vec<u8> {
    let body = &tag.bytes[TAG_HEADER..tag.bytes.len() - BACK_POINTER];
    let (frame_type, packet_type, rest) = (body[0] >> 4, body[1], &body[2..]);
    // A sequence header has no composition time.
    let rest = if packet_type == 0 { &rest[3..] } else { rest };
    let mut enhanced = vec![0x80 | frame_type << 4 | MULTITRACK, packet_type];
    enhanced.extend(b"avc1");
    enhanced.push(track);
    enhanced.extend(rest);
    let mut bytes = tag.bytes[..TAG_HEADER].to_vec();
    bytes[1..4].copy_from_slice(&(enhanced.len() as u32).to_be_bytes()[1..]);
    bytes.extend(&enhanced);
    bytes.extend(((TAG_HEADER + enhanced.len()) as u32).to_be_bytes());
    bytes
}

struct Tag<'a> {
    kind: u8,
    timestamp_ms: u32,
    bytes: &'a [u8],
}

fn tags(file: &[u8]) -> Result<Vec<Tag<'_>>> {
    let mut tags = Vec::new();
    let mut rest = file.get(HEADER..).context("an FLV file has a header")?;
    while let Some(header) = rest.get(..TAG_HEADER) {
        let length = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        let (bytes, after) = rest.split_at_checked(TAG_HEADER + length + BACK_POINTER).context("an unfinished tag")?;
        let timestamp_ms = u32::from_be_bytes([header[7], header[4], header[5], header[6]]);
        tags.push(Tag { kind: header[0], timestamp_ms, bytes });
        rest = after;
    }
    Ok(tags)
}

fn flv(clip: &Path) -> Result<Vec<u8>> {
    let file = tempfile::Builder::new().suffix(".flv").tempfile()?;
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-i"]).arg(clip);
    ffmpeg.args(["-c", "copy", "-flvflags", "no_sequence_end+no_duration_filesize"]).arg(file.path());
    let status = ffmpeg.stdin(Stdio::null()).status().context("cannot start ffmpeg")?;
    ensure!(status.success(), "ffmpeg cannot make an FLV file of {}: {status}", clip.display());
    Ok(fs::read(file.path())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::Clip;

    /// An AVC sequence header: codec 7, packet type 0.
    fn is_sequence_header(tag: &Tag<'_>) -> bool {
        tag.kind == VIDEO && tag.bytes[TAG_HEADER] & 0xf == 7 && tag.bytes[TAG_HEADER + 1] == 0
    }

    #[test]
    fn ffmpeg_sends_the_second_sequence_header_too() -> Result<()> {
        let small = Clip { seconds: 2, ..Clip::default() };
        let large = Clip { width: 1280, height: 720, ..small };
        let joined = join(&small.file()?, &large.file()?)?;
        let sent = flv(joined.path())?;
        assert_eq!(tags(&sent)?.iter().filter(|tag| is_sequence_header(tag)).count(), 2);
        Ok(())
    }
}
