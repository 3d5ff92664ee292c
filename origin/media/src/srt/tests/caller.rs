//! A caller for tests: well-behaved unless told otherwise.

use core::net::SocketAddr;

use super::super::{
    Listener, Output,
    packet::{self, ControlKind, Packet, Sequence},
};
use crate::time::UnixTime;

pub(in crate::srt) struct Caller {
    pub(in crate::srt) peer: SocketAddr,
    pub(in crate::srt) socket: u32,
    pub(in crate::srt) next: Sequence,
    /// The listener's socket id, once accepted.
    pub(in crate::srt) remote: u32,
    pub(in crate::srt) extensions: Vec<(u16, Vec<u8>)>,
    pub(in crate::srt) version: u32,
}

impl Caller {
    pub(in crate::srt) fn new(peer: SocketAddr, socket: u32) -> Self {
        let mut caller =
            Self { peer, socket, next: Sequence::new(0x7FFF_FF00), remote: 0, extensions: Vec::new(), version: 5 };
        caller.set_extension(1, request(0xBF, 120, 120));
        caller.set_extension(5, text("#!::r=live/sky_live_abc,m=publish"));
        caller
    }

    pub(in crate::srt) fn set_extension(&mut self, kind: u16, content: Vec<u8>) {
        self.extensions.retain(|(known, _)| *known != kind);
        self.extensions.push((kind, content));
    }

    pub(in crate::srt) fn handshake(&self, version: u32, kind: u32, cookie: u32, extensions: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for word in [version, 0x0000_0007, self.next.get(), 1500, 8192, kind, self.socket, cookie, 0, 0, 0, 0] {
            body.extend(word.to_be_bytes());
        }
        body.extend(extensions);
        packet::control(ControlKind::Handshake, 0, 0, 0, &body).to_vec()
    }

    pub(in crate::srt) fn induction(&self) -> Vec<u8> {
        self.handshake(4, 1, 0, &[])
    }

    pub(in crate::srt) fn conclusion(&self, cookie: u32) -> Vec<u8> {
        let mut extensions = Vec::new();
        for (kind, content) in &self.extensions {
            extensions.extend(kind.to_be_bytes());
            extensions.extend(u16::try_from(content.len() / 4).unwrap().to_be_bytes());
            extensions.extend(content);
        }
        self.handshake(self.version, u32::MAX, cookie, &extensions)
    }

    /// Goes through the induction and returns the conclusion, with the cookie that it got.
    pub(in crate::srt) fn shake_hands(&self, listener: &mut Listener, now: UnixTime) -> Vec<u8> {
        listener.feed(now, self.peer, &self.induction());
        let cookie = std::iter::from_fn(|| listener.poll()).find_map(|output| match output {
            Output::Send { to, datagram } if to == self.peer => Some(word(&datagram, 7)),
            _ => None,
        });
        self.conclusion(cookie.expect("an induction is answered"))
    }

    pub(in crate::srt) fn accepted(&mut self, answer: &[u8]) {
        assert_eq!(word(answer, 5), u32::MAX, "the answer is a conclusion");
        self.remote = word(answer, 6);
    }

    /// The next packet, with its number as payload: (payload, datagram).
    pub(in crate::srt) fn next_packet(&mut self) -> (Vec<u8>, Vec<u8>) {
        let payload = self.next.get().to_be_bytes().to_vec();
        let datagram = self.data(self.next, 0, &payload);
        self.next = self.next.plus(1);
        (payload, datagram)
    }

    pub(in crate::srt) fn data(&self, sequence: Sequence, flags: u32, payload: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::new();
        for word in [sequence.get(), 0xC000_0000 | flags, 0, self.remote] {
            datagram.extend(word.to_be_bytes());
        }
        datagram.extend(payload);
        datagram
    }

    pub(in crate::srt) fn control(&self, kind: ControlKind, information: u32, body: &[u8]) -> Vec<u8> {
        packet::control(kind, information, 0, self.remote, body).to_vec()
    }
}

/// Word of a handshake's control information.
pub(in crate::srt) fn word(datagram: &[u8], index: usize) -> u32 {
    let Some(Packet::Control(control)) = packet::parse(datagram) else { panic!("{datagram:?}") };
    u32::from_be_bytes(*control.body[index * 4..].first_chunk().unwrap())
}

/// HSREQ: flags, own latency and the one asked for.
pub(in crate::srt) fn request(flags: u32, own_ms: u16, peer_ms: u16) -> Vec<u8> {
    let latencies = [own_ms.to_be_bytes(), peer_ms.to_be_bytes()].concat();
    [&0x0001_0501u32.to_be_bytes()[..], &flags.to_be_bytes(), &latencies].concat()
}

/// Text as extensions carry it.
pub(in crate::srt) fn text(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    bytes
}
