//! What GStreamer's `mp4mux` leaves out of a fragment, and what it must not do on a full disk.
//!
//! A frame as large (or as long) as the fragment's first one is written without its size, although the fragment's header does
//! not say how large that was: after a crash, ffmpeg refuses such a file from its first fragment on. It happens with the
//! equal frames of a constant bitrate, and while nothing is to be heard. Here the header is made to say it, in the room of
//! the absolute address that it has: addresses can be counted from the fragment itself.
//!
//! At its end it tells the file's front that all that follows is content, and then writes the index behind it. Where the disk
//! has no room for the index, nothing would play any more: the front is held back until the index is there.

use std::{
    fs::OpenOptions,
    io::{self, Seek as _, SeekFrom, Write as _},
    ops::Range,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use gstreamer as gst;
use gstreamer::prelude::*;

/// Of a track's header in a fragment (`tfhd`): which fields it has.
const ADDRESS: u32 = 0x1;
const DESCRIPTION: u32 = 0x2;
const DURATION: u32 = 0x8;
const SIZE: u32 = 0x10;
const FLAGS: u32 = 0x20;
const COUNTS_FROM_FRAGMENT: u32 = 0x2_0000;
/// Of a run of frames (`trun`).
const RUN_ADDRESS: u32 = 0x1;
const RUN_FIRST_FLAGS: u32 = 0x4;
const RUN_DURATIONS: u32 = 0x100;
const RUN_SIZES: u32 = 0x200;
/// Version and flags, and what follows them in both: the track's number, or how many frames there are.
const HEAD: usize = 8;

/// What makes a plain file of one in fragments: the front that is held back until the rest is written.
#[derive(Debug, Default)]
pub(super) struct Front(Mutex<Vec<(u64, Vec<u8>)>>);

impl Front {
    /// Writes it.
    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        let held = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut file = OpenOptions::new().write(true).open(file)?;
        for (at, content) in held {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&content)?;
        }
        Ok(())
    }

    fn hold(&self, at: u64, content: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((at, content.to_vec()));
    }
}

