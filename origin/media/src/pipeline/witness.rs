//! A strict viewer of everything that a pipeline yields, for tests and fuzzing: it stores parts in windows as the
//! server does, reads every playlist and every box, and panics as soon as a viewer would notice something.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use mp4_atom::{Atom as _, Decode as _, DecodeAtom as _, Header, Moof, Moov};

use super::{Init, Output, PackageConfig, Part, Warning};
use crate::{
    package::{playlist::media_playlist, validate::MediaPlaylist},
    time::{MediaTime, TICKS_PER_SECOND, UnixTime},
    unit::{RenditionId, Track},
    window::{Window, WindowConfig},
};

/// A sample as a player finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Picture or sound.
    pub track: Track,
    /// Decode time, ticks of its track.
    pub dts: i64,
    /// Presentation time, ticks of its track.
    pub pts: i64,
    /// Ticks of its track.
    pub duration: i64,
    /// It can be decoded alone.
    pub sync: bool,
    /// Its bytes.
    pub data: Bytes,
    /// How many discontinuities or init segments came before it.
    pub range: usize,
}

/// What was seen of one rendition.
#[derive(Debug)]
pub struct Seen {
    /// As a server would have it.
    pub window: Window,
    /// Every sample, part by part.
    pub samples: Vec<Sample>,
    /// Every part's times: start, duration, date.
    pub parts: Vec<(MediaTime, MediaTime, UnixTime)>,
    playlist: Option<MediaPlaylist>,
    /// Ticks per second and default duration of each track of the init segment in force.
    tracks: BTreeMap<u32, (i64, i64)>,
    /// Where each track's next sample has to be.
    expected: BTreeMap<u32, i64>,
    range: usize,
    segment_parts: usize,
}

/// Takes outputs in turn.
#[derive(Debug)]
pub struct Witness {
    config: WindowConfig,
    /// By rendition.
    pub renditions: BTreeMap<RenditionId, Seen>,
    /// All warnings.
    pub warnings: Vec<Warning>,
}

impl Witness {
    /// A viewer of a broadcast with these sizes.
    #[must_use]
    pub fn new(package: PackageConfig) -> Self {
        let config = WindowConfig { package, length: MediaTime::from_ms(30_000) };
        Self { config, renditions: BTreeMap::new(), warnings: Vec::new() }
    }

    /// Takes the next output.
    ///
    /// # Panics
    /// When a viewer would notice something.
    pub fn take(&mut self, output: Output) {
        let id = match &output {
            Output::Init(id, _) | Output::Discontinuity(id) | Output::Part(id, _) | Output::SegmentEnd(id) => *id,
            Output::Warning(warning) => return self.warnings.push(warning.clone()),
        };
        let config = self.config;
        let seen = self.renditions.entry(id).or_insert_with(|| Seen::new(config));
        match output {
            Output::Init(_, init) => seen.init(init),
            Output::Discontinuity(_) => seen.discontinuity(),
            Output::Part(_, part) => seen.part(part),
            Output::SegmentEnd(_) => {
                assert!(seen.segment_parts > 0, "a segment without parts ended");
                seen.segment_parts = 0;
                seen.window.end_segment();
            }
            Output::Warning(_) => {}
        }
        seen.publish();
    }

    /// What was seen of the first rendition.
    ///
    /// # Panics
    /// When nothing was.
    #[must_use]
    pub fn first(&self) -> &Seen {
        self.renditions.values().next().expect("something came out")
    }
}

impl Seen {
    fn new(config: WindowConfig) -> Self {
        Self {
            window: Window::new(config, 0),
            samples: Vec::new(),
            parts: Vec::new(),
            playlist: None,
            tracks: BTreeMap::new(),
            expected: BTreeMap::new(),
            range: 0,
            segment_parts: 0,
        }
    }

