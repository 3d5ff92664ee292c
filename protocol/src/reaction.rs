//! Reactions (kind 7, NIP-25) to live events and to their chat.

use crate::{
    address::Address,
    chat::Emoji,
    event::{Event, EventId, PublicKey, ReadError, UnsignedEvent, kind, tag},
    text,
};

/// Longest reaction that is shown, characters: emoji are made of several.
const MAX_CHARS: usize = 16;

/// A reaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Its event.
    pub id: EventId,
    /// Who reacts.
    pub author: PublicKey,
    /// When, Unix seconds.
    pub created_at: u64,
    /// The event reacted to. That of a live event changes with every announcement.
    pub target: Option<EventId>,
    /// The live event reacted to, or in whose chat.
    pub stream: Option<Address>,
    /// What is felt.
    pub mood: Mood,
}

/// What a reaction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    /// `+`, or nothing.
    Like,
    /// `-`
    Dislike,
    /// A character.
    Text(String),
    /// A picture.
    Emoji(Emoji),
}

impl Reaction {
    /// Reads a reaction.
    ///
    /// # Errors
    /// When it is none, or says not to what.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::REACTION)?;
        let tags = event.tags();
        let stream = Address::live_event_in(tags);
        // The last `e` is the target; those before it are the thread.
        let target = tags.values("e").filter_map(|id| id.parse().ok()).last();
        if stream.is_none() && target.is_none() {
            return Err(ReadError::Tag("e"));
        }
        let mood = match event.content.trim() {
            "" | "+" => Mood::Like,
            "-" => Mood::Dislike,
            short => {
                let name = short.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
                let picture = |name: &str| Emoji::read(tags).into_iter().find(|emoji| emoji.name == name);
                name.and_then(picture).map_or_else(|| Mood::Text(text::line(short, MAX_CHARS)), Mood::Emoji)
            }
        };
        Ok(Self { id: event.id, author: event.pubkey, created_at: event.created_at, target, stream, mood })
    }

    /// A reaction to a live event, for its author to sign. `announcement` is its newest event.
    #[must_use]
    pub fn to_stream(
        author: PublicKey,
        created_at: u64,
        stream: &Address,
        announcement: &EventId,
        content: &str,
    ) -> UnsignedEvent {
        let (host, id) = (stream.pubkey.to_string(), announcement.to_string());
        let tags = vec![
            tag(["e", &id, "", &host]),
            tag(["p", &host]),
            tag(["a", &stream.to_string()]),
            tag(["k", &kind::LIVE_EVENT.to_string()]),
        ];
        UnsignedEvent { pubkey: author, created_at, kind: kind::REACTION, tags, content: content.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::event;

    #[test]
    fn moods_are_told_apart() {
        let id = "ab".repeat(32);
        let read = |content: &str| {
            let tags: &[&[&str]] = &[&["e", &id], &["emoji", "soapbox", "https://a.example/s.png"]];
            Reaction::read(&event(7, tags, content)).unwrap().mood
        };
        assert_eq!([read("+"), read(""), read("-")], [Mood::Like, Mood::Like, Mood::Dislike]);
        assert_eq!(read("🔥"), Mood::Text("🔥".into()));
        assert_eq!(
            read(":soapbox:"),
            Mood::Emoji(Emoji { name: "soapbox".into(), url: "https://a.example/s.png".into() })
        );
        assert_eq!(read(":unknown:"), Mood::Text(":unknown:".into()));
        assert!(matches!(read(&"<b>".repeat(1000)), Mood::Text(text) if text.len() == MAX_CHARS));
    }

    #[test]
    fn the_target_is_the_last_event_and_the_stream_stands_beside() {
        let (host, first, last) = ("0a".repeat(32), "aa".repeat(32), "bb".repeat(32));
        let stream = format!("30311:{host}:d");
        let tags: &[&[&str]] =
            &[&["e", &first], &["e", &last, "", &host], &["p", &host], &["a", &stream], &["k", "30311"]];
        let reaction = Reaction::read(&event(7, tags, "🔥")).unwrap();
        assert_eq!(reaction.target, last.parse().ok());
        assert_eq!(reaction.stream.unwrap().to_string(), stream);
        assert_eq!(Reaction::read(&event(7, &[&["p", &host], &["e", "x"]], "+")), Err(ReadError::Tag("e")));
    }
}
