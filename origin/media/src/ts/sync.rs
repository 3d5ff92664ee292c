//! Packet boundaries in a byte stream that may start in the middle of a packet, lose bytes or be cut anywhere.

use mpeg2ts_reader::packet::Packet;

/// Length of every transport stream packet.
pub(super) const PACKET: usize = Packet::SIZE;

/// Finds packets by their sync bytes. Holds back less than two packets while it is out of step.
#[derive(Debug, Default)]
pub(super) struct Aligner {
    /// Bytes of a packet that is not complete, or that cannot be told from noise yet.
    carry: Vec<u8>,
    in_step: bool,
    skipped: u64,
}

impl Aligner {
    /// Bytes thrown away since the last packet because they belong to no packet.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Calls `packet` with each whole packet of 188 bytes.
    pub(super) fn feed(&mut self, data: &[u8], mut packet: impl FnMut(&[u8])) {
        if self.carry.is_empty() {
            let used = self.scan(data, &mut packet);
            self.carry.extend_from_slice(data.get(used..).unwrap_or_default());
        } else {
            let mut joined = std::mem::take(&mut self.carry);
            joined.extend_from_slice(data);
            let used = self.scan(&joined, &mut packet);
            joined.drain(..used);
            self.carry = joined;
        }
    }

    /// Goes through `data` and returns how much of it was used up.
    fn scan(&mut self, data: &[u8], packet: &mut impl FnMut(&[u8])) -> usize {
        let mut used = 0;
        while let Some(rest) = data.get(used..).filter(|rest| !rest.is_empty()) {
            if !self.in_step {
                let (skip, found) = seek(rest);
                self.skipped = self.skipped.saturating_add(skip as u64);
                self.in_step = found;
                used += skip;
                if !found {
                    break;
                }
                continue;
            }
            match rest.get(..PACKET) {
                Some(whole) if Packet::is_sync_byte(whole[0]) => {
                    self.skipped = 0;
                    packet(whole);
                    used += PACKET;
                }
                Some(_) => self.in_step = false,
                None => break,
            }
        }
        used
    }
}

/// How many bytes precede the first position that has a sync byte there and one packet later (and two later, if that
/// is already here), and whether there is one. If not, what remains may still turn out to be one.
fn seek(data: &[u8]) -> (usize, bool) {
    let sync = |at: usize| data.get(at).map(|&byte| Packet::is_sync_byte(byte));
    for at in 0..data.len() {
        if sync(at) != Some(true) {
            continue;
        }
        match (sync(at + PACKET), sync(at + 2 * PACKET)) {
            (Some(true), Some(true) | None) => return (at, true),
            (None, _) => return (at, false),
            _ => {}
        }
    }
    (data.len(), false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(packets: u8) -> Vec<u8> {
        (0..packets).flat_map(|n| std::iter::once(0x47).chain(std::iter::repeat_n(n, PACKET - 1))).collect()
    }

    proptest! {
        #[test]
        fn finds_every_packet_however_the_bytes_are_cut(noise in 0usize..400, cuts in prop::collection::vec(1usize..500, 1..20)) {
            let mut bytes = vec![0xAA; noise];
            bytes.extend(stream(20));
            let mut aligner = Aligner::default();
            let mut seen = Vec::new();
            let mut rest = bytes.as_slice();
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                aligner.feed(now, |packet| seen.push(packet[1]));
                rest = later;
            }
            prop_assert_eq!(seen, (0..20).collect::<Vec<u8>>());
        }
    }

    #[test]
    fn bytes_lost_in_the_middle_cost_only_their_packet() {
        let mut bytes = stream(10);
        bytes.drain(PACKET * 4 + 50..PACKET * 4 + 60);
        let mut seen = Vec::new();
        Aligner::default().feed(&bytes, |packet| seen.push(packet[1]));
        // Packet 4 is short, so what counts as its end is the start of packet 5, which is then out of step.
        assert_eq!(seen, [0, 1, 2, 3, 4, 6, 7, 8, 9]);
    }
}
