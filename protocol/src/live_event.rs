//! Live events (NIP-53, kind 30311): what others announce, read tolerantly, and what our streamers announce.
//!
//! | module | what |
//! |---|---|
//! | `read` | tags → [`LiveEvent`] |
//! | `source` | what can be played, and which of several URLs |
//! | `draft` | [`LiveEventDraft`] → tags |
//! | `telling` | a stream of the API → [`LiveEventDraft`] |
//!
//! Who hosts, whether it is still on, and what to play is decided here, once, the way the large clients do.

mod draft;
mod read;
mod source;
mod telling;

use crate::{
    address::Address,
    event::{EventId, PublicKey},
};

pub use draft::{InvalidDraft, LiveEventDraft};
pub use source::Source;

/// `live` that nobody refreshed for so long is over, seconds.
pub const STALE_AFTER_S: u64 = 60 * 60;
/// What has not begun so long after its start never will, seconds.
pub const MISSED_AFTER_S: u64 = 60 * 60;
/// What is dated so far ahead is not shown: it would stand on top of every list, seconds.
pub const FUTURE_LIMIT_S: u64 = 5 * 60;
/// Services that announce streams with their own key, and are taken at their word who the host is. Anybody else could
/// name anybody.
pub const SERVICES: [PublicKey; 1] = [
    // zap.stream
    PublicKey::from_bytes([
        0xcf, 0x45, 0xa6, 0xba, 0x13, 0x63, 0xad, 0x7e, 0xd2, 0x13, 0xa0, 0x78, 0xe7, 0x10, 0xd2, 0x41, 0x15, 0xae,
        0x72, 0x1c, 0x9b, 0x47, 0xbd, 0x1e, 0xbf, 0x44, 0x58, 0xea, 0xef, 0xb4, 0xc2, 0xa5,
    ]),
];

/// A live event, whoever announced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveEvent {
    /// Its address: who announced it, under which `d`.
    pub address: Address,
    /// The announcement that was read.
    pub id: EventId,
    /// When it was announced, Unix seconds.
    pub created_at: u64,
    /// What the announcement says of its state; [`LiveEvent::state`] is what to believe.
    pub status: Status,
    /// Its title; may be empty.
    pub title: String,
    /// What it is about; may be empty.
    pub summary: String,
    /// Picture.
    pub image: Option<String>,
    /// Small picture of the moment.
    pub thumb: Option<String>,
    /// Hashtags, in lower case.
    pub hashtags: Vec<String>,
    /// Games and the like, as `igdb:…` and `internal:…`.
    pub categories: Vec<String>,
    /// Where it can be played, in the announcement's order.
    pub streaming: Vec<String>,
    /// Where it can be played once it is over.
    pub recording: Option<String>,
    /// Start, Unix seconds.
    pub starts: Option<u64>,
    /// End, Unix seconds.
    pub ends: Option<u64>,
    /// Viewers now, by the announcement.
    pub current_participants: Option<u64>,
    /// Viewers so far, by the announcement.
    pub total_participants: Option<u64>,
    /// People in it, hosts included; each once.
    pub participants: Vec<Participant>,
    /// Relays where its chat is.
    pub relays: Vec<String>,
    /// Pinned chat messages.
    pub pinned: Vec<EventId>,
    /// Its zap goal.
    pub goal: Option<EventId>,
    /// Why one might not want to see it.
    pub content_warning: Option<String>,
    /// API of the service that carries it.
    pub service: Option<String>,
}

/// What an announcement says of a live event's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It will begin.
    Planned,
    /// It is on.
    Live,
    /// It is over.
    Ended,
}

/// Somebody in a live event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Who.
    pub pubkey: PublicKey,
    /// What for.
    pub role: Role,
    /// A relay that knows them.
    pub relay: Option<String>,
    /// Their signature of the address: they agreed to be named.
    pub proof: Option<String>,
}

/// What somebody does in a live event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Runs it.
    Host,
    /// Keeps order in the chat.
    Moderator,
    /// Speaks.
    Speaker,
    /// Takes part; also where no role is given.
    Participant,
    /// Anything else, as it is written.
    Other(String),
}

impl Status {
    /// As it stands in the tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Live => "live",
            Self::Ended => "ended",
        }
    }
}

impl Role {
    /// As it stands in the tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Host => "Host",
            Self::Moderator => "Moderator",
            Self::Speaker => "Speaker",
            Self::Participant => "Participant",
            Self::Other(role) => role,
        }
    }
}

impl LiveEvent {
    /// Who hosts it: the author. A service that announces for others is believed when it names the host; of anybody
    /// else that would be a way to speak in another's name.
    #[must_use]
    pub fn host(&self) -> PublicKey {
        let author = self.address.pubkey;
        let named = self.participants.iter().find(|participant| participant.role == Role::Host);
        match named {
            Some(host) if SERVICES.contains(&author) => host.pubkey,
            _ => author,
        }
    }

    /// Who keeps order in its chat besides the host, by the announcement.
    pub fn moderators(&self) -> impl Iterator<Item = PublicKey> {
        self.participants.iter().filter(|one| one.role == Role::Moderator).map(|one| one.pubkey)
    }

    /// Where it stands at `now` (Unix seconds): what calls itself live but was not refreshed for an hour is over, and
    /// so is what should have begun an hour ago.
    #[must_use]
    pub fn state(&self, now: u64) -> Status {
        match self.status {
            Status::Live if now.saturating_sub(self.created_at) >= STALE_AFTER_S => Status::Ended,
            Status::Planned if self.starts.is_some_and(|starts| now.saturating_sub(starts) >= MISSED_AFTER_S) => {
                Status::Ended
            }
            status => status,
        }
    }

    /// Whether it may stand in a list at `now`: it is not dated ahead.
    #[must_use]
    pub fn is_listable(&self, now: u64) -> bool {
        self.created_at <= now.saturating_add(FUTURE_LIMIT_S)
    }

    /// What to play: the stream while it is live, the recording when it is over.
    #[must_use]
    pub fn source(&self, now: u64) -> Option<Source> {
        let urls: &[String] = match self.state(now) {
            Status::Planned => return None,
            Status::Live => &self.streaming,
            Status::Ended => self.recording.as_slice(),
        };
        Source::best(urls)
    }
}

#[cfg(test)]
mod tests;
