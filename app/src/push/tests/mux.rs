use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use skylark_media::{
    ts::Demuxer,
    unit::{Media, Track as Kind, Unit},
};

use super::{
    super::mux::{Muxer, PACKET, PACKETS_PER_DATAGRAM, datagrams},
    picture, sound,
};
use crate::encoded::{Packet, Track};

/// What the origin makes of frames.
fn received(programs: usize, packets: &[Packet]) -> Vec<Media> {
    let (mut muxer, mut demuxer) = (Muxer::new(programs), Demuxer::new());
    let mut media = Vec::new();
    for packet in packets {
        let mut out = BytesMut::new();
        muxer.write(packet, &mut out);
        assert!(!out.is_empty() && out.len().is_multiple_of(PACKET));
        for datagram in datagrams(out.freeze()) {
            assert!(datagram.len() <= PACKET * PACKETS_PER_DATAGRAM);
            demuxer.feed(&datagram).unwrap();
        }
        media.extend(std::iter::from_fn(|| demuxer.poll()));
    }
    demuxer.finish();
    media.extend(std::iter::from_fn(|| demuxer.poll()));
    media
}

fn units(media: &[Media], rendition: u8, kind: Kind) -> Vec<&Unit> {
    let units = media.iter().filter_map(|media| if let Media::Unit(unit) = media { Some(unit) } else { None });
    units.filter(|unit| unit.rendition.0 == rendition && unit.track == kind).collect()
}

fn ladder(renditions: usize, pictures: u64) -> Vec<Packet> {
    let mut packets: Vec<_> = (0..pictures)
        .flat_map(|number| {
            (0..renditions).map(move |rendition| {
                let size = if number % 10 == 0 { 90_000 } else { 700 + number as usize * 37 % 3000 };
                picture(rendition, number, number % 10 == 0, size / (rendition + 1))
            })
        })
        .chain((0..pictures * 3 / 2).map(|number| sound(number, 340)))
        .collect();
    packets.sort_by_key(|packet| packet.dts_ns);
    packets
}

#[test]
fn every_frame_of_a_ladder_arrives_with_its_time_and_the_sound_in_all_programs() {
    let packets = ladder(4, 40);
    let media = received(4, &packets);
    assert!(!media.iter().any(|media| matches!(media, Media::Lost(..))), "{media:?}");
    let sounds: Vec<_> = packets.iter().filter(|packet| packet.track == Track::Audio).collect();
    for rendition in 0..4_u8 {
        let pictures = units(&media, rendition, Kind::Video);
        assert_eq!(pictures.len(), 40);
        let zero = pictures[0].pts.ticks();
        for (number, unit) in (0_i64..).zip(&pictures) {
            assert_eq!(unit.pts.ticks() - zero, number * 3000, "exact to the tick");
            assert_eq!((unit.dts, unit.keyframe), (unit.pts, number % 10 == 0));
        }
        let heard = units(&media, rendition, Kind::Audio);
        assert_eq!(heard.len(), sounds.len());
        for (number, unit) in (0_i64..).zip(&heard) {
            assert!((unit.pts.ticks() - zero - number * 1920).abs() <= 1, "{number}: {:?}", unit.pts);
        }
    }
}

#[test]
fn a_frame_is_known_whole_without_the_next_one() {
    let packets = ladder(1, 20);
    let (mut muxer, mut demuxer) = (Muxer::new(1), Demuxer::new());
    for packet in packets.iter().filter(|packet| packet.data.len() < 60_000 && packet.track != Track::Audio) {
        let mut out = BytesMut::new();
        muxer.write(packet, &mut out);
        demuxer.feed(&out).unwrap();
    }
    // Frames after the first keyframe would wait for it; without one nothing is decoded, and nothing is kept back.
    assert!(!std::iter::from_fn(|| demuxer.poll()).any(|media| matches!(media, Media::Lost(..))));
    let small = |number| picture(0, number, true, 1000);
    let (mut muxer, mut demuxer) = (Muxer::new(1), Demuxer::new());
    let mut out = BytesMut::new();
    muxer.write(&small(0), &mut out);
    demuxer.feed(&out).unwrap();
    assert!(std::iter::from_fn(|| demuxer.poll()).any(|media| matches!(media, Media::Unit(_))));
}

#[test]
fn somebody_who_comes_later_finds_the_tables_within_half_a_second() {
    let (mut muxer, mut demuxer) = (Muxer::new(2), Demuxer::new());
    let mut frames = 0;
    for packet in ladder(2, 60) {
        let mut out = BytesMut::new();
        muxer.write(&packet, &mut out);
        if packet.dts_ns >= 100_000_000 {
            demuxer.feed(&out).unwrap();
            frames += std::iter::from_fn(|| demuxer.poll()).filter(|media| matches!(media, Media::Unit(_))).count();
            assert!(frames > 0 || packet.dts_ns < 850_000_000, "half a second, and the next keyframe");
        }
    }
}

proptest! {
    #[test]
    fn payload_and_stamps_are_what_was_given(
        sizes in prop::collection::vec(1_usize..2000, 1..20),
        offset_ns in 0_u64..200_000_000_000_000,
        shown_later in 0_u64..5,
    ) {
        let packets: Vec<_> = (0..).zip(&sizes).map(|(number, size)| {
            let mut packet = picture(0, number, number == 0, *size);
            packet.dts_ns += offset_ns;
            packet.pts_ns = packet.dts_ns + shown_later * 33_333_333;
            packet
        }).collect();
        let media = received(1, &packets);
        let units = units(&media, 0, Kind::Video);
        prop_assert_eq!(units.len(), packets.len());
        for (unit, packet) in units.iter().zip(&packets) {
            let ticks = |ns: u64| ((u128::from(ns) * 9 + 50_000) / 100_000) as i64 + 63_000;
            let wrap = 1_i64 << 33;
            prop_assert_eq!((unit.pts.ticks() - ticks(packet.pts_ns)).rem_euclid(wrap), 0);
            prop_assert_eq!((unit.dts.ticks() - ticks(packet.dts_ns)).rem_euclid(wrap), 0);
            let tail = Bytes::copy_from_slice(&packet.data[packet.data.len() - 1..]);
            prop_assert!(unit.data.ends_with(&tail) && unit.data.len() < packet.data.len());
        }
    }
}
