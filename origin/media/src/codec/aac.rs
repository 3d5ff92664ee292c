//! codec/aac

use super::{AudioConfig, CodecError};

/// Reads an `AudioSpecificConfig`.
///
/// # Errors
/// When it cannot be read.
pub fn parse_asc(_config: &[u8]) -> Result<AudioConfig, CodecError> {
    Err(CodecError)
}
