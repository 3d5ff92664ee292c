//! Tags in, media out.

mod enhanced;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::{Buf, Bytes};

use self::enhanced::{Bodies, Body};
use super::{FlvError, Tag, TagKind, metadata, metadata::Metadata, nal};
use crate::{
    codec::{AudioConfig, VideoConfig, aac, h264},
    pipeline::MAX_RENDITIONS,
    time::MediaTime,
    unit::{Media, RenditionId, Track, Unit},
};

/// The only picture of most publishers. Enhanced RTMP can have more: each track is a rendition of its own.
const RENDITION: RenditionId = RenditionId(0);

/// CodecID of H.264 in a classic video tag.
const AVC: u8 = 7;
/// SoundFormat of AAC in a classic audio tag.
const AAC: u8 = 10;
/// SoundFormat that announces an Enhanced RTMP audio tag.
const ENHANCED_AUDIO: u8 = 9;
/// Frame type of a video tag without a picture.
const COMMAND_FRAME: u8 = 5;

/// What a tag body is, once its header is read; shared by the classic and the enhanced form.
#[derive(Debug, PartialEq, Eq)]
enum Packet {
    SequenceHeader,
    /// Coded frames, with the composition time offset in milliseconds.
    Frames(i32),
    /// Nothing to play.
    Ignored,
    /// Shorter than its header.
    Short,
}

/// From the tags of one publishing session to access units.
#[derive(Debug, Default)]
pub struct Demuxer {
    outputs: VecDeque<Media>,
    /// The last unit's timestamp, unwrapped. Sound and picture share the clock.
    clock_ms: Option<i64>,
    declared: Option<Metadata>,
    video: BTreeMap<RenditionId, VideoTrack>,
    /// The number of the track that came first: it is the first rendition, whatever its number.
    first_track: Option<u8>,
    /// All pictures share it.
    audio: Option<AudioTrack>,
}

#[derive(Debug)]
struct VideoTrack {
    sequence_header: Bytes,
    config: Arc<VideoConfig>,
    length_size: usize,
}

#[derive(Debug)]
struct AudioTrack {
    sequence_header: Bytes,
    config: Arc<AudioConfig>,
}

impl Demuxer {
    /// A demultiplexer for a new publishing session.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next tag.
    ///
    /// # Errors
    /// When the publisher sends what cannot be played. A single broken tag is no error but a [`Media::Lost`].
    pub fn feed(&mut self, tag: Tag) -> Result<(), FlvError> {
        match tag.kind {
            TagKind::Video => self.feed_video(tag),
            TagKind::Audio => self.feed_audio(tag),
            TagKind::Data => {
                let metadata = metadata::parse(&tag.data);
                if let Some(Metadata { video, audio, bitrate_bps }) = metadata
                    && metadata != self.declared
                {
                    self.declared = metadata;
                    self.outputs.push_back(Media::Declared { rendition: RENDITION, video, audio, bitrate_bps });
                }
                Ok(())
            }
        }
    }

    /// The next media; `None` until more is fed.
    pub fn poll(&mut self) -> Option<Media> {
        self.outputs.pop_front()
    }

    /// Milliseconds that do not wrap: the value nearest to the last one. Only for units: many encoders stamp headers and
    /// metadata with zero at any time.
    fn unwrap(&mut self, timestamp_ms: u32) -> i64 {
        let clock_ms = match self.clock_ms {
            None => i64::from(timestamp_ms),
            Some(last_ms) => {
                let step_ms = timestamp_ms.wrapping_sub((last_ms & 0xffff_ffff) as u32).cast_signed();
                last_ms.saturating_add(i64::from(step_ms))
            }
        };
        self.clock_ms = Some(clock_ms);
        clock_ms
    }

    /// What is lost of a track that nobody knows is told of the first rendition: it takes no place of another.
    fn lost(&mut self, rendition: RenditionId, reason: &'static str) {
        let rendition = if self.video.contains_key(&rendition) { rendition } else { RENDITION };
        self.outputs.push_back(Media::Lost(rendition, reason));
    }

    /// Gives the same to every rendition that there is.
    fn share(&mut self, media: impl Fn(RenditionId) -> Media) {
        if self.video.is_empty() {
            self.outputs.push_back(media(RENDITION));
        }
        self.outputs.extend(self.video.keys().map(|rendition| media(*rendition)));
    }

    /// Which rendition a video track is.
    fn rendition(&self, track: u8) -> RenditionId {
        match self.first_track {
            Some(first) if track == first => RENDITION,
            Some(first) if track == RENDITION.0 => RenditionId(first),
            _ => RenditionId(track),
        }
    }

