//! NAL units of an AVC sample: normalised lengths, no parameter sets.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const ACCESS_UNIT_DELIMITER: u8 = 9;
const FILLER: u8 = 12;
const SPS_EXTENSION: u8 = 13;

/// An access unit as a track sample wants it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// NAL units with 4-byte lengths; empty when there was no picture.
    pub(super) data: Bytes,
    /// It has an IDR slice.
    pub(super) idr: bool,
}

/// Rewrites a sample with `length_size`-byte lengths. Where what stays is one piece with 4-byte lengths, the result
/// shares the input's memory.
///
/// `None` when a length points past the end.
pub(super) fn normalise(sample: &Bytes, length_size: usize) -> Option<Sample> {
    let mut idr = false;
    let (mut kept, mut contiguous) = (0..0, true);
    let mut offset = 0;
    while offset < sample.len() {
        let (nal, range) = nal_at(sample, offset, length_size)?;
        if stays(nal) {
            idr |= kind(nal) == Some(IDR);
            if kept.is_empty() {
                kept.start = offset;
            } else {
                contiguous &= kept.end == offset;
            }
            kept.end = range.end;
        }
        offset = range.end;
    }
    let data = if contiguous && length_size == 4 { sample.slice(kept) } else { rewrite(sample, kept, length_size) };
    Some(Sample { data, idr })
}

fn rewrite(sample: &[u8], kept: Range<usize>, length_size: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(kept.len() + 64);
    let mut offset = kept.start;
    while offset < kept.end
        && let Some((nal, range)) = nal_at(sample, offset, length_size)
    {
        if stays(nal) {
            out.put_u32(u32::try_from(nal.len()).unwrap_or(u32::MAX));
            out.put_slice(nal);
        }
        offset = range.end;
    }
    out.freeze()
}

/// The NAL unit whose length stands at `offset`, and where it lies with that length.
fn nal_at(sample: &[u8], offset: usize, length_size: usize) -> Option<(&[u8], Range<usize>)> {
    let start = offset.checked_add(length_size)?;
    let length = sample.get(offset..start)?.iter().fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
    let end = start.checked_add(length)?;
    Some((sample.get(start..end)?, offset..end))
}

fn kind(nal: &[u8]) -> Option<u8> {
    nal.first().map(|header| header & 0x1f)
}

/// A sample description of type `avc1` holds the parameter sets; delimiters and filler only cost viewers bytes.
fn stays(nal: &[u8]) -> bool {
    !matches!(kind(nal), None | Some(SPS | PPS | ACCESS_UNIT_DELIMITER | FILLER | SPS_EXTENSION))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(length_size: usize, nals: &[&[u8]]) -> Bytes {
        let mut out = Vec::new();
        for nal in nals {
            out.extend_from_slice(&(nal.len() as u32).to_be_bytes()[4 - length_size..]);
            out.extend_from_slice(nal);
        }
        out.into()
    }

    #[test]
    fn parameter_sets_go_and_pictures_stay() {
        let [aud, sps, pps, sei, idr, filler]: [&[u8]; 6] =
            [&[9, 16], &[0x67, 1, 2], &[0x68, 3], &[6, 5, 4], &[0x65, 9, 9, 9], &[12, 255]];
        for length_size in [1, 2, 4] {
            let input = sample(length_size, &[aud, sps, pps, sei, idr, filler, idr]);
            let out = normalise(&input, length_size).unwrap();
            assert!(out.idr);
            assert_eq!(out.data, sample(4, &[sei, idr, idr]), "{length_size}-byte lengths");
        }
        let slice = sample(4, &[&[0x41, 1]]);
        assert_eq!(normalise(&slice, 4), Some(Sample { data: slice.clone(), idr: false }));
        assert!(normalise(&sample(4, &[aud, sps]), 4).unwrap().data.is_empty());
    }

    #[test]
    fn what_stays_in_one_piece_is_not_copied() {
        let input = sample(4, &[&[9, 16], &[0x67, 1], &[0x65, 1, 2, 3], &[0x65, 4]]);
        let out = normalise(&input, 4).unwrap();
        assert_eq!(out.data.as_ptr(), input[12..].as_ptr());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(data in prop::collection::vec(any::<u8>(), 0..200), size in 1_usize..=4) {
            let data = Bytes::from(data);
            if let Some(out) = normalise(&data, size) {
                let again = normalise(&out.data, 4).unwrap();
                prop_assert_eq!(out, again);
            }
        }
    }
}
