//! Who somebody is (kind 0), where they read and write (kind 10002), and where they are (kind 10312).

use serde_json::{Map, Value};

use crate::{
    address::Address,
    event::{Event, PublicKey, ReadError, kind},
    text,
};

/// Longest name that is kept, characters.
const MAX_NAME_CHARS: usize = 60;
/// Longest text about somebody that is kept, characters.
const MAX_ABOUT_CHARS: usize = 2000;
/// Longest address of a person or a wallet that is kept, characters.
const MAX_ADDRESS_CHARS: usize = 200;
/// Relays that are kept of a list.
const MAX_RELAYS: usize = 20;

/// What somebody says of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// What to call them; may be empty.
    pub name: String,
    /// Their picture.
    pub picture: Option<String>,
    /// Their banner.
    pub banner: Option<String>,
    /// What they say about themselves; may be empty.
    pub about: String,
    /// Their name at a domain (NIP-05), unchecked.
    pub nip05: Option<String>,
    /// Where they can be zapped: `name@domain` (LUD-16).
    pub lud16: Option<String>,
    /// Where they can be zapped: `lnurl1…` (LUD-06).
    pub lud06: Option<String>,
}

/// Relays that somebody uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayList {
    /// Where they look for what concerns them.
    pub read: Vec<String>,
    /// Where they publish.
    pub write: Vec<String>,
}

/// Somebody is in a live event's room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Who.
    pub author: PublicKey,
    /// Since when, Unix seconds. It says nothing of now.
    pub created_at: u64,
    /// Where.
    pub room: Address,
    /// They want to speak.
    pub has_hand_up: bool,
}

impl Profile {
    /// Reads a profile. Fields of the wrong type are as good as absent.
    ///
    /// # Errors
    /// When it is none, or its content is no JSON object.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::PROFILE)?;
        let fields: Map<String, Value> =
            serde_json::from_str(&event.content).map_err(|_| ReadError::Content("a JSON object"))?;
        let string =
            |name: &str| fields.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let line = |name: &str, max| string(name).map(|text| text::line(text, max)).filter(|text| !text.is_empty());
        let url = |name: &str| string(name).filter(|url| text::is_web_url(url)).map(str::to_owned);
        let names = ["display_name", "displayName", "name", "username"];
        Ok(Self {
            name: names.into_iter().find_map(|name| line(name, MAX_NAME_CHARS)).unwrap_or_default(),
            picture: url("picture").or_else(|| url("image")),
            banner: url("banner"),
            about: text::block(string("about").unwrap_or_default(), MAX_ABOUT_CHARS),
            nip05: line("nip05", MAX_ADDRESS_CHARS),
            lud16: line("lud16", MAX_ADDRESS_CHARS),
            lud06: line("lud06", MAX_ADDRESS_CHARS),
        })
    }
}

impl RelayList {
    /// Reads a list. No marker means both.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::RELAY_LIST)?;
        let mut list = Self::default();
        for rest in event.tags().all("r") {
            let Some(url) = rest.first().map(|url| url.trim().trim_end_matches('/')) else { continue };
            let marker = rest.get(1).map_or("", |marker| marker.trim());
            if !text::is_relay_url(url) {
                continue;
            }
            for (name, urls) in [("read", &mut list.read), ("write", &mut list.write)] {
                let is_meant = marker.is_empty() || marker == name;
                if is_meant && urls.len() < MAX_RELAYS && !urls.iter().any(|known| known == url) {
                    urls.push(url.to_owned());
                }
            }
        }
        Ok(list)
    }
}

impl Presence {
    /// Reads a presence.
    ///
    /// # Errors
    /// When it is none, or names no room.
    pub fn read(event: &Event) -> Result<Self, ReadError> {
        event.expect_kind(kind::PRESENCE)?;
        let tags = event.tags();
        Ok(Self {
            author: event.pubkey,
            created_at: event.created_at,
            room: Address::named(tags).into_iter().next().ok_or(ReadError::Tag("a"))?,
            has_hand_up: tags.value("hand") == Some("1"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::event;

    #[test]
    fn a_profile_with_odd_fields_keeps_the_others() {
        let content = r#"{"name":"  ","display_name":"A\u202eB","picture":"javascript:alert(1)","image":"https://a.example/p.png",
            "about":null,"nip05":42,"lud16":"a@b.example","extra":{"deep":[1]}}"#;
        let profile = Profile::read(&event(0, &[], content)).unwrap();
        assert_eq!(profile.name, "AB");
        assert_eq!(profile.picture.as_deref(), Some("https://a.example/p.png"));
        assert_eq!((profile.nip05, profile.lud16.as_deref()), (None, Some("a@b.example")));
        for junk in ["", "null", "[]", "{"] {
            assert!(Profile::read(&event(0, &[], junk)).is_err(), "{junk}");
        }
    }

    #[test]
    fn relay_lists_say_what_for() {
        let tags: &[&[&str]] =
            &[&["r", "wss://both.example/"], &["r", "wss://in.example", "read"], &["r"], &["r", "https://no.example"]];
        let list = RelayList::read(&event(10_002, tags, "")).unwrap();
        assert_eq!(list.read, ["wss://both.example", "wss://in.example"]);
        assert_eq!(list.write, ["wss://both.example"]);
    }

    #[test]
    fn presence_needs_neither_marker_nor_relay() {
        let room = format!("30313:{}:annual-2026", "0a".repeat(32));
        let presence = Presence::read(&event(10_312, &[&["a", &room], &["hand", "1"]], "")).unwrap();
        assert_eq!((presence.room.to_string(), presence.has_hand_up), (room, true));
    }
}
