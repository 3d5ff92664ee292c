//! A simulated link and the policy on it; the queue; the transport stream, read by the origin's demultiplexer.

mod link;
mod mux;
mod pace;
mod queue;

use bytes::Bytes;

use crate::encoded::{Packet, Track};

/// A frame of a picture at 30 per second.
fn picture(rendition: usize, number: u64, is_keyframe: bool, size: usize) -> Packet {
    let mut data = vec![0, 0, 0, 1, 9, 0xF0];
    if is_keyframe {
        for set in [SPS, PPS] {
            data.extend([0, 0, 0, 1]);
            data.extend(set);
        }
    }
    data.extend([0, 0, 0, 1, if is_keyframe { 0x65 } else { 0x41 }]);
    data.resize(data.len() + size, 0xAB);
    let at_ns = number * 1_000_000_000 / 30;
    Packet {
        track: Track::Video(rendition),
        pts_ns: at_ns,
        dts_ns: at_ns,
        duration_ns: 33_333_333,
        is_keyframe,
        data: data.into(),
    }
}

/// A frame of sound of 48 kHz stereo.
fn sound(number: u64, size: usize) -> Packet {
    let at_ns = number * 1024 * 1_000_000_000 / 48_000;
    let [_, high, middle, low] = ((size as u32 + 7) << 5 | 0x1F).to_be_bytes();
    let mut data = vec![0xFF, 0xF1, 0x4C, 0x80 | high & 3, middle, low, 0xFC];
    data.resize(size + 7, 0xCD);
    Packet {
        track: Track::Audio,
        pts_ns: at_ns,
        dts_ns: at_ns,
        duration_ns: 21_333_333,
        is_keyframe: true,
        data: Bytes::from(data),
    }
}

/// Parameter sets of a small picture, as x264 makes them.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0a, 0xda, 0x08, 0x2f, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00,
    0xca, 0x3c, 0x48, 0x9a, 0x80,
];
const PPS: &[u8] = &[0x68, 0xce, 0x0f, 0xc8];
