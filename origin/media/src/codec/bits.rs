//! Bits of parameter sets, most significant first; nothing read from here can go past the end or loop for long.

use super::CodecError;

/// Longest prefix of an Exp-Golomb code: values are 32 bits at most (ISO/IEC 14496-10 §9.1).
const MAX_EXP_GOLOMB_ZEROS: u32 = 31;

/// Reads bits from bytes, on behalf of `what`, which errors name.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, position: 0 }
    }

    pub(super) fn bit(&mut self) -> Result<bool, CodecError> {
        let byte = self.bytes.get(self.position / 8).ok_or(CodecError::Truncated { what: self.what })?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Ok(bit == 1)
    }

    /// `count` bits, 32 at most.
    pub(super) fn bits(&mut self, count: u32) -> Result<u32, CodecError> {
        debug_assert!(count <= 32);
        (0..count).try_fold(0_u32, |value, _| Ok(value << 1 | u32::from(self.bit()?)))
    }

    pub(super) fn skip(&mut self, count: u32) -> Result<(), CodecError> {
        (0..count).try_for_each(|_| self.bit().map(drop))
    }

    /// `ue(v)`.
    pub(super) fn unsigned(&mut self, field: &'static str) -> Result<u32, CodecError> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > MAX_EXP_GOLOMB_ZEROS {
                return Err(CodecError::Invalid { what: self.what, field, value: u64::MAX });
            }
        }
        // 2^zeros - 1 + the rest is at most 2^32 - 2.
        let rest = self.bits(zeros)?;
        Ok(((1_u64 << zeros) - 1 + u64::from(rest)).try_into().unwrap_or(u32::MAX))
    }

    /// `ue(v)`, refused above `limit`.
    pub(super) fn unsigned_to(&mut self, field: &'static str, limit: u32) -> Result<u32, CodecError> {
        let value = self.unsigned(field)?;
        if value > limit {
            return Err(CodecError::Invalid { what: self.what, field, value: value.into() });
        }
        Ok(value)
    }

    /// `se(v)`.
    pub(super) fn signed(&mut self, field: &'static str) -> Result<i64, CodecError> {
        let code = i64::from(self.unsigned(field)?);
        Ok(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }
}
