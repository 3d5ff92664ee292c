//! Codec configurations: what an init segment and a `CODECS` attribute need to know.

pub mod aac;
mod bits;
pub mod h264;

use bytes::Bytes;

/// Parameter sets of a video track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoConfig {
    /// `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 §5.3.3.1), always with 4-byte NAL lengths.
    pub avcc: Bytes,
    /// RFC 6381 string, such as `avc1.64001f`.
    pub codec: String,
    /// Displayed width after cropping, pixels.
    pub width: u32,
    /// Displayed height after cropping, pixels.
    pub height: u32,
    /// Frames per second as the VUI claims, as a fraction.
    pub frame_rate: Option<(u32, u32)>,
}

/// Configuration of an AAC track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioConfig {
    /// `AudioSpecificConfig` (ISO/IEC 14496-3 §1.6.2.1).
    pub asc: Bytes,
    /// RFC 6381 string, such as `mp4a.40.2`.
    pub codec: String,
    /// Samples per second of the core coder.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u8,
    /// Samples in a frame: 1024, or 960.
    pub frame_samples: u32,
}

/// A codec configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// It ends before it is complete.
    #[error("{what} ends too early")]
    Truncated {
        /// Which structure.
        what: &'static str,
    },
    /// A field has a value that it cannot have.
    #[error("{what}: {field} is {value}")]
    Invalid {
        /// Which structure.
        what: &'static str,
        /// Which field of it.
        field: &'static str,
        /// What was found there.
        value: u64,
    },
    /// Valid, but not something that Skylark carries.
    #[error("{what} is not supported")]
    Unsupported {
        /// What was sent.
        what: &'static str,
    },
}
