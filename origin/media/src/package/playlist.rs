//! HLS playlists (draft-pantos-hls-rfc8216bis), rendered from a [`Snapshot`]: no waiting, no look-up elsewhere.
//!
//! `EXT-X-INDEPENDENT-SEGMENTS` is never claimed: a publisher may lengthen its GOP at any time, a segment is then cut
//! inside, and a claim once made could not be taken back (§6.2.1). Parts that start with a keyframe say so.

use std::fmt::Write as _;

use crate::{
    pipeline::Init,
    time::{MediaTime, UnixTime},
    window::{Segment, Snapshot},
};

/// `EXT-X-SKIP` needs 9 (§8); nothing here needs more.
const VERSION: u32 = 9;
/// `HOLD-BACK` in target durations: the least that is allowed (§4.4.3.8).
const HOLD_BACK_TARGET_DURATIONS: u32 = 3;
/// `PART-HOLD-BACK` in part targets: three are recommended, two the least (§4.4.3.8).
const HOLD_BACK_PART_TARGETS: i64 = 3;
/// About what a line takes.
const LINE_BYTES: usize = 64;

/// Where another rendition of the same broadcast stands (`EXT-X-RENDITION-REPORT`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenditionReport {
    /// Its media playlist, relative to the one that carries the report, such as `../1/index.m3u8`.
    pub uri: String,
    /// Media sequence number of its last segment, complete or not.
    pub last_msn: u64,
    /// Number of that segment's last part.
    pub last_part: u32,
}

/// A rendition in a multivariant playlist.
#[derive(Debug, Clone)]
pub struct Variant<'a> {
    /// Its media playlist, relative to the multivariant one.
    pub uri: String,
    /// The init segment in force: codecs, resolution, frame rate.
    pub init: &'a Init,
    /// `BANDWIDTH`, bits per second.
    pub bandwidth_bps: u64,
    /// `AVERAGE-BANDWIDTH`, bits per second.
    pub average_bandwidth_bps: Option<u64>,
}

/// Renders a media playlist. With `skip` it is a delta update where something can be skipped, the whole playlist
/// otherwise ([`Snapshot::can_skip`] tells).
#[must_use]
pub fn media_playlist(snapshot: &Snapshot, skip: bool, reports: &[RenditionReport]) -> String {
    media_playlist_elsewhere(snapshot, skip, reports, &|_| "")
}

/// The same for media that does not lie beside its playlist: `folder` tells what stands before the file names of a
/// segment and its parts, by media sequence number.
#[must_use]
pub fn media_playlist_elsewhere<'a>(
    snapshot: &Snapshot,
    skip: bool,
    reports: &[RenditionReport],
    folder: &dyn Fn(u64) -> &'a str,
) -> String {
    let skipped = if skip { snapshot.skippable() } else { 0 };
    let without_parts = snapshot.without_parts();
    let lines = snapshot.listed().skip(skipped).map(|segment| segment.parts.len() + 4).sum::<usize>() + 12;
    let mut text = String::with_capacity(lines * (LINE_BYTES + folder(snapshot.next().0).len()));
    header(&mut text, snapshot);
    if skipped > 0 {
        line(&mut text, format_args!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}"));
    }
    let mut map = skipped.checked_sub(1).and_then(|last| snapshot.listed().nth(last)).map(|segment| segment.init);
    for (index, segment) in snapshot.listed().enumerate().skip(skipped) {
        let folder = folder(segment.msn);
        push_segment(&mut text, segment, map, index >= without_parts, folder);
        map = Some(segment.init);
        if !snapshot.is_open(segment) {
            line(&mut text, format_args!("#EXTINF:{},\n{folder}{}.m4s", Seconds(segment.duration), segment.msn));
        }
    }
    if snapshot.ended() {
        text.push_str("#EXT-X-ENDLIST\n");
    } else {
        let (msn, part) = snapshot.next();
        let folder = folder(msn);
        line(&mut text, format_args!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{folder}{msn}.{part}.m4s\""));
    }
    for RenditionReport { uri, last_msn, last_part } in reports {
        line(
            &mut text,
            format_args!("#EXT-X-RENDITION-REPORT:URI=\"{uri}\",LAST-MSN={last_msn},LAST-PART={last_part}"),
        );
    }
    text
}

fn header(text: &mut String, snapshot: &Snapshot) {
    let target = snapshot.target_duration();
    let part_target = snapshot.package.part_target;
    let first = snapshot.listed().next();
    let skip_until = Seconds(snapshot.skip_until());
    let hold_back = HOLD_BACK_TARGET_DURATIONS * target;
    let part_hold_back = Seconds(MediaTime::from_ticks(part_target.ticks().saturating_mul(HOLD_BACK_PART_TARGETS)));
    line(text, format_args!("#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-TARGETDURATION:{target}"));
    line(
        text,
        format_args!(
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={skip_until},HOLD-BACK={hold_back}.0,\
             PART-HOLD-BACK={part_hold_back}"
        ),
    );
    line(text, format_args!("#EXT-X-PART-INF:PART-TARGET={}", Seconds(part_target)));
    let msn = first.map_or(snapshot.next().0, |segment| segment.msn);
    let discontinuities = first.map_or(0, |segment| segment.discontinuity_sequence);
    line(text, format_args!("#EXT-X-MEDIA-SEQUENCE:{msn}\n#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}"));
}

