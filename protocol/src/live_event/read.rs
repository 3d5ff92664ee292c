//! Tags of a live event, as the wild has them.

use super::{LiveEvent, Participant, Role, Status};
use crate::{
    address::Address,
    event::{Event, PublicKey, ReadError, Tags, kind},
    text,
};

/// Longest title that is kept, characters.
const MAX_TITLE_CHARS: usize = 200;
/// Longest summary that is kept, characters.
const MAX_SUMMARY_CHARS: usize = 4000;
/// Longest role, hashtag, category or warning that is kept, characters.
const MAX_WORD_CHARS: usize = 100;
/// Hashtags, and categories, that are kept.
const MAX_HASHTAGS: usize = 50;
/// Participants that are kept: the NIP's own advice.
const MAX_PARTICIPANTS: usize = 1000;
/// URLs that are kept of each sort.
const MAX_URLS: usize = 20;
/// Pinned messages that are kept.
const MAX_PINNED: usize = 20;

impl LiveEvent {
    /// Reads an announcement. Tags that make no sense are as good as absent; only a `d` has to be there.
    ///
    /// # Errors
    /// When it is no live event, or has no `d`.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::LIVE_EVENT)?;
        let address = Address::of(event).ok_or(ReadError::Tag("d"))?;
        let tags = event.tags();
        let line = |name, max| text::line(tags.value(name).unwrap_or_default(), max);
        let (categories, hashtags) = hashtags(tags);
        Ok(Self {
            address,
            id: event.id,
            created_at: event.created_at,
            status: tags.value("status").map_or(Status::Ended, status),
            title: line("title", MAX_TITLE_CHARS),
            summary: text::block(tags.value("summary").unwrap_or_default(), MAX_SUMMARY_CHARS),
            image: web_url(tags, "image"),
            thumb: web_url(tags, "thumb"),
            hashtags,
            categories,
            streaming: tags.values("streaming").take(MAX_URLS).map(str::to_owned).collect(),
            recording: web_url(tags, "recording").or_else(|| web_url(tags, "url")),
            starts: seconds(tags, "starts"),
            ends: seconds(tags, "ends"),
            current_participants: tags.parsed("current_participants"),
            total_participants: tags.parsed("total_participants"),
            participants: participants(tags),
            relays: relays(tags),
            pinned: tags.values("pinned").filter_map(|id| id.parse().ok()).take(MAX_PINNED).collect(),
            goal: tags.parsed("goal"),
            content_warning: content_warning(tags),
            service: web_url(tags, "service"),
        })
    }
}

/// What is not one of the three words is not live.
fn status(text: &str) -> Status {
    let is = |status: Status| text.eq_ignore_ascii_case(status.as_str());
    [Status::Planned, Status::Live].into_iter().find(|status| is(*status)).unwrap_or(Status::Ended)
}

/// Unix seconds; some write milliseconds, some a fraction.
fn seconds(tags: Tags<'_>, name: &'static str) -> Option<u64> {
    let whole = |text: &str| text.split('.').next().unwrap_or_default().parse::<u64>().ok();
    tags.values(name).find_map(whole).map(|time| if time > 100_000_000_000 { time / 1000 } else { time })
}

fn web_url(tags: Tags<'_>, name: &'static str) -> Option<String> {
    tags.values(name).find(|url| text::is_web_url(url)).map(str::to_owned)
}

fn relays(tags: Tags<'_>) -> Vec<String> {
    let mut relays: Vec<String> = Vec::new();
    for url in tags.listed("relays").filter(|url| text::is_relay_url(url)) {
        let url = url.trim_end_matches('/');
        if relays.len() < MAX_URLS && !relays.iter().any(|known| known == url) {
            relays.push(url.to_owned());
        }
    }
    relays
}

/// Categories (`prefix:name`) and the others, in lower case, each once.
fn hashtags(tags: Tags<'_>) -> (Vec<String>, Vec<String>) {
    let (mut categories, mut hashtags) = (Vec::new(), Vec::new());
    for value in tags.values("t") {
        let word = text::line(value.trim_start_matches('#'), MAX_WORD_CHARS).to_lowercase();
        let list = if is_category(&word) { &mut categories } else { &mut hashtags };
        if !word.is_empty() && list.len() < MAX_HASHTAGS && !list.contains(&word) {
            list.push(word);
        }
    }
    (categories, hashtags)
}

fn is_category(word: &str) -> bool {
    let all = |text: &str, fits: fn(u8) -> bool| !text.is_empty() && text.bytes().all(|b| b == b'-' || fits(b));
    word.split_once(':').is_some_and(|(prefix, name)| {
        all(prefix, |b| b.is_ascii_lowercase()) && all(name, |b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

fn participants(tags: Tags<'_>) -> Vec<Participant> {
    let mut participants: Vec<Participant> = Vec::new();
    for rest in tags.all("p") {
        // Some tools write the whole tag into one value, with commas.
        let joined: Vec<&str> = rest.first().map(|first| first.split(',').collect()).unwrap_or_default();
        let fields = if joined.len() > 1 { joined } else { rest.iter().map(String::as_str).collect() };
        let field = |index: usize| fields.get(index).map(|field| field.trim()).filter(|field| !field.is_empty());
        let Some(pubkey) = field(0).and_then(|key| key.parse::<PublicKey>().ok()) else { continue };
        let role = field(2).map_or(Role::Participant, role);
        let relay = field(1).filter(|url| text::is_relay_url(url)).map(str::to_owned);
        // A signature of 64 bytes; junk is no proof.
        let proof = field(3).filter(|proof| proof.parse::<crate::event::Signature>().is_ok()).map(str::to_owned);
        let is_full = participants.len() >= MAX_PARTICIPANTS;
        match participants.iter_mut().find(|known| known.pubkey == pubkey) {
            // Named twice: the host is the host.
            Some(known) if role == Role::Host => known.role = role,
            Some(_) => {}
            None if is_full => {}
            None => participants.push(Participant { pubkey, role, relay, proof }),
        }
    }
    participants
}

fn role(text: &str) -> Role {
    let word = text::line(text, MAX_WORD_CHARS);
    match word.to_lowercase().as_str() {
        "host" | "owner" => Role::Host,
        "moderator" | "admin" => Role::Moderator,
        "speaker" => Role::Speaker,
        "" | "participant" => Role::Participant,
        _ => Role::Other(word),
    }
}

/// NIP-36's spelling, and that of zap.stream's server. A tag without a reason warns, too.
fn content_warning(tags: Tags<'_>) -> Option<String> {
    let mut warnings = tags.all("content-warning").chain(tags.all("content_warning"));
    warnings.next().map(|rest| text::line(rest.first().map(String::as_str).unwrap_or_default(), MAX_WORD_CHARS))
}
