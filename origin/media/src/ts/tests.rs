use proptest::prelude::*;

use super::{
    Demuxer, TsError,
    muxer::{self, Muxer, adts, picture},
    sync::PACKET,
};
use crate::unit::{Media, RenditionId, Track, Unit};

const VIDEO: u16 = 0x100;
const AUDIO: u16 = 0x101;
const H264: u8 = 0x1B;
const ADTS: u8 = 0x0F;

fn muxer() -> Muxer {
    let mut muxer = Muxer::default();
    muxer.tables(&[(0x1000, &[(H264, VIDEO), (ADTS, AUDIO)])]);
    muxer
}

/// `frames` pictures at 25 fps from `from` on, a keyframe every 10, all of `size` bytes and more.
fn pictures(muxer: &mut Muxer, from: u64, frames: u64, size: usize) {
    for n in 0..frames {
        let dts = from + n * 3600;
        muxer.pes(VIDEO, true, Some(dts + 7200), Some(dts), &picture(n % 10 == 0, size));
    }
}

fn demux(bytes: &[u8]) -> Vec<Media> {
    demux_in_pieces(&mut Demuxer::new(), [bytes])
}

fn demux_in_pieces<'a>(demuxer: &mut Demuxer, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Media> {
    let mut media = Vec::new();
    for piece in pieces {
        demuxer.feed(piece).unwrap();
        media.extend(std::iter::from_fn(|| demuxer.poll()));
    }
    demuxer.finish();
    media.extend(std::iter::from_fn(|| demuxer.poll()));
    media
}

fn units<'a>(media: &'a [Media], track: Track) -> Vec<&'a Unit> {
    let unit = |media: &'a Media| match media {
        Media::Unit(unit) if unit.track == track => Some(unit),
        _ => None,
    };
    media.iter().filter_map(unit).collect()
}

fn losses(media: &[Media]) -> usize {
    media.iter().filter(|media| matches!(media, Media::Lost(..))).count()
}

fn is_config(media: &Media) -> bool {
    matches!(media, Media::VideoConfig(..))
}

#[test]
fn pictures_come_out_as_mp4_keeps_them() {
    let mut muxer = muxer();
    pictures(&mut muxer, 90_000, 12, 1000);
    let media = demux(&muxer.bytes);
    assert_eq!(media[0], Media::Declared { rendition: RenditionId(0), video: true, audio: true, bitrate_bps: None });
    assert!(is_config(&media[1]), "{:?}", media[1]);
    assert_eq!(media.iter().filter(|media| is_config(media)).count(), 1, "unchanged parameter sets are not repeated");
    let units = units(&media, Track::Video);
    assert_eq!(units.len(), 12);
    assert_eq!((units[3].dts.ticks(), units[3].pts.ticks()), (90_000 + 3 * 3600, 90_000 + 5 * 3600));
    assert_eq!(
        units.iter().map(|unit| unit.keyframe).collect::<Vec<_>>(),
        [vec![true], vec![false; 9], vec![true, false]].concat()
    );
    assert_eq!(&units[0].data[..6], [0, 0, 3, 0xE8, 0x65, 0xAB], "no delimiter, no parameter sets");
    assert_eq!(units[0].data.len(), 1004);
}

#[test]
fn changed_parameter_sets_are_announced_before_their_picture() {
    let mut muxer = muxer();
    pictures(&mut muxer, 0, 1, 100);
    let mut other = picture(true, 100);
    let at = other.windows(4).position(|window| window == muxer::PPS).unwrap();
    other[at + 3] ^= 1 << 3;
    muxer.pes(VIDEO, true, Some(3600), None, &other);
    let media = demux(&muxer.bytes);
    let configs: Vec<usize> = (0..media.len()).filter(|&at| is_config(&media[at])).collect();
    assert_eq!(configs.len(), 2);
    assert!(matches!(&media[configs[1] + 1], Media::Unit(unit) if unit.dts.ticks() == 3600));
}

