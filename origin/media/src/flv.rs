//! FLV tag bodies as RTMP carries them.

use bytes::Bytes;

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
