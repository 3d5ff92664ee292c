use super::*;

/// 1280x720 at 30 frames per second, High profile, from x264.
const AVCC: &[u8] = b"\x01d\0\x1f\xff\xe1\0\x1agd\0\x1f\xac\xd9@P\x05\xbb\x01\x10\0\0\x03\0\x10\0\0\x03\x03\xc0\xf1\x83\x19`\x01\0\x04h\xef\xbc\xb0\xfd\xf8\xf8\0";
/// 640x360 at 30 frames per second, High profile, from OBS.
const OTHER_AVCC: &[u8] = b"\x01d\0\x1e\xff\xe1\0\x1cgd\0\x1e\xac\xb4\x05\x01\x7f\xcb\x80\xb5\x01\x01\x01@\0\0\x03\0@\0\0\x0f#\xc5\x8b\xa8\x01\0\x04h\xef<\xb0\xfd\xf8\xf8\0";
/// AAC-LC, 48 kHz, stereo.
const ASC: &[u8] = &[0x11, 0x90];
const IDR: &[u8] = &[0, 0, 0, 3, 0x65, 1, 2];
const SLICE: &[u8] = &[0, 0, 0, 2, 0x41, 9];

fn feed(demuxer: &mut Demuxer, kind: TagKind, timestamp_ms: u32, body: &[&[u8]]) -> Result<Vec<Media>, FlvError> {
    demuxer.feed(Tag { kind, timestamp_ms, data: body.concat().into() })?;
    Ok(std::iter::from_fn(|| demuxer.poll()).collect())
}

fn video(demuxer: &mut Demuxer, timestamp_ms: u32, body: &[&[u8]]) -> Vec<Media> {
    feed(demuxer, TagKind::Video, timestamp_ms, body).unwrap()
}

fn audio(demuxer: &mut Demuxer, timestamp_ms: u32, body: &[&[u8]]) -> Vec<Media> {
    feed(demuxer, TagKind::Audio, timestamp_ms, body).unwrap()
}

/// A demultiplexer that has both sequence headers.
fn started() -> Demuxer {
    let mut demuxer = Demuxer::new();
    video(&mut demuxer, 0, &[&[0x17, 0, 0, 0, 0], AVCC]);
    audio(&mut demuxer, 0, &[&[0xaf, 0], ASC]);
    demuxer
}

fn times_ms(media: &[Media]) -> Vec<(i64, i64)> {
    let units = media.iter().filter_map(|media| if let Media::Unit(unit) = media { Some(unit) } else { None });
    units.map(|unit| (unit.dts.as_ms(), unit.pts.as_ms())).collect()
}

#[test]
fn sequence_headers_come_out_once_and_again_when_they_change() {
    let mut demuxer = Demuxer::new();
    let first = video(&mut demuxer, 0, &[&[0x17, 0, 0, 0, 0], AVCC]);
    let [Media::VideoConfig(_, config)] = &first[..] else { panic!("{first:?}") };
    assert_eq!((config.width, config.height), (1280, 720));
    assert_eq!(video(&mut demuxer, 40, &[&[0x17, 0, 0, 0, 0], AVCC]), [], "the same again");
    let second = video(&mut demuxer, 80, &[&[0x17, 0, 0, 0, 0], OTHER_AVCC]);
    let [Media::VideoConfig(_, config)] = &second[..] else { panic!("{second:?}") };
    assert_eq!((config.width, config.height), (640, 360));

    let sound = audio(&mut demuxer, 90, &[&[0xaf, 0], ASC]);
    let [Media::AudioConfig(_, config)] = &sound[..] else { panic!("{sound:?}") };
    assert_eq!((config.sample_rate, config.channels), (48_000, 2));
    assert_eq!(audio(&mut demuxer, 95, &[&[0xaf, 0], ASC]), []);
}

#[test]
fn pictures_and_sound_come_out_with_their_times() {
    let mut demuxer = started();
    let media = video(&mut demuxer, 40, &[&[0x17, 1, 0, 0, 67], IDR]);
    let expected = Unit {
        rendition: RENDITION,
        track: Track::Video,
        pts: MediaTime::from_ms(107),
        dts: MediaTime::from_ms(40),
        keyframe: true,
        data: Bytes::from_static(IDR),
    };
    assert_eq!(media, [Media::Unit(expected)]);
    let media = video(&mut demuxer, 73, &[&[0x27, 1, 0xff, 0xff, 0xf6], SLICE]);
    assert_eq!(times_ms(&media), [(73, 63)], "a composition time offset of -10");

    let media = audio(&mut demuxer, 50, &[&[0xaf, 1], &[0x21, 0x10]]);
    let expected = Unit {
        rendition: RENDITION,
        track: Track::Audio,
        pts: MediaTime::from_ms(50),
        dts: MediaTime::from_ms(50),
        keyframe: true,
        data: Bytes::from_static(&[0x21, 0x10]),
    };
    assert_eq!(media, [Media::Unit(expected)]);
}

