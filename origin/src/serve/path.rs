//! The paths below `/live/`, taken apart without an allocation.

use skylark_media::package::directives::decimal;

/// What a `/live/…` URL names. After the stream of a private one comes a pass: a viewer's ticket where it names a
/// playlist, the media's epoch otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LivePath<'a> {
    /// `/live/{stream}/index.m3u8`
    Multivariant { stream: &'a str, pass: Option<&'a str> },
    /// `/live/{stream}/{broadcast}/{rendition}/{file}`
    Rendition { stream: &'a str, pass: Option<&'a str>, broadcast: &'a str, rendition: u8, file: File },
}

/// A file of a rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    /// `index.m3u8`
    Playlist,
    /// `init{n}.mp4`
    Init(u32),
    /// `{msn}.m4s`
    Segment(u64),
    /// `{msn}.{part}.m4s`
    Part(u64, u32),
}

impl<'a> LivePath<'a> {
    /// Reads what follows `/live/`; `None` for anything that is not exactly one of our URLs.
    pub(super) fn parse(rest: &'a str) -> Option<Self> {
        // One more than there can be, so that too many are seen.
        let (mut names, mut count) = ([""; 6], 0);
        for (slot, name) in names.iter_mut().zip(rest.split('/')) {
            *slot = name;
            count += 1;
        }
        let (pass, broadcast, rendition, file) = match names.get(1..count)? {
            ["index.m3u8"] => return Some(Self::Multivariant { stream: names[0], pass: None }),
            [pass, "index.m3u8"] => return Some(Self::Multivariant { stream: names[0], pass: Some(pass) }),
            [broadcast, rendition, file] => (None, *broadcast, *rendition, *file),
            [pass, broadcast, rendition, file] => (Some(*pass), *broadcast, *rendition, *file),
            _ => return None,
        };
        let (rendition, file) = (canonical(rendition)?, File::parse(file)?);
        Some(Self::Rendition { stream: names[0], pass, broadcast, rendition, file })
    }
}

impl File {
    fn parse(name: &str) -> Option<Self> {
        if let Some(numbers) = name.strip_suffix(".m4s") {
            return Some(match numbers.split_once('.') {
                Some((msn, part)) => Self::Part(canonical(msn)?, canonical(part)?),
                None => Self::Segment(canonical(numbers)?),
            });
        }
        if name == "index.m3u8" {
            return Some(Self::Playlist);
        }
        Some(Self::Init(canonical(name.strip_prefix("init")?.strip_suffix(".mp4")?)?))
    }
}

/// One spelling per number, so that a cache in front cannot be filled with copies (`07`, `007`, …).
fn canonical<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.is_empty() || (text.len() > 1 && text.starts_with('0')) { None } else { decimal(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_file_is_found() {
        let stream = "abc123def456";
        assert_eq!(LivePath::parse("abc123def456/index.m3u8"), Some(LivePath::Multivariant { stream, pass: None }));
        let pass = Some("secret");
        assert_eq!(LivePath::parse("abc123def456/secret/index.m3u8"), Some(LivePath::Multivariant { stream, pass }));
        for (name, file) in [
            ("index.m3u8", File::Playlist),
            ("init2.mp4", File::Init(2)),
            ("17.m4s", File::Segment(17)),
            ("17.0.m4s", File::Part(17, 0)),
        ] {
            for (path, pass) in [("abc123def456/k3j9x0qa/1", None), ("abc123def456/secret/k3j9x0qa/1", Some("secret"))]
            {
                let path = format!("{path}/{name}");
                let broadcast = "k3j9x0qa";
                let found = LivePath::Rendition { stream, pass, broadcast, rendition: 1, file };
                assert_eq!(LivePath::parse(&path), Some(found), "{path}");
            }
        }
    }

    #[test]
    fn nothing_else_is() {
        for path in [
            "",
            "abc123def456",
            "abc123def456/",
            "abc123def456/secret/k3j9x0qa/index.m3u8",
            "abc123def456/secret/secret/k3j9x0qa/1/1.m4s",
            "abc123def456/k3j9x0qa/1/",
            "abc123def456/k3j9x0qa/1/../1/index.m3u8",
            "abc123def456/k3j9x0qa/1/1.m4s/",
            "abc123def456/k3j9x0qa/1/01.m4s",
            "abc123def456/k3j9x0qa/1/1.-1.m4s",
            "abc123def456/k3j9x0qa/1/1.1.1.m4s",
            "abc123def456/k3j9x0qa/1/init.mp4",
            "abc123def456/k3j9x0qa/256/index.m3u8",
            "abc123def456/k3j9x0qa/1/99999999999999999999999.m4s",
        ] {
            assert_eq!(LivePath::parse(path), None, "{path}");
        }
    }
}
