//! The demultiplexer: which PID is what, and what becomes of its packets.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use mpeg2ts_reader::{StreamType, packet::Packet};

use super::{
    audio::{AdtsSplitter, AudioEvent},
    pes::{PesEvent, PesReader, Unwrapper},
    psi::{self, ProgramEntry, Sections, StreamEntry},
    sync::Aligner,
    video::{self, ParameterSets},
};
use crate::{
    pipeline::PipelineError,
    time::MediaTime,
    unit::{Media, RenditionId, Track, Unit},
};

/// Programs that are read; a ladder has fewer. Further ones in the PAT are left out.
pub const MAX_PROGRAMS: usize = 8;
/// Largest access unit, bytes; a larger one is dropped.
pub const MAX_ACCESS_UNIT: usize = 8 << 20;
/// Bytes without a single transport packet after which this is not taken for a transport stream.
pub const MAX_NOISE: u64 = 256 << 10;

const PID_PAT: u16 = 0;
const PID_NULL: u16 = 0x1FFF;

/// The publisher sends what cannot be demultiplexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TsError {
    /// None of the bytes are transport packets.
    #[error("{MAX_NOISE} bytes without an MPEG-TS packet: set the output format to MPEG-TS")]
    NotTransportStream,
    /// A program's streams are all of codecs that Skylark cannot play.
    #[error("{codec} in MPEG-TS is not supported: send H.264 video and AAC audio")]
    UnsupportedCodec {
        /// What was sent.
        codec: &'static str,
    },
}

impl From<TsError> for PipelineError {
    fn from(error: TsError) -> Self {
        match error {
            TsError::UnsupportedCodec { codec } => Self::UnsupportedCodec { codec: codec.to_owned() },
            TsError::NotTransportStream => Self::Malformed(error.to_string()),
        }
    }
}

/// Bytes of a transport stream in, media out: [`feed`](Self::feed), then [`poll`](Self::poll) until `None`.
#[derive(Debug, Default)]
pub struct Demuxer {
    aligner: Aligner,
    core: Core,
}

#[derive(Debug, Default)]
struct Core {
    pat: Sections,
    programs: Vec<Program>,
    streams: Vec<Stream>,
    /// The newest time stamp of all streams, unwrapped: a new stream's clock starts near it.
    newest: i64,
    queue: VecDeque<Media>,
    error: Option<TsError>,
}

#[derive(Debug)]
struct Program {
    entry: ProgramEntry,
    pmt: Sections,
    /// Of the newest PMT; empty until there is one.
    streams: Vec<StreamEntry>,
    declared: Option<(bool, bool)>,
}

/// An elementary stream that is used.
#[derive(Debug)]
struct Stream {
    pid: u16,
    /// Who gets it: one for video, any number for sound that programs share.
    renditions: Vec<RenditionId>,
    pes: PesReader,
    clock: Unwrapper,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Video(VideoStream),
    Audio(AdtsSplitter),
}

#[derive(Debug, Default)]
struct VideoStream {
    sets: ParameterSets,
    configured: bool,
    /// Of the PES packet that is being collected.
    stamps: Option<(i64, i64)>,
    buffer: BytesMut,
    oversized: bool,
}

impl Demuxer {
    /// A demultiplexer that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes any number of bytes, cut anywhere.
    ///
    /// # Errors
    /// When nothing of what the publisher sends can be used. What was demultiplexed before can still be polled.
    pub fn feed(&mut self, data: &[u8]) -> Result<(), TsError> {
        let core = &mut self.core;
        self.aligner.feed(data, |packet| {
            if let Some(packet) = Packet::try_new(packet) {
                core.packet(&packet);
            }
        });
        if self.aligner.skipped() > MAX_NOISE {
            return Err(TsError::NotTransportStream);
        }
        self.core.error.map_or(Ok(()), Err)
    }

    /// The next piece of media; `None` until more is fed.
    pub fn poll(&mut self) -> Option<Media> {
        self.core.queue.pop_front()
    }

    /// No more will come: what is complete without a successor can be polled after this.
    pub fn finish(&mut self) {
        for stream in &mut self.core.streams {
            let mut sink = Sink { renditions: &stream.renditions, queue: &mut self.core.queue };
            if let Content::Video(video) = &mut stream.content {
                video.end(&mut sink);
            }
        }
    }
}

