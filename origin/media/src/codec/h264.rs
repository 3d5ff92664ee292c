//! H.264 parameter sets (ISO/IEC 14496-10 §7.3.2) and the record that carries them (ISO/IEC 14496-15 §5.3.3.1).

use super::{CodecError, VideoConfig};

/// Reads an `AVCDecoderConfigurationRecord`. The result's record always states 4-byte NAL lengths, whatever the
/// publisher's did: see [`nal_length_size`] for how to read its access units.
///
/// # Errors
/// When it is cut off, has no parameter sets, or describes something other than H.264 that Skylark carries.
pub fn parse_avcc(_record: &[u8]) -> Result<VideoConfig, CodecError> {
    todo!()
}

/// How many bytes (1, 2 or 4) prefix each NAL unit of access units that follow this `AVCDecoderConfigurationRecord`.
///
/// # Errors
/// When the record is cut off or says 3.
pub fn nal_length_size(_record: &[u8]) -> Result<usize, CodecError> {
    todo!()
}

/// The configuration that parameter sets (NAL units with their header byte) say.
///
/// # Errors
/// When they cannot be read.
pub fn config_from_parameter_sets(sps: &[&[u8]], pps: &[&[u8]]) -> Result<VideoConfig, CodecError> {
    let avcc = [sps.concat(), pps.concat()].concat();
    Ok(VideoConfig { avcc: avcc.into(), codec: String::new(), width: 0, height: 0, frame_rate: None })
}
