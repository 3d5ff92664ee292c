//! Handshake packets and their extensions (draft-sharabayko-srt-01 §3.2.1).

use core::net::IpAddr;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    crypto::KeyMaterial,
    packet::{self, ControlKind, Sequence},
};

/// Fixed part of the control information.
const FIXED: usize = 48;
/// In the extension field of an induction answer: this listener speaks SRT.
const MAGIC: u16 = 0x4A17;
/// What is told to callers about ourselves: 1.5.0, the version whose behaviour this follows.
const VERSION: u32 = 0x0001_0500;
/// TSBPDSND, TSBPDRCV, CRYPT, TLPKTDROP, PERIODICNAK, REXMITFLG. A sender that is not told of periodic loss reports
/// sends everything again that is not acknowledged within a round trip.
const FLAGS: u32 = 0x3F;
/// The caller streams bytes instead of messages ("file mode").
const FLAG_STREAM: u32 = 0x40;
/// HSREQ and KMREQ in the extension field.
const HAS_HANDSHAKE: u16 = 1;
const HAS_KEYS: u16 = 2;
/// Most of a datagram that is looked at.
pub const MAX_HANDSHAKE: usize = 2048;

/// Rejections on the wire start here.
const REJECTION_BASE: u32 = 1000;

/// Why a caller is turned away; the number is libsrt's reason code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u32)]
pub enum Rejection {
    /// The handshake breaks the protocol.
    #[error("a malformed handshake")]
    Rogue = 4,
    /// The server ends.
    #[error("the server is shutting down")]
    Closing = 7,
    /// Handshake version 4.
    #[error("SRT before version 1.3")]
    Version = 8,
    /// The passphrases differ.
    #[error("a wrong passphrase")]
    BadSecret = 10,
    /// One side encrypts and the other does not.
    #[error("only one side has a passphrase")]
    Unsecure = 11,
    /// File transfer instead of live messages.
    #[error("stream mode (messageapi=0) instead of live mode")]
    MessageApi = 12,
    /// `transtype=file`.
    #[error("transtype=file instead of live")]
    Congestion = 13,
    /// `packetfilter`: forward error correction.
    #[error("packetfilter (FEC) is not supported")]
    Filter = 14,
    /// `grouptype`: bonding.
    #[error("connection groups are not supported")]
    Group = 15,
    /// The stream id cannot be read.
    #[error("a stream id without a stream key")]
    BadRequest = 1400,
    /// Wrong or revoked key.
    #[error("a wrong or revoked stream key")]
    Unauthorized = 1401,
    /// Too many sessions.
    #[error("too many sessions")]
    Overload = 1402,
    /// The caller wants to watch.
    #[error("only publishing is possible here")]
    BadMode = 1405,
    /// The key is in use.
    #[error("the stream key is in use")]
    Conflict = 1409,
    /// The server cannot tell now.
    #[error("an internal error")]
    Internal = 1500,
}

impl Rejection {
    /// libsrt's reason code, such as 1401.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}

/// What kind of handshake packet it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The first: who is there?
    Induction,
    /// The second: who I am and what I want.
    Conclusion,
    /// Rendezvous, answers and rejections: nothing for a listener.
    Other,
}

/// The fixed part of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake<'a> {
    /// 4 or 5.
    pub version: u32,
    /// Which step.
    pub phase: Phase,
    /// Of the first data packet.
    pub first_sequence: Sequence,
    /// Largest packet, with IP and UDP headers.
    pub mtu: u32,
    /// Packets that may be in flight.
    pub flow_window: u32,
    /// The caller's socket id.
    pub socket: u32,
    /// What the induction's answer said.
    pub cookie: u32,
    /// Not looked at yet.
    pub extensions: &'a [u8],
}

impl<'a> Handshake<'a> {
    /// Reads the control information of a handshake packet; `None` if it is not whole.
    #[must_use]
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let (fixed, extensions) = body.split_first_chunk::<FIXED>()?;
        let word = |index: usize| {
            let bytes = fixed.get(index * 4..)?.first_chunk::<4>()?;
            Some(u32::from_be_bytes(*bytes))
        };
        Some(Self {
            version: word(0)?,
            first_sequence: Sequence::new(word(2)?),
            mtu: word(3)?,
            flow_window: word(4)?,
            phase: match word(5)? {
                1 => Phase::Induction,
                0xFFFF_FFFF => Phase::Conclusion,
                _ => Phase::Other,
            },
            socket: word(6)?,
            cookie: word(7)?,
            extensions,
        })
    }
}

/// What a conclusion's extensions say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extensions {
    /// Least latency that the caller asks us to receive with.
    pub latency: Duration,
    /// Latency that it receives with itself, to be told back.
    pub own_latency_ms: u16,
    /// Keys, if it encrypts.
    pub keys: Option<KeyMaterial>,
    /// The stream id; empty if there is none.
    pub stream_id: String,
}