#[test]
fn a_keyframe_is_what_holds_an_idr_slice() {
    let mut demuxer = started();
    let keyframe = |media: &[Media]| matches!(media, [Media::Unit(Unit { keyframe: true, .. })]);
    assert!(!keyframe(&video(&mut demuxer, 0, &[&[0x17, 1, 0, 0, 0], SLICE])), "flagged, but not one");
    assert!(keyframe(&video(&mut demuxer, 33, &[&[0x27, 1, 0, 0, 0], IDR])), "one, but not flagged");
}

#[test]
fn short_nal_lengths_are_widened() {
    let mut avcc = AVCC.to_vec();
    avcc[4] = 0xfd;
    let mut demuxer = Demuxer::new();
    video(&mut demuxer, 0, &[&[0x17, 0, 0, 0, 0], &avcc]);
    let media = video(&mut demuxer, 0, &[&[0x17, 1, 0, 0, 0], &[0, 3, 0x65, 1, 2]]);
    let [Media::Unit(unit)] = &media[..] else { panic!("{media:?}") };
    assert_eq!(unit.data, IDR);
}

#[test]
fn the_clock_goes_on_where_32_bits_end_and_for_both_tracks() {
    let mut demuxer = started();
    let mut times = Vec::new();
    for (kind, timestamp_ms) in [(9, 0xffff_ffe0), (8, 0xffff_fff5), (9, 1), (8, 0xffff_fffa), (9, 34)] {
        let media = match kind {
            8 => audio(&mut demuxer, timestamp_ms, &[&[0xaf, 1, 0x21]]),
            _ => video(&mut demuxer, timestamp_ms, &[&[0x27, 1, 0, 0, 0], SLICE]),
        };
        times.push(times_ms(&media)[0].0);
    }
    assert_eq!(video(&mut demuxer, 0, &[&[0x17, 0, 0, 0, 0], AVCC]), [], "a header stamped with zero moves nothing");
    times.extend(times_ms(&video(&mut demuxer, 67, &[&[0x27, 1, 0, 0, 0], SLICE])).iter().map(|time| time.0));
    let steps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(steps, [21, 12, -7, 40, 33]);
}

#[test]
fn enhanced_rtmp_headers_are_read() {
    let mut demuxer = Demuxer::new();
    let media = video(&mut demuxer, 0, &[&[0x90], b"avc1", AVCC]);
    assert!(matches!(&media[..], [Media::VideoConfig(..)]), "{media:?}");
    let media = video(&mut demuxer, 10, &[&[0x91], b"avc1", &[0, 0, 33], IDR]);
    assert_eq!(times_ms(&media), [(10, 43)]);
    let media = video(&mut demuxer, 20, &[&[0xa3], b"avc1", SLICE]);
    assert_eq!(times_ms(&media), [(20, 20)]);
    let media = audio(&mut demuxer, 20, &[&[0x90], b"mp4a", ASC]);
    assert!(matches!(&media[..], [Media::AudioConfig(..)]), "{media:?}");
    let media = audio(&mut demuxer, 20, &[&[0x91], b"mp4a", &[0x21]]);
    assert_eq!(times_ms(&media), [(20, 20)]);
}

#[test]
fn other_codecs_are_named() {
    let named = |kind, body: &[u8]| feed(&mut Demuxer::new(), kind, 0, &[body]).unwrap_err().to_string();
    for (body, name) in [
        (&b"\x90hvc1\x01"[..], "HEVC video"),
        (b"\x90av01\x01", "AV1 video"),
        (b"\x1c\x00\x00\x00\x00", "HEVC video"),
        (b"\x12\x00", "Sorenson H.263 video"),
        (b"\x90\x00\xffab", "codec \\x00\\xffab"),
    ] {
        let text = named(TagKind::Video, body);
        assert_eq!(text, format!("{name} is not supported: send H.264 video and AAC audio"));
    }
    assert!(named(TagKind::Audio, b"\x2f\x00").starts_with("MP3 audio"));
    assert!(named(TagKind::Audio, b"\x90Opus").starts_with("Opus audio"));
}

#[test]
fn one_broken_tag_is_only_a_loss() {
    let mut demuxer = Demuxer::new();
    let lost = |media: &[Media]| matches!(media, [Media::Lost(..)]);
    assert!(lost(&video(&mut demuxer, 0, &[&[0x17, 1, 0, 0, 0], IDR])), "before the sequence header");
    assert!(lost(&audio(&mut demuxer, 0, &[&[0xaf, 1, 0x21]])), "before the sequence header");
    let mut demuxer = started();
    assert!(lost(&video(&mut demuxer, 0, &[&[0x27, 1]])), "short");
    assert!(lost(&video(&mut demuxer, 0, &[&[0x27, 1, 0, 0, 0], &[0, 0, 1, 0, 0x41]])), "a length past the end");
    assert_eq!(video(&mut demuxer, 0, &[&[0x57, 0]]), [], "a command frame");
    assert_eq!(video(&mut demuxer, 0, &[&[0x17, 2, 0, 0, 0]]), [], "the end of the sequence");
    assert_eq!(times_ms(&video(&mut demuxer, 40, &[&[0x27, 1, 0, 0, 0], SLICE])), [(40, 40)], "and on it goes");
}

