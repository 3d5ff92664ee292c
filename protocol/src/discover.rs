//! Live events as lists and pages show them, wherever they were announced: texts and URLs are fit to be shown.

use serde::{Deserialize, Serialize};

use crate::{
    StreamId,
    api::Phase,
    event::PublicKey,
    live_event::{LiveEvent, Status},
    nip19::Entity,
    profile::Profile,
    text,
};

/// Longest title on a card, characters.
const MAX_TITLE_CHARS: usize = 140;
/// Longest name of somebody on a card, characters.
const MAX_NAME_CHARS: usize = 40;
/// Hashtags on a card.
const MAX_HASHTAGS: usize = 6;
/// Longest hashtag on a card, characters.
const MAX_HASHTAG_CHARS: usize = 30;
/// URLs of a sort that a page is told.
const MAX_URLS: usize = 10;

/// `GET /api/v1/discover`: live events, those of this server first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovered {
    /// On, those with most viewers first.
    pub live: Vec<Card>,
    /// To come, the next first.
    pub planned: Vec<Card>,
    /// Over, the last first.
    pub ended: Vec<Card>,
}

/// A live event in few words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Card {
    /// Where it stands.
    pub phase: Phase,
    /// `naddr1…`; none for streams that belong to no Nostr key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naddr: Option<String>,
    /// The stream, if it is one of this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamId>,
    /// Its title; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Who hosts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Person>,
    /// Its picture: `https://…`, or a path on this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// `music`, `gaming`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Hashtags, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hashtags: Vec<String>,
    /// Viewers now, if somebody counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewers: Option<u64>,
    /// Start, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_s: Option<u64>,
    /// End, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_s: Option<u64>,
    /// Why one might not want to see it; may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_warning: Option<String>,
}

/// Somebody, in few words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// Their key.
    pub pubkey: PublicKey,
    /// What to call them; empty while it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Their picture, `https://…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
}

/// `GET /api/v1/events/{naddr}`: a live event with all that its page needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundEvent {
    /// In few words.
    pub card: Card,
    /// What it is about; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Where it can be played, in the announcement's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streaming: Vec<String>,
    /// Where it can be played once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// Relays where its chat is: those that it names, then those that this server looks at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relays: Vec<String>,
    /// This server's own relay has its chat.
    pub is_carried: bool,
}

impl Person {
    /// Somebody, as far as they are known.
    #[must_use]
    pub fn new(pubkey: PublicKey, profile: Option<&Profile>) -> Self {
        Self {
            pubkey,
            name: profile.map(|profile| text::line(&profile.name, MAX_NAME_CHARS)).unwrap_or_default(),
            picture: profile.and_then(|profile| shown_picture(profile.picture.as_deref())),
        }
    }
}

impl Card {
    /// The card of an announcement as it stands at `now` (Unix seconds).
    #[must_use]
    pub fn of(live: &LiveEvent, profile: Option<&Profile>, now: u64) -> Self {
        let phase = Phase::from(live.state(now));
        let hashtags = live.hashtags.iter().map(|word| text::line(word, MAX_HASHTAG_CHARS));
        Self {
            phase,
            naddr: Some(Entity::naddr(&live.address, live.relays.get(..1).unwrap_or_default())),
            stream: None,
            title: text::line(&live.title, MAX_TITLE_CHARS),
            host: Some(Person::new(live.host(), profile)),
            picture: shown_picture(live.thumb.as_deref()).or_else(|| shown_picture(live.image.as_deref())),
            category: live.categories.iter().find_map(|category| category_name(category)),
            hashtags: hashtags.take(MAX_HASHTAGS).collect(),
            viewers: live.current_participants.filter(|_| phase == Phase::Live),
            starts_s: live.starts,
            ends_s: live.ends,
            content_warning: live.content_warning.clone(),
        }
    }

    /// The page where it can be watched.
    #[must_use]
    pub fn path(&self) -> String {
        match (&self.stream, &self.naddr) {
            (Some(id), _) => format!("/s/{id}"),
            (None, Some(naddr)) => format!("/e/{naddr}"),
            (None, None) => "/".to_owned(),
        }
    }
}

