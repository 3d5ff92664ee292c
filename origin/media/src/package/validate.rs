//! A strict reader of low-latency media playlists (draft-pantos-hls-rfc8216bis), for tests and fuzzing: what one
//! playlist must be ([`MediaPlaylist::parse`]), and what it may become ([`MediaPlaylist::check_follows`]). Written
//! against the specification; it shares no code with the writer.

use std::collections::{BTreeMap, HashSet};

/// A rule that is broken: the section, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rfc8216bis §{section}: {found}")]
pub struct Violation {
    /// Section of the specification.
    pub section: &'static str,
    /// What was found instead.
    pub found: String,
}

type Checked<T = ()> = Result<T, Violation>;

fn ensure(holds: bool, section: &'static str, found: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Violation { section, found: found() }) }
}

/// A media playlist that keeps the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MediaPlaylist {
    /// `EXT-X-VERSION`.
    pub version: u64,
    /// `EXT-X-TARGETDURATION`, seconds.
    pub target_duration_s: u64,
    /// `EXT-X-PART-INF:PART-TARGET`, microseconds.
    pub part_target_us: u64,
    /// Attributes of `EXT-X-SERVER-CONTROL`.
    pub server_control: BTreeMap<String, String>,
    /// `EXT-X-MEDIA-SEQUENCE`.
    pub media_sequence: u64,
    /// `EXT-X-DISCONTINUITY-SEQUENCE`.
    pub discontinuity_sequence: u64,
    /// `EXT-X-SKIP:SKIPPED-SEGMENTS`; zero in a whole playlist.
    pub skipped: u64,
    /// Segments after the skipped ones. Without a URI: the open one.
    pub segments: Vec<Segment>,
    /// URI of `EXT-X-PRELOAD-HINT`.
    pub hint: Option<String>,
    /// Attributes of each `EXT-X-RENDITION-REPORT`.
    pub reports: Vec<BTreeMap<String, String>>,
    /// `EXT-X-ENDLIST`.
    pub ended: bool,
}

/// A segment of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    /// `None`: it still grows.
    pub uri: Option<String>,
    /// `EXTINF`, microseconds.
    pub duration_us: u64,
    /// `EXT-X-DISCONTINUITY` stands before it.
    pub discontinuity: bool,
    /// URI of the `EXT-X-MAP` that applies; `None` if a skipped segment told.
    pub map: Option<String>,
    /// `EXT-X-PROGRAM-DATE-TIME`, as written: these sort like time.
    pub program_date_time: Option<String>,
    /// Its parts, if they are listed.
    pub parts: Vec<Part>,
}

/// A partial segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its file.
    pub uri: String,
    /// `DURATION`, microseconds.
    pub duration_us: u64,
    /// `INDEPENDENT=YES`.
    pub independent: bool,
}

impl Segment {
    fn parts_us(&self) -> u64 {
        self.parts.iter().map(|part| part.duration_us).sum()
    }

    fn length_us(&self) -> u64 {
        if self.uri.is_some() { self.duration_us } else { self.parts_us() }
    }
}