/// Completes the fragments that leave `mux`, and holds back what it writes before the first of them afterwards.
pub(super) fn complete_all(mux: &gst::Element) -> Arc<Front> {
    let front = Arc::new(Front::default());
    let Some(end) = mux.static_pad("src") else { return front };
    let (position, fragments_at) = (AtomicU64::new(0), AtomicU64::new(0));
    let held = Arc::clone(&front);
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    end.add_probe(kinds, move |_, info| {
        match &mut info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                let at = position.fetch_add(buffer.size() as u64, Ordering::Relaxed);
                if let Ok(mut content) = buffer.make_mut().map_writable() {
                    if at < fragments_at.load(Ordering::Relaxed) {
                        held.hold(at, &content);
                        return gst::PadProbeReturn::Drop;
                    }
                    if content.get(4..8) == Some(b"moof") {
                        _ = fragments_at.compare_exchange(0, at, Ordering::Relaxed, Ordering::Relaxed);
                    }
                    complete(&mut content, at);
                }
            }
            Some(gst::PadProbeData::Event(event)) => {
                if let gst::EventView::Segment(segment) = event.view()
                    && let Some(segment) = segment.segment().downcast_ref::<gst::format::Bytes>()
                    && let Some(start) = segment.start()
                {
                    position.store(*start, Ordering::Relaxed);
                }
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    front
}

/// Completes a fragment (`moof`) that stands at `at` in the file; anything else stays as it is.
fn complete(content: &mut [u8], at: u64) {
    let whole = 0..content.len();
    for (_, fragment) in boxes(content, whole).into_iter().filter(|(name, _)| name == b"moof") {
        for (_, track) in boxes(content, fragment).into_iter().filter(|(name, _)| name == b"traf") {
            for (place, word) in completed(content, track, at).unwrap_or_default() {
                content[place..place + 4].copy_from_slice(&word.to_be_bytes());
            }
        }
    }
}

/// What to write where; nothing where nothing is missing, or it is not as `mp4mux` writes it.
fn completed(content: &[u8], track: Range<usize>, at: u64) -> Option<Vec<(usize, u32)>> {
    let parts = boxes(content, track);
    let header = parts.iter().find(|(name, _)| name == b"tfhd").map(|(_, part)| part.start)?;
    let runs: Vec<_> = parts.iter().filter(|(name, _)| name == b"trun").map(|(_, part)| part.start).collect();
    let flags = word(content, header)?;
    if flags & ADDRESS == 0 || flags & (DURATION | SIZE) == DURATION | SIZE {
        return None;
    }
    let address = u64::from(word(content, header + HEAD)?) << 32 | u64::from(word(content, header + HEAD + 4)?);
    let mut fields = Vec::new();
    for field in [DESCRIPTION, DURATION, SIZE, FLAGS].into_iter().filter(|field| flags & field != 0) {
        fields.push((field, word(content, header + HEAD + 8 + fields.len() * 4)?));
    }
    // Two fields have room where the address was. The description that is used without one is the first.
    let (duration, size) = first_frame(content, *runs.first()?)?;
    let known = [(DURATION, duration), (SIZE, size), (DESCRIPTION, Some(1))];
    let missing = known.into_iter().filter_map(|(field, value)| Some((field, value?)));
    let missing: Vec<_> = missing.filter(|(field, _)| flags & field == 0).take(2).collect();
    if missing.len() < 2 {
        return None;
    }
    fields.extend(&missing);
    fields.sort_unstable();
    let flags = fields.iter().fold(flags & !ADDRESS | COUNTS_FROM_FRAGMENT, |flags, (field, _)| flags | field);
    let mut changes = vec![(header, flags)];
    changes.extend((0..).zip(fields).map(|(index, (_, value))| (header + HEAD + index * 4, value)));
    for run in runs {
        if word(content, run)? & RUN_ADDRESS == 0 {
            return None;
        }
        let from_address = i64::from(word(content, run + HEAD)?.cast_signed());
        let from_fragment = i64::try_from(address).ok()? + from_address - i64::try_from(at).ok()?;
        changes.push((run + HEAD, i32::try_from(from_fragment).ok()?.cast_unsigned()));
    }
    Some(changes)
}

/// Duration and size of a run's first frame, where they are said.
fn first_frame(content: &[u8], run: usize) -> Option<(Option<u32>, Option<u32>)> {
    let flags = word(content, run)?;
    let mut place = run + HEAD + [RUN_ADDRESS, RUN_FIRST_FLAGS].iter().filter(|field| flags & **field != 0).count() * 4;
    let mut next = |field: u32| {
        let value = (flags & field != 0).then(|| word(content, place)).flatten();
        place += if value.is_some() { 4 } else { 0 };
        value
    };
    Some((next(RUN_DURATIONS), next(RUN_SIZES)))
}

/// Names and contents of the boxes that stand one after the other.
fn boxes(content: &[u8], within: Range<usize>) -> Vec<([u8; 4], Range<usize>)> {
    let mut found = Vec::new();
    let mut start = within.start;
    while let Some(length) = word(content, start).map(|length| length as usize)
        && let Some(name) = content.get(start + 4..start + 8).and_then(|name| name.try_into().ok())
        && (8..=within.end - start).contains(&length)
    {
        found.push((name, start + 8..start + length));
        start += length;
    }
    found
}

fn word(content: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_be_bytes(content.get(place..place + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 8).unwrap().to_be_bytes();
        [&length, name.as_slice(), content].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn fragment(header: &[u32], runs: &[&[u32]]) -> Vec<u8> {
        let runs = runs.iter().flat_map(|run| boxed(b"trun", &words(run)));
        let track: Vec<u8> = boxed(b"tfhd", &words(header)).into_iter().chain(runs).collect();
        boxed(b"moof", &boxed(b"traf", &track))
    }

    #[test]
    fn what_frames_leave_to_the_header_is_said_there() {
        // As mp4mux writes three equal frames after another one: the last run says no size.
        let mut moof = fragment(
            &[ADDRESS | DURATION, 1, 0, 21192, 3000],
            &[&[0x201, 1, 16, 3754], &[0x601, 1, 3782, 3753, 0x10000], &[0x401, 1, 30125, 0x10000]],
        );
        complete(&mut moof, 77655);
        let from = |address: i32| (21192 + address - 77655).cast_unsigned();
        let mended = fragment(
            &[COUNTS_FROM_FRAGMENT | DESCRIPTION | DURATION | SIZE, 1, 1, 3000, 3754],
            &[&[0x201, 1, from(16), 3754], &[0x601, 1, from(3782), 3753, 0x10000], &[0x401, 1, from(30125), 0x10000]],
        );
        assert_eq!(moof, mended);
        complete(&mut moof, 77655);
        assert_eq!(moof, mended, "it is complete");
    }

    #[test]
    fn silence_is_as_long_as_it_is_large() {
        let mut moof =
            fragment(&[ADDRESS | FLAGS, 2, 0, 100, 192], &[&[0x305, 2, 50, 192, 1024, 6, 1024, 6], &[0x1, 1, 90]]);
        complete(&mut moof, 200);
        let from = |address: i32| (100 + address - 200).cast_unsigned();
        let mended = fragment(
            &[COUNTS_FROM_FRAGMENT | DURATION | SIZE | FLAGS, 2, 1024, 6, 192],
            &[&[0x305, 2, from(50), 192, 1024, 6, 1024, 6], &[0x1, 1, from(90)]],
        );
        assert_eq!(moof, mended);
    }

    #[test]
    fn what_is_no_fragment_stays_as_it_is() {
        for content in [boxed(b"mdat", b"moof and more"), b"moof".to_vec(), Vec::new(), vec![0xFF; 40]] {
            let mut same = content.clone();
            complete(&mut same, 0);
            assert_eq!(same, content);
        }
    }
}
