//! A reader for media playlists, written against the specification and not against our own writer.

use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};

/// A media playlist (draft-pantos-hls-rfc8216bis).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MediaPlaylist {
    /// `EXT-X-TARGETDURATION`, seconds.
    pub target_duration_s: u64,
    /// `EXT-X-PART-INF:PART-TARGET`, seconds.
    pub part_target_s: f64,
    /// Attributes of `EXT-X-SERVER-CONTROL`.
    pub server_control: HashMap<String, String>,
    /// `EXT-X-DISCONTINUITY-SEQUENCE`.
    pub discontinuity_sequence: u64,
    /// Segments that a delta update left out.
    pub skipped: u64,
    /// All segments listed; the last may still grow.
    pub segments: Vec<Segment>,
    /// `EXT-X-PRELOAD-HINT`'s URI.
    pub hint: Option<String>,
    /// `EXT-X-ENDLIST` stands.
    pub ended: bool,
    /// `EXT-X-INDEPENDENT-SEGMENTS` stands.
    pub independent_segments: bool,
}

/// A segment, complete when it has a URI.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Segment {
    /// Media sequence number.
    pub msn: u64,
    /// Its file, once complete.
    pub uri: Option<String>,
    /// `EXTINF`, seconds.
    pub duration_s: f64,
    /// Its parts, while they are listed.
    pub parts: Vec<Part>,
    /// `EXT-X-DISCONTINUITY` stands before it.
    pub discontinuity: bool,
    /// The init segment that applies.
    pub map: Option<String>,
    /// `EXT-X-PROGRAM-DATE-TIME` as written.
    pub program_date_time: Option<String>,
}

/// A partial segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its file.
    pub uri: String,
    /// `DURATION`, seconds.
    pub duration_s: f64,
    /// `INDEPENDENT=YES`.
    pub independent: bool,
}

impl MediaPlaylist {
    /// Reads a playlist.
    ///
    /// # Errors
    /// When a line is not what the specification asks for.
    pub fn parse(text: &str) -> Result<Self> {
        ensure!(text.starts_with("#EXTM3U\n"), "a playlist begins with #EXTM3U: {text:?}");
        let mut playlist = Self::default();
        let mut next = Segment::default();
        let mut map = None;
        for line in text.lines().filter(|line| !line.is_empty()) {
            if !line.starts_with('#') {
                let msn = next.msn + 1;
                next.uri = Some(line.to_owned());
                next.map.clone_from(&map);
                playlist.segments.push(std::mem::take(&mut next));
                next.msn = msn;
                continue;
            }
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-TARGETDURATION" => playlist.target_duration_s = value.parse().context("TARGETDURATION")?,
                "#EXT-X-MEDIA-SEQUENCE" => next.msn = value.parse().context("MEDIA-SEQUENCE")?,
                "#EXT-X-DISCONTINUITY-SEQUENCE" => playlist.discontinuity_sequence = value.parse()?,
                "#EXT-X-PART-INF" => playlist.part_target_s = number(&attributes(value), "PART-TARGET")?,
                "#EXT-X-SERVER-CONTROL" => playlist.server_control = attributes(value),
                "#EXT-X-INDEPENDENT-SEGMENTS" => playlist.independent_segments = true,
                "#EXT-X-ENDLIST" => playlist.ended = true,
                "#EXT-X-DISCONTINUITY" => next.discontinuity = true,
                "#EXT-X-PROGRAM-DATE-TIME" => next.program_date_time = Some(value.to_owned()),
                "#EXT-X-MAP" => map = attributes(value).remove("URI"),
                "#EXTINF" => next.duration_s = value.trim_end_matches(',').parse().context("EXTINF")?,
                "#EXT-X-SKIP" => {
                    playlist.skipped = attributes(value).get("SKIPPED-SEGMENTS").context("SKIP")?.parse()?;
                    next.msn += playlist.skipped;
                }
                "#EXT-X-PART" => {
                    let attributes = attributes(value);
                    next.parts.push(Part {
                        uri: attributes.get("URI").context("a PART has a URI")?.clone(),
                        duration_s: number(&attributes, "DURATION")?,
                        independent: attributes.get("INDEPENDENT").is_some_and(|value| value == "YES"),
                    });
                }
                "#EXT-X-PRELOAD-HINT" => playlist.hint = attributes(value).remove("URI"),
                _ => {}
            }
        }
        if !next.parts.is_empty() || next.discontinuity {
            next.map.clone_from(&map);
            playlist.segments.push(next);
        }
        Ok(playlist)
    }

    /// The part after the last one listed: media sequence number and index.
    #[must_use]
    pub fn next_part(&self) -> (u64, usize) {
        match self.segments.last() {
            Some(last) if last.uri.is_none() => (last.msn, last.parts.len()),
            Some(last) => (last.msn + 1, 0),
            None => (0, 0),
        }
    }
}

/// Reads an attribute list; quotes are taken off.
#[must_use]
pub fn attributes(text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut rest = text;
    while let Some((name, value)) = rest.split_once('=') {
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                (value, after.strip_prefix(',').unwrap_or(after))
            }
            None => value.split_once(',').unwrap_or((value, "")),
        };
        found.insert(name.trim().to_owned(), value.to_owned());
        rest = after;
    }
    found
}

fn number(attributes: &HashMap<String, String>, name: &str) -> Result<f64> {
    let text = attributes.get(name).with_context(|| format!("{name} is missing"))?;
    text.parse().with_context(|| format!("{name}={text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_latency_playlist_is_read() -> Result<()> {
        let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=0.3\n#EXT-X-MEDIA-SEQUENCE:7\n\
            #EXT-X-MAP:URI=\"init0.mp4\"\n#EXTINF:2.00000,\n7.m4s\n#EXT-X-DISCONTINUITY\n\
            #EXT-X-PART:DURATION=0.3,URI=\"8.0.m4s\",INDEPENDENT=YES\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"8.1.m4s\"\n";
        let playlist = MediaPlaylist::parse(text)?;
        assert_eq!(playlist.next_part(), (8, 1));
        assert_eq!(playlist.hint.as_deref(), Some("8.1.m4s"));
        let last = &playlist.segments[1];
        assert!(last.discontinuity && last.parts[0].independent && last.uri.is_none());
        assert_eq!(last.map.as_deref(), Some("init0.mp4"));
        Ok(())
    }
}