#[test]
fn sound_is_split_into_frames_of_exactly_1024_samples() {
    let mut muxer = muxer();
    let frames: Vec<Vec<u8>> = (0..30u8).map(|n| vec![n; 200 + usize::from(n)]).collect();
    let stream: Vec<u8> = frames.iter().flat_map(|raw| adts(raw)).collect();
    // PES packets of 1000 bytes: frames start in one and end in the next; each has the time stamp of the first frame
    // that starts in it, rounded to a millisecond.
    let starts: Vec<usize> =
        frames.iter().scan(0, |at, raw| Some(std::mem::replace(at, *at + raw.len() + 7))).collect();
    for (n, chunk) in stream.chunks(1000).enumerate() {
        let first = starts.iter().position(|&start| start >= n * 1000).unwrap() as u64;
        muxer.pes(AUDIO, false, Some((first * 1920 + 45) / 90 * 90), None, chunk);
    }
    let media = demux(&muxer.bytes);
    let units = units(&media, Track::Audio);
    assert_eq!(units.len(), 30);
    for (n, unit) in units.iter().enumerate() {
        assert_eq!(unit.data, frames[n]);
        assert_eq!(unit.pts.ticks(), n as i64 * 1920);
    }
    assert!(media.iter().any(|media| matches!(media, Media::AudioConfig(_, config) if config.sample_rate == 48_000)));
    assert_eq!(losses(&media), 0);
}

#[test]
fn time_goes_on_across_the_33_bit_wrap() {
    let mut muxer = muxer();
    let from = (1u64 << 33) - 5 * 3600;
    for n in 0..10 {
        muxer.pes(VIDEO, true, Some(from + n * 3600), None, &picture(n == 0, 300));
        muxer.pes(AUDIO, false, Some(from + n * 3600), None, &adts(&[1; 50]));
    }
    for track in [Track::Video, Track::Audio] {
        let media = demux(&muxer.bytes);
        let times: Vec<i64> = units(&media, track).iter().map(|unit| unit.pts.ticks()).collect();
        assert_eq!(times.len(), 10);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 3600), "{track:?} {times:?}");
    }
}

#[test]
fn a_reader_who_joins_in_the_middle_gets_what_follows_the_tables() {
    let mut joined = muxer();
    pictures(&mut joined, 0, 3, 2000);
    let cut = joined.bytes.len() / 2 + 77;
    joined.tables(&[(0x1000, &[(H264, VIDEO), (ADTS, AUDIO)])]);
    pictures(&mut joined, 36_000, 11, 2000);
    let media = demux(&joined.bytes[cut..]);
    let units = units(&media, Track::Video);
    assert_eq!(units.len(), 11);
    assert!(units[0].keyframe);
}

#[test]
fn a_lost_packet_costs_its_access_unit_and_says_so() {
    for bounded in [false, true] {
        let mut whole = muxer();
        whole.bounded = bounded;
        pictures(&mut whole, 0, 5, 2000);
        let per_picture = (whole.bytes.len() / PACKET - 2) / 5;
        for missing in 0..per_picture {
            let mut bytes = whole.bytes.clone();
            let at = (2 + per_picture + missing) * PACKET;
            bytes.drain(at..at + PACKET);
            let media = demux(&bytes);
            let dts: Vec<i64> = units(&media, Track::Video).iter().map(|unit| unit.dts.ticks() / 3600).collect();
            // Without a length nobody knows that the picture before a lost first packet was complete; here it is the
            // one with the parameter sets.
            let expected: &[i64] = if missing == 0 && !bounded { &[] } else { &[0, 2, 3, 4] };
            assert_eq!(dts, expected, "packet {missing} of {per_picture}, bounded {bounded}");
            assert!(losses(&media) > 0);
        }
    }
}

#[test]
fn a_repeated_packet_is_taken_once() {
    let mut muxer = muxer();
    pictures(&mut muxer, 0, 3, 2000);
    let expected = demux(&muxer.bytes);
    let at = 8 * PACKET;
    let repeated = [&muxer.bytes[..at], &muxer.bytes[at - PACKET..]].concat();
    assert_eq!(demux(&repeated), expected);
}

#[test]
fn an_announced_discontinuity_is_no_loss() {
    let mut muxer = muxer();
    muxer.pes(AUDIO, false, Some(0), None, &adts(&[1; 50]));
    for _ in 0..4 {
        // Moves the counter on, unseen.
        let length = muxer.bytes.len();
        muxer.packet(AUDIO, false, &[0; 10], false);
        muxer.bytes.truncate(length);
    }
    let start = [&[0, 0, 1, 0xC0, 0, 0, 0x80, 0, 0][..], &adts(&[2; 50])].concat();
    muxer.packet(AUDIO, true, &start, true);
    assert_eq!(losses(&demux(&muxer.bytes)), 0);
}