impl Extensions {
    /// Reads the extensions of a conclusion.
    ///
    /// # Errors
    /// What to answer if the caller wants what is not done here, or breaks the protocol.
    pub fn parse(mut rest: &[u8]) -> Result<Self, Rejection> {
        let mut request = None;
        let mut keys = None;
        let mut stream_id = String::new();
        while let Some((&[kind_high, kind_low, words_high, words_low], after)) = rest.split_first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([words_high, words_low])) * 4;
            let (content, after) = after.split_at_checked(length).ok_or(Rejection::Rogue)?;
            rest = after;
            match u16::from_be_bytes([kind_high, kind_low]) {
                1 => request = Some(HandshakeRequest::parse(content).ok_or(Rejection::Rogue)?),
                3 => keys = Some(KeyMaterial::parse(content).ok_or(Rejection::BadSecret)?),
                5 => stream_id = text(content).ok_or(Rejection::BadRequest)?,
                6 if text(content).as_deref() != Some("live") => return Err(Rejection::Congestion),
                7 => return Err(Rejection::Filter),
                8 => return Err(Rejection::Group),
                // Extensions that are yet to be invented are not needed to receive.
                _ => {}
            }
        }
        let request = request.ok_or(Rejection::Rogue)?;
        if request.flags & FLAG_STREAM != 0 {
            return Err(Rejection::MessageApi);
        }
        let latency = Duration::from_millis(request.peer_latency_ms.into());
        Ok(Self { latency, own_latency_ms: request.own_latency_ms, keys, stream_id })
    }
}

struct HandshakeRequest {
    flags: u32,
    own_latency_ms: u16,
    peer_latency_ms: u16,
}

impl HandshakeRequest {
    fn parse(content: &[u8]) -> Option<Self> {
        let [_, _, _, _, f3, f2, f1, f0, own_high, own_low, peer_high, peer_low] = *content.first_chunk::<12>()?;
        Some(Self {
            flags: u32::from_be_bytes([f3, f2, f1, f0]),
            own_latency_ms: u16::from_be_bytes([own_high, own_low]),
            peer_latency_ms: u16::from_be_bytes([peer_high, peer_low]),
        })
    }
}

/// Text is sent as 32-bit words with their bytes in reverse, padded with zeros.
fn text(content: &[u8]) -> Option<String> {
    let mut bytes: Vec<u8> = content.as_chunks::<4>().0.iter().flat_map(|word| word.iter().rev()).copied().collect();
    let length = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(length);
    String::from_utf8(bytes).ok()
}

/// Answers an induction, holding on to nothing.
#[must_use]
pub fn induction_answer(caller: &Handshake<'_>, cookie: u32, peer: IpAddr) -> Bytes {
    let fixed = Fixed { version: 5, encryption: 0, extension: MAGIC, kind: 1, socket: caller.socket, cookie };
    answer(caller, &fixed, peer, &[])
}

/// Turns a caller away.
#[must_use]
pub fn rejection(caller: &Handshake<'_>, rejection: Rejection, peer: IpAddr) -> Bytes {
    let kind = REJECTION_BASE + rejection.code();
    let fixed = Fixed { version: 5, encryption: 0, extension: 0, kind, socket: caller.socket, cookie: 0 };
    answer(caller, &fixed, peer, &[])
}

/// What a caller is accepted with.
#[derive(Debug)]
pub(super) struct Acceptance<'a> {
    /// Our socket id.
    pub(super) socket: u32,
    pub(super) latency: Duration,
    pub(super) caller_latency_ms: u16,
    pub(super) keys: Option<&'a KeyMaterial>,
}

/// Accepts a caller.
#[must_use]
pub(super) fn acceptance(caller: &Handshake<'_>, acceptance: &Acceptance<'_>, peer: IpAddr) -> Bytes {
    let latency_ms = u16::try_from(acceptance.latency.as_millis()).unwrap_or(u16::MAX);
    let mut extensions = BytesMut::new();
    extensions.put_u16(2);
    extensions.put_u16(3);
    extensions.put_u32(VERSION);
    extensions.put_u32(FLAGS);
    extensions.put_u16(latency_ms);
    extensions.put_u16(acceptance.caller_latency_ms);
    let mut extension = HAS_HANDSHAKE;
    if let Some(keys) = acceptance.keys {
        extension |= HAS_KEYS;
        extensions.put_u16(4);
        extensions.put_u16(u16::try_from(keys.message().len() / 4).unwrap_or(0));
        extensions.put_slice(keys.message());
    }
    let encryption = acceptance.keys.map_or(0, KeyMaterial::size_code);
    let fixed = Fixed { version: 5, encryption, extension, kind: u32::MAX, socket: acceptance.socket, cookie: 0 };
    answer(caller, &fixed, peer, &extensions)
}

struct Fixed {
    version: u32,
    encryption: u16,
    extension: u16,
    kind: u32,
    socket: u32,
    cookie: u32,
}

/// Bytes of an Ethernet frame for IP: no larger packet is sent to us.
pub(super) const MTU: u32 = 1500;

fn answer(caller: &Handshake<'_>, fixed: &Fixed, peer: IpAddr, extensions: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(FIXED + extensions.len());
    body.put_u32(fixed.version);
    body.put_u16(fixed.encryption);
    body.put_u16(fixed.extension);
    body.put_u32(caller.first_sequence.get());
    body.put_u32(caller.mtu.min(MTU));
    body.put_u32(caller.flow_window.min(super::buffer::MAX_WINDOW as u32));
    body.put_u32(fixed.kind);
    body.put_u32(fixed.socket);
    body.put_u32(fixed.cookie);
    let mut address = [0; 16];
    match peer {
        IpAddr::V4(peer) => address[..4].copy_from_slice(&u32::from(peer).to_le_bytes()),
        IpAddr::V6(peer) => address.copy_from_slice(&peer.octets()),
    }
    body.put_slice(&address);
    body.put_slice(extensions);
    packet::control(ControlKind::Handshake, 0, 0, caller.socket, &body)
}