impl FoundEvent {
    /// The page of an announcement as it stands at `now`. `relays` are those that this server looks at.
    #[must_use]
    pub fn of(live: &LiveEvent, profile: Option<&Profile>, relays: &[String], is_carried: bool, now: u64) -> Self {
        let mut known: Vec<String> = Vec::new();
        for relay in live.relays.iter().chain(relays) {
            let relay = relay.trim_end_matches('/');
            if !known.iter().any(|one| one == relay) {
                known.push(relay.to_owned());
            }
        }
        known.truncate(MAX_URLS);
        let playable = live.streaming.iter().filter(|url| text::is_web_url(url));
        Self {
            card: Card::of(live, profile, now),
            summary: live.summary.clone(),
            streaming: playable.take(MAX_URLS).cloned().collect(),
            recording: live.recording.clone(),
            relays: known,
            is_carried,
        }
    }
}

impl From<Status> for Phase {
    fn from(status: Status) -> Self {
        match status {
            Status::Planned => Self::Planned,
            Status::Live => Self::Live,
            Status::Ended => Self::Ended,
        }
    }
}

/// A picture that a page may load: only with TLS, for pages forbid the rest.
#[must_use]
pub fn shown_picture(url: Option<&str>) -> Option<String> {
    let is_shown = |url: &&str| {
        let has_tls = url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        has_tls && text::is_web_url(url)
    };
    url.filter(is_shown).map(str::to_owned)
}

/// `internal:music` is music. Those of catalogues are numbers, which tell people nothing.
fn category_name(category: &str) -> Option<String> {
    let (prefix, name) = category.split_once(':')?;
    (prefix == "internal").then(|| name.replace('-', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        address::Address,
        event::{Event, EventId, Signature, kind, tag},
    };

    fn live_event(tags: &[&[&str]]) -> LiveEvent {
        let mut all = vec![tag(["d", "x"]), tag(["status", "live"])];
        all.extend(tags.iter().map(|tag| tag.iter().map(|&element| element.to_owned()).collect()));
        let event = Event {
            id: EventId::from_bytes([0; 32]),
            pubkey: PublicKey::from_bytes([7; 32]),
            created_at: 1_000,
            kind: kind::LIVE_EVENT,
            tags: all,
            content: String::new(),
            sig: Signature::from_bytes([0; 64]),
        };
        LiveEvent::read(&event).unwrap()
    }

    #[test]
    fn a_card_says_what_is_fit_to_be_shown() {
        let live = live_event(&[
            &["title", "\u{202e}evil\n\ntitle"],
            &["image", "http://a.example/no-tls.png"],
            &["thumb", "javascript:alert(1)"],
            &["t", "igdb:1234"],
            &["t", "internal:just-chatting"],
            &["t", "Music"],
            &["current_participants", "12"],
        ]);
        let card = Card::of(&live, None, 1_010);
        assert_eq!((card.title.as_str(), card.picture.as_deref()), ("evil  title", None));
        assert_eq!(
            (card.category.as_deref(), card.hashtags.as_slice()),
            (Some("just chatting"), &["music".into()][..])
        );
        assert_eq!((card.phase, card.viewers), (Phase::Live, Some(12)));
        let naddr: Entity = card.naddr.as_deref().unwrap().parse().unwrap();
        assert_eq!(naddr, Entity::Address(Address::live_event(live.address.pubkey, "x"), Vec::new()));
        assert_eq!(card.path(), format!("/e/{}", card.naddr.clone().unwrap()));
    }

    #[test]
    fn what_nobody_refreshed_is_over_and_has_no_viewers() {
        let card = Card::of(&live_event(&[&["current_participants", "12"]]), None, 1_000 + 3_600);
        assert_eq!((card.phase, card.viewers), (Phase::Ended, None));
    }

    #[test]
    fn a_page_is_told_of_each_relay_once_and_of_no_url_that_is_none() {
        let live = live_event(&[
            &["relays", "wss://a.example/", "wss://b.example", "not a relay"],
            &["streaming", "wss+livekit://nests.example:443"],
            &["streaming", "https://a.example/live.m3u8"],
        ]);
        let own = ["wss://b.example/".to_owned(), "wss://c.example".to_owned()];
        let found = FoundEvent::of(&live, None, &own, false, 1_000);
        assert_eq!(found.relays, ["wss://a.example", "wss://b.example", "wss://c.example"]);
        assert_eq!(found.streaming, ["https://a.example/live.m3u8"]);
    }

    #[test]
    fn pictures_are_loaded_with_tls_alone() {
        assert!(shown_picture(Some("HTTPS://a.example/x.png")).is_some());
        for url in ["http://a.example/x.png", "data:image/png;base64,", "https://a.example/\"x", "httpsé", ""] {
            assert_eq!(shown_picture(Some(url)), None, "{url}");
        }
    }
}