#[test]
fn a_broken_sequence_header_is_the_end() {
    let text = feed(&mut Demuxer::new(), TagKind::Video, 7, &[&[0x17, 0, 0, 0, 0, 1, 2]]).unwrap_err().to_string();
    assert!(text.starts_with("the video sequence header at 7 ms: "), "{text}");
}

#[test]
fn each_video_track_is_a_rendition_and_all_share_the_sound() {
    let mut demuxer = started();
    let second: [&[u8]; 4] = [&[0x96, 0x00], b"avc1", &[1], OTHER_AVCC];
    let media = video(&mut demuxer, 0, &second);
    let [Media::VideoConfig(RenditionId(1), config), Media::AudioConfig(RenditionId(1), _)] = &media[..] else {
        panic!("{media:?}")
    };
    assert_eq!((config.width, config.height), (640, 360));
    assert_eq!(video(&mut demuxer, 0, &second), [], "the same again");

    let renditions = |media: &[Media]| -> Vec<(u8, i64)> {
        let units = media.iter().filter_map(|media| if let Media::Unit(unit) = media { Some(unit) } else { None });
        units.map(|unit| (unit.rendition.0, unit.pts.as_ms())).collect()
    };
    assert_eq!(renditions(&video(&mut demuxer, 40, &[&[0x17, 1, 0, 0, 67], IDR])), [(0, 107)]);
    assert_eq!(renditions(&video(&mut demuxer, 40, &[&[0x96, 0x01], b"avc1", &[1, 0, 0, 67], IDR])), [(1, 107)]);
    assert_eq!(renditions(&video(&mut demuxer, 73, &[&[0xa6, 0x03], b"avc1", &[1], SLICE])), [(1, 73)]);
    assert_eq!(renditions(&audio(&mut demuxer, 50, &[&[0xaf, 1], &[7, 7]])), [(0, 50), (1, 50)]);

    // A second sound is for recordings.
    assert_eq!(audio(&mut demuxer, 60, &[&[0x95, 0x01], b"mp4a", &[1, 7, 7]]), []);
    let unknown = video(&mut demuxer, 80, &[&[0x96, 0x01], b"avc1", &[2, 0, 0, 0], IDR]);
    assert_eq!(unknown, [Media::Lost(RENDITION, "a picture before the video sequence header")]);
}

#[test]
fn what_is_declared_holds_for_every_track_and_there_are_only_so_many() {
    let mut demuxer = started();
    demuxer.declared = Some(Metadata { video: true, audio: true, bitrate_bps: Some(6_000_000) });
    for track in 1..MAX_RENDITIONS as u8 {
        let media = video(&mut demuxer, 0, &[&[0x96, 0x00], b"avc1", &[track], AVCC]);
        let rendition = RenditionId(track);
        assert_eq!(media[2..], [Media::Declared { rendition, video: true, audio: true, bitrate_bps: None }]);
    }
    let media = video(&mut demuxer, 0, &[&[0x96, 0x00], b"avc1", &[200], AVCC]);
    assert_eq!(media, [Media::Lost(RENDITION, "more video tracks than one stream can have")]);
}

#[test]
fn the_first_track_is_the_first_rendition_whatever_its_number() {
    let mut demuxer = Demuxer::new();
    audio(&mut demuxer, 0, &[&[0xaf, 0], ASC]);
    let media = video(&mut demuxer, 0, &[&[0x96, 0x00], b"avc1", &[3], AVCC]);
    assert!(matches!(media[..], [Media::VideoConfig(RENDITION, _)]), "{media:?}");
    let media = video(&mut demuxer, 0, &[&[0x17, 0, 0, 0, 0], OTHER_AVCC]);
    let other = RenditionId(3);
    assert!(matches!(media[..], [Media::VideoConfig(a, _), Media::AudioConfig(b, _)] if (a, b) == (other, other)));
    let picture = video(&mut demuxer, 40, &[&[0x96, 0x03], b"avc1", &[3], IDR]);
    assert!(matches!(&picture[..], [Media::Unit(unit)] if unit.rendition == RENDITION), "{picture:?}");
    assert_eq!(audio(&mut demuxer, 50, &[&[0xaf, 1], &[7, 7]]).len(), 2, "both have the sound");
}