#[test]
fn each_program_is_a_rendition_and_sound_is_shared() {
    let mut muxer = Muxer::default();
    muxer.tables(&[(0x1000, &[(H264, VIDEO)]), (0x1001, &[(H264, 0x200), (ADTS, 0x201)])]);
    for n in 0..3 {
        muxer.pes(VIDEO, true, Some(n * 3600), None, &picture(n == 0, 500));
        muxer.pes(0x200, true, Some(n * 3600), None, &picture(n == 0, 200));
        muxer.pes(0x201, false, Some(n * 1920), None, &adts(&[7; 30]));
    }
    let media = demux(&muxer.bytes);
    for rendition in [RenditionId(0), RenditionId(1)] {
        for track in [Track::Video, Track::Audio] {
            let of = units(&media, track).into_iter().filter(|unit| unit.rendition == rendition).count();
            assert_eq!(of, 3, "{rendition:?} {track:?}");
        }
    }
    let sizes: Vec<usize> = units(&media, Track::Video).iter().map(|unit| unit.data.len()).collect();
    assert!(sizes.contains(&504) && sizes.contains(&204));
}

#[test]
fn unsupported_codecs_are_named() {
    let mut muxer = Muxer::default();
    muxer.tables(&[(0x1000, &[(0x24, VIDEO), (ADTS, AUDIO)])]);
    assert_eq!(Demuxer::new().feed(&padded(&muxer)), Err(TsError::UnsupportedCodec { codec: "H.265" }));

    let mut muxer = Muxer::default();
    muxer.tables(&[(0x1000, &[(H264, VIDEO), (0x11, AUDIO)])]);
    pictures(&mut muxer, 0, 2, 100);
    let media = demux(&muxer.bytes);
    assert_eq!(units(&media, Track::Video).len(), 2, "a picture without its sound is better than none");
    assert_eq!(losses(&media), 1);

    assert_eq!(Demuxer::new().feed(&vec![0; 300 << 10]), Err(TsError::NotTransportStream));
}

/// The aligner wants to see a second packet before it believes in the first.
fn padded(muxer: &Muxer) -> Vec<u8> {
    let mut bytes = muxer.bytes.clone();
    bytes.extend([0x47, 0x1F, 0xFF, 0x10]);
    bytes.resize(bytes.len().next_multiple_of(PACKET), 0xFF);
    bytes
}

/// Frames that are out when the multiplexer has written `frames` of them and nothing of the next.
fn out_at_once(frames: u64, change: impl Fn(&mut Muxer)) -> usize {
    let mut muxer = muxer();
    change(&mut muxer);
    pictures(&mut muxer, 0, frames, 2000);
    let mut demuxer = Demuxer::new();
    demuxer.feed(&muxer.bytes).unwrap();
    let media: Vec<Media> = std::iter::from_fn(|| demuxer.poll()).collect();
    assert_eq!(losses(&media), 0);
    units(&media, Track::Video).len()
}

#[test]
fn a_picture_is_out_as_soon_as_it_is_known_to_be_complete() {
    assert_eq!(out_at_once(5, |muxer| muxer.bounded = true), 5, "the header says how long it is");
    assert_eq!(out_at_once(5, |_| ()), 4, "only the next picture shows the end of this one");
    assert_eq!(out_at_once(20, |_| ()), 20, "stuffing has always marked the end");
    assert_eq!(out_at_once(20, |muxer| muxer.stuff_everywhere = true), 19, "stuffing says nothing here");
}

proptest! {
    #[test]
    fn cutting_the_bytes_anywhere_changes_nothing(cuts in prop::collection::vec(1usize..2000, 1..30)) {
        let mut muxer = muxer();
        pictures(&mut muxer, 0, 15, 1500);
        let mut pieces = Vec::new();
        let mut rest = muxer.bytes.as_slice();
        for cut in cuts.iter().cycle() {
            let (piece, later) = rest.split_at(rest.len().min(*cut));
            pieces.push(piece);
            rest = later;
            if rest.is_empty() { break }
        }
        prop_assert_eq!(demux_in_pieces(&mut Demuxer::new(), pieces), demux(&muxer.bytes));
    }

    #[test]
    fn damage_never_makes_up_pictures(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40)) {
        let mut muxer = muxer();
        pictures(&mut muxer, 0, 15, 1500);
        for (at, byte) in damage {
            let at = at.index(muxer.bytes.len());
            muxer.bytes[at] = byte;
        }
        let mut demuxer = Demuxer::new();
        let _ = demuxer.feed(&muxer.bytes);
        let media: Vec<Media> = std::iter::from_fn(|| demuxer.poll()).collect();
        prop_assert!(units(&media, Track::Video).len() <= 17);
    }
}
