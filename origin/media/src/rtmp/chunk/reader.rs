//! Chunks in, messages out.

use bytes::BytesMut;

use super::{DEFAULT_CHUNK_SIZE, EXTENDED, MAX_CHUNK_SIZE, Message};

/// Chunk streams that one connection may use. Publishers use three to six.
pub const MAX_CHUNK_STREAMS: usize = 64;
/// Basic header (3), message header (11) and extended timestamp (4).
const MAX_HEADER_BYTES: usize = 18;

/// How much of a peer's messages may wait for completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest message, in bytes.
    pub message_bytes: usize,
    /// Declared lengths of all unfinished messages together, in bytes.
    pub unfinished_bytes: usize,
}

/// The peer does not send a chunk stream that Skylark takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A chunk without a full header on a chunk stream that never had one.
    #[error("expected a full header first on chunk stream {csid}, found chunk type {format}")]
    NoHeader {
        /// The chunk stream.
        csid: u32,
        /// Chunk type 1 to 3.
        format: u8,
    },
    /// A header inside an unfinished message.
    #[error("expected {missing} more bytes of the message on chunk stream {csid}, found chunk type {format}")]
    Unfinished {
        /// The chunk stream.
        csid: u32,
        /// Chunk type 0 to 2.
        format: u8,
        /// Bytes of the message that did not come.
        missing: usize,
    },
    /// Longer than [`Limits::message_bytes`].
    #[error("a message of type {kind} with {length} bytes is over the limit of {limit}")]
    MessageTooLong {
        /// Message type id.
        kind: u8,
        /// Declared length in bytes.
        length: usize,
        /// The limit at this time.
        limit: usize,
    },
    /// More than [`Limits::unfinished_bytes`].
    #[error("unfinished messages of {length} bytes are over the limit of {limit}")]
    UnfinishedTooLong {
        /// Declared lengths together, in bytes.
        length: usize,
        /// The limit at this time.
        limit: usize,
    },
    /// More than [`MAX_CHUNK_STREAMS`].
    #[error("more than {MAX_CHUNK_STREAMS} chunk streams")]
    TooManyStreams,
    /// Set Chunk Size with zero or the top bit.
    #[error("expected a chunk size from 1 to {MAX_CHUNK_SIZE}, found {0}")]
    ChunkSize(u32),
}

/// Reassembles messages. Headers may be split anywhere; payload is copied once, from the input to its message.
#[derive(Debug)]
pub struct ChunkReader {
    chunk_size: u32,
    limits: Limits,
    streams: Vec<ChunkStream>,
    /// Bytes of a header that is not complete yet, or that were looked at and turned out to be payload.
    pending: Pending,
    /// The chunk whose payload is being read: index into `streams`, bytes left.
    current: Option<(usize, usize)>,
    unfinished_bytes: usize,
}

/// What the next chunk of a chunk stream builds on.
#[derive(Debug)]
struct ChunkStream {
    csid: u32,
    timestamp_ms: u32,
    delta_ms: u32,
    /// The extended field of the last header that had one.
    extended: Option<u32>,
    length: usize,
    kind: u8,
    stream_id: u32,
    /// The unfinished message.
    body: Option<BytesMut>,
}

#[derive(Debug, Default)]
struct Pending {
    bytes: [u8; MAX_HEADER_BYTES],
    start: usize,
    end: usize,
}

impl Pending {
    fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Moves up to `count` bytes of `input` here.
    fn fill(&mut self, input: &mut &[u8], count: usize) {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let taken = count.min(input.len()).min(MAX_HEADER_BYTES - self.end);
        let (head, rest) = input.split_at(taken);
        if let Some(space) = self.bytes.get_mut(self.end..self.end + taken) {
            space.copy_from_slice(head);
        }
        self.end += taken;
        *input = rest;
    }
}

/// A chunk header as it stands on the wire.
#[derive(Debug, Clone, Copy)]
struct Header {
    csid: u32,
    format: u8,
    /// Timestamp (type 0) or delta (types 1 and 2); for type 3 that of the extended field, if it is there.
    time: Option<u32>,
    extended: Option<u32>,
    length: Option<usize>,
    kind: Option<u8>,
    stream_id: Option<u32>,
    /// Bytes of the whole header.
    size: usize,
}

