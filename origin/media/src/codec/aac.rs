//! AAC: `AudioSpecificConfig` (ISO/IEC 14496-3 §1.6.2.1), ADTS headers (§1.A.2.2) and silence.

use super::{AudioConfig, CodecError};

/// Reads an `AudioSpecificConfig`.
///
/// # Errors
/// When it is cut off or not AAC.
pub fn parse_asc(_asc: &[u8]) -> Result<AudioConfig, CodecError> {
    todo!()
}

/// Builds the configuration that an ADTS header (7 bytes or more, from its sync word on) describes.
///
/// # Errors
/// When it is cut off, has no sync word or reserved values.
pub fn config_from_adts(_header: &[u8]) -> Result<AudioConfig, CodecError> {
    todo!()
}
