//! AAC: `AudioSpecificConfig` (ISO/IEC 14496-3 §1.6.2.1), ADTS headers (§1.A.2.2) and silence.

use bytes::Bytes;

use super::{AudioConfig, CodecError, bits::BitReader};

/// Longest `AudioSpecificConfig` that is taken, bytes; real ones have 2 to 7, more with a channel layout of their own.
const MAX_ASC: usize = 256;
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
const EXPLICIT_RATE: u32 = 15;

/// Audio object types (ISO/IEC 14496-3 table 1.17).
const AAC_MAIN: u32 = 1;
const AAC_LTP: u32 = 4;
const SBR: u32 = 5;
const PS: u32 = 29;
const ESCAPE: u32 = 31;

/// Reads an `AudioSpecificConfig`.
///
/// # Errors
/// When it is cut off or not AAC.
pub fn parse_asc(asc: &[u8]) -> Result<AudioConfig, CodecError> {
    const WHAT: &str = "AudioSpecificConfig";
    if asc.len() > MAX_ASC {
        return Err(CodecError::Invalid { what: WHAT, field: "length", value: asc.len() as u64 });
    }
    let mut bits = BitReader::new(WHAT, asc);
    let declared = object_type(&mut bits)?;
    let sample_rate = sample_rate(&mut bits)?;
    let channel_configuration = bits.bits(4)?;
    let mut core = declared;
    if declared == SBR || declared == PS {
        self::sample_rate(&mut bits)?; // of the extension
        core = object_type(&mut bits)?;
    }
    if !matches!(core, AAC_MAIN..=AAC_LTP) {
        return Err(CodecError::Unsupported { what: "audio other than AAC" });
    }
    let short_frames = bits.bit()?;
    Ok(AudioConfig {
        asc: Bytes::copy_from_slice(asc),
        codec: format!("mp4a.40.{declared}"),
        sample_rate,
        channels: channels(channel_configuration)?,
        frame_samples: if short_frames { 960 } else { 1024 },
    })
}

/// Builds the configuration that an ADTS header (7 bytes or more, from its sync word on) describes.
///
/// # Errors
/// When it is cut off, has no sync word or reserved values, or the channels are laid out in the frame itself.
pub fn config_from_adts(header: &[u8]) -> Result<AudioConfig, CodecError> {
    const WHAT: &str = "ADTS header";
    let mut bits = BitReader::new(WHAT, header.get(..7).ok_or(CodecError::Truncated { what: WHAT })?);
    let sync = bits.bits(12)?;
    if sync != 0xfff {
        return Err(CodecError::Invalid { what: WHAT, field: "syncword", value: sync.into() });
    }
    bits.skip(4)?; // ID, layer, protection_absent
    let object_type = bits.bits(2)? + 1;
    let rate_index = bits.bits(4)?;
    bits.skip(1)?; // private_bit
    let channel_configuration = bits.bits(3)?;
    if channel_configuration == 0 {
        return Err(CodecError::Unsupported { what: "AAC with its channel layout inside the frames" });
    }
    if rate_index == EXPLICIT_RATE {
        return Err(CodecError::Invalid { what: WHAT, field: "sampling_frequency_index", value: rate_index.into() });
    }
    let asc = (object_type << 11 | rate_index << 7 | channel_configuration << 3) as u16;
    parse_asc(&asc.to_be_bytes())
}

fn object_type(bits: &mut BitReader<'_>) -> Result<u32, CodecError> {
    match bits.bits(5)? {
        ESCAPE => Ok(32 + bits.bits(6)?),
        plain => Ok(plain),
    }
}

fn sample_rate(bits: &mut BitReader<'_>) -> Result<u32, CodecError> {
    let index = bits.bits(4)?;
    let rate = match index {
        EXPLICIT_RATE => bits.bits(24)?,
        _ => SAMPLE_RATES.get(index as usize).copied().unwrap_or(0),
    };
    // Up to the highest rate that AAC knows; a rate near zero would make one frame last for hours.
    if !(7_350..=96_000).contains(&rate) {
        let field = "samplingFrequency";
        return Err(CodecError::Invalid { what: "AudioSpecificConfig", field, value: rate.into() });
    }
    Ok(rate)
}

fn channels(configuration: u32) -> Result<u8, CodecError> {
    match configuration {
        // Told by a program config element in front of the frames: stereo is what it is used for.
        0 => Ok(2),
        1..=6 => Ok(configuration as u8),
        7 | 12 | 14 => Ok(8),
        11 => Ok(7),
        _ => Err(CodecError::Invalid {
            what: "AudioSpecificConfig",
            field: "channelConfiguration",
            value: configuration.into(),
        }),
    }
}

