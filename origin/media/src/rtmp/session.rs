//! One publisher's connection.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::{
    amf0::AmfError,
    chunk::{ChunkError, ChunkReader, ChunkWriter, Limits, Message},
    command::{self, Command, PublishRequest, Refusal},
    handshake::{Handshake, HandshakeError},
    message,
};
use crate::flv::{Tag, TagKind};

/// What a peer may make us hold before its key was found good.
const LIMITS_BEFORE_ACCEPT: Limits = Limits { message_bytes: 64 * 1024, unfinished_bytes: 128 * 1024 };
/// A keyframe of 8 MiB is one of 60 Mbit/s all in one picture.
const LIMITS_AFTER_ACCEPT: Limits = Limits { message_bytes: 8 * 1024 * 1024, unfinished_bytes: 16 * 1024 * 1024 };
/// Bytes that may arrive between `publish` and the decision on it; they are kept and read afterwards.
const MAX_HELD_BYTES: usize = 128 * 1024;
/// Replies that were not polled yet.
const MAX_REPLY_BYTES: usize = 64 * 1024;
/// Chunk size of replies: every one of them fits in a chunk.
const REPLY_CHUNK_SIZE: u32 = 4096;
/// The window of both directions until the peer sets another, in bytes.
const ACK_WINDOW_BYTES: u32 = 2_500_000;
/// Header of a tag in an aggregate message, and the back pointer after it.
const AGGREGATE_HEADER_BYTES: usize = 11;
const AGGREGATE_TRAILER_BYTES: usize = 4;
/// `@setDataFrame` as an AMF0 string: RTMP's addition to what an FLV data tag holds.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";

/// What a session wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionOutput {
    /// Send this to the peer.
    Reply(Bytes),
    /// Decide, and answer with [`Session::accept`] or [`Session::refuse`]. Nothing more comes out until then.
    Publish(PublishRequest),
    /// Media of the accepted publisher.
    Tag(Tag),
    /// The publisher ended its stream; close the connection.
    Unpublish,
    /// The peer was told why: send the replies, then close the connection.
    Close,
}

/// The session cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {position}: {kind}")]
pub struct SessionError {
    /// How many bytes of the connection had been understood.
    pub position: u64,
    /// What was wrong there.
    pub kind: ErrorKind,
}

/// What can be wrong with a peer's bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The handshake.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The chunk stream.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A command's body.
    #[error("in a command: {0}")]
    Command(#[from] AmfError),
    /// A control message without its content.
    #[error("expected {expected} bytes in a control message of type {kind}, found {found}")]
    Control {
        /// Message type id.
        kind: u8,
        /// Least length in bytes.
        expected: usize,
        /// Length in bytes.
        found: usize,
    },
    /// A command before `connect`.
    #[error("expected the command connect first")]
    NotConnected,
    /// More than [`MAX_HELD_BYTES`] before the answer to `publish`.
    #[error("more than {MAX_HELD_BYTES} bytes sent before the answer to publish")]
    Impatient,
    /// More than [`MAX_REPLY_BYTES`] asked for at once.
    #[error("more than {MAX_REPLY_BYTES} bytes of replies asked for at once")]
    Replies,
}

/// The server side of RTMP for one publisher. Sans-IO: `feed`, then `poll` until `None`.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    reader: ChunkReader,
    writer: ChunkWriter,
    replies: BytesMut,
    outputs: VecDeque<SessionOutput>,
    /// Arrived while a decision was awaited.
    held: BytesMut,
    app: String,
    encoder: String,
    received_bytes: u64,
    acknowledged_bytes: u64,
    ack_window_bytes: u64,
}

#[derive(Debug)]
enum Phase {
    Handshake(Handshake),
    Opened,
    Connected,
    Deciding,
    Publishing,
    Closed,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A session for a connection that was just accepted.
    #[must_use]
    pub fn new() -> Self {
        Self {
            phase: Phase::Handshake(Handshake::default()),
            reader: ChunkReader::new(LIMITS_BEFORE_ACCEPT),
            writer: ChunkWriter::default(),
            replies: BytesMut::new(),
            outputs: VecDeque::new(),
            held: BytesMut::new(),
            app: String::new(),
            encoder: String::new(),
            received_bytes: 0,
            acknowledged_bytes: 0,
            ack_window_bytes: u64::from(ACK_WINDOW_BYTES),
        }
    }

