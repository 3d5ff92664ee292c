//! H.264 parameter sets (ISO/IEC 14496-10 §7.3.2) and the record that carries them (ISO/IEC 14496-15 §5.3.3.1).

use bytes::Bytes;

use super::{CodecError, VideoConfig, bits::BitReader};

/// Longest parameter set that is taken, bytes; real ones have a few dozen.
const MAX_PARAMETER_SET: usize = 4096;
/// Most picture parameter sets: as many as their ids allow in a record's count.
const MAX_PPS: usize = 255;
/// Most sequence parameter sets that a record can count.
const MAX_SPS: usize = 31;
/// Largest side, macroblocks: level 6.2 stops well below (ISO/IEC 14496-10 table A-1).
const MAX_SIDE_MACROBLOCKS: u32 = 1055;

const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;

/// Reads an `AVCDecoderConfigurationRecord`. The result's record always states 4-byte NAL lengths, whatever the
/// publisher's did: see [`nal_length_size`] for how to read its access units.
///
/// # Errors
/// When it is cut off, has no parameter sets, or describes something other than H.264 that Skylark carries.
pub fn parse_avcc(record: &[u8]) -> Result<VideoConfig, CodecError> {
    const WHAT: &str = "AVCDecoderConfigurationRecord";
    nal_length_size(record)?;
    let mut rest = record.get(5..).unwrap_or_default();
    let sps = parameter_sets(&mut rest, 0x1f)?;
    let pps = parameter_sets(&mut rest, 0xff)?;
    match record.first() {
        Some(1) => config_from_parameter_sets(&sps, &pps),
        Some(&version) => Err(CodecError::Invalid { what: WHAT, field: "configurationVersion", value: version.into() }),
        None => Err(CodecError::Truncated { what: WHAT }),
    }
}

/// How many bytes (1, 2 or 4) prefix each NAL unit of access units that follow this `AVCDecoderConfigurationRecord`.
///
/// # Errors
/// When the record is cut off or says 3.
pub fn nal_length_size(record: &[u8]) -> Result<usize, CodecError> {
    const WHAT: &str = "AVCDecoderConfigurationRecord";
    match record.get(4).map(|byte| byte & 3) {
        None => Err(CodecError::Truncated { what: WHAT }),
        Some(2) => Err(CodecError::Invalid { what: WHAT, field: "lengthSizeMinusOne", value: 2 }),
        Some(minus_one) => Ok(usize::from(minus_one) + 1),
    }
}

/// Takes a counted list of 16-bit-length parameter sets off the front of `rest`.
fn parameter_sets<'a>(rest: &mut &'a [u8], count_mask: u8) -> Result<Vec<&'a [u8]>, CodecError> {
    const TRUNCATED: CodecError = CodecError::Truncated { what: "AVCDecoderConfigurationRecord" };
    let (&count, mut tail) = rest.split_first().ok_or(TRUNCATED)?;
    let mut sets = Vec::new();
    for _ in 0..count & count_mask {
        let (length, after) = tail.split_first_chunk::<2>().ok_or(TRUNCATED)?;
        let (set, after) = after.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(TRUNCATED)?;
        sets.push(set);
        tail = after;
    }
    *rest = tail;
    Ok(sets)
}

/// Builds a configuration from parameter sets found in the stream: NAL units with their header byte, without start
/// codes or lengths.
///
/// # Errors
/// When a set is missing, too long, or cannot be parsed.
pub fn config_from_parameter_sets(sps: &[&[u8]], pps: &[&[u8]]) -> Result<VideoConfig, CodecError> {
    let first = *sps.first().ok_or(CodecError::Unsupported { what: "H.264 without a sequence parameter set" })?;
    if pps.is_empty() {
        return Err(CodecError::Unsupported { what: "H.264 without a picture parameter set" });
    }
    check_sets(sps, "SPS", NAL_SPS, MAX_SPS)?;
    check_sets(pps, "PPS", NAL_PPS, MAX_PPS)?;
    let parsed = Sps::parse(first)?;
    let &[_, profile, constraints, level, ..] = first else {
        return Err(CodecError::Truncated { what: "SPS" });
    };
    Ok(VideoConfig {
        avcc: write_avcc(&parsed, [profile, constraints, level], sps, pps),
        codec: format!("avc1.{profile:02x}{constraints:02x}{level:02x}"),
        width: parsed.width,
        height: parsed.height,
        frame_rate: parsed.frame_rate,
    })
}

fn check_sets(sets: &[&[u8]], what: &'static str, nal_type: u8, most: usize) -> Result<(), CodecError> {
    if sets.len() > most {
        return Err(CodecError::Invalid { what, field: "count", value: sets.len() as u64 });
    }
    for set in sets {
        if set.len() > MAX_PARAMETER_SET {
            return Err(CodecError::Invalid { what, field: "length", value: set.len() as u64 });
        }
        let found = set.first().ok_or(CodecError::Truncated { what })? & 0x1f;
        if found != nal_type {
            return Err(CodecError::Invalid { what, field: "nal_unit_type", value: found.into() });
        }
    }
    Ok(())
}