    /// Samples of a track, in order.
    pub fn track(&self, track: Track) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.track == track)
    }

    fn init(&mut self, init: Init) {
        let mut data = init.data.as_ref();
        let header = Header::decode(&mut data).expect("a box");
        data = &data[header.size.expect("a sized box")..];
        let moov = Moov::decode(&mut data).expect("a moov");
        assert!(data.is_empty(), "{} bytes after the moov", data.len());
        let defaults = moov.mvex.expect("a fragmented file").trex;
        self.tracks = moov
            .trak
            .iter()
            .zip(defaults)
            .map(|(track, defaults)| {
                assert_eq!(track.tkhd.track_id, defaults.track_id);
                (defaults.track_id, (track.mdia.mdhd.timescale.into(), defaults.default_sample_duration.into()))
            })
            .collect();
        assert_eq!(init.codecs.split(',').count(), self.tracks.len(), "{}", init.codecs);
        self.begin_range();
        self.window.push_init(Arc::new(init));
    }

    fn discontinuity(&mut self) {
        self.begin_range();
        self.window.push_discontinuity();
    }

    fn begin_range(&mut self) {
        assert_eq!(self.segment_parts, 0, "a range ends with its segment");
        self.expected.clear();
        self.range += 1;
    }

    fn part(&mut self, part: Part) {
        assert!(self.range > 0, "a part before its init segment");
        if let Some((start, duration, date)) = self.parts.last() {
            assert!(part.start >= *start + *duration, "parts overlap: {part:?} after {start:?} + {duration:?}");
            assert!(part.program_date_time >= *date, "the date went back");
        }
        let samples = self.read(&part);
        let leading = if self.tracks.contains_key(&1) { Track::Video } else { Track::Audio };
        let first = samples.iter().find(|sample| sample.track == leading);
        assert_eq!(part.independent, first.is_some_and(|first| first.sync), "whether it starts with a keyframe");
        self.samples.extend(samples);
        self.parts.push((part.start, part.duration, part.program_date_time));
        self.segment_parts += 1;
        self.window.push_part(part);
    }

    fn read(&mut self, part: &Part) -> Vec<Sample> {
        let mut rest = part.data.as_ref();
        let header = Header::decode(&mut rest).expect("a box");
        assert_eq!(header.kind, Moof::KIND);
        let moof = Moof::decode_atom(&header, &mut rest).expect("a moof");
        let media = part.data.len() - rest.len();
        let mdat = Header::decode(&mut rest).expect("a box");
        assert_eq!((mdat.kind, mdat.size), (mp4_atom::FourCC::new(b"mdat"), Some(rest.len())), "one mdat to the end");
        let (mut at, mut samples) = (media + 8, Vec::new());
        for traf in &moof.traf {
            assert!(traf.tfhd.default_base_is_moof);
            let id = traf.tfhd.track_id;
            let &(timescale, default_duration) = self.tracks.get(&id).expect("a track of the init segment");
            let mut dts = traf.tfdt.as_ref().expect("a tfdt").base_media_decode_time as i64;
            let run = traf.trun.first().expect("a trun");
            assert_eq!(run.data_offset, i32::try_from(at).ok(), "samples follow each other");
            if run.samples.is_empty() {
                continue;
            }
            let expected = *self.expected.get(&id).unwrap_or(&dts);
            let track = if id == 1 { "video" } else { "audio" };
            assert_eq!(dts, expected, "{track} goes on where it was ({timescale} per second)");
            self.check_start(part, id, dts, timescale);
            for sample in run.samples.iter() {
                let default = traf.tfhd.default_sample_duration.map_or(default_duration, i64::from);
                let duration = sample.duration.map_or(default, i64::from);
                assert!(duration > 0, "a sample that does not last");
                let size = sample.size.expect("every sample has a size") as usize;
                let flags = sample.flags.or(traf.tfhd.default_sample_flags).unwrap_or(0x0200_0000);
                samples.push(Sample {
                    track: if id == 1 { Track::Video } else { Track::Audio },
                    dts,
                    pts: dts + sample.cts.unwrap_or(0),
                    duration,
                    sync: flags & 0x1_0000 == 0,
                    data: part.data.slice(at..at + size),
                    range: self.range,
                });
                at += size;
                dts += duration;
            }
            self.expected.insert(id, dts);
        }
        assert_eq!(at, part.data.len(), "every byte belongs to a sample");
        samples
    }

    /// Picture is in the part in which it starts; sound there or, if it came late, after.
    fn check_start(&self, part: &Part, track: u32, dts: i64, timescale: i64) {
        let start =
            MediaTime::from_ticks((i128::from(dts) * i128::from(TICKS_PER_SECOND) / i128::from(timescale)) as i64);
        assert!(start < part.start + part.duration, "track {track} of {part:?} starts at {start:?}");
    }

    fn publish(&mut self) {
        self.window.check_invariants();
        let snapshot = self.window.snapshot();
        let text = media_playlist(&snapshot, false, &[]);
        if self.parts.is_empty() {
            return;
        }
        let playlist = MediaPlaylist::parse(&text).unwrap_or_else(|broken| panic!("{broken}\n{text}"));
        if let Some(before) = &self.playlist {
            playlist.check_follows(before).unwrap_or_else(|broken| panic!("{broken}\n{text}"));
        }
        let delta = media_playlist(&snapshot, true, &[]);
        MediaPlaylist::parse(&delta).unwrap_or_else(|broken| panic!("{broken}\n{delta}"));
        self.playlist = Some(playlist);
    }
}