    /// Takes what arrived, cut anywhere. Bytes after the end of the session are ignored.
    ///
    /// # Errors
    /// When the peer breaks the protocol or a limit. What was complete before can still be polled, then the connection
    /// is to be closed.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.received_bytes += bytes.len() as u64;
        self.drive(bytes)?;
        self.acknowledge().map_err(|kind| self.fail(kind, 0))
    }

    /// The next output; `None` until more is fed.
    pub fn poll(&mut self) -> Option<SessionOutput> {
        if self.replies.is_empty() {
            self.outputs.pop_front()
        } else {
            Some(SessionOutput::Reply(self.replies.split().freeze()))
        }
    }

    /// The answer to [`SessionOutput::Publish`]: go ahead. Without effect when nothing was asked.
    ///
    /// # Errors
    /// As [`Self::feed`], for what the peer sent while it waited.
    pub fn accept(&mut self) -> Result<(), SessionError> {
        if !matches!(self.phase, Phase::Deciding) {
            return Ok(());
        }
        self.phase = Phase::Publishing;
        self.reader.set_limits(LIMITS_AFTER_ACCEPT);
        let begin = message::user_control(message::STREAM_BEGIN, command::STREAM_ID.to_be_bytes());
        let start = command::on_status("status", "NetStream.Publish.Start", "Publishing.");
        let held = std::mem::take(&mut self.held);
        self.reply(&begin).and_then(|()| self.reply(&start)).map_err(|kind| self.fail(kind, held.len()))?;
        self.drive(&held)
    }

    /// Sends the publisher away, before or after it was accepted. `description` is for the person at the encoder.
    pub fn refuse(&mut self, refusal: Refusal, description: &str) {
        self.dismiss(refusal.code(), description);
    }

    /// Bytes held for the peer: unfinished messages, unread input and replies.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.reader.unfinished_bytes() + self.held.len() + self.replies.len()
    }

    fn dismiss(&mut self, code: &str, description: &str) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        self.outputs.clear();
        self.writer.write(&command::on_status("error", code, description), &mut self.replies);
        self.outputs.push_back(SessionOutput::Close);
        self.close();
    }

    fn close(&mut self) {
        self.phase = Phase::Closed;
        self.held = BytesMut::new();
        self.reader = ChunkReader::new(LIMITS_BEFORE_ACCEPT);
    }

    fn fail(&mut self, kind: ErrorKind, unread: usize) -> SessionError {
        self.close();
        SessionError { position: self.received_bytes.saturating_sub(unread as u64), kind }
    }

    fn drive(&mut self, mut input: &[u8]) -> Result<(), SessionError> {
        loop {
            match self.step(&mut input) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(kind) => return Err(self.fail(kind, input.len())),
            }
        }
    }

    /// Takes the next thing off `input`; false when there is none.
    fn step(&mut self, input: &mut &[u8]) -> Result<bool, ErrorKind> {
        match &mut self.phase {
            Phase::Handshake(handshake) => {
                let done = handshake.feed(input, &mut self.replies)?;
                if done {
                    self.phase = Phase::Opened;
                }
                Ok(done)
            }
            Phase::Opened | Phase::Connected | Phase::Publishing => {
                let Some(message) = self.reader.read(input)? else { return Ok(false) };
                self.take(message)?;
                Ok(true)
            }
            Phase::Deciding => {
                if self.held.len() + input.len() > MAX_HELD_BYTES {
                    return Err(ErrorKind::Impatient);
                }
                self.held.extend_from_slice(input);
                *input = &[];
                Ok(false)
            }
            Phase::Closed => Ok(false),
        }
    }

    fn take(&mut self, message: Message) -> Result<(), ErrorKind> {
        let Message { kind, timestamp_ms, mut payload, .. } = message;
        match kind {
            message::SET_CHUNK_SIZE => self.reader.set_chunk_size(number(kind, &payload)?)?,
            message::ABORT => self.reader.abort(number(kind, &payload)?),
            message::WINDOW_ACK_SIZE => self.ack_window_bytes = u64::from(number(kind, &payload)?).max(1),
            message::USER_CONTROL => self.take_user_control(&payload)?,
            message::AUDIO => self.push_tag(TagKind::Audio, timestamp_ms, payload),
            message::VIDEO => self.push_tag(TagKind::Video, timestamp_ms, payload),
            message::DATA | message::DATA_AMF3 => {
                if kind == message::DATA_AMF3 && payload.first() == Some(&0) {
                    payload.advance(1);
                }
                if payload.starts_with(SET_DATA_FRAME) {
                    payload.advance(SET_DATA_FRAME.len());
                }
                self.push_tag(TagKind::Data, timestamp_ms, payload);
            }
            message::AGGREGATE => self.take_aggregate(timestamp_ms, payload),
            message::COMMAND => self.take_command(&payload)?,
            message::COMMAND_AMF3 => self.take_command(payload.get(1..).unwrap_or_default())?,
            // Acknowledgements, Set Peer Bandwidth and shared objects ask nothing of a server that hardly sends.
            _ => {}
        }
        Ok(())
    }

    fn take_user_control(&mut self, payload: &[u8]) -> Result<(), ErrorKind> {
        let (event, data) = payload.split_first_chunk::<2>().ok_or_else(|| short(message::USER_CONTROL, 2, payload))?;
        if u16::from_be_bytes(*event) == message::PING_REQUEST {
            let data = data.first_chunk().ok_or_else(|| short(message::USER_CONTROL, 6, payload))?;
            self.reply(&message::user_control(message::PING_RESPONSE, *data))?;
        }
        Ok(())
    }

    fn push_tag(&mut self, kind: TagKind, timestamp_ms: u32, data: Bytes) {
        if matches!(self.phase, Phase::Publishing) && !data.is_empty() {
            self.outputs.push_back(SessionOutput::Tag(Tag { kind, timestamp_ms, data }));
        }
    }

    /// FLV tags whose timestamps count from that of the first, which stands for the message's own. What does not parse
    /// is left out.
    fn take_aggregate(&mut self, timestamp_ms: u32, mut payload: Bytes) {
        let mut first = None;
        while let Some(&[kind, s2, s1, s0, t2, t1, t0, t3, ..]) = payload.first_chunk::<AGGREGATE_HEADER_BYTES>() {
            let length = u32::from_be_bytes([0, s2, s1, s0]) as usize;
            let time = u32::from_be_bytes([t3, t2, t1, t0]);
            payload.advance(AGGREGATE_HEADER_BYTES);
            if payload.len() < length {
                return;
            }
            let data = payload.split_to(length);
            payload.advance(payload.len().min(AGGREGATE_TRAILER_BYTES));
            let offset = time.wrapping_sub(*first.get_or_insert(time));
            let kind = match kind {
                message::AUDIO => TagKind::Audio,
                message::VIDEO => TagKind::Video,
                message::DATA => TagKind::Data,
                _ => continue,
            };
            self.push_tag(kind, timestamp_ms.wrapping_add(offset), data);
        }
    }

    fn take_command(&mut self, body: &[u8]) -> Result<(), ErrorKind> {
        match Command::parse(body)? {
            Command::Connect { transaction, app, encoder } => self.connect(transaction, app, encoder),
            Command::Other => Ok(()),
            _ if matches!(self.phase, Phase::Opened) => Err(ErrorKind::NotConnected),
            Command::CreateStream { transaction } => self.reply(&command::create_stream_result(transaction)),
            Command::Acknowledge { transaction } => self.reply(&command::empty_result(transaction)),
            Command::FcPublish { transaction } => {
                self.reply(&command::empty_result(transaction))?;
                self.reply(&command::on_fc_publish())
            }
            Command::Publish { name } => self.publish(&name),
            Command::Unpublish => self.unpublish(),
            Command::Play => {
                self.dismiss(
                    "NetStream.Play.Failed",
                    "This server takes streams; watch them in a browser or over HLS.",
                );
                Ok(())
            }
        }
    }

    fn connect(&mut self, transaction: f64, app: String, encoder: String) -> Result<(), ErrorKind> {
        if matches!(self.phase, Phase::Opened) {
            self.phase = Phase::Connected;
            (self.app, self.encoder) = (app, encoder);
        }
        self.reply(&message::number(message::WINDOW_ACK_SIZE, ACK_WINDOW_BYTES))?;
        self.reply(&message::set_peer_bandwidth(ACK_WINDOW_BYTES))?;
        self.reply(&message::number(message::SET_CHUNK_SIZE, REPLY_CHUNK_SIZE))?;
        self.writer.set_chunk_size(REPLY_CHUNK_SIZE);
        self.reply(&command::connect_result(transaction))
    }

    fn publish(&mut self, name: &str) -> Result<(), ErrorKind> {
        if matches!(self.phase, Phase::Publishing) {
            return self.reply(&command::on_status(
                "error",
                Refusal::Denied.code(),
                "This connection already publishes: use one connection for each stream.",
            ));
        }
        self.phase = Phase::Deciding;
        let key = command::find_key(&self.app, name);
        self.outputs.push_back(SessionOutput::Publish(PublishRequest { key, encoder: self.encoder.clone() }));
        Ok(())
    }

    fn unpublish(&mut self) -> Result<(), ErrorKind> {
        if matches!(self.phase, Phase::Publishing) {
            self.reply(&command::on_status("status", "NetStream.Unpublish.Success", "Stream ended."))?;
            self.outputs.push_back(SessionOutput::Unpublish);
            self.close();
        }
        Ok(())
    }

    fn reply(&mut self, message: &Message) -> Result<(), ErrorKind> {
        self.writer.write(message, &mut self.replies);
        if self.replies.len() > MAX_REPLY_BYTES { Err(ErrorKind::Replies) } else { Ok(()) }
    }

    /// At most one Acknowledgement per `feed`, however small a window the peer asks for.
    fn acknowledge(&mut self) -> Result<(), ErrorKind> {
        let due = self.received_bytes - self.acknowledged_bytes >= self.ack_window_bytes;
        if due && !matches!(self.phase, Phase::Handshake(_) | Phase::Closed) {
            self.acknowledged_bytes = self.received_bytes;
            // The sequence number wraps (§5.4.3).
            self.reply(&message::number(message::ACKNOWLEDGEMENT, (self.received_bytes & 0xffff_ffff) as u32))?;
        }
        Ok(())
    }
}

fn short(kind: u8, expected: usize, payload: &[u8]) -> ErrorKind {
    ErrorKind::Control { kind, expected, found: payload.len() }
}

/// The number that most control messages consist of.
fn number(kind: u8, payload: &[u8]) -> Result<u32, ErrorKind> {
    payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)).ok_or_else(|| short(kind, 4, payload))
}
