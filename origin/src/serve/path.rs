//! The paths below `/live/`, taken apart without an allocation.

use skylark_media::package::directives::decimal;

/// What a `/live/…` URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LivePath<'a> {
    /// `/live/{stream}/index.m3u8`
    Multivariant { stream: &'a str },
    /// `/live/{stream}/{broadcast}/{rendition}/{file}`
    Rendition { stream: &'a str, broadcast: &'a str, rendition: u8, file: File },
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
        let mut names = rest.split('/');
        let stream = names.next()?;
        let second = names.next()?;
        let Some(rendition) = names.next() else {
            return (second == "index.m3u8").then_some(Self::Multivariant { stream });
        };
        let (file, None) = (names.next()?, names.next()) else { return None };
        Some(Self::Rendition { stream, broadcast: second, rendition: canonical(rendition)?, file: File::parse(file)? })
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
        assert_eq!(LivePath::parse("abc123def456/index.m3u8"), Some(LivePath::Multivariant { stream }));
        for (name, file) in [
            ("index.m3u8", File::Playlist),
            ("init2.mp4", File::Init(2)),
            ("17.m4s", File::Segment(17)),
            ("17.0.m4s", File::Part(17, 0)),
        ] {
            let path = format!("abc123def456/k3j9x0qa/1/{name}");
            let found = LivePath::parse(&path);
            assert_eq!(
                found,
                Some(LivePath::Rendition { stream, broadcast: "k3j9x0qa", rendition: 1, file }),
                "{name}"
            );
        }
    }

    #[test]
    fn nothing_else_is() {
        for path in [
            "",
            "abc123def456",
            "abc123def456/",
            "abc123def456/k3j9x0qa/index.m3u8",
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