    fn feed_video(&mut self, tag: Tag) -> Result<(), FlvError> {
        let Tag { timestamp_ms, data: mut body, .. } = tag;
        match body.first() {
            Some(first) if first & 0x80 == 0 => {
                let packet = classic_video_packet(&mut body)?;
                self.take_video(0, timestamp_ms, packet, body)
            }
            // Seeking begins and ends; nobody seeks in what is live.
            Some(first) if (first >> 4) & 7 == COMMAND_FRAME => Ok(()),
            _ => {
                for body in Bodies::of_video(body) {
                    let Some(Body { track, four_cc, kind, mut data }) = body else {
                        return self.take_video(0, timestamp_ms, Packet::Short, Bytes::new());
                    };
                    let packet = enhanced_video_packet(four_cc, kind, &mut data)?;
                    self.take_video(track, timestamp_ms, packet, data)?;
                }
                Ok(())
            }
        }
    }

    fn take_video(&mut self, track: u8, timestamp_ms: u32, packet: Packet, body: Bytes) -> Result<(), FlvError> {
        match packet {
            Packet::SequenceHeader => return self.set_video(track, timestamp_ms, body),
            Packet::Frames(offset_ms) => self.push_picture(track, timestamp_ms, offset_ms, &body),
            Packet::Ignored => {}
            Packet::Short => self.lost(self.rendition(track), "a video tag shorter than its header"),
        }
        Ok(())
    }

    fn set_video(&mut self, track: u8, timestamp_ms: u32, sequence_header: Bytes) -> Result<(), FlvError> {
        self.first_track.get_or_insert(track);
        let rendition = self.rendition(track);
        let known = self.video.get(&rendition);
        if known.is_some_and(|video| video.sequence_header == sequence_header) {
            return Ok(());
        }
        if known.is_none() && self.video.len() >= MAX_RENDITIONS {
            self.lost(rendition, "more video tracks than one stream can have");
            return Ok(());
        }
        let failed = |error| FlvError::SequenceHeader { track: "video", timestamp_ms, error };
        let config = h264::parse_avcc(&sequence_header).map_err(failed)?;
        let length_size = h264::nal_length_size(&sequence_header).map_err(failed)?;
        let config = Arc::new(config);
        if known.is_none_or(|video| video.config != config) {
            self.outputs.push_back(Media::VideoConfig(rendition, Arc::clone(&config)));
        }
        if known.is_none() && !self.video.is_empty() {
            // What those before were told already.
            let audio = self.audio.as_ref().map(|audio| Media::AudioConfig(rendition, Arc::clone(&audio.config)));
            self.outputs.extend(audio);
            if let Some(Metadata { video, audio, .. }) = self.declared {
                self.outputs.push_back(Media::Declared { rendition, video, audio, bitrate_bps: None });
            }
        }
        // A copy of a few bytes lets go of the message that it came in.
        let sequence_header = Bytes::copy_from_slice(&sequence_header);
        self.video.insert(rendition, VideoTrack { sequence_header, config, length_size });
        Ok(())
    }

    fn push_picture(&mut self, track: u8, timestamp_ms: u32, offset_ms: i32, body: &Bytes) {
        let rendition = self.rendition(track);
        let Some(video) = self.video.get(&rendition) else {
            return self.lost(rendition, "a picture before the video sequence header");
        };
        let Some(sample) = nal::normalise(body, video.length_size) else {
            return self.lost(rendition, "a NAL unit longer than its tag");
        };
        if sample.data.is_empty() {
            return;
        }
        let clock_ms = self.unwrap(timestamp_ms);
        self.outputs.push_back(Media::Unit(Unit {
            rendition,
            track: Track::Video,
            pts: MediaTime::from_ms(clock_ms.saturating_add(i64::from(offset_ms))),
            dts: MediaTime::from_ms(clock_ms),
            keyframe: sample.idr,
            data: sample.data,
        }));
    }

    fn feed_audio(&mut self, tag: Tag) -> Result<(), FlvError> {
        let Tag { timestamp_ms, data: mut body, .. } = tag;
        if body.first().is_none_or(|first| first >> 4 != ENHANCED_AUDIO) {
            let packet = classic_audio_packet(&mut body)?;
            return self.take_audio(timestamp_ms, packet, body);
        }
        for body in Bodies::of_audio(body) {
            let Some(Body { track, four_cc, kind, data }) = body else {
                return self.take_audio(timestamp_ms, Packet::Short, Bytes::new());
            };
            // Others are for recordings: what is heard live is the first.
            if track == 0 {
                let packet = enhanced_audio_packet(four_cc, kind)?;
                self.take_audio(timestamp_ms, packet, data)?;
            }
        }
        Ok(())
    }

    fn take_audio(&mut self, timestamp_ms: u32, packet: Packet, body: Bytes) -> Result<(), FlvError> {
        match packet {
            Packet::SequenceHeader => return self.set_audio(timestamp_ms, body),
            Packet::Frames(_) if self.audio.is_none() => {
                self.lost(RENDITION, "sound before the audio sequence header");
            }
            Packet::Frames(_) => {
                let time = MediaTime::from_ms(self.unwrap(timestamp_ms));
                if !body.is_empty() {
                    self.share(|rendition| {
                        let data = body.clone();
                        Media::Unit(Unit { rendition, track: Track::Audio, pts: time, dts: time, keyframe: true, data })
                    });
                }
            }
            Packet::Ignored => {}
            Packet::Short => self.lost(RENDITION, "an audio tag shorter than its header"),
        }
        Ok(())
    }

