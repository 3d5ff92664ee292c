//! Messages in, chunks out.

use bytes::{BufMut, BytesMut};

use super::{DEFAULT_CHUNK_SIZE, EXTENDED, MAX_CHUNK_SIZE, Message};

/// Cuts messages into chunks. Every message gets a full header: a server that only answers has nothing to gain from
/// the shorter ones.
#[derive(Debug)]
pub struct ChunkWriter {
    chunk_size: u32,
}

impl Default for ChunkWriter {
    fn default() -> Self {
        Self { chunk_size: DEFAULT_CHUNK_SIZE }
    }
}

impl ChunkWriter {
    /// The chunk size from now on, after the peer was told; clamped to what is legal.
    pub fn set_chunk_size(&mut self, size: u32) {
        self.chunk_size = size.clamp(1, MAX_CHUNK_SIZE);
    }

    /// Appends `message` to `out`. Payloads over 2^24-1 bytes, which the format cannot carry, are cut there.
    pub fn write(&self, message: &Message, out: &mut BytesMut) {
        let length = message.payload.len().min(0xff_ffff);
        let payload = message.payload.get(..length).unwrap_or_default();
        let chunk_size = usize::try_from(self.chunk_size).unwrap_or(usize::MAX);
        let extended = message.timestamp_ms >= EXTENDED;
        out.reserve(length + 18 + length / chunk_size * 7);
        put_basic_header(0, message.csid, out);
        out.put_uint(u64::from(message.timestamp_ms.min(EXTENDED)), 3);
        out.put_uint(length as u64, 3);
        out.put_u8(message.kind);
        out.put_u32_le(message.stream_id);
        if extended {
            out.put_u32(message.timestamp_ms);
        }
        for (index, chunk) in payload.chunks(chunk_size).enumerate() {
            if index > 0 {
                put_basic_header(3, message.csid, out);
                if extended {
                    out.put_u32(message.timestamp_ms);
                }
            }
            out.put_slice(chunk);
        }
    }
}

/// The one to three bytes that name the chunk type and chunk stream; `csid` is clamped to 2..=65599.
pub(super) fn put_basic_header(format: u8, csid: u32, out: &mut BytesMut) {
    let csid = csid.clamp(2, 65_599);
    let format = format << 6;
    if let Ok(short @ ..64) = u8::try_from(csid) {
        out.put_u8(format | short);
    } else if let Ok(medium) = u8::try_from(csid - 64) {
        out.put_slice(&[format, medium]);
    } else {
        out.put_u8(format | 1);
        out.put_u16_le(u16::try_from(csid - 64).unwrap_or(u16::MAX));
    }
}
