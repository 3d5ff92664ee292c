//! Headers of Enhanced RTMP's tags (version 2): modifiers, FourCC, and several tracks in one tag.
//!
//! What stands before the media itself, in `ExVideoTagHeader` and `ExAudioTagHeader` of the specification.

use bytes::{Buf, Bytes};

use crate::pipeline::MAX_RENDITIONS;

/// Packet types that video and audio number differently.
const VIDEO_MULTITRACK: u8 = 6;
const AUDIO_MULTITRACK: u8 = 5;
/// The header is modified, and another packet type follows.
const MODIFIED: u8 = 7;

/// One track's share of a tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) track: u8,
    pub(super) four_cc: [u8; 4],
    /// Packet type: of video or audio, with `Multitrack` and `ModEx` taken off.
    pub(super) kind: u8,
    pub(super) data: Bytes,
}

/// How the tracks of a tag are told apart (`AvMultitrackType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// The only track: it has no number.
    Single,
    OneTrack,
    ManyTracks,
    ManyTracksManyCodecs,
}

/// The bodies in a tag; `None` once, as the last, where it is shorter than it says, or has more tracks than a stream can have.
#[derive(Debug)]
pub(super) struct Bodies {
    layout: Layout,
    kind: u8,
    four_cc: [u8; 4],
    rest: Bytes,
    /// So many bodies may still come: a tag has no track twice.
    left: usize,
    is_over: bool,
    is_short: bool,
}

impl Bodies {
    pub(super) fn of_video(tag: Bytes) -> Self {
        Self::read(tag, VIDEO_MULTITRACK)
    }

    pub(super) fn of_audio(tag: Bytes) -> Self {
        Self::read(tag, AUDIO_MULTITRACK)
    }

    fn read(rest: Bytes, multitrack: u8) -> Self {
        let mut all = Self {
            layout: Layout::Single,
            kind: 0,
            four_cc: [0; 4],
            rest,
            left: MAX_RENDITIONS,
            is_over: false,
            is_short: false,
        };
        all.is_short = all.header(multitrack).is_none();
        all
    }

    fn header(&mut self, multitrack: u8) -> Option<()> {
        self.kind = self.byte()? & 0x0f;
        while self.kind == MODIFIED {
            let mut size = usize::from(self.byte()?) + 1;
            if size == 256 {
                size = (usize::from(self.byte()?) << 8 | usize::from(self.byte()?)) + 1;
            }
            self.take(size)?;
            self.kind = self.byte()? & 0x0f;
        }
        if self.kind == multitrack {
            let byte = self.byte()?;
            self.kind = byte & 0x0f;
            self.layout = match byte >> 4 {
                0 => Layout::OneTrack,
                1 => Layout::ManyTracks,
                2 => Layout::ManyTracksManyCodecs,
                _ => return None,
            };
        }
        if self.layout != Layout::ManyTracksManyCodecs {
            self.four_cc = self.four_bytes()?;
        }
        Some(())
    }

    fn body(&mut self) -> Option<Body> {
        if self.layout == Layout::ManyTracksManyCodecs {
            self.four_cc = self.four_bytes()?;
        }
        let track = if self.layout == Layout::Single { 0 } else { self.byte()? };
        let data = match self.layout {
            Layout::Single | Layout::OneTrack => std::mem::take(&mut self.rest),
            Layout::ManyTracks | Layout::ManyTracksManyCodecs => {
                let size = [self.byte()?, self.byte()?, self.byte()?];
                self.take(size.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)))?
            }
        };
        self.is_over = self.rest.is_empty();
        Some(Body { track, four_cc: self.four_cc, kind: self.kind, data })
    }

    fn byte(&mut self) -> Option<u8> {
        self.rest.has_remaining().then(|| self.rest.get_u8())
    }

    fn four_bytes(&mut self) -> Option<[u8; 4]> {
        let bytes = self.rest.first_chunk().copied()?;
        self.rest.advance(4);
        Some(bytes)
    }

    fn take(&mut self, size: usize) -> Option<Bytes> {
        (size <= self.rest.len()).then(|| self.rest.split_to(size))
    }
}

impl Iterator for Bodies {
    type Item = Option<Body>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let body = if self.is_short || self.left == 0 { None } else { self.body() };
        self.left = self.left.saturating_sub(1);
        self.is_over |= body.is_none();
        Some(body)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bodies(tag: &[&[u8]]) -> Vec<Option<Body>> {
        Bodies::of_video(Bytes::from(tag.concat())).collect()
    }

    fn body(track: u8, four_cc: [u8; 4], kind: u8, data: &'static [u8]) -> Option<Body> {
        Some(Body { track, four_cc, kind, data: Bytes::from_static(data) })
    }

    #[test]
    fn every_layout_is_told_apart() {
        let one = || body(0, *b"avc1", 1, &[9, 8]);
        assert_eq!(bodies(&[&[0x91], b"avc1", &[9, 8]]), [one()]);
        assert_eq!(bodies(&[&[0x96, 0x01], b"avc1", &[0, 9, 8]]), [one()]);
        let many: [&[u8]; 4] = [&[0x96, 0x11], b"avc1", &[0, 0, 0, 2, 9, 8], &[3, 0, 0, 1, 7]];
        assert_eq!(bodies(&many), [one(), body(3, *b"avc1", 1, &[7])]);
        let codecs: [&[u8]; 5] = [&[0x96, 0x21], b"avc1", &[0, 0, 0, 2, 9, 8], b"hvc1", &[1, 0, 0, 0]];
        assert_eq!(bodies(&codecs), [one(), body(1, *b"hvc1", 1, &[])]);
    }

    #[test]
    fn modifiers_are_passed_over() {
        let short: [&[u8]; 4] = [&[0x97, 2, 1, 2, 3, 0x07], &[0, 5, 0x01], b"avc1", &[9]];
        assert_eq!(bodies(&short), [body(0, *b"avc1", 1, &[9])]);
        let long: [&[u8]; 4] = [&[0x97, 255, 1, 0], &[0; 257], &[0x03], b"avc1"];
        assert_eq!(bodies(&long), [body(0, *b"avc1", 3, &[])]);
    }

    #[test]
    fn what_is_too_short_is_said_once() {
        for tag in [&[0x91, b'a', b'v'][..], &[0x96], &[0x96, 0x31, b'a', b'v', b'c', b'1'], &[0x97, 9, 1]] {
            assert_eq!(bodies(&[tag]), [None]);
        }
        let cut: [&[u8]; 3] = [&[0x96, 0x11], b"avc1", &[0, 0, 0, 1, 9, 1, 0, 0, 200, 7]];
        assert_eq!(bodies(&cut), [body(0, *b"avc1", 1, &[9]), None]);
    }

    #[test]
    fn a_tag_has_only_so_many_tracks() {
        let tag = [&[0x96, 0x11][..], b"avc1", &[0, 0, 0, 0].repeat(1000)].concat();
        let all = bodies(&[&tag]);
        assert_eq!((all.len(), all.iter().flatten().count()), (MAX_RENDITIONS + 1, MAX_RENDITIONS));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let count = bytes.len();
            prop_assert!(Bodies::of_audio(bytes.clone().into()).count() <= count + 1);
            prop_assert!(Bodies::of_video(bytes.into()).count() <= count + 1);
        }
    }
}
