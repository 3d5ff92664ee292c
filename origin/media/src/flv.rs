//! FLV tags, as RTMP carries them, to access units.
//!
//! Takes H.264 and AAC, in the classic form (FLV 10.1 annex E) and under the FourCCs of Enhanced RTMP; other codecs are
//! named in the error. Only the 32-bit millisecond clock is unwrapped here: repairs are the timeline's work.

mod demux;
mod metadata;
mod nal;

use bytes::Bytes;

pub use demux::Demuxer;

use crate::{codec::CodecError, pipeline::PipelineError};

/// The kind of an FLV tag or RTMP media message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagKind {
    /// Message type 8.
    Audio,
    /// Message type 9.
    Video,
    /// Message type 18: AMF0 data such as `onMetaData`.
    Data,
}

/// An FLV tag: an RTMP media message without its chunk headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Audio, video or data.
    pub kind: TagKind,
    /// Message timestamp, milliseconds; wraps at 2^32.
    pub timestamp_ms: u32,
    /// The tag body.
    pub data: Bytes,
}

/// A tag that makes going on pointless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlvError {
    /// A codec that Skylark cannot play yet.
    #[error("{0} is not supported: send H.264 video and AAC audio")]
    UnsupportedCodec(String),
    /// A sequence header that cannot be read.
    #[error("the {track} sequence header at {timestamp_ms} ms: {error}")]
    SequenceHeader {
        /// `video` or `audio`.
        track: &'static str,
        /// Of its tag.
        timestamp_ms: u32,
        /// What is wrong with it.
        error: CodecError,
    },
}

impl From<FlvError> for PipelineError {
    fn from(error: FlvError) -> Self {
        match error {
            FlvError::UnsupportedCodec(codec) => Self::UnsupportedCodec { codec },
            FlvError::SequenceHeader { .. } => Self::Malformed(error.to_string()),
        }
    }
}
