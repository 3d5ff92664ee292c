//! The wire format of SRT packets (draft-sharabayko-srt-01 §3). Nothing here fails on any bytes: what is no packet is
//! `None`.

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes before a packet's payload or control information.
pub const HEADER: usize = 16;
/// Most bytes of loss list in one report: what fits into an Ethernet frame.
pub const MAX_LOSS_LIST: usize = 1456;

/// A packet sequence number: 31 bits, wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence(u32);

impl Sequence {
    const BITS: u32 = 31;
    const MASK: u32 = (1 << Self::BITS) - 1;

    /// From the lower 31 bits.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number & Self::MASK)
    }

    /// As it stands on the wire.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number `count` after this.
    #[must_use]
    pub const fn plus(self, count: u32) -> Self {
        Self::new(self.0.wrapping_add(count))
    }

    /// How far this is after `other`, the shorter way round: negative if before it.
    #[must_use]
    pub const fn since(self, other: Self) -> i32 {
        // Shifting the difference to the top of the word makes its 31st bit the sign.
        ((self.0.wrapping_sub(other.0) << (32 - Self::BITS)) as i32) >> (32 - Self::BITS)
    }
}

/// Which key a payload is encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySlot {
    /// The even one of the two.
    Even,
    /// The odd one of the two.
    Odd,
}

/// A packet, borrowed from its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Media.
    Data(DataPacket<'a>),
    /// Anything else.
    Control(ControlPacket<'a>),
}

/// A data packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataPacket<'a> {
    /// Its place in the stream.
    pub sequence: Sequence,
    /// Which key it is encrypted with; `None` in clear.
    pub key: Option<KeySlot>,
    /// It was sent before.
    pub retransmitted: bool,
    /// The receiver's socket id.
    pub destination: u32,
    /// As it is on the wire.
    pub payload: &'a [u8],
}

/// A control packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlPacket<'a> {
    /// What it is.
    pub kind: ControlKind,
    /// "Type-specific information".
    pub information: u32,
    /// The receiver's socket id; 0 for a listener.
    pub destination: u32,
    /// "Control information field".
    pub body: &'a [u8],
}

/// Control packets that a listening receiver has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlKind {
    /// 0.
    Handshake,
    /// 1.
    KeepAlive,
    /// 2.
    Ack,
    /// 3: a loss report.
    Nak,
    /// 5.
    Shutdown,
    /// 6: an acknowledgement of an acknowledgement.
    AckAck,
    /// 7: the sender gives packets up.
    DropRequest,
    /// 0x7FFF with subtype 3.
    KeyRequest,
    /// 0x7FFF with subtype 4.
    KeyResponse,
    /// Known to others.
    Other(u16),
}

impl ControlKind {
    const EXTENSION: u16 = 0x7FFF;

    fn from_wire(kind: u16, subtype: u16) -> Self {
        match (kind, subtype) {
            (0, _) => Self::Handshake,
            (1, _) => Self::KeepAlive,
            (2, _) => Self::Ack,
            (3, _) => Self::Nak,
            (5, _) => Self::Shutdown,
            (6, _) => Self::AckAck,
            (7, _) => Self::DropRequest,
            (Self::EXTENSION, 3) => Self::KeyRequest,
            (Self::EXTENSION, 4) => Self::KeyResponse,
            (other, _) => Self::Other(other),
        }
    }

    const fn to_wire(self) -> (u16, u16) {
        match self {
            Self::Handshake => (0, 0),
            Self::KeepAlive => (1, 0),
            Self::Ack => (2, 0),
            Self::Nak => (3, 0),
            Self::Shutdown => (5, 0),
            Self::AckAck => (6, 0),
            Self::DropRequest => (7, 0),
            Self::KeyRequest => (Self::EXTENSION, 3),
            Self::KeyResponse => (Self::EXTENSION, 4),
            Self::Other(kind) => (kind & Self::EXTENSION, 0),
        }
    }
}

