//! Chat of a live event (kind 1311), and what stands between its messages: raids (1312) and clips (1313).

use crate::{
    address::Address,
    event::{Event, EventId, PublicKey, ReadError, Tags, UnsignedEvent, kind, tag},
    text,
};

/// Longest message that Skylark sends, characters.
pub const MAX_MESSAGE_CHARS: usize = 500;
/// Longest message that is kept of other clients, characters.
const MAX_FOREIGN_CHARS: usize = 2000;
/// Custom emoji that are kept of a message.
const MAX_EMOJI: usize = 20;
/// Longest name of an emoji, or title of a clip, characters.
const MAX_NAME_CHARS: usize = 100;

/// A chat message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// Its event.
    pub id: EventId,
    /// Who wrote it.
    pub author: PublicKey,
    /// When, Unix seconds.
    pub created_at: u64,
    /// The live event it belongs to.
    pub stream: Address,
    /// What it says.
    pub content: String,
    /// The message it answers.
    pub reply_to: Option<EventId>,
    /// Custom emoji in its text, as `:name:`.
    pub emoji: Vec<Emoji>,
}

/// A picture that stands for `:name:` (NIP-30).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emoji {
    /// Its name, without colons.
    pub name: String,
    /// Its picture.
    pub url: String,
}

/// A live event sends its viewers to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raid {
    /// Its event.
    pub id: EventId,
    /// Who raids.
    pub author: PublicKey,
    /// Where the viewers come from.
    pub from: Address,
    /// Where they go.
    pub to: Address,
    /// What is said about it.
    pub content: String,
}

/// A part cut out of a live event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clip {
    /// Its event.
    pub id: EventId,
    /// Who cut it.
    pub author: PublicKey,
    /// The live event; some clips only name its host.
    pub stream: Option<Address>,
    /// The host.
    pub host: Option<PublicKey>,
    /// The video.
    pub url: String,
    /// Its title; may be empty.
    pub title: String,
}

impl ChatMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// When it is none, or names no live event.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::CHAT)?;
        let tags = event.tags();
        Ok(Self {
            id: event.id,
            author: event.pubkey,
            created_at: event.created_at,
            stream: Address::live_event_in(tags).ok_or(ReadError::Tag("a"))?,
            content: text::block(&event.content, MAX_FOREIGN_CHARS),
            reply_to: reply_to(tags),
            emoji: Emoji::read(tags),
        })
    }

    /// A message, for its author to sign. `relay` is where the live event can be found.
    #[must_use]
    pub fn unsigned(
        author: PublicKey,
        created_at: u64,
        stream: &Address,
        relay: &str,
        content: &str,
        reply_to: Option<&ChatMessage>,
    ) -> UnsignedEvent {
        let mut tags = vec![tag(["a", &stream.to_string(), relay, "root"])];
        if let Some(parent) = reply_to {
            tags.push(tag(["e", &parent.id.to_string(), relay, "reply", &parent.author.to_string()]));
            tags.push(tag(["p", &parent.author.to_string()]));
        }
        UnsignedEvent { pubkey: author, created_at, kind: kind::CHAT, tags, content: content.to_owned() }
    }
}

/// The direct parent: the `e` marked `reply`; else the last that is no mere mention, as old clients write them.
fn reply_to(tags: Tags<'_>) -> Option<EventId> {
    let named = || {
        tags.all("e").filter_map(|rest| {
            let marker = rest.get(2).map_or("", String::as_str);
            Some((marker, rest.first()?.parse::<EventId>().ok()?))
        })
    };
    let marked = named().find(|(marker, _)| *marker == "reply");
    marked.or_else(|| named().filter(|(marker, _)| *marker != "mention").last()).map(|(_, id)| id)
}

impl Emoji {
    pub(crate) fn read(tags: Tags<'_>) -> Vec<Self> {
        tags.all("emoji")
            .filter_map(|rest| {
                let (name, url) = (rest.first()?.trim_matches(':'), rest.get(1)?.trim());
                let fits = !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS && text::is_web_url(url);
                fits.then(|| Self { name: name.to_owned(), url: url.to_owned() })
            })
            .take(MAX_EMOJI)
            .collect()
    }
}

impl Raid {
    /// Reads a raid: `root` is where it starts, `mention` where it goes, as the clients that know raids write it; the
    /// draft of a NIP calls them `from` and `to`.
    ///
    /// # Errors
    /// When it is none, or does not say from where to where.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::RAID)?;
        let marked = |markers: [&str; 2]| {
            event.tags().all("a").find_map(|rest| {
                let address: Address = rest.first()?.parse().ok()?;
                let is_meant = markers.contains(&rest.get(2)?.as_str()) && address.kind == kind::LIVE_EVENT;
                is_meant.then_some(address)
            })
        };
        Ok(Self {
            id: event.id,
            author: event.pubkey,
            from: marked(["root", "from"]).ok_or(ReadError::Tag("a … root"))?,
            to: marked(["mention", "to"]).ok_or(ReadError::Tag("a … mention"))?,
            content: text::block(&event.content, MAX_FOREIGN_CHARS),
        })
    }
}

impl Clip {
    /// Reads a clip.
    ///
    /// # Errors
    /// When it is none, or has no video.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::CLIP)?;
        let tags = event.tags();
        let stream = Address::live_event_in(tags);
        Ok(Self {
            id: event.id,
            author: event.pubkey,
            host: tags.parsed("p").or(stream.as_ref().map(|stream| stream.pubkey)),
            stream,
            url: tags.values("r").find(|url| text::is_web_url(url)).ok_or(ReadError::Tag("r"))?.to_owned(),
            title: text::line(tags.value("title").unwrap_or_default(), MAX_NAME_CHARS),
        })
    }
}

#[cfg(test)]
mod tests;