fn push_segment(text: &mut String, segment: &Segment, map: Option<u32>, with_parts: bool, folder: &str) {
    if segment.discontinuity {
        text.push_str("#EXT-X-DISCONTINUITY\n");
    }
    if map != Some(segment.init) {
        line(text, format_args!("#EXT-X-MAP:URI=\"{folder}init{}.mp4\"", segment.init));
    }
    line(text, format_args!("#EXT-X-PROGRAM-DATE-TIME:{}", DateTime(segment.program_date_time())));
    if with_parts {
        for (index, part) in segment.parts.iter().enumerate() {
            let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
            let (duration, msn) = (Seconds(part.duration), segment.msn);
            line(text, format_args!("#EXT-X-PART:DURATION={duration},URI=\"{folder}{msn}.{index}.m4s\"{independent}"));
        }
    }
}

/// Renders a multivariant playlist, in the order given.
#[must_use]
pub fn multivariant(variants: &[Variant<'_>]) -> String {
    let mut text = String::new();
    line(&mut text, format_args!("#EXTM3U\n#EXT-X-VERSION:{VERSION}"));
    for variant in variants {
        let _ = write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={}", variant.bandwidth_bps.max(1));
        if let Some(average) = variant.average_bandwidth_bps {
            let _ = write!(text, ",AVERAGE-BANDWIDTH={}", average.min(variant.bandwidth_bps.max(1)));
        }
        let _ = write!(text, ",CODECS=\"{}\"", variant.init.codecs);
        if let Some((width, height)) = variant.init.resolution {
            let _ = write!(text, ",RESOLUTION={width}x{height}");
        }
        if let Some(millis) = variant.init.frame_rate_millis {
            let _ = write!(text, ",FRAME-RATE={}.{:03}", millis / 1000, millis % 1000);
        }
        line(&mut text, format_args!("\n{}", variant.uri));
    }
    text
}

/// Writing to a `String` cannot fail.
fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(arguments);
    text.push('\n');
}

/// Decimal seconds to the microsecond, without zeros at the end but for one.
struct Seconds(MediaTime);

impl std::fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let us = self.0.as_us().max(0);
        let (seconds, mut fraction, mut digits) = (us / 1_000_000, us % 1_000_000, 6);
        while digits > 1 && fraction % 10 == 0 {
            fraction /= 10;
            digits -= 1;
        }
        write!(formatter, "{seconds}.{fraction:0digits$}")
    }
}

/// ISO 8601 with milliseconds, in UTC.
struct DateTime(UnixTime);

impl std::fmt::Display for DateTime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const MS_PER_DAY: i64 = 86_400_000;
        let ms = self.0.as_ms();
        let (year, month, day) = civil(ms.div_euclid(MS_PER_DAY));
        let of_day = ms.rem_euclid(MS_PER_DAY);
        let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (seconds, millis) = (of_day / 1000 % 60, of_day % 1000);
        write!(formatter, "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
    }
}

/// Year, month and day of the Gregorian calendar, from days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097; // 400 years
    const TO_1970: i64 = 719_468; // from 0000-03-01, so that leap days come last
    let days = days.saturating_add(TO_1970);
    let (era, of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact_and_short() {
        assert_eq!(Seconds(MediaTime::from_ms(300)).to_string(), "0.3");
        assert_eq!(Seconds(MediaTime::from_ms(2000)).to_string(), "2.0");
        assert_eq!(Seconds(MediaTime::from_ticks(24_024)).to_string(), "0.266933");
        assert_eq!(Seconds(MediaTime::from_ticks(9)).to_string(), "0.0001");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let date = |ms| DateTime(UnixTime::from_ms(ms)).to_string();
        assert_eq!(date(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(date(951_827_696_789), "2000-02-29T12:34:56.789Z");
        assert_eq!(date(4_107_542_399_999), "2100-02-28T23:59:59.999Z");
        assert_eq!(date(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn a_multivariant_playlist_tells_what_the_init_segment_does() {
        let init = Init {
            data: bytes::Bytes::new(),
            codecs: "avc1.64001f,mp4a.40.2".to_owned(),
            resolution: Some((1280, 720)),
            frame_rate_millis: Some(29_970),
            bitrate_bps: None,
        };
        let uri = "k3j9x0qa/0/index.m3u8".to_owned();
        let variant = Variant { uri, init: &init, bandwidth_bps: 3_000_000, average_bandwidth_bps: Some(2_500_000) };
        assert_eq!(
            multivariant(&[variant]),
            "#EXTM3U\n#EXT-X-VERSION:9\n\
             #EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2500000,CODECS=\"avc1.64001f,mp4a.40.2\",\
             RESOLUTION=1280x720,FRAME-RATE=29.970\nk3j9x0qa/0/index.m3u8\n"
        );
    }
}