/// Reads a datagram.
#[must_use]
pub fn parse(datagram: &[u8]) -> Option<Packet<'_>> {
    let (header, rest) = datagram.split_first_chunk::<HEADER>()?;
    let [first, second, _, destination] = words(header);
    if first >> 31 == 0 {
        let key = match second >> 27 & 0b11 {
            0 => None,
            1 => Some(KeySlot::Even),
            2 => Some(KeySlot::Odd),
            _ => return None,
        };
        return Some(Packet::Data(DataPacket {
            sequence: Sequence::new(first),
            key,
            retransmitted: second >> 26 & 1 == 1,
            destination,
            payload: rest,
        }));
    }
    let [high, low, sub_high, sub_low] = first.to_be_bytes();
    let kind = ControlKind::from_wire(u16::from_be_bytes([high & 0x7F, low]), u16::from_be_bytes([sub_high, sub_low]));
    Some(Packet::Control(ControlPacket { kind, information: second, destination, body: rest }))
}

fn words(header: &[u8; HEADER]) -> [u32; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(header.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

/// Writes a control packet. `timestamp_us` counts from the start of the session and wraps.
#[must_use]
pub fn control(kind: ControlKind, information: u32, timestamp_us: u32, destination: u32, body: &[u8]) -> Bytes {
    let (kind, subtype) = kind.to_wire();
    let mut bytes = BytesMut::with_capacity(HEADER + body.len());
    bytes.put_u16(0x8000 | kind);
    bytes.put_u16(subtype);
    bytes.put_u32(information);
    bytes.put_u32(timestamp_us);
    bytes.put_u32(destination);
    bytes.put_slice(body);
    bytes.freeze()
}

/// Writes a loss list (§3.2.5) of inclusive ranges, as many as fit.
#[must_use]
pub fn loss_list(ranges: &[(Sequence, Sequence)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (first, last) in ranges {
        if body.len() + 8 > MAX_LOSS_LIST {
            break;
        }
        if first == last {
            body.extend(first.get().to_be_bytes());
        } else {
            body.extend((first.get() | 1 << 31).to_be_bytes());
            body.extend(last.get().to_be_bytes());
        }
    }
    body
}

/// The inclusive range of a drop request (§3.2.9).
#[must_use]
pub fn drop_range(body: &[u8]) -> Option<(Sequence, Sequence)> {
    let (first, rest) = body.split_first_chunk::<4>()?;
    let last = rest.first_chunk::<4>()?;
    Some((Sequence::new(u32::from_be_bytes(*first)), Sequence::new(u32::from_be_bytes(*last))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_wrap_at_31_bits() {
        let last = Sequence::new(u32::MAX);
        assert_eq!(last.get(), 0x7FFF_FFFF);
        assert_eq!(last.plus(1), Sequence::new(0));
        assert_eq!(Sequence::new(5).since(last), 6);
        assert_eq!(last.since(Sequence::new(5)), -6);
        assert_eq!(
            Sequence::new(0x4000_0000).since(Sequence::new(0)),
            -0x4000_0000,
            "half the circle counts as behind"
        );
    }

    #[test]
    fn control_packets_come_back_as_written() {
        let bytes = control(ControlKind::KeyRequest, 7, 9, 11, b"body");
        let Some(Packet::Control(packet)) = parse(&bytes) else { panic!("{bytes:?}") };
        assert_eq!(
            packet,
            ControlPacket { kind: ControlKind::KeyRequest, information: 7, destination: 11, body: b"body" }
        );
        assert_eq!(parse(&bytes[..15]), None);
    }

    #[test]
    fn loss_lists_mark_ranges() {
        let list = loss_list(&[(Sequence::new(1), Sequence::new(1)), (Sequence::new(3), Sequence::new(5))]);
        assert_eq!(list, [0, 0, 0, 1, 0x80, 0, 0, 3, 0, 0, 0, 5]);
    }
}
