//! Message types, and the control messages that a server sends.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    amf0::{self, Value},
    chunk::Message,
};

/// Set Chunk Size (§5.4.1).
pub const SET_CHUNK_SIZE: u8 = 1;
/// Abort Message (§5.4.2).
pub const ABORT: u8 = 2;
/// Acknowledgement (§5.4.3).
pub const ACKNOWLEDGEMENT: u8 = 3;
/// User Control (§6.2).
pub const USER_CONTROL: u8 = 4;
/// Window Acknowledgement Size (§5.4.4).
pub const WINDOW_ACK_SIZE: u8 = 5;
/// Set Peer Bandwidth (§5.4.5).
pub const SET_PEER_BANDWIDTH: u8 = 6;
/// Audio (§7.1.4).
pub const AUDIO: u8 = 8;
/// Video (§7.1.5).
pub const VIDEO: u8 = 9;
/// Data in AMF3 form: a zero byte, then AMF0.
pub const DATA_AMF3: u8 = 15;
/// Command in AMF3 form: a zero byte, then AMF0.
pub const COMMAND_AMF3: u8 = 17;
/// Data in AMF0 (§7.1.2).
pub const DATA: u8 = 18;
/// Command in AMF0 (§7.1.1).
pub const COMMAND: u8 = 20;
/// Aggregate: several FLV tags in one message (§7.1.6).
pub const AGGREGATE: u8 = 22;

/// User control event: the stream can be used.
pub const STREAM_BEGIN: u16 = 0;
/// User control event: are you there?
pub const PING_REQUEST: u16 = 6;
/// User control event: here I am.
pub const PING_RESPONSE: u16 = 7;

/// Protocol control messages travel on this chunk stream, message stream 0 (§5.4).
const CONTROL_CSID: u32 = 2;
/// Answers to commands; the number is free.
const COMMAND_CSID: u32 = 3;

fn control(kind: u8, payload: Bytes) -> Message {
    Message { csid: CONTROL_CSID, kind, timestamp_ms: 0, stream_id: 0, payload }
}

/// Set Chunk Size, Acknowledgement or Window Acknowledgement Size: one number.
#[must_use]
pub fn number(kind: u8, number: u32) -> Message {
    control(kind, Bytes::copy_from_slice(&number.to_be_bytes()))
}

/// Set Peer Bandwidth with limit type "dynamic".
#[must_use]
pub fn set_peer_bandwidth(window: u32) -> Message {
    let mut payload = BytesMut::with_capacity(5);
    payload.put_u32(window);
    payload.put_u8(2);
    control(SET_PEER_BANDWIDTH, payload.freeze())
}

/// A user control event with its four bytes of data.
#[must_use]
pub fn user_control(event: u16, data: [u8; 4]) -> Message {
    let mut payload = BytesMut::with_capacity(6);
    payload.put_u16(event);
    payload.put_slice(&data);
    control(USER_CONTROL, payload.freeze())
}

/// A command or an answer to one.
#[must_use]
pub fn command(stream_id: u32, values: &[Value]) -> Message {
    let mut payload = BytesMut::new();
    amf0::encode_all(values, &mut payload);
    Message { csid: COMMAND_CSID, kind: COMMAND, timestamp_ms: 0, stream_id, payload: payload.freeze() }
}