fn write_avcc(parsed: &Sps, profile: [u8; 3], sps: &[&[u8]], pps: &[&[u8]]) -> Bytes {
    let mut record = vec![1];
    record.extend_from_slice(&profile);
    record.push(0xff); // 4-byte lengths
    record.push(0xe0 | sps.len() as u8);
    push_sets(&mut record, sps);
    record.push(pps.len() as u8);
    push_sets(&mut record, pps);
    if has_chroma_fields(profile[0]) {
        record.extend_from_slice(&[
            0xfc | parsed.chroma_format as u8,
            0xf8 | parsed.luma_depth_minus_8 as u8,
            0xf8 | parsed.chroma_depth_minus_8 as u8,
            0, // no SPS extensions
        ]);
    }
    record.into()
}

fn push_sets(record: &mut Vec<u8>, sets: &[&[u8]]) {
    for set in sets {
        record.extend_from_slice(&(set.len() as u16).to_be_bytes());
        record.extend_from_slice(set);
    }
}

/// Profiles whose sequence parameter sets tell the chroma format (ISO/IEC 14496-10 §7.3.2.1.1).
fn has_chroma_fields(profile: u8) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

/// What is needed of a sequence parameter set.
#[derive(Debug, PartialEq, Eq)]
struct Sps {
    chroma_format: u32,
    luma_depth_minus_8: u32,
    chroma_depth_minus_8: u32,
    width: u32,
    height: u32,
    frame_rate: Option<(u32, u32)>,
}

impl Sps {
    /// Parses a NAL unit, header byte included.
    fn parse(nal: &[u8]) -> Result<Self, CodecError> {
        const WHAT: &str = "SPS";
        let payload = unescape(nal.get(1..).unwrap_or_default());
        let mut bits = BitReader::new(WHAT, &payload);
        let profile = bits.bits(8)? as u8;
        bits.skip(16)?; // constraints, level
        bits.unsigned_to("seq_parameter_set_id", 31)?;
        let mut chroma_format = 1;
        let mut separate_planes = false;
        let (mut luma_depth_minus_8, mut chroma_depth_minus_8) = (0, 0);
        if has_chroma_fields(profile) {
            chroma_format = bits.unsigned_to("chroma_format_idc", 3)?;
            separate_planes = chroma_format == 3 && bits.bit()?;
            luma_depth_minus_8 = bits.unsigned_to("bit_depth_luma_minus8", 6)?;
            chroma_depth_minus_8 = bits.unsigned_to("bit_depth_chroma_minus8", 6)?;
            bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
            if bits.bit()? {
                skip_scaling_matrices(&mut bits, if chroma_format == 3 { 12 } else { 8 })?;
            }
        }
        skip_order_count(&mut bits)?;
        bits.unsigned_to("max_num_ref_frames", 16)?;
        bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
        let width_blocks = 1 + bits.unsigned_to("pic_width_in_mbs_minus1", MAX_SIDE_MACROBLOCKS - 1)?;
        let height_units = 1 + bits.unsigned_to("pic_height_in_map_units_minus1", MAX_SIDE_MACROBLOCKS - 1)?;
        let frames_only = bits.bit()?;
        if !frames_only {
            bits.skip(1)?; // mb_adaptive_frame_field_flag
        }
        bits.skip(1)?; // direct_8x8_inference_flag
        let field_factor = if frames_only { 1 } else { 2 };
        let (mut width, mut height) = (width_blocks * 16, height_units * 16 * field_factor);
        if bits.bit()? {
            let monochrome = chroma_format == 0 || separate_planes;
            let unit_x = if !monochrome && chroma_format < 3 { 2 } else { 1 };
            let unit_y = if !monochrome && chroma_format == 1 { 2 } else { 1 } * field_factor;
            width = crop(&mut bits, width, unit_x)?;
            height = crop(&mut bits, height, unit_y)?;
        }
        // A broken VUI costs its frame rate only.
        let frame_rate = if bits.bit()? { vui_frame_rate(&mut bits).unwrap_or_default() } else { None };
        Ok(Self { chroma_format, luma_depth_minus_8, chroma_depth_minus_8, width, height, frame_rate })
    }
}

/// Reads the two crop offsets of one side.
fn crop(bits: &mut BitReader<'_>, side: u32, unit: u32) -> Result<u32, CodecError> {
    let cut = u64::from(bits.unsigned("frame_crop_offset")?) + u64::from(bits.unsigned("frame_crop_offset")?);
    let left = u64::from(side).checked_sub(cut.saturating_mul(unit.into())).filter(|left| *left > 0);
    left.and_then(|left| left.try_into().ok()).ok_or(CodecError::Invalid {
        what: "SPS",
        field: "frame_crop_offset",
        value: cut,
    })
}