impl MediaPlaylist {
    /// Reads a playlist and checks everything that can be said of it alone.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Checked<Self> {
        ensure(text.starts_with("#EXTM3U\n"), "4.4.1.1", || "no #EXTM3U in the first line".to_owned())?;
        ensure(text.ends_with('\n'), "4.1", || "the last line has no end".to_owned())?;
        let mut playlist = Self::default();
        let mut reader = Reader::default();
        for line in text.lines().skip(1) {
            playlist.read(&mut reader, line).map_err(|mut violation| {
                violation.found = format!("{} in {line:?}", violation.found);
                violation
            })?;
        }
        ensure(reader.extinf_us.is_none(), "4.4.4.1", || "EXTINF without a URI".to_owned())?;
        let nothing = Segment { map: reader.segment.map.clone(), ..Segment::default() };
        if reader.segment != nothing {
            playlist.segments.push(reader.segment);
        }
        playlist.check_header(&reader.seen)?;
        playlist.check_segments()?;
        playlist.check_end()?;
        Ok(playlist)
    }

    fn read(&mut self, reader: &mut Reader, line: &str) -> Checked {
        if !line.starts_with('#') {
            let duration = reader.extinf_us.take();
            reader.segment.duration_us = duration.ok_or_else(|| broken("4.4.4.1", "a URI without EXTINF"))?;
            reader.segment.uri = Some(line.to_owned());
            let next = Segment { map: reader.segment.map.clone(), ..Segment::default() };
            self.segments.push(std::mem::replace(&mut reader.segment, next));
            return Ok(());
        }
        let (tag, value) = line.split_once(':').unwrap_or((line, ""));
        let once = !matches!(
            tag,
            "#EXTINF"
                | "#EXT-X-PART"
                | "#EXT-X-MAP"
                | "#EXT-X-DISCONTINUITY"
                | "#EXT-X-PROGRAM-DATE-TIME"
                | "#EXT-X-RENDITION-REPORT"
        );
        let first = reader.seen.insert(tag.to_owned());
        ensure(first || !once, "4.1", || format!("{tag} twice"))?;
        let segment = &mut reader.segment;
        match tag {
            "#EXT-X-VERSION" => self.version = integer(value)?,
            "#EXT-X-TARGETDURATION" => self.target_duration_s = integer(value)?,
            "#EXT-X-SERVER-CONTROL" => self.server_control = attributes(value)?,
            "#EXT-X-PART-INF" => self.part_target_us = seconds(attribute(&attributes(value)?, "PART-TARGET")?)?,
            "#EXT-X-MEDIA-SEQUENCE" | "#EXT-X-DISCONTINUITY-SEQUENCE" | "#EXT-X-SKIP" => {
                ensure(self.segments.is_empty() && segment.parts.is_empty(), "4.4.3", || format!("{tag} after media"))?;
                match tag {
                    "#EXT-X-MEDIA-SEQUENCE" => self.media_sequence = integer(value)?,
                    "#EXT-X-SKIP" => self.skipped = integer(attribute(&attributes(value)?, "SKIPPED-SEGMENTS")?)?,
                    _ => self.discontinuity_sequence = integer(value)?,
                }
            }
            "#EXT-X-DISCONTINUITY" | "#EXT-X-MAP" | "#EXT-X-PROGRAM-DATE-TIME" => {
                ensure(segment.parts.is_empty(), "4.4.4.9", || format!("{tag} after the segment's first part"))?;
                match tag {
                    "#EXT-X-DISCONTINUITY" => segment.discontinuity = true,
                    "#EXT-X-MAP" => segment.map = Some(attribute(&attributes(value)?, "URI")?.to_owned()),
                    _ => segment.program_date_time = Some(value.to_owned()),
                }
            }
            "#EXT-X-PART" => segment.parts.push(part(value)?),
            "#EXTINF" => {
                let duration = value.strip_suffix(',').ok_or_else(|| broken("4.4.4.1", "no comma"))?;
                reader.extinf_us = Some(seconds(duration)?);
            }
            "#EXT-X-PRELOAD-HINT" => {
                let hint = attributes(value)?;
                ensure(attribute(&hint, "TYPE")? == "PART", "4.4.5.3", || "a hint at something else".to_owned())?;
                self.hint = Some(attribute(&hint, "URI")?.to_owned());
            }
            "#EXT-X-RENDITION-REPORT" => self.reports.push(attributes(value)?),
            "#EXT-X-ENDLIST" => self.ended = true,
            _ => return Err(broken("4.1", "an unexpected tag")),
        }
        Ok(())
    }

    fn check_header(&self, seen: &HashSet<String>) -> Checked {
        for tag in ["#EXT-X-VERSION", "#EXT-X-TARGETDURATION", "#EXT-X-SERVER-CONTROL", "#EXT-X-PART-INF"] {
            ensure(seen.contains(tag), "4.4.3", || format!("no {tag}"))?;
        }
        let target_us = self.target_duration_s * 1_000_000;
        ensure(self.version >= 9, "8", || format!("version {}", self.version))?;
        ensure(self.target_duration_s > 0 && self.part_target_us > 0, "4.4.3.1", || "no duration".to_owned())?;
        let control = &self.server_control;
        ensure(attribute(control, "CAN-BLOCK-RELOAD")? == "YES", "4.4.3.8", || "no blocking reload".to_owned())?;
        for (name, least) in [
            ("CAN-SKIP-UNTIL", 6 * target_us),
            ("HOLD-BACK", 3 * target_us),
            ("PART-HOLD-BACK", 3 * self.part_target_us),
        ] {
            let stated = seconds(attribute(control, name)?)?;
            ensure(stated >= least, "4.4.3.8", || format!("{name} of {stated} µs, not {least}"))?;
        }
        Ok(())
    }

    fn check_segments(&self) -> Checked {
        let target_us = self.target_duration_s * 1_000_000;
        let mut uris = HashSet::new();
        let mut from_end_us: u64 = self.segments.iter().map(Segment::length_us).sum();
        for (index, segment) in self.segments.iter().enumerate() {
            let name = || format!("segment {}", self.media_sequence + self.skipped + index as u64);
            let open = segment.uri.is_none();
            ensure(!open || index + 1 == self.segments.len(), "4.4.4.9", || format!("{} has no URI", name()))?;
            let parts = segment.parts.iter().map(|part| &part.uri);
            for uri in parts.chain(&segment.uri) {
                ensure(uris.insert(uri), "4.4.4", || format!("{uri} twice"))?;
            }
            let rounded = (segment.duration_us + 500_000) / 1_000_000;
            ensure(rounded <= self.target_duration_s, "4.4.3.1", || format!("{} lasts {rounded} s", name()))?;
            ensure(segment.map.is_some() || self.skipped > 0, "4.4.4.5", || format!("{} has no map", name()))?;
            ensure(segment.program_date_time.is_some(), "4.4.4.6", || format!("{} has no date", name()))?;
            self.check_parts(segment, from_end_us <= 3 * target_us, &name)?;
            from_end_us -= segment.length_us();
        }
        let dates = self.segments.windows(2).all(|pair| pair[0].program_date_time <= pair[1].program_date_time);
        ensure(dates, "4.4.4.6", || "dates do not follow each other".to_owned())
    }

    fn check_parts(&self, segment: &Segment, near_end: bool, name: &dyn Fn() -> String) -> Checked {
        ensure(!segment.parts.is_empty() || !near_end, "6.2.2", || format!("{} lists no parts", name()))?;
        let least = self.part_target_us * 85 / 100;
        for (index, part) in segment.parts.iter().enumerate() {
            let us = part.duration_us;
            ensure(us <= self.part_target_us, "4.4.4.9", || format!("{} lasts {us} µs", part.uri))?;
            let last = index + 1 == segment.parts.len();
            ensure(us >= least || part.independent || last, "4.4.4.9", || format!("{} lasts only {us} µs", part.uri))?;
        }
        let off = segment.parts_us().abs_diff(segment.duration_us);
        let summed = segment.uri.is_none() || segment.parts.is_empty() || off <= segment.parts.len() as u64;
        ensure(summed, "4.4.4.9", || format!("{} is {off} µs off its parts", name()))
    }

    fn check_end(&self) -> Checked {
        let open = self.segments.last().is_some_and(|last| last.uri.is_none());
        if self.ended {
            ensure(self.hint.is_none(), "4.4.5.3", || "a hint at the end".to_owned())?;
            return ensure(!open, "4.4.3.4", || "the last segment is not complete".to_owned());
        }
        let hint = self.hint.as_ref().ok_or_else(|| broken("6.2.2", "no hint"))?;
        let listed = self.segments.iter().flat_map(|segment| &segment.parts).any(|part| part.uri == *hint);
        ensure(!listed, "4.4.5.3", || format!("a hint at {hint}, which is there"))?;
        let complete_us: u64 = self.segments.iter().map(|segment| segment.duration_us).sum();
        let least_us = 3 * self.target_duration_s * 1_000_000;
        let shortened = self.media_sequence > 0;
        let kept = !shortened || self.skipped > 0 || complete_us >= least_us;
        ensure(kept, "6.2.2", || format!("only {complete_us} µs are left"))?;
        if self.skipped > 0 {
            let after_us: u64 = self.segments.iter().map(Segment::length_us).sum();
            let until_us = seconds(attribute(&self.server_control, "CAN-SKIP-UNTIL")?)?;
            ensure(after_us >= until_us, "6.2.5.1", || format!("skips up to {after_us} µs from the end"))?;
        }
        Ok(())
    }

    /// Checks that this playlist may replace `before`, an earlier one of the same URL. Both whole.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check_follows(&self, before: &Self) -> Checked {
        let header = |playlist: &Self| {
            (playlist.version, playlist.target_duration_s, playlist.part_target_us, playlist.server_control.clone())
        };
        ensure(header(self) == header(before), "6.2.1", || "the header changed".to_owned())?;
        ensure(!before.ended || self == before, "6.2.1", || "it changed after its end".to_owned())?;
        let gone = self.media_sequence.checked_sub(before.media_sequence);
        let gone = gone.ok_or_else(|| broken("6.2.2", "the media sequence went back"))? as usize;
        let removed = before.segments.iter().take(gone);
        let tags = removed.clone().filter(|segment| segment.discontinuity).count() as u64;
        let sequence = before.discontinuity_sequence + tags;
        ensure(gone > before.segments.len() || self.discontinuity_sequence == sequence, "6.2.2", || {
            format!("discontinuity sequence {}, not {sequence}", self.discontinuity_sequence)
        })?;
        ensure(removed.clone().all(|segment| segment.uri.is_some()), "6.2.2", || "an open segment went".to_owned())?;
        for (index, old) in before.segments.iter().enumerate().skip(gone) {
            let msn = before.media_sequence + index as u64;
            let new = self.segments.get(index - gone).ok_or_else(|| broken("6.2.1", "a segment vanished"))?;
            self.check_same(msn, old, new)?;
            let short = old.parts.last().filter(|part| part.duration_us < self.part_target_us * 85 / 100);
            let grew = old.uri.is_none() && new.parts.len() > old.parts.len();
            ensure(!grew || short.is_none_or(|part| part.independent), "4.4.4.9", || {
                format!("a short part of segment {msn} was not its last")
            })?;
        }
        Ok(())
    }

    fn check_same(&self, msn: u64, old: &Segment, new: &Segment) -> Checked {
        let tags = |segment: &Segment| (segment.discontinuity, segment.map.clone(), segment.program_date_time.clone());
        ensure(tags(old) == tags(new), "6.2.1", || format!("tags of segment {msn} changed"))?;
        if old.uri.is_some() {
            let same = (&old.uri, old.duration_us) == (&new.uri, new.duration_us);
            ensure(same, "6.2.1", || format!("segment {msn} changed"))?;
            return ensure(new.parts.is_empty() || new.parts == old.parts, "6.2.1", || {
                format!("parts of segment {msn} changed")
            });
        }
        if new.parts.is_empty() && new.uri.is_some() {
            return Ok(()); // complete, and already far from the end
        }
        ensure(new.parts.starts_with(&old.parts), "6.2.1", || format!("parts of segment {msn} changed"))
    }
}