/// The syntactic elements of a frame (ISO/IEC 14496-3 table 4.85).
#[derive(Debug, Clone, Copy)]
enum Element {
    Single = 0,
    Pair = 1,
    LowFrequency = 3,
}

/// One frame of digital silence: to stand where a publisher's sound is missing, so that the track has no hole.
#[must_use]
pub fn silent_frame(channels: u8) -> Bytes {
    use Element::{LowFrequency, Pair, Single};
    const END: u32 = 7;
    // Element order of the channel configurations (ISO/IEC 14496-3 table 1.19).
    let layout: &[Element] = match channels {
        1 => &[Single],
        3 => &[Single, Pair],
        4 => &[Single, Pair, Single],
        5 => &[Single, Pair, Pair],
        6 => &[Single, Pair, Pair, LowFrequency],
        7 => &[Single, Pair, Pair, Single, LowFrequency],
        8 => &[Single, Pair, Pair, Pair, LowFrequency],
        _ => &[Pair],
    };
    let mut frame = BitWriter::default();
    let mut tags = [0_u32; 4];
    for &element in layout {
        let tag = &mut tags[element as usize];
        frame.put(element as u32, 3);
        frame.put(*tag, 4);
        *tag += 1;
        // Everything below the first scale factor band: nothing is coded, so that no gain matters.
        if matches!(element, Pair) {
            frame.put(1, 1); // common_window
            frame.put(0, 11); // ics_info: long window, max_sfb 0
            frame.put(0, 2); // no mid/side coding
            frame.put(0, 22); // both channels: global_gain, no pulses, no TNS, no gain control
        } else {
            frame.put(0, 8); // global_gain
            frame.put(0, 11); // ics_info
            frame.put(0, 3); // no pulses, no TNS, no gain control
        }
    }
    frame.put(END, 3);
    frame.bytes.into()
}

#[derive(Debug, Default)]
struct BitWriter {
    bytes: Vec<u8>,
    used: u32,
}

impl BitWriter {
    fn put(&mut self, value: u32, count: u32) {
        for shift in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> shift & 1) as u8) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_complexity_stereo() {
        let config = parse_asc(&[0x11, 0x90, 0x56, 0xe5, 0x00]).expect("a valid configuration");
        assert_eq!((config.sample_rate, config.channels, config.frame_samples), (48_000, 2, 1024));
        assert_eq!(config.codec, "mp4a.40.2");
    }

    #[test]
    fn spectral_band_replication_keeps_the_rate_of_the_core_coder() {
        // Object type 5, 24 kHz, stereo, extension 48 kHz, core object type 2.
        let config = parse_asc(&[0x2b, 0x11, 0x88, 0x00]).expect("a valid configuration");
        assert_eq!((config.sample_rate, config.channels), (24_000, 2));
        assert_eq!(config.codec, "mp4a.40.5");
    }

    #[test]
    fn an_adts_header_gives_the_same_as_its_configuration() {
        let config = config_from_adts(&[0xff, 0xf1, 0x51, 0x80, 0x32, 0x7f, 0xfc]).expect("a valid header");
        assert_eq!((config.sample_rate, config.channels), (44_100, 6));
        assert_eq!(config, parse_asc(&config.asc).expect("what it made"));
    }

    #[test]
    fn what_is_not_aac_is_refused() {
        assert!(matches!(parse_asc(&[0xf9, 0x48]), Err(CodecError::Unsupported { .. } | CodecError::Truncated { .. })));
        assert!(parse_asc(&[]).is_err());
        assert!(parse_asc(&[0x11]).is_err());
        // An explicit rate of 1 Hz: a frame of 17 minutes.
        assert!(matches!(
            parse_asc(&[0x17, 0x80, 0x00, 0x00, 0x90, 0x00]),
            Err(CodecError::Invalid { field: "samplingFrequency", value: 1, .. })
        ));
        assert!(config_from_adts(&[0xff, 0xf1, 0x7d, 0x80, 0x32, 0x7f, 0xfc]).is_err(), "explicit rate in ADTS");
    }

    #[test]
    fn silence_is_what_decoders_know() {
        assert_eq!(silent_frame(1).as_ref(), [0x00, 0x00, 0x00, 0x07]);
        assert_eq!(silent_frame(2).len(), 6);
    }
}
