//! What other sites and messengers show of a link to us: the head of a page, filled in before anybody runs its script.

use axum::http::request::Parts;
use skylark_protocol::{
    api::Phase,
    discover::{Card, FoundEvent},
    text,
};

use super::api::SiteUrl;

/// Longest description, characters.
const MAX_DESCRIPTION_CHARS: usize = 200;
/// The size that players in other pages are told.
const PLAYER_SIZE: (u32, u32) = (1280, 720);
/// What the pages' own head has of this, to be replaced.
const TITLE: (&str, &str) = ("<title>", "</title>");
/// See [`TITLE`].
const DESCRIPTION: (&str, &str) = ("<meta name=\"description\"", ">");

/// A page as others show it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Preview {
    title: String,
    description: String,
    /// Absolute.
    image: Option<String>,
    /// Absolute.
    url: Option<String>,
    /// Absolute.
    player: Option<String>,
    naddr: Option<String>,
}

impl Preview {
    /// Of a live event; URLs are absolute, so there are none where this server does not know its own address.
    pub(super) fn of(event: &FoundEvent, site: &SiteUrl, parts: &Parts) -> Self {
        let card = &event.card;
        let base = site.base(parts).ok();
        let absolute = |path: String| base.as_ref().map(|base| format!("{base}{path}"));
        let host = card.host.as_ref().map(|host| host.name.as_str()).filter(|name| !name.is_empty());
        let summary = text::line(&event.summary, MAX_DESCRIPTION_CHARS);
        let is_on = card.phase == Phase::Live;
        Self {
            title: match (card.title.is_empty(), host) {
                (false, _) => card.title.clone(),
                (true, Some(host)) => format!("{host} on Skylark"),
                (true, None) => "Live stream".to_owned(),
            },
            description: if summary.is_empty() { sentence(card, host) } else { summary },
            image: match card.picture.as_deref() {
                Some(path) if path.starts_with('/') => absolute(path.to_owned()),
                picture => picture.map(str::to_owned),
            }
            .filter(|_| card.content_warning.is_none()),
            url: absolute(card.path()),
            player: card.stream.as_ref().filter(|_| is_on).and_then(|id| absolute(format!("/embed/{id}"))),
            naddr: card.naddr.clone(),
        }
    }

    /// A page with this in its head.
    pub(super) fn written_into(&self, page: &str) -> Option<String> {
        let page = without(page, DESCRIPTION)?;
        let start = page.find(TITLE.0)?;
        let end = start + page[start..].find(TITLE.1)? + TITLE.1.len();
        Some(format!("{}{}{}", &page[..start], self.head(), &page[end..]))
    }

    fn head(&self) -> String {
        let mut head = format!("<title>{} · Skylark</title>\n", escaped(&self.title));
        let mut meta = |kind: &str, name: &str, content: &str| {
            head.push_str(&format!("<meta {kind}=\"{name}\" content=\"{}\">\n", escaped(content)));
        };
        meta("name", "description", &self.description);
        meta("property", "og:site_name", "Skylark");
        meta("property", "og:type", if self.player.is_some() { "video.other" } else { "website" });
        meta("property", "og:title", &self.title);
        meta("property", "og:description", &self.description);
        if let Some(url) = &self.url {
            meta("property", "og:url", url);
        }
        if let Some(image) = &self.image {
            meta("property", "og:image", image);
        }
        // Twitter's players have to be reached with TLS.
        let is_player = self.player.as_ref().is_some_and(|url| url.starts_with("https://"));
        if let Some(player) = &self.player {
            let (width, height) = (PLAYER_SIZE.0.to_string(), PLAYER_SIZE.1.to_string());
            let prefix = if is_player { "og:video:secure_url" } else { "og:video:url" };
            for (name, content) in [
                ("og:video", player.as_str()),
                (prefix, player),
                ("og:video:type", "text/html"),
                ("og:video:width", &width),
                ("og:video:height", &height),
            ] {
                meta("property", name, content);
            }
            if is_player {
                meta("name", "twitter:player", player);
                meta("name", "twitter:player:width", &width);
                meta("name", "twitter:player:height", &height);
            }
        }
        let card = match (is_player, &self.image) {
            (true, _) => "player",
            (false, Some(_)) => "summary_large_image",
            (false, None) => "summary",
        };
        meta("name", "twitter:card", card);
        meta("name", "twitter:title", &self.title);
        meta("name", "twitter:description", &self.description);
        if let Some(image) = &self.image {
            meta("name", "twitter:image", image);
        }
        let mut link = |relation: &str, target: &str| {
            head.push_str(&format!("<link rel=\"{relation}\" href=\"{}\">\n", escaped(target)));
        };
        if let Some(url) = &self.url {
            link("canonical", url);
        }
        if let Some(naddr) = &self.naddr {
            link("alternate", &format!("nostr:{naddr}"));
        }
        head.trim_end().to_owned()
    }
}

fn sentence(card: &Card, host: Option<&str>) -> String {
    let what = match card.phase {
        Phase::Planned => "To come",
        Phase::Live => "Live now",
        Phase::Ended => "A past stream",
    };
    match host {
        Some(host) => format!("{what}: {host} on Skylark."),
        None => format!("{what} on Skylark."),
    }
}

/// A page without what lies between the first such pair.
fn without(page: &str, (from, to): (&str, &str)) -> Option<String> {
    let start = page.find(from)?;
    let end = start + page[start..].find(to)? + to.len();
    Some(format!("{}{}", &page[..start], page[end..].trim_start_matches('\n')))
}

/// As the value of an attribute, or as text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<head>\n<meta name=\"description\" content=\"old\">\n<title>old</title>\n</head><body></body>";

    #[test]
    fn whatever_a_title_says_it_stays_in_its_place() {
        let preview = Preview {
            title: "</title><script>alert(1)</script>".into(),
            description: "\" onload=\"alert(1) & 'x'".into(),
            url: Some("https://live.example/s/abc123def456".into()),
            player: Some("https://live.example/embed/abc123def456".into()),
            ..Preview::default()
        };
        let page = preview.written_into(PAGE).unwrap();
        assert!(!page.contains("<script") && !page.contains("old") && !page.contains("onload=\"a"), "{page}");
        assert!(
            page.contains("<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt; · Skylark</title>"),
            "{page}"
        );
        assert!(page.contains("content=\"&quot; onload=&quot;alert(1) &amp; &#39;x&#39;\""), "{page}");
        assert!(page.contains("<meta property=\"og:video\" content=\"https://live.example/embed/abc123def456\">"));
        assert!(page.contains("<link rel=\"canonical\" href=\"https://live.example/s/abc123def456\">"));
        assert!(page.ends_with("</head><body></body>"));
    }

    #[test]
    fn a_page_without_a_head_of_ours_is_left_alone() {
        assert_eq!(Preview::default().written_into("<p>not built</p>"), None);
    }
}