#[derive(Default)]
struct Reader {
    seen: HashSet<String>,
    segment: Segment,
    extinf_us: Option<u64>,
}

fn broken(section: &'static str, found: &str) -> Violation {
    Violation { section, found: found.to_owned() }
}

fn part(value: &str) -> Checked<Part> {
    let attributes = attributes(value)?;
    Ok(Part {
        uri: attribute(&attributes, "URI")?.to_owned(),
        duration_us: seconds(attribute(&attributes, "DURATION")?)?,
        independent: attributes.get("INDEPENDENT").is_some_and(|value| value == "YES"),
    })
}

fn attribute<'a>(attributes: &'a BTreeMap<String, String>, name: &str) -> Checked<&'a str> {
    attributes.get(name).map(String::as_str).ok_or_else(|| broken("4.2", &format!("no {name}")))
}

/// An attribute list (§4.2).
fn attributes(mut list: &str) -> Checked<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    while !list.is_empty() {
        let (name, rest) = list.split_once('=').ok_or_else(|| broken("4.2", "an attribute without a value"))?;
        let legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        ensure(!name.is_empty() && name.bytes().all(legal), "4.2", || format!("attribute name {name:?}"))?;
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(|| broken("4.2", "an open quote"))?,
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        ensure(found.insert(name.to_owned(), value.to_owned()).is_none(), "4.2", || format!("{name} twice"))?;
        list = match rest.strip_prefix(',') {
            Some(more) if !more.is_empty() => more,
            None if rest.is_empty() => rest,
            _ => return Err(broken("4.2", "a stray comma")),
        };
    }
    Ok(found)
}