fn skip_scaling_matrices(bits: &mut BitReader<'_>, count: u32) -> Result<(), CodecError> {
    for index in 0..count {
        if !bits.bit()? {
            continue;
        }
        let size = if index < 6 { 16 } else { 64 };
        let (mut last, mut next) = (8_i64, 8_i64);
        for _ in 0..size {
            if next != 0 {
                next = (last + bits.signed("delta_scale")?).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
    }
    Ok(())
}

fn skip_order_count(bits: &mut BitReader<'_>) -> Result<(), CodecError> {
    bits.unsigned_to("log2_max_frame_num_minus4", 12)?;
    match bits.unsigned_to("pic_order_cnt_type", 2)? {
        0 => {
            bits.unsigned_to("log2_max_pic_order_cnt_lsb_minus4", 12)?;
        }
        1 => {
            bits.skip(1)?; // delta_pic_order_always_zero_flag
            bits.signed("offset_for_non_ref_pic")?;
            bits.signed("offset_for_top_to_bottom_field")?;
            for _ in 0..bits.unsigned_to("num_ref_frames_in_pic_order_cnt_cycle", 255)? {
                bits.signed("offset_for_ref_frame")?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Frames per second as VUI timing tells (ISO/IEC 14496-10 §E.1.1): two ticks make a frame.
fn vui_frame_rate(bits: &mut BitReader<'_>) -> Result<Option<(u32, u32)>, CodecError> {
    const EXTENDED_SAR: u32 = 255;
    if bits.bit()? && bits.bits(8)? == EXTENDED_SAR {
        bits.skip(32)?;
    }
    if bits.bit()? {
        bits.skip(1)?; // overscan_appropriate_flag
    }
    if bits.bit()? {
        bits.skip(4)?; // video_format, video_full_range_flag
        if bits.bit()? {
            bits.skip(24)?;
        }
    }
    if bits.bit()? {
        bits.unsigned("chroma_sample_loc_type_top_field")?;
        bits.unsigned("chroma_sample_loc_type_bottom_field")?;
    }
    if !bits.bit()? {
        return Ok(None);
    }
    let (units, scale) = (bits.bits(32)?, bits.bits(32)?);
    let frame_units = units.checked_mul(2).filter(|units| *units > 0 && scale > 0);
    Ok(frame_units.map(|units| reduce(scale, units)))
}

fn reduce(numerator: u32, denominator: u32) -> (u32, u32) {
    let (mut a, mut b) = (numerator, denominator);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    (numerator / a, denominator / a)
}

/// Removes emulation prevention bytes (ISO/IEC 14496-10 §7.4.1.1).
fn unescape(payload: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(payload.len());
    let mut zeros = 0;
    for &byte in payload {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records as x264 writes them.
    const HIGH_1080P30: &[u8] = &[
        0x01, 0x64, 0x00, 0x28, 0xff, 0xe1, 0x00, 0x1b, 0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27,
        0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xf0, 0x3c, 0x60, 0xc6, 0x58, 0x01,
        0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00,
    ];
    const BASELINE_360P_NTSC: &[u8] = &[
        0x01, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0x00, 0x18, 0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70,
        0x11, 0x00, 0x00, 0x03, 0x03, 0xe9, 0x00, 0x00, 0xea, 0x60, 0x0f, 0x16, 0x2e, 0x48, 0x01, 0x00, 0x05, 0x68,
        0xcb, 0x83, 0xcb, 0x20,
    ];

    #[test]
    fn a_cropped_high_profile_record_is_understood() {
        let config = parse_avcc(HIGH_1080P30).expect("a valid record");
        assert_eq!((config.width, config.height), (1920, 1080));
        assert_eq!(config.codec, "avc1.640028");
        assert_eq!(config.frame_rate, Some((30, 1)));
        assert_eq!(config.avcc, HIGH_1080P30, "what is complete is kept as it is");
    }

    #[test]
    fn a_fractional_frame_rate_is_exact() {
        let config = parse_avcc(BASELINE_360P_NTSC).expect("a valid record");
        assert_eq!((config.width, config.height), (640, 360));
        assert_eq!(config.codec, "avc1.42c01e");
        assert_eq!(config.frame_rate, Some((30_000, 1001)));
    }

    #[test]
    fn short_nal_lengths_are_told_and_replaced() {
        let mut record = HIGH_1080P30.to_vec();
        record[4] = 0xfc | 1;
        assert_eq!(nal_length_size(&record), Ok(2));
        assert_eq!(parse_avcc(&record).expect("a valid record").avcc, HIGH_1080P30);
        record[4] = 0xfc | 2;
        assert!(parse_avcc(&record).is_err());
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_an_answer_and_no_panic() {
        let set_ends = 8 + 0x1b + 3 + 6;
        for end in 0..set_ends {
            assert!(parse_avcc(&HIGH_1080P30[..end]).is_err(), "cut at {end}");
        }
        for bit in 0..HIGH_1080P30.len() * 8 {
            let mut record = HIGH_1080P30.to_vec();
            record[bit / 8] ^= 1 << (bit % 8);
            if let Ok(config) = parse_avcc(&record) {
                assert!(config.width > 0 && config.height > 0, "bit {bit}");
            }
        }
    }

    #[test]
    fn sets_of_another_type_are_refused() {
        let config = config_from_parameter_sets(&[&HIGH_1080P30[36..44]], &[&HIGH_1080P30[8..35]]);
        assert!(matches!(config, Err(CodecError::Invalid { field: "nal_unit_type", .. })), "{config:?}");
    }
}
