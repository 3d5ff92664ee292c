//! H.264 in Annex B byte stream format (ITU-T H.264 annex B) → ISO/IEC 14496-15 access units and parameter sets.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::{CodecError, VideoConfig, h264};

/// Most NAL units in an access unit; the rest is cut off.
const MAX_NAL_UNITS: usize = 1024;
/// Most parameter sets of each kind that a stream may use at a time.
const MAX_PARAMETER_SETS: usize = 16;

/// An access unit in the format that MP4 keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccessUnit {
    /// NAL units with 4-byte length prefixes, without parameter sets, delimiters and filler.
    pub(super) data: Bytes,
    /// It has an IDR picture.
    pub(super) keyframe: bool,
}

/// The parameter sets in force.
#[derive(Debug, Default)]
pub(super) struct ParameterSets {
    sps: BTreeMap<u32, Bytes>,
    pps: BTreeMap<u32, Bytes>,
    changed: bool,
}

impl ParameterSets {
    /// The configuration, if it changed since the last call and is complete.
    pub(super) fn take_change(&mut self) -> Option<Result<Arc<VideoConfig>, CodecError>> {
        if !self.changed || self.sps.is_empty() || self.pps.is_empty() {
            return None;
        }
        self.changed = false;
        let sps: Vec<&[u8]> = self.sps.values().map(Bytes::as_ref).collect();
        let pps: Vec<&[u8]> = self.pps.values().map(Bytes::as_ref).collect();
        Some(h264::config_from_parameter_sets(&sps, &pps).map(Arc::new))
    }

    fn store(&mut self, nal: &[u8], id_at: usize, kind: Kind) {
        let sets = if kind == Kind::Sps { &mut self.sps } else { &mut self.pps };
        let Some(id) = nal.get(id_at..).and_then(exp_golomb) else { return };
        if sets.get(&id).is_some_and(|known| known == nal)
            || (!sets.contains_key(&id) && sets.len() >= MAX_PARAMETER_SETS)
        {
            return;
        }
        sets.insert(id, Bytes::copy_from_slice(nal));
        self.changed = true;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sps,
    Pps,
    Idr,
    Kept,
    Dropped,
}

impl Kind {
    fn of(nal: &[u8]) -> Self {
        match nal.first().map_or(0, |first| first & 0x1F) {
            1..=4 | 6 => Self::Kept,
            5 => Self::Idr,
            7 => Self::Sps,
            8 => Self::Pps,
            // Delimiters, ends of sequence, filler, auxiliary pictures and extensions: MP4 has no use for them.
            _ => Self::Dropped,
        }
    }
}

/// Turns the bytes of one access unit into what MP4 keeps; its parameter sets go into `sets`. `None` if there is no
/// picture in it.
pub(super) fn access_unit(annex_b: &[u8], sets: &mut ParameterSets) -> Option<AccessUnit> {
    let mut data = BytesMut::with_capacity(annex_b.len() + 16);
    let mut keyframe = false;
    let mut picture = false;
    for nal in NalUnits::new(annex_b).take(MAX_NAL_UNITS) {
        let kind = Kind::of(nal);
        match kind {
            // `seq_parameter_set_id` follows profile, constraints and level; `pic_parameter_set_id` comes first.
            Kind::Sps => sets.store(nal, 4, kind),
            Kind::Pps => sets.store(nal, 1, kind),
            Kind::Idr | Kind::Kept => {
                keyframe |= kind == Kind::Idr;
                picture |= kind == Kind::Idr || nal[0] & 0x1F != 6;
                data.put_u32(u32::try_from(nal.len()).ok()?);
                data.put_slice(nal);
            }
            Kind::Dropped => {}
        }
    }
    picture.then(|| AccessUnit { data: data.freeze(), keyframe })
}

/// NAL units of a byte stream, without start codes and trailing zeros; never empty.
struct NalUnits<'a> {
    /// From just behind a start code.
    rest: Option<&'a [u8]>,
}

impl<'a> NalUnits<'a> {
    fn new(annex_b: &'a [u8]) -> Self {
        Self { rest: start_code(annex_b).and_then(|at| annex_b.get(at + 3..)) }
    }
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let rest = self.rest.take()?;
            let nal = match start_code(rest) {
                Some(at) => {
                    self.rest = rest.get(at + 3..);
                    &rest[..at]
                }
                None => rest,
            };
            let length = nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            if length > 0 {
                return Some(&nal[..length]);
            }
        }
    }
}

/// Where the next `00 00 01` starts.
fn start_code(bytes: &[u8]) -> Option<usize> {
    // Looks at every third byte unless it may be part of a start code: most bytes of a picture are above 1.
    let mut at = 0;
    loop {
        match bytes.get(at..at + 3)? {
            [_, _, 2..=0xFF] => at += 3,
            [0, 0, 1] => return Some(at),
            [_, 0, 0] => at += 1,
            [_, _, 0] => at += 2,
            _ => at += 3,
        }
    }
}

/// The unsigned Exp-Golomb number (H.264 §9.1) at the start of `bytes`, if it is below 2^16.
fn exp_golomb(bytes: &[u8]) -> Option<u32> {
    let mut word = [0; 4];
    let length = bytes.len().min(4);
    word[..length].copy_from_slice(&bytes[..length]);
    let word = u32::from_be_bytes(word);
    let zeros = word.leading_zeros();
    (zeros < 16 && length > 0).then(|| (word >> (31 - 2 * zeros)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nal_units_lose_start_codes_and_trailing_zeros() {
        let stream = [9, 9, 0, 0, 0, 1, 0x65, 7, 0, 0, 3, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0x41, 0, 0, 0];
        let units: Vec<&[u8]> = NalUnits::new(&stream).collect();
        assert_eq!(units, [&[0x65, 7, 0, 0, 3, 1][..], &[0x41]]);
        assert_eq!(NalUnits::new(&[0, 0]).count(), 0);
    }

    #[test]
    fn start_codes_are_found_at_every_offset() {
        for offset in 0..9 {
            for filler in [0u8, 1, 2, 0xFF] {
                let mut bytes = vec![filler; offset];
                if filler == 0 && offset > 0 {
                    bytes[0] = 7;
                }
                bytes.extend([7, 0, 0, 1, 5]);
                assert_eq!(start_code(&bytes), bytes.windows(3).position(|window| window == [0, 0, 1]), "{bytes:?}");
            }
        }
    }

    #[test]
    fn exp_golomb_numbers() {
        assert_eq!(exp_golomb(&[0b1000_0000]), Some(0));
        assert_eq!(exp_golomb(&[0b0101_0000]), Some(1));
        assert_eq!(exp_golomb(&[0b0010_1000]), Some(4));
        assert_eq!(exp_golomb(&[0, 0, 1]), None);
        assert_eq!(exp_golomb(&[]), None);
    }
}
