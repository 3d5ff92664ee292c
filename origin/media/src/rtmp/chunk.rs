//! The chunk stream (RTMP 1.0 §5.3): messages cut into chunks and interleaved.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

use bytes::Bytes;

pub use reader::{ChunkError, ChunkReader, Limits, MAX_CHUNK_STREAMS};
pub use writer::ChunkWriter;

/// Chunk size of both directions until a Set Chunk Size message changes it.
pub const DEFAULT_CHUNK_SIZE: u32 = 128;
/// The largest chunk size that Set Chunk Size can ask for (§5.4.1).
pub const MAX_CHUNK_SIZE: u32 = 0x7fff_ffff;
/// Timestamps and deltas from here on stand in the extended field.
const EXTENDED: u32 = 0xff_ffff;

/// A whole RTMP message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Chunk stream it came on, or is to go out on.
    pub csid: u32,
    /// Message type id.
    pub kind: u8,
    /// Milliseconds; wraps at 2^32.
    pub timestamp_ms: u32,
    /// Message stream id.
    pub stream_id: u32,
    /// The message without its headers.
    pub payload: Bytes,
}