    fn set_audio(&mut self, timestamp_ms: u32, sequence_header: Bytes) -> Result<(), FlvError> {
        if self.audio.as_ref().is_some_and(|audio| audio.sequence_header == sequence_header) {
            return Ok(());
        }
        let config = aac::parse_asc(&sequence_header).map_err(|error| FlvError::SequenceHeader {
            track: "audio",
            timestamp_ms,
            error,
        })?;
        let config = Arc::new(config);
        if self.audio.as_ref().is_none_or(|audio| audio.config != config) {
            self.share(|rendition| Media::AudioConfig(rendition, Arc::clone(&config)));
        }
        self.audio = Some(AudioTrack { sequence_header: Bytes::copy_from_slice(&sequence_header), config });
        Ok(())
    }
}

/// Reads the header of a classic video tag off `body`.
fn classic_video_packet(body: &mut Bytes) -> Result<Packet, FlvError> {
    let Some(&first) = body.first() else { return Ok(Packet::Short) };
    if first >> 4 == COMMAND_FRAME {
        return Ok(Packet::Ignored);
    }
    let codec = first & 0x0f;
    if codec != AVC {
        return Err(FlvError::UnsupportedCodec(video_codec_name(codec)));
    }
    let Some(&[_, kind, c2, c1, c0]) = body.first_chunk() else { return Ok(Packet::Short) };
    body.advance(5);
    Ok(match kind {
        0 => Packet::SequenceHeader,
        1 => Packet::Frames(signed_24([c2, c1, c0])),
        _ => Packet::Ignored,
    })
}

/// For coded frames of H.264 a composition time offset stands before them.
fn enhanced_video_packet(four_cc: [u8; 4], kind: u8, body: &mut Bytes) -> Result<Packet, FlvError> {
    if four_cc != *b"avc1" {
        return Err(FlvError::UnsupportedCodec(four_cc_name(four_cc)));
    }
    Ok(match kind {
        0 => Packet::SequenceHeader,
        1 => {
            let Some(&offset) = body.first_chunk() else { return Ok(Packet::Short) };
            body.advance(3);
            Packet::Frames(signed_24(offset))
        }
        3 => Packet::Frames(0),
        _ => Packet::Ignored,
    })
}

/// Reads the header of a classic audio tag off `body`.
fn classic_audio_packet(body: &mut Bytes) -> Result<Packet, FlvError> {
    let Some(&first) = body.first() else { return Ok(Packet::Short) };
    if first >> 4 != AAC {
        return Err(FlvError::UnsupportedCodec(sound_format_name(first >> 4)));
    }
    let Some(&[_, kind]) = body.first_chunk() else { return Ok(Packet::Short) };
    body.advance(2);
    Ok(audio_packet(kind))
}

fn enhanced_audio_packet(four_cc: [u8; 4], kind: u8) -> Result<Packet, FlvError> {
    if four_cc != *b"mp4a" {
        return Err(FlvError::UnsupportedCodec(four_cc_name(four_cc)));
    }
    Ok(audio_packet(kind))
}

fn audio_packet(kind: u8) -> Packet {
    match kind {
        0 => Packet::SequenceHeader,
        1 => Packet::Frames(0),
        _ => Packet::Ignored,
    }
}

fn signed_24([high, middle, low]: [u8; 3]) -> i32 {
    i32::from_be_bytes([high, middle, low, 0]) >> 8
}

fn video_codec_name(codec: u8) -> String {
    match codec {
        2 => "Sorenson H.263 video".into(),
        3 | 6 => "Screen Video".into(),
        4 | 5 => "VP6 video".into(),
        12 => "HEVC video".into(),
        13 => "AV1 video".into(),
        other => format!("video codec {other}"),
    }
}

fn sound_format_name(format: u8) -> String {
    match format {
        0 | 3 => "PCM audio".into(),
        1 => "ADPCM audio".into(),
        2 | 14 => "MP3 audio".into(),
        4..=6 => "Nellymoser audio".into(),
        7 | 8 => "G.711 audio".into(),
        11 => "Speex audio".into(),
        13 => "Opus audio".into(),
        other => format!("audio format {other}"),
    }
}

fn four_cc_name(four_cc: [u8; 4]) -> String {
    match &four_cc {
        b"hvc1" => "HEVC video".into(),
        b"av01" => "AV1 video".into(),
        b"vp08" | b"vp09" => "VP8/VP9 video".into(),
        b"Opus" => "Opus audio".into(),
        b"ac-3" | b"ec-3" => "Dolby audio".into(),
        b".mp3" => "MP3 audio".into(),
        b"fLaC" => "FLAC audio".into(),
        other => format!("codec {}", other.escape_ascii()),
    }
}

#[cfg(test)]
mod tests;