impl ChunkReader {
    /// A reader at the start of a chunk stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            chunk_size: DEFAULT_CHUNK_SIZE,
            limits,
            streams: Vec::new(),
            pending: Pending::default(),
            current: None,
            unfinished_bytes: 0,
        }
    }

    /// Other limits from the next message on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The peer's Set Chunk Size: applies to the next chunk.
    ///
    /// # Errors
    /// When the size is not from 1 to [`MAX_CHUNK_SIZE`].
    pub fn set_chunk_size(&mut self, size: u32) -> Result<(), ChunkError> {
        if !(1..=MAX_CHUNK_SIZE).contains(&size) {
            return Err(ChunkError::ChunkSize(size));
        }
        self.chunk_size = size;
        Ok(())
    }

    /// The peer's Abort Message: forgets what arrived of the message on `csid`.
    pub fn abort(&mut self, csid: u32) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.csid == csid)
            && stream.body.take().is_some()
        {
            self.unfinished_bytes -= stream.length;
        }
    }

    /// Bytes that unfinished messages hold, or will when they are complete.
    #[must_use]
    pub fn unfinished_bytes(&self) -> usize {
        self.unfinished_bytes
    }

    /// Takes bytes off `input` until a message is complete; `None` when `input` is used up first.
    ///
    /// # Errors
    /// When the peer breaks the protocol or a limit; the reader is then of no further use.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        loop {
            let (index, left) = match self.current {
                Some(current) => current,
                None => match self.read_header(input)? {
                    Some(current) => current,
                    None => return Ok(None),
                },
            };
            let Some(left) = self.read_payload(index, left, input) else {
                if let Some(message) = self.end_chunk(index) {
                    return Ok(Some(message));
                }
                continue;
            };
            self.current = Some((index, left));
            return Ok(None);
        }
    }

    /// Copies payload to its message; `None` when the chunk is complete, otherwise the bytes still missing.
    fn read_payload(&mut self, index: usize, mut left: usize, input: &mut &[u8]) -> Option<usize> {
        let body = self.streams.get_mut(index).and_then(|stream| stream.body.as_mut())?;
        let looked_at = self.pending.as_slice();
        let taken = left.min(looked_at.len());
        body.extend_from_slice(looked_at.get(..taken).unwrap_or_default());
        self.pending.consume(taken);
        left -= taken;
        let (head, rest) = input.split_at(left.min(input.len()));
        body.extend_from_slice(head);
        *input = rest;
        left -= head.len();
        (left > 0).then_some(left)
    }

    /// The chunk is complete: perhaps its message is, too.
    fn end_chunk(&mut self, index: usize) -> Option<Message> {
        self.current = None;
        let stream = self.streams.get_mut(index)?;
        let body = stream.body.take_if(|body| body.len() >= stream.length)?;
        self.unfinished_bytes -= stream.length;
        Some(Message {
            csid: stream.csid,
            kind: stream.kind,
            timestamp_ms: stream.timestamp_ms,
            stream_id: stream.stream_id,
            payload: body.freeze(),
        })
    }

    /// Reads the next chunk header: the index of its stream and the length of the chunk's payload.
    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<(usize, usize)>, ChunkError> {
        let header = loop {
            let source = if self.pending.is_empty() { *input } else { self.pending.as_slice() };
            match parse_header(source, &self.streams) {
                Ok(header) => break header,
                Err(missing) => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    self.pending.fill(input, missing);
                }
            }
        };
        if self.pending.is_empty() {
            *input = input.get(header.size..).unwrap_or_default();
        } else {
            self.pending.consume(header.size);
        }
        let index = match self.streams.iter().position(|stream| stream.csid == header.csid) {
            Some(index) => index,
            None => self.open(header)?,
        };
        self.apply(index, header)
    }

    fn open(&mut self, header: Header) -> Result<usize, ChunkError> {
        if header.format != 0 {
            return Err(ChunkError::NoHeader { csid: header.csid, format: header.format });
        }
        if self.streams.len() == MAX_CHUNK_STREAMS {
            return Err(ChunkError::TooManyStreams);
        }
        self.streams.push(ChunkStream {
            csid: header.csid,
            timestamp_ms: 0,
            delta_ms: 0,
            extended: None,
            length: 0,
            kind: 0,
            stream_id: 0,
            body: None,
        });
        Ok(self.streams.len() - 1)
    }

    /// Starts a message, or goes on with one.
    fn apply(&mut self, index: usize, header: Header) -> Result<Option<(usize, usize)>, ChunkError> {
        let chunk_size = usize::try_from(self.chunk_size).unwrap_or(usize::MAX);
        let Some(stream) = self.streams.get_mut(index) else { return Ok(None) };
        if let Some(body) = &stream.body {
            let missing = stream.length.saturating_sub(body.len());
            if header.format != 3 {
                return Err(ChunkError::Unfinished { csid: header.csid, format: header.format, missing });
            }
            return Ok(Some((index, missing.min(chunk_size))));
        }
        if header.format != 3 {
            stream.extended = header.extended;
        }
        let time = header.time.unwrap_or(stream.delta_ms);
        stream.delta_ms = time;
        stream.timestamp_ms = if header.format == 0 { time } else { stream.timestamp_ms.wrapping_add(time) };
        stream.length = header.length.unwrap_or(stream.length);
        stream.kind = header.kind.unwrap_or(stream.kind);
        stream.stream_id = header.stream_id.unwrap_or(stream.stream_id);

        let (length, limit) = (stream.length, self.limits.message_bytes);
        if length > limit {
            return Err(ChunkError::MessageTooLong { kind: stream.kind, length, limit });
        }
        let (unfinished, limit) = (self.unfinished_bytes + length, self.limits.unfinished_bytes);
        if unfinished > limit {
            return Err(ChunkError::UnfinishedTooLong { length: unfinished, limit });
        }
        self.unfinished_bytes = unfinished;
        stream.body = Some(BytesMut::with_capacity(length));
        Ok(Some((index, length.min(chunk_size))))
    }
}

