//! Whatever a publisher's clocks show.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    codec::{aac, h264},
    pipeline::{PackageConfig, Packager, PipelineLimits, Resume, witness::Witness},
    time::{MediaTime, UnixTime},
    unit::{Media, RenditionId, Track, Unit},
};

const EPOCH_MS: i64 = 1_790_000_000_000;
/// x264's parameter sets for 1920×1080 at 30 frames per second.
const RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x28, 0xff, 0xe1, 0x00, 0x1b, 0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5,
    0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xf0, 0x3c, 0x60, 0xc6, 0x58, 0x01, 0x00, 0x06,
    0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00,
];

/// A publisher whose timestamps and arrivals are anything, four bytes for each unit: whatever comes out keeps the
/// rules of playlists and boxes.
pub fn timeline(data: &[u8]) {
    let mut packager = Packager::new(PackageConfig::default(), PipelineLimits::default(), Resume::default());
    let mut witness = Witness::new(PackageConfig::default());
    let (mut now_ms, mut video, mut audio) = (EPOCH_MS, MediaTime::ZERO, MediaTime::ZERO);
    for operation in data.chunks_exact(4) {
        let [kind, step, fine, wide] = *operation else { continue };
        let rendition = RenditionId(wide & 1);
        let step = MediaTime::from_ticks(i64::from(step) * 100 + i64::from(fine));
        let media = match kind % 16 {
            0..=6 => {
                video = video + step;
                unit(rendition, Track::Video, video, i64::from(wide) * 90, kind & 0x30 == 0)
            }
            7..=12 => {
                audio = audio + step;
                unit(rendition, Track::Audio, audio, 0, true)
            }
            13 => match fine & 1 {
                0 => h264::parse_avcc(RECORD).ok().map(|config| Media::VideoConfig(rendition, Arc::new(config))),
                _ => {
                    let config = aac::parse_asc(&[0x11 | fine >> 1 & 6, 0x90]).ok();
                    config.map(|config| Media::AudioConfig(rendition, Arc::new(config)))
                }
            },
            14 => {
                let jump = i64::from(i8::from_be_bytes([wide])) << (fine % 56);
                (video, audio) = (video + MediaTime::from_ticks(jump), audio + MediaTime::from_ticks(jump));
                None
            }
            _ => {
                now_ms += i64::from(wide) * i64::from(fine);
                None
            }
        };
        now_ms += 5;
        let now = UnixTime::from_ms(now_ms);
        let fed = media.map_or(Ok(()), |media| packager.feed(now, media)).and_then(|()| packager.tick(now));
        while let Some(output) = packager.poll() {
            witness.take(output);
        }
        if fed.is_err() {
            break;
        }
    }
    packager.finish();
    while let Some(output) = packager.poll() {
        witness.take(output);
    }
}

fn unit(rendition: RenditionId, track: Track, dts: MediaTime, later: i64, keyframe: bool) -> Option<Media> {
    let data = Bytes::from_static(b"media");
    let pts = dts + MediaTime::from_ticks(later);
    Some(Media::Unit(Unit { rendition, track, pts, dts, keyframe, data }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Found by the property below: a keyframe that no configuration came for, where the sound had just changed.
    #[test]
    fn a_picture_that_was_never_described_changes_nothing() {
        super::timeline(include_bytes!("undescribed_picture.bin"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn timeline(data in prop::collection::vec(any::<u8>(), 0..2000)) {
            super::timeline(&data);
        }
    }
}