impl Core {
    fn packet(&mut self, packet: &Packet<'_>) {
        let pid = u16::from(packet.pid());
        // What a transport error has damaged may be the PID itself; its stream's counter will show the gap.
        if pid == PID_NULL || packet.transport_error_indicator() {
            return;
        }
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.pid == pid) {
            return stream.packet(packet, &mut self.newest, &mut self.queue);
        }
        if pid == PID_PAT {
            let mut listed = None;
            self.pat.feed(packet, |section| listed = psi::programs(section).or(listed.take()));
            if let Some(listed) = listed {
                self.take_programs(&listed);
            }
            return;
        }
        let mut changed = false;
        for program in self.programs.iter_mut().filter(|program| program.entry.pmt_pid == pid) {
            let Program { entry, pmt, streams, .. } = program;
            pmt.feed(packet, |section| match psi::streams(section) {
                Some((number, listed)) if number == entry.number && listed != *streams => {
                    *streams = listed;
                    changed = true;
                }
                _ => {}
            });
        }
        if changed {
            self.route();
        }
    }

    fn take_programs(&mut self, listed: &[ProgramEntry]) {
        let listed = &listed[..listed.len().min(MAX_PROGRAMS)];
        if self.programs.iter().map(|program| &program.entry).eq(listed) {
            return;
        }
        let mut known = std::mem::take(&mut self.programs);
        self.programs = listed
            .iter()
            .map(|&entry| match known.iter().position(|program| program.entry == entry) {
                Some(at) => known.swap_remove(at),
                None => Program { entry, pmt: Sections::default(), streams: Vec::new(), declared: None },
            })
            .collect();
        self.route();
    }

    /// Decides which streams are used and who gets them; streams that stay keep their state.
    fn route(&mut self) {
        let shared = self.programs.iter().find_map(|program| program.find(StreamType::ADTS));
        let mut streams = Vec::new();
        for (index, program) in self.programs.iter_mut().enumerate().filter(|(_, program)| !program.streams.is_empty())
        {
            let rendition = RenditionId(u8::try_from(index).unwrap_or(u8::MAX));
            let video = program.find(StreamType::H264);
            let own = program.find(StreamType::ADTS);
            let unsupported = program.streams.iter().find_map(|stream| unsupported_codec(stream.kind));
            if let (None, Some((_, codec))) =
                (video, unsupported.filter(|(track, _)| own.is_none() || *track == Track::Video))
            {
                self.error = Some(TsError::UnsupportedCodec { codec });
                continue;
            }
            let audio = own.or(shared.filter(|_| video.is_some()));
            let declared = (video.is_some(), audio.is_some());
            if program.declared.replace(declared) != Some(declared) {
                let (video, audio) = declared;
                self.queue.push_back(Media::Declared { rendition, video, audio, bitrate_bps: None });
                if let (None, Some((Track::Audio, _))) = (own, unsupported) {
                    self.queue.push_back(Media::Lost(rendition, "the sound is not AAC in ADTS and is left out"));
                }
            }
            let mut add = |pid: Option<u16>, track| {
                if let Some(pid) = pid {
                    keep_or_open(&mut self.streams, &mut streams, pid, track, rendition);
                }
            };
            add(video, Track::Video);
            add(audio, Track::Audio);
        }
        self.streams = streams;
    }
}

/// Adds a stream to `next`, with the state that it has in `current` if it is there.
fn keep_or_open(current: &mut Vec<Stream>, next: &mut Vec<Stream>, pid: u16, track: Track, rendition: RenditionId) {
    if let Some(stream) = next.iter_mut().find(|stream| stream.pid == pid) {
        // Two programs cannot show the same picture as two renditions.
        if track == Track::Audio && stream.track() == track {
            stream.renditions.push(rendition);
        }
        return;
    }
    let mut stream = match current.iter().position(|stream| stream.pid == pid && stream.track() == track) {
        Some(at) => current.swap_remove(at),
        None => Stream::new(pid, track),
    };
    stream.renditions = vec![rendition];
    next.push(stream);
}

impl Program {
    fn find(&self, kind: StreamType) -> Option<u16> {
        self.streams.iter().find(|stream| stream.kind == kind.0).map(|stream| stream.pid)
    }
}

/// What a stream type that is not read would be.
fn unsupported_codec(kind: u8) -> Option<(Track, &'static str)> {
    Some(match StreamType(kind) {
        StreamType::H265 => (Track::Video, "H.265"),
        StreamType::ISO_11172_VIDEO | StreamType::H262 => (Track::Video, "MPEG-2 video"),
        StreamType::ISO_14496_2_VISUAL => (Track::Video, "MPEG-4 part 2 video"),
        StreamType::LATM => (Track::Audio, "AAC in LATM"),
        StreamType::ISO_11172_AUDIO | StreamType::ISO_138183_AUDIO => (Track::Audio, "MPEG audio"),
        StreamType::ATSC_DOLBY_DIGITAL_AUDIO => (Track::Audio, "AC-3"),
        StreamType::H222_0_PES_PRIVATE_DATA => (Track::Audio, "private data (such as Opus or AC-3)"),
        _ => return None,
    })
}

