//! Tags in, media out.

use std::{collections::VecDeque, sync::Arc};

use bytes::{Buf, Bytes};

use super::{FlvError, Tag, TagKind, metadata, metadata::Metadata, nal};
use crate::{
    codec::{AudioConfig, VideoConfig, aac, h264},
    time::MediaTime,
    unit::{Media, RenditionId, Track, Unit},
};

/// RTMP has one picture and one sound.
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
    video: Option<VideoTrack>,
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

    fn lost(&mut self, reason: &'static str) {
        self.outputs.push_back(Media::Lost(RENDITION, reason));
    }

    fn feed_video(&mut self, tag: Tag) -> Result<(), FlvError> {
        let mut body = tag.data;
        match video_packet(&mut body)? {
            Packet::SequenceHeader => self.set_video(tag.timestamp_ms, body),
            Packet::Frames(offset_ms) => {
                self.push_picture(tag.timestamp_ms, offset_ms, &body);
                Ok(())
            }
            Packet::Ignored => Ok(()),
            Packet::Short => {
                self.lost("a video tag shorter than its header");
                Ok(())
            }
        }
    }

    fn set_video(&mut self, timestamp_ms: u32, sequence_header: Bytes) -> Result<(), FlvError> {
        if self.video.as_ref().is_some_and(|video| video.sequence_header == sequence_header) {
            return Ok(());
        }
        let failed = |error| FlvError::SequenceHeader { track: "video", timestamp_ms, error };
        let config = h264::parse_avcc(&sequence_header).map_err(failed)?;
        let length_size = h264::nal_length_size(&sequence_header).map_err(failed)?;
        let config = Arc::new(config);
        if self.video.as_ref().is_none_or(|video| video.config != config) {
            self.outputs.push_back(Media::VideoConfig(RENDITION, Arc::clone(&config)));
        }
        // A copy of a few bytes lets go of the message that it came in.
        let sequence_header = Bytes::copy_from_slice(&sequence_header);
        self.video = Some(VideoTrack { sequence_header, config, length_size });
        Ok(())
    }

    fn push_picture(&mut self, timestamp_ms: u32, offset_ms: i32, body: &Bytes) {
        let Some(video) = &self.video else {
            return self.lost("a picture before the video sequence header");
        };
        let Some(sample) = nal::normalise(body, video.length_size) else {
            return self.lost("a NAL unit longer than its tag");
        };
        if sample.data.is_empty() {
            return;
        }
        let clock_ms = self.unwrap(timestamp_ms);
        self.outputs.push_back(Media::Unit(Unit {
            rendition: RENDITION,
            track: Track::Video,
            pts: MediaTime::from_ms(clock_ms.saturating_add(i64::from(offset_ms))),
            dts: MediaTime::from_ms(clock_ms),
            keyframe: sample.idr,
            data: sample.data,
        }));
    }

    fn feed_audio(&mut self, tag: Tag) -> Result<(), FlvError> {
        let mut body = tag.data;
        match audio_packet(&mut body)? {
            Packet::SequenceHeader => self.set_audio(tag.timestamp_ms, body),
            Packet::Frames(_) if self.audio.is_none() => {
                self.lost("sound before the audio sequence header");
                Ok(())
            }
            Packet::Frames(_) => {
                let time = MediaTime::from_ms(self.unwrap(tag.timestamp_ms));
                if !body.is_empty() {
                    self.outputs.push_back(Media::Unit(Unit {
                        rendition: RENDITION,
                        track: Track::Audio,
                        pts: time,
                        dts: time,
                        keyframe: true,
                        data: body,
                    }));
                }
                Ok(())
            }
            Packet::Ignored => Ok(()),
            Packet::Short => {
                self.lost("an audio tag shorter than its header");
                Ok(())
            }
        }
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
            self.outputs.push_back(Media::AudioConfig(RENDITION, Arc::clone(&config)));
        }
        self.audio = Some(AudioTrack { sequence_header: Bytes::copy_from_slice(&sequence_header), config });
        Ok(())
    }
}

/// Reads the header of a video tag off `body`.
fn video_packet(body: &mut Bytes) -> Result<Packet, FlvError> {
    let Some(&first) = body.first() else { return Ok(Packet::Short) };
    if first & 0x80 != 0 {
        return enhanced_video_packet(first, body);
    }
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

/// Enhanced RTMP v1: packet type, FourCC, and for coded frames of H.264 a composition time offset.
fn enhanced_video_packet(first: u8, body: &mut Bytes) -> Result<Packet, FlvError> {
    if (first >> 4) & 7 == COMMAND_FRAME {
        return Ok(Packet::Ignored);
    }
    let Some(&[_, f0, f1, f2, f3]) = body.first_chunk() else { return Ok(Packet::Short) };
    match &[f0, f1, f2, f3] {
        b"avc1" => {}
        four_cc => return Err(FlvError::UnsupportedCodec(four_cc_name(four_cc))),
    }
    body.advance(5);
    Ok(match first & 0x0f {
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

/// Reads the header of an audio tag off `body`.
fn audio_packet(body: &mut Bytes) -> Result<Packet, FlvError> {
    let Some(&first) = body.first() else { return Ok(Packet::Short) };
    let (kind, header_bytes) = match first >> 4 {
        AAC => {
            let Some(&[_, kind]) = body.first_chunk() else { return Ok(Packet::Short) };
            (kind, 2)
        }
        ENHANCED_AUDIO => {
            let Some(&[_, f0, f1, f2, f3]) = body.first_chunk() else { return Ok(Packet::Short) };
            match &[f0, f1, f2, f3] {
                b"mp4a" => (first & 0x0f, 5),
                four_cc => return Err(FlvError::UnsupportedCodec(four_cc_name(four_cc))),
            }
        }
        format => return Err(FlvError::UnsupportedCodec(sound_format_name(format))),
    };
    body.advance(header_bytes);
    Ok(match kind {
        0 => Packet::SequenceHeader,
        1 => Packet::Frames(0),
        _ => Packet::Ignored,
    })
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

fn four_cc_name(four_cc: &[u8; 4]) -> String {
    match four_cc {
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
