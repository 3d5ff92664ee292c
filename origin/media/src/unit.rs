//! The media currency between the rooms: what every demultiplexer yields and the packager takes.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    codec::{AudioConfig, VideoConfig},
    time::MediaTime,
};

/// One quality of a stream: 0 for a publisher's only (or first) picture, then upwards. In RTMP it is the number of
/// the video track, but the first to come is 0; in MPEG-TS each program's video is a rendition, in the order of the PAT.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenditionId(pub u8);

/// Which elementary stream of a rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// The picture.
    Video,
    /// The sound.
    Audio,
}

/// One access unit (video) or one audio frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The rendition it belongs to.
    pub rendition: RenditionId,
    /// Its elementary stream.
    pub track: Track,
    /// Presentation time on the publisher's own, unrepaired clock. Demultiplexers only unwrap it where the format
    /// wraps (32-bit milliseconds, 33-bit ticks); everything else is the timeline's work.
    pub pts: MediaTime,
    /// Decode time on the same clock; equals `pts` for audio.
    pub dts: MediaTime,
    /// Video: an IDR access unit, from which decoding can start. Audio: true.
    pub keyframe: bool,
    /// Video: NAL units with 4-byte length prefixes and without parameter sets (ISO/IEC 14496-15 sample format).
    /// Audio: one raw AAC frame without ADTS header.
    pub data: Bytes,
}

/// What a demultiplexer yields.
#[derive(Debug, Clone, PartialEq)]
pub enum Media {
    /// What the publisher says it will send, before it does (RTMP `onMetaData`, TS PMT). Sent again when it changes.
    Declared {
        /// The rendition it is about.
        rendition: RenditionId,
        /// A video track is announced.
        video: bool,
        /// An audio track is announced.
        audio: bool,
        /// Announced bitrate of all tracks, bits per second.
        bitrate_bps: Option<u64>,
    },
    /// Parameter sets, before the first unit they apply to; repeated only when they change.
    VideoConfig(RenditionId, Arc<VideoConfig>),
    /// Audio configuration, before the first unit it applies to; repeated only when it changes.
    AudioConfig(RenditionId, Arc<AudioConfig>),
    /// Media.
    Unit(Unit),
    /// Something was lost or could not be used before the next unit of this rendition.
    Lost(RenditionId, &'static str),
}
