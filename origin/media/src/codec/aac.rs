//! AAC: `AudioSpecificConfig` (ISO/IEC 14496-3 §1.6.2.1), ADTS headers (§1.A.2.2) and silence.

use super::{AudioConfig, CodecError};

/// Reads an `AudioSpecificConfig`.
///
/// # Errors
/// When it is cut off or not AAC.
pub fn parse_asc(_asc: &[u8]) -> Result<AudioConfig, CodecError> {
    todo!()
}

/// The configuration that an ADTS frame's header says.
///
/// # Errors
/// When it cannot be read, or the channels are laid out in the frame itself.
pub fn config_from_adts(frame: &[u8]) -> Result<AudioConfig, CodecError> {
    const RATES: [u32; 13] =
        [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
    let &[_, _, profile, channels, ..] = frame else { return Err(CodecError::Truncated { what: "ADTS header" }) };
    let index = profile >> 2 & 0xF;
    let channels = (profile & 1) << 2 | channels >> 6;
    let object = (profile >> 6) + 1;
    if channels == 0 {
        return Err(CodecError::Truncated { what: "ADTS header" });
    }
    Ok(AudioConfig {
        asc: vec![object << 3 | index >> 1, (index & 1) << 7 | channels << 3].into(),
        codec: format!("mp4a.40.{object}"),
        sample_rate: *RATES.get(usize::from(index)).ok_or(CodecError::Truncated { what: "ADTS header" })?,
        channels: if channels == 7 { 8 } else { channels },
        frame_samples: 1024,
    })
}