/// Where a stream's media goes.
struct Sink<'a> {
    renditions: &'a [RenditionId],
    queue: &'a mut VecDeque<Media>,
}

impl Sink<'_> {
    fn push(&mut self, media: impl Fn(RenditionId) -> Media) {
        self.queue.extend(self.renditions.iter().map(|&rendition| media(rendition)));
    }

    fn lost(&mut self, reason: &'static str) {
        self.push(|rendition| Media::Lost(rendition, reason));
    }
}

impl Stream {
    fn new(pid: u16, track: Track) -> Self {
        let content = match track {
            Track::Video => Content::Video(VideoStream::default()),
            Track::Audio => Content::Audio(AdtsSplitter::default()),
        };
        Self { pid, renditions: Vec::new(), pes: PesReader::new(), clock: Unwrapper::default(), content }
    }

    fn track(&self) -> Track {
        match self.content {
            Content::Video(_) => Track::Video,
            Content::Audio(_) => Track::Audio,
        }
    }

    fn packet(&mut self, packet: &Packet<'_>, newest: &mut i64, queue: &mut VecDeque<Media>) {
        let Self { renditions, pes, clock, content, .. } = self;
        let sink = &mut Sink { renditions, queue };
        let unwrap = &mut |raw: u64| {
            *newest = clock.unwrap(raw, *newest);
            *newest
        };
        pes.feed(packet, |event| match content {
            Content::Video(video) => video.event(event, unwrap, sink),
            Content::Audio(audio) => audio_event(audio, event, unwrap, sink),
        });
    }
}

impl VideoStream {
    fn event(&mut self, event: PesEvent<'_>, unwrap: &mut impl FnMut(u64) -> i64, sink: &mut Sink<'_>) {
        match event {
            PesEvent::Start { pts, dts } => {
                self.buffer.clear();
                self.oversized = false;
                self.stamps = match (pts, dts) {
                    (Some(pts), Some(dts)) => Some((unwrap(pts), unwrap(dts))),
                    (Some(pts), None) => Some(unwrap(pts)).map(|pts| (pts, pts)),
                    (None, _) => None,
                };
            }
            PesEvent::Data(data) => {
                self.oversized |= self.buffer.len() + data.len() > MAX_ACCESS_UNIT;
                if !self.oversized {
                    self.buffer.extend_from_slice(data);
                }
            }
            PesEvent::End => self.end(sink),
            PesEvent::Damaged => {
                self.buffer.clear();
                sink.lost("transport packets of the picture are missing");
            }
        }
    }

    /// What was collected is one whole access unit.
    fn end(&mut self, sink: &mut Sink<'_>) {
        let bytes = self.buffer.split();
        if bytes.is_empty() {
            return;
        }
        if self.oversized {
            return sink.lost("an access unit is larger than 8 MiB");
        }
        let unit = video::access_unit(&bytes, &mut self.sets);
        match self.sets.take_change() {
            Some(Ok(config)) => {
                self.configured = true;
                sink.push(|rendition| Media::VideoConfig(rendition, config.clone()));
            }
            Some(Err(_)) => {
                self.configured = false;
                sink.lost("the picture's parameter sets cannot be read");
            }
            None => {}
        }
        let Some(unit) = unit.filter(|_| self.configured) else { return };
        let Some((pts, dts)) = self.stamps.take() else {
            return sink.lost("an access unit has no time stamp");
        };
        sink.push(|rendition| {
            Media::Unit(Unit {
                rendition,
                track: Track::Video,
                pts: MediaTime::from_ticks(pts),
                dts: MediaTime::from_ticks(dts),
                keyframe: unit.keyframe,
                data: Bytes::clone(&unit.data),
            })
        });
    }
}

fn audio_event(
    audio: &mut AdtsSplitter,
    event: PesEvent<'_>,
    unwrap: &mut impl FnMut(u64) -> i64,
    sink: &mut Sink<'_>,
) {
    match event {
        PesEvent::Start { pts, .. } => audio.stamp(pts.map(unwrap)),
        PesEvent::Data(data) => audio.feed(data, |event| match event {
            AudioEvent::Config(config) => sink.push(|rendition| Media::AudioConfig(rendition, config.clone())),
            AudioEvent::Lost(reason) => sink.lost(reason),
            AudioEvent::Frame { pts, data } => sink.push(|rendition| {
                let data = Bytes::clone(&data);
                Media::Unit(Unit { rendition, track: Track::Audio, pts, dts: pts, keyframe: true, data })
            }),
        }),
        PesEvent::End => {}
        PesEvent::Damaged => {
            audio.break_off();
            sink.lost("transport packets of the sound are missing");
        }
    }
}