fn integer(text: &str) -> Checked<u64> {
    text.parse().map_err(|_| broken("4.2", "not a decimal integer"))
}

/// Decimal seconds, in microseconds.
fn seconds(text: &str) -> Checked<u64> {
    let (whole, fraction) = text.split_once('.').ok_or_else(|| broken("4.2", "not a decimal fraction"))?;
    let digits = fraction.len();
    ensure((1..=6).contains(&digits), "4.2", || format!("{digits} decimals"))?;
    Ok(integer(whole)? * 1_000_000 + integer(fraction)? * 10_u64.pow(6 - digits as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:4\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24.0,HOLD-BACK=12.0,PART-HOLD-BACK=0.9\n\
        #EXT-X-PART-INF:PART-TARGET=0.3\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n\
        #EXT-X-MAP:URI=\"init0.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n\
        #EXT-X-PART:DURATION=0.3,URI=\"0.0.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.2,URI=\"0.1.m4s\"\n\
        #EXTINF:0.5,\n0.m4s\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"1.0.m4s\"\n";

    #[test]
    fn every_broken_rule_is_found() {
        MediaPlaylist::parse(GOOD).expect("a good playlist");
        for (good, bad, section) in [
            ("#EXTM3U\n", "#EXTM3U8\n", "4.4.1.1"),
            ("CAN-SKIP-UNTIL=24.0", "CAN-SKIP-UNTIL=12.0", "4.4.3.8"),
            ("HOLD-BACK=12.0", "HOLD-BACK=8.0", "4.4.3.8"),
            ("DURATION=0.2", "DURATION=0.31", "4.4.4.9"),
            ("#EXTINF:0.5,", "#EXTINF:4.5,", "4.4.3.1"),
            ("#EXTINF:0.5,", "#EXTINF:0.6,", "4.4.4.9"),
            ("URI=\"1.0.m4s\"", "URI=\"0.1.m4s\"", "4.4.5.3"),
            ("#EXT-X-MAP:URI=\"init0.mp4\"\n", "", "4.4.4.5"),
            (",INDEPENDENT=YES\n", ",\n", "4.2"),
            ("0.0.m4s", "0.1.m4s", "4.4.4"),
            ("VERSION:9", "VERSION:6", "8"),
            ("MEDIA-SEQUENCE:0", "MEDIA-SEQUENCE:1", "6.2.2"),
        ] {
            let broken = MediaPlaylist::parse(&GOOD.replacen(good, bad, 1)).expect_err(bad);
            assert_eq!(broken.section, section, "{broken}");
        }
    }

    #[test]
    fn what_may_not_change_is_found() {
        let before = MediaPlaylist::parse(GOOD).expect("a good playlist");
        before.check_follows(&before).expect("no change");
        for (good, bad) in [
            ("TARGETDURATION:4", "TARGETDURATION:3"),
            ("init0", "init1"),
            ("#EXTINF:0.5,", "#EXTINF:0.500001,"),
            ("DISCONTINUITY-SEQUENCE:0", "DISCONTINUITY-SEQUENCE:1"),
            ("00:00.000Z", "00:01.000Z"),
        ] {
            let after = MediaPlaylist::parse(&GOOD.replacen(good, bad, 1)).expect("good alone");
            assert!(after.check_follows(&before).is_err(), "{bad}");
        }
    }
}
