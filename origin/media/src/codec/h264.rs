//! codec/h264

use super::{CodecError, VideoConfig};

/// Reads an `AVCDecoderConfigurationRecord`.
///
/// # Errors
/// When it cannot be read.
pub fn parse_avcc(_record: &[u8]) -> Result<VideoConfig, CodecError> {
    Err(CodecError)
}
