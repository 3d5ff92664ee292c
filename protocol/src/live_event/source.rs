//! What can be played.

use crate::text;

/// A way to play a live event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An HLS playlist.
    Hls(String),
    /// A media file that browsers play, such as a recording.
    File(String),
    /// A video on YouTube, by its id.
    YouTube(String),
    /// A channel on Twitch, by its name.
    Twitch(String),
    /// A page to open: nothing that can be played here.
    Page(String),
}

/// Longest id of a video or name of a channel.
const MAX_NAME_CHARS: usize = 64;

impl Source {
    /// The best of several URLs: HLS before the rest, the earlier before the later.
    #[must_use]
    pub fn best(urls: &[String]) -> Option<Self> {
        urls.iter().filter_map(|url| Self::of(url)).min_by_key(|source| match source {
            Self::Hls(_) => 0,
            Self::File(_) => 1,
            Self::YouTube(_) | Self::Twitch(_) => 2,
            Self::Page(_) => 3,
        })
    }

    /// What is behind a URL; none if a browser must not go there.
    #[must_use]
    pub fn of(url: &str) -> Option<Self> {
        let url = url.trim();
        if !text::is_web_url(url) {
            return None;
        }
        let (host, path, query) = parts(url)?;
        let named = |name: &str| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            (!name.is_empty() && name.len() <= MAX_NAME_CHARS && name.bytes().all(fits)).then(|| name.to_owned())
        };
        let lower = path.to_ascii_lowercase();
        let mut steps = path.split('/').filter(|step| !step.is_empty());
        let source = match host.as_str() {
            "youtu.be" => steps.next().and_then(named).map(Self::YouTube),
            "youtube.com" => match steps.next() {
                Some("watch") => query.split('&').find_map(|pair| pair.strip_prefix("v=")).and_then(named),
                Some("live" | "embed" | "shorts") => steps.next().and_then(named),
                _ => None,
            }
            .map(Self::YouTube),
            "twitch.tv" => steps.next().filter(|step| *step != "videos").and_then(named).map(Self::Twitch),
            _ if lower.ends_with(".m3u8") || lower.contains(".m3u8/") => Some(Self::Hls(url.to_owned())),
            _ if [".mp4", ".webm", ".mov"].iter().any(|end| lower.ends_with(end)) => Some(Self::File(url.to_owned())),
            _ => None,
        };
        Some(source.unwrap_or_else(|| Self::Page(url.to_owned())))
    }
}

/// Host without port, `www.` and `m.`; path; query.
fn parts(url: &str) -> Option<(String, &str, &str)> {
    let (_, rest) = url.split_once("://")?;
    let rest = rest.split('#').next().unwrap_or_default();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let host = host.to_ascii_lowercase();
    let bare = host.strip_prefix("www.").or_else(|| host.strip_prefix("m.")).unwrap_or(&host);
    Some((bare.to_owned(), path, query))
}
