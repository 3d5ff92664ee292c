//! Reads a finished MP4 file back (ISO/IEC 14496-12): what its index says, and whether that is there.

use std::{
    fs::File,
    io::{Read, Seek as _, SeekFrom},
    path::Path,
};

/// Largest index: of a recording of more than a week.
const MAX_INDEX: u64 = 512 << 20;

/// What is in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Frames of the picture.
    pub(super) pictures: u64,
    /// Frames of the sound.
    pub(super) sounds: u64,
}

/// Counts the frames, after making sure that each is inside of the file and each keyframe begins like one.
pub(super) fn read_back(path: &Path) -> Result<Found, String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let index = index(&mut file, length)?;
    let mut found = Found::default();
    for track in children(&index).filter(|(name, _)| *name == b"trak") {
        let Some(track) = Track::read(track.1) else { return Err("its index cannot be read".into()) };
        let places = track.places();
        if places.len() != track.sizes.len() {
            return Err("its index does not say where all frames are".into());
        }
        if places.iter().zip(&track.sizes).any(|(at, size)| at + u64::from(*size) > length) {
            return Err("it ends before its last frame".into());
        }
        if track.is_sound {
            found.sounds += places.len() as u64;
            continue;
        }
        found.pictures += places.len() as u64;
        for number in &track.keyframes {
            let at = (*number as usize).checked_sub(1).ok_or("its index cannot be read")?;
            let (Some(place), Some(size)) = (places.get(at), track.sizes.get(at)) else {
                return Err("its index names keyframes that are not there".into());
            };
            check_keyframe(&mut file, *place, *size)?;
        }
    }
    Ok(found)
}

/// The contents of the `moov` box.
fn index(file: &mut File, length: u64) -> Result<Vec<u8>, String> {
    let mut at = 0;
    while at + 8 <= length {
        let mut header = [0; 16];
        file.seek(SeekFrom::Start(at)).map_err(|error| error.to_string())?;
        let header_length = if length - at < 16 { 8 } else { 16 };
        file.read_exact(&mut header[..header_length]).map_err(|error| error.to_string())?;
        let (skip, size) = match number(&header, 0) {
            0 => (8, length - at),
            1 => (16, u64::from(number(&header, 8)) << 32 | u64::from(number(&header, 12))),
            size => (8, u64::from(size)),
        };
        if size < skip || at + size > length {
            return Err("it ends in the middle of a box".into());
        }
        if header[4..8] == *b"moov" {
            if size > MAX_INDEX {
                return Err("its index is too large".into());
            }
            let mut index = vec![0; (size - skip) as usize];
            file.seek(SeekFrom::Start(at + skip)).map_err(|error| error.to_string())?;
            file.read_exact(&mut index).map_err(|error| error.to_string())?;
            return Ok(index);
        }
        at += size;
    }
    Err("it has no index".into())
}

/// A keyframe is made of NAL units that fill it, and begins with one that can stand there.
fn check_keyframe(file: &mut File, at: u64, size: u32) -> Result<(), String> {
    let mut start = [0; 5];
    file.seek(SeekFrom::Start(at)).map_err(|error| error.to_string())?;
    file.read_exact(&mut start).map_err(|error| error.to_string())?;
    let (length, kind) = (number(&start, 0), start[4] & 0x1F);
    let is_one = length > 0 && u64::from(length) + 4 <= u64::from(size) && matches!(kind, 5..=9);
    if is_one { Ok(()) } else { Err("where a keyframe should be is something else".into()) }
}

/// What the index says of a track.
#[derive(Debug, Default)]
struct Track {
    is_sound: bool,
    sizes: Vec<u32>,
    chunks: Vec<u64>,
    /// First chunk (from 1), and frames of each chunk from there on.
    runs: Vec<(u32, u32)>,
    /// Numbers of keyframes, from 1.
    keyframes: Vec<u32>,
}

impl Track {
    fn read(track: &[u8]) -> Option<Self> {
        let media = child(track, b"mdia")?;
        let handler = child(media, b"hdlr")?.get(8..12)?;
        let table = child(child(media, b"minf")?, b"stbl")?;
        let mut read = Self { is_sound: handler == b"soun", ..Self::default() };
        let sizes = child(table, b"stsz")?;
        read.sizes = match (word(sizes, 4)?, word(sizes, 8)?) {
            (0, count) => words(sizes, 12, count)?,
            (size, count) => vec![size; count as usize],
        };
        read.chunks = match (child(table, b"stco"), child(table, b"co64")) {
            (Some(chunks), _) => words(chunks, 8, word(chunks, 4)?)?.into_iter().map(u64::from).collect(),
            (None, Some(chunks)) => {
                let halves = words(chunks, 8, word(chunks, 4)?.checked_mul(2)?)?;
                halves.chunks_exact(2).map(|pair| u64::from(pair[0]) << 32 | u64::from(pair[1])).collect()
            }
            (None, None) => return None,
        };
        let runs = child(table, b"stsc")?;
        let runs = words(runs, 8, word(runs, 4)?.checked_mul(3)?)?;
        read.runs = runs.chunks_exact(3).map(|run| (run[0], run[1])).collect();
        if let Some(keyframes) = child(table, b"stss").filter(|_| !read.is_sound) {
            read.keyframes = words(keyframes, 8, word(keyframes, 4)?)?;
        }
        Some(read)
    }

    /// Where each frame begins.
    fn places(&self) -> Vec<u64> {
        let mut places = Vec::with_capacity(self.sizes.len());
        let mut sizes = self.sizes.iter();
        let mut run = 0;
        for (number, chunk) in (1..).zip(&self.chunks) {
            while self.runs.get(run + 1).is_some_and(|(first, _)| *first <= number) {
                run += 1;
            }
            let count = self.runs.get(run).map_or(0, |(_, count)| *count);
            let mut at = *chunk;
            for size in sizes.by_ref().take(count as usize) {
                places.push(at);
                at = at.saturating_add(u64::from(*size));
            }
        }
        places
    }
}

/// Boxes one after the other: their names and contents.
fn children(mut rest: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let size = word(rest, 0)? as usize;
        let found = rest.get(..size)?;
        rest = rest.get(size..)?;
        Some((found.get(4..)?.first_chunk()?, found.get(8..)?))
    })
}

fn child<'a>(parent: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    children(parent).find(|(found, _)| *found == name).map(|(_, content)| content)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn words(bytes: &[u8], at: usize, count: u32) -> Option<Vec<u32>> {
    let bytes = bytes.get(at..at.checked_add((count as usize).checked_mul(4)?)?)?;
    Some(bytes.chunks_exact(4).map(|four| number(four, 0)).collect())
}

fn number(bytes: &[u8], at: usize) -> u32 {
    word(bytes, at).unwrap_or(0)
}
