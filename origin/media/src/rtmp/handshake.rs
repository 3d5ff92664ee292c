//! The simple RTMP handshake (RTMP 1.0 §5.2), server side.
//!
//! Publishers (OBS, ffmpeg, GStreamer, librtmp) send C0 and C1, wait for S0, S1 and S2, and at most compare S2 with
//! their C1. The digest handshake of Flash players is not needed by any of them: a client that puts a digest into C1
//! gets its own bytes back and carries on.

use bytes::{BufMut, BytesMut};

/// Length of C1, C2, S1 and S2 in bytes: the whole size limit of a handshake is twice that and C0.
pub const PACKET_BYTES: usize = 1536;
/// The version in C0 and S0.
pub const VERSION: u8 = 3;

/// C0 asks for something else than plain RTMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected RTMP version {VERSION} in C0, found {found}")]
pub struct HandshakeError {
    /// The byte that arrived.
    pub found: u8,
}

/// Collects C0, C1 and C2.
#[derive(Debug, Default)]
pub struct Handshake {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    C0,
    C1(BytesMut),
    C2 {
        missing: usize,
    },
}

impl Handshake {
    /// Takes bytes off `input` and writes the answer to `out`. True when the handshake is done; what is left of `input`
    /// is then the chunk stream.
    ///
    /// # Errors
    /// When the peer does not speak RTMP.
    pub fn feed(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<bool, HandshakeError> {
        loop {
            match &mut self.state {
                State::C0 => {
                    let Some((&version, rest)) = input.split_first() else { return Ok(false) };
                    // 6 would be the encrypted variant, 22 (TLS) is RTMPS, and from 32 on it is text, such as HTTP.
                    if version != VERSION {
                        return Err(HandshakeError { found: version });
                    }
                    *input = rest;
                    self.state = State::C1(BytesMut::new());
                }
                State::C1(c1) => {
                    let taken = input.len().min(PACKET_BYTES - c1.len());
                    let (head, rest) = input.split_at(taken);
                    c1.extend_from_slice(head);
                    *input = rest;
                    if c1.len() < PACKET_BYTES {
                        return Ok(false);
                    }
                    answer(c1, out);
                    self.state = State::C2 { missing: PACKET_BYTES };
                }
                State::C2 { missing } => {
                    let taken = input.len().min(*missing);
                    *input = input.get(taken..).unwrap_or_default();
                    *missing -= taken;
                    return Ok(*missing == 0);
                }
            }
        }
    }
}

/// S0, S1 and S2. S1 only has to differ from other handshakes' S1 (§5.2.3): it is stirred from the client's own bytes.
fn answer(c1: &[u8], out: &mut BytesMut) {
    out.reserve(1 + 2 * PACKET_BYTES);
    out.put_u8(VERSION);
    out.put_u64(0);
    let mut state = c1
        .iter()
        .fold(0x9e37_79b9_7f4a_7c15_u64, |state, &byte| (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    for _ in 0..(PACKET_BYTES - 8) / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.put_u64(state);
    }
    out.put_slice(c1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_c1_before_c2_and_leaves_the_rest() {
        let mut client = vec![3];
        client.extend((0..PACKET_BYTES).map(|index| (index % 251) as u8));
        let c1 = client[1..].to_vec();
        let mut handshake = Handshake::default();
        let mut out = BytesMut::new();
        for byte in &client {
            assert!(!handshake.feed(&mut &[*byte][..], &mut out).unwrap());
        }
        assert_eq!(out.len(), 1 + 2 * PACKET_BYTES);
        assert_eq!(out[0], 3);
        assert_eq!(out[1 + PACKET_BYTES..], c1[..], "S2 repeats C1");
        let mut rest = [vec![9; PACKET_BYTES], b"chunk".to_vec()].concat();
        let mut input = &rest[..];
        assert!(handshake.feed(&mut input, &mut out).unwrap());
        assert_eq!(input, b"chunk");
        rest.clear();
    }

    #[test]
    fn other_protocols_are_refused_at_their_first_byte() {
        for first in [b'G', 0x16, 0, 6 | 0x80] {
            let error = Handshake::default().feed(&mut &[first][..], &mut BytesMut::new()).unwrap_err();
            assert_eq!(error.found, first);
        }
    }
}
