//! What there is to see of a live event, and how; pure.

use skylark_protocol::{api::Phase, discover::FoundEvent, live_event::Source};

/// What stands where the picture of a stream would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Show {
    /// A playlist that is live.
    Live(String),
    /// A playlist from beginning to end.
    Recording(String),
    /// A file that browsers play.
    File(String),
    /// A page of YouTube or Twitch that may stand in other pages.
    Frame {
        /// Its address.
        url: String,
        /// Whose page it is.
        of: &'static str,
    },
    /// It can be seen, but not on this page.
    Link(String),
    /// It begins then, Unix seconds; some do not say when.
    Wait(Option<u64>),
    /// It is on, and nobody says where.
    Nowhere,
    /// It is over, and was not recorded.
    Over,
}

impl Show {
    /// What there is to see; `host` is that of the page, which Twitch wants to know.
    pub(super) fn of(event: &FoundEvent, host: &str) -> Self {
        let (urls, none) = match event.card.phase {
            Phase::Planned => return Self::Wait(event.card.starts_s),
            Phase::Live => (event.streaming.as_slice(), Self::Nowhere),
            Phase::Ended => (event.recording.as_slice(), Self::Over),
        };
        // Pages with TLS may load nothing without.
        let with_tls: Vec<String> =
            urls.iter().filter(|url| url.trim().to_ascii_lowercase().starts_with("https://")).cloned().collect();
        let best = Source::best(&with_tls).filter(|source| !matches!(source, Source::Page(_)));
        match best.or_else(|| Source::best(urls)) {
            Some(Source::Hls(url)) if !with_tls.contains(&url) => Self::Link(url),
            Some(Source::File(url)) if !with_tls.contains(&url) => Self::Link(url),
            Some(Source::Hls(url)) if event.card.phase == Phase::Live => Self::Live(url),
            Some(Source::Hls(url)) => Self::Recording(url),
            Some(Source::File(url)) => Self::File(url),
            Some(Source::YouTube(id)) => Self::Frame {
                url: format!("https://www.youtube-nocookie.com/embed/{id}?autoplay=1&rel=0"),
                of: "YouTube",
            },
            Some(Source::Twitch(name)) => Self::Frame {
                url: format!("https://player.twitch.tv/?channel={name}&parent={host}&autoplay=true"),
                of: "Twitch",
            },
            Some(Source::Page(url)) => Self::Link(url),
            None => none,
        }
    }
}

#[cfg(test)]
mod tests {
    use skylark_protocol::{
        event::{Event, EventId, PublicKey, Signature},
        live_event::LiveEvent,
    };

    use super::*;

    /// An announcement of these tags, as others make them, on the page of an hour.
    fn show(tags: &[&[&str]]) -> Show {
        let mut all = vec![vec!["d".to_owned(), "x".to_owned()]];
        all.extend(tags.iter().map(|tag| tag.iter().map(|&element| element.to_owned()).collect()));
        let event = Event {
            id: EventId::from_bytes([0; 32]),
            pubkey: PublicKey::from_bytes([7; 32]),
            created_at: 1_000,
            kind: 30311,
            tags: all,
            content: String::new(),
            sig: Signature::from_bytes([0; 64]),
        };
        let live = LiveEvent::read(&event).unwrap();
        Show::of(&FoundEvent::of(&live, None, &[], false, 1_010), "live.example")
    }

    #[test]
    fn the_first_playlist_is_played_whatever_else_is_named() {
        // nests: audio for its own client first.
        let nests: &[&[&str]] = &[
            &["status", "live"],
            &["streaming", "wss+livekit://nostrnests.com:443"],
            &["streaming", "https://nostrnests.com/api/v1/live/abc/live.m3u8"],
        ];
        assert_eq!(show(nests), Show::Live("https://nostrnests.com/api/v1/live/abc/live.m3u8".into()));
        // Several of one server: the first is meant.
        let core: &[&[&str]] = &[
            &["status", "live"],
            &["streaming", "moq://a"],
            &["streaming", "https://a.example/1.m3u8"],
            &["streaming", "https://a.example/2.m3u8"],
        ];
        assert_eq!(show(core), Show::Live("https://a.example/1.m3u8".into()));
        let no_tls: &[&[&str]] = &[
            &["status", "live"],
            &["streaming", "http://a.example/1.m3u8"],
            &["streaming", "https://a.example/2.m3u8"],
        ];
        assert_eq!(show(no_tls), Show::Live("https://a.example/2.m3u8".into()));
    }

    #[test]
    fn pages_of_others_stand_in_ours_where_they_allow_it() {
        let of = |url: &str| show(&[&["status", "LIVE"], &["streaming", url]]);
        for url in [
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=1",
            "https://youtu.be/dQw4w9WgXcQ",
            "https://m.youtube.com/live/dQw4w9WgXcQ",
        ] {
            let framed = "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ?autoplay=1&rel=0";
            assert_eq!(of(url), Show::Frame { url: framed.into(), of: "YouTube" }, "{url}");
        }
        let framed = "https://player.twitch.tv/?channel=some_one&parent=live.example&autoplay=true";
        assert_eq!(of("https://www.twitch.tv/some_one"), Show::Frame { url: framed.into(), of: "Twitch" });
        for page in ["https://kick.com/x", "https://www.youtube.com/@channel", "http://a.example/x.m3u8"] {
            assert_eq!(of(page), Show::Link(page.into()), "{page}");
        }
        for nothing in ["", "javascript:alert(1)", "nostr:naddr1", "rtmp://a.example/live/key"] {
            assert_eq!(of(nothing), Show::Nowhere, "{nothing}");
        }
    }

    #[test]
    fn what_is_to_come_waits_and_what_is_over_is_its_recording() {
        assert_eq!(show(&[&["status", "planned"], &["starts", "5000"]]), Show::Wait(Some(5_000)));
        assert_eq!(show(&[&["status", "planned"]]), Show::Wait(None));
        let ended = |url: &str| {
            show(&[&["status", "ended"], &["streaming", "https://a.example/live.m3u8"], &["recording", url]])
        };
        assert_eq!(ended("https://a.example/r.mp4"), Show::File("https://a.example/r.mp4".into()));
        assert_eq!(ended("https://a.example/r.m3u8"), Show::Recording("https://a.example/r.m3u8".into()));
        assert_eq!(ended("ipfs://x"), Show::Over);
        // Without a status it is over; `url` is what recordings were called once; a page is linked to.
        assert_eq!(
            show(&[&["streaming"], &["url", "https://a.example/page"]]),
            Show::Link("https://a.example/page".into())
        );
        assert_eq!(show(&[]), Show::Over);
    }
}