/// Parses a chunk header at the start of `bytes`, or says how many more bytes to bring before trying again.
fn parse_header(bytes: &[u8], streams: &[ChunkStream]) -> Result<Header, usize> {
    let mut wire = Wire { bytes, offset: 0 };
    let [basic] = wire.take()?;
    let format = basic >> 6;
    let csid = match basic & 0x3f {
        0 => 64 + u32::from(wire.take::<1>()?[0]),
        1 => 64 + u32::from(u16::from_le_bytes(wire.take()?)),
        short => u32::from(short),
    };
    let mut header =
        Header { csid, format, time: None, extended: None, length: None, kind: None, stream_id: None, size: 0 };
    if format < 3 {
        header.time = Some(wire.take_u24()?);
    }
    if format < 2 {
        header.length = Some(usize::try_from(wire.take_u24()?).unwrap_or(usize::MAX));
        header.kind = Some(wire.take::<1>()?[0]);
    }
    if format == 0 {
        header.stream_id = Some(u32::from_le_bytes(wire.take()?));
    }
    if header.time == Some(EXTENDED) {
        let time = u32::from_be_bytes(wire.take()?);
        (header.time, header.extended) = (Some(time), Some(time));
    } else if format == 3
        && let Some(stream) = streams.iter().find(|stream| stream.csid == csid)
        && let Some(expected) = stream.extended
    {
        // The specification wants the field in every type 3 chunk too, and ffmpeg, OBS and librtmp do that. Some
        // encoders leave it out inside a message: then these four bytes are payload.
        let before = wire.offset;
        let time = u32::from_be_bytes(wire.take()?);
        let repeats = time == expected || time == stream.timestamp_ms;
        if stream.body.is_none() {
            header.time = Some(time);
        } else if !repeats {
            wire.offset = before;
        }
    }
    header.size = wire.offset;
    Ok(header)
}

struct Wire<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Wire<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], usize> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let (head, _) = rest.split_first_chunk::<N>().ok_or_else(|| N - rest.len())?;
        self.offset += N;
        Ok(*head)
    }

    fn take_u24(&mut self) -> Result<u32, usize> {
        let [high, middle, low] = self.take()?;
        Ok(u32::from_be_bytes([0, high, middle, low]))
    }
}
