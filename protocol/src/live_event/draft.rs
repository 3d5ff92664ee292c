//! Announcements of our own.

use super::{LiveEvent, Participant, Role, Status};
use crate::{
    address::Address,
    event::{EventId, PublicKey, UnsignedEvent, kind, tag},
    text,
};

/// A live event to be announced. Its author is its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveEventDraft {
    /// The `d` tag: the same in every announcement of one live event.
    pub identifier: String,
    /// Where it stands.
    pub status: Status,
    /// Its title.
    pub title: String,
    /// What it is about.
    pub summary: String,
    /// Picture.
    pub image: Option<String>,
    /// Small picture of the moment.
    pub thumb: Option<String>,
    /// Hashtags and categories.
    pub hashtags: Vec<String>,
    /// Where it can be played; other clients take the first.
    pub streaming: Vec<String>,
    /// Where it can be played once it is over.
    pub recording: Option<String>,
    /// Start, Unix seconds.
    pub starts: Option<u64>,
    /// End, Unix seconds. It is said once and never moved.
    pub ends: Option<u64>,
    /// Viewers now.
    pub current_participants: Option<u64>,
    /// Viewers so far.
    pub total_participants: Option<u64>,
    /// People in it besides the host.
    pub participants: Vec<Participant>,
    /// Relays where its chat is, ours first.
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

/// A draft that other clients would not take. Says which field, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct InvalidDraft {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl LiveEventDraft {
    /// Longest title, characters.
    pub const MAX_TITLE_CHARS: usize = 100;
    /// Longest summary, characters.
    pub const MAX_SUMMARY_CHARS: usize = 500;
    /// Most hashtags.
    pub const MAX_HASHTAGS: usize = 20;
    /// Longest hashtag, characters.
    pub const MAX_HASHTAG_CHARS: usize = 50;
    /// Most participants: the NIP's own advice.
    pub const MAX_PARTICIPANTS: usize = 999;
    /// Most relays, and stream URLs.
    pub const MAX_URLS: usize = 20;
    /// Most pinned messages.
    pub const MAX_PINNED: usize = 20;

    /// A live event of which nothing is known yet.
    #[must_use]
    pub fn new(identifier: &str, status: Status, title: &str) -> Self {
        Self {
            identifier: identifier.to_owned(),
            status,
            title: title.to_owned(),
            summary: String::new(),
            image: None,
            thumb: None,
            hashtags: Vec::new(),
            streaming: Vec::new(),
            recording: None,
            starts: None,
            ends: None,
            current_participants: None,
            total_participants: None,
            participants: Vec::new(),
            relays: Vec::new(),
            pinned: Vec::new(),
            goal: None,
            content_warning: None,
            service: None,
        }
    }

    /// What this announcement becomes when nothing more is heard of the streamer: over, as of one second after it. To
    /// be signed with that second as its date, together with the announcement itself.
    #[must_use]
    pub fn ending(&self, created_at: u64) -> Self {
        let ends = self.ends.unwrap_or(created_at.saturating_add(1));
        Self {
            status: Status::Ended,
            ends: Some(ends),
            current_participants: None,
            streaming: Vec::new(),
            ..self.clone()
        }
    }

    /// The announcement, for its host to sign.
    ///
    /// # Errors
    /// The first field that other clients would not take.
    pub fn unsigned(&self, host: PublicKey, created_at: u64) -> Result<UnsignedEvent, InvalidDraft> {
        self.check()?;
        let mut tags = vec![tag(["d", &self.identifier]), tag(["title", self.title.trim()])];
        let mut add = |name: &str, value: &str| tags.push(tag([name, value]));
        if !self.summary.trim().is_empty() {
            add("summary", self.summary.trim());
        }
        let seconds = |time: Option<u64>| time.map(|time| time.to_string());
        let optional = [
            ("image", self.image.clone()),
            ("thumb", self.thumb.clone()),
            ("starts", seconds(self.starts)),
            ("ends", seconds(self.ends)),
            ("recording", self.recording.clone()),
            ("service", self.service.clone()),
            ("current_participants", seconds(self.current_participants)),
            ("total_participants", seconds(self.total_participants)),
            ("content-warning", self.content_warning.clone()),
        ];
        add("status", self.status.as_str());
        self.streaming.iter().for_each(|url| add("streaming", url));
        for (name, value) in &optional {
            value.iter().for_each(|value| add(name, value));
        }
        self.hashtags.iter().for_each(|word| add("t", word.trim()));
        self.pinned.iter().for_each(|id| add("pinned", &id.to_string()));
        self.goal.iter().for_each(|id| add("goal", &id.to_string()));
        add("alt", &format!("Live stream: {}", self.title.trim()));
        tags.push(tag(["p", &host.to_string(), "", Role::Host.as_str()]));
        tags.extend(self.participants.iter().filter(|one| one.pubkey != host).map(participant));
        if !self.relays.is_empty() {
            tags.push(std::iter::once("relays".to_owned()).chain(self.relays.iter().cloned()).collect());
        }
        Ok(UnsignedEvent { pubkey: host, created_at, kind: kind::LIVE_EVENT, tags, content: String::new() })
    }

    fn check(&self) -> Result<(), InvalidDraft> {
        let wrong = |field, reason: String| Err(InvalidDraft { field, reason });
        let most = |field, count: usize, max: usize| match count {
            count if count > max => wrong(field, format!("at most {max}")),
            _ => Ok(()),
        };
        if self.identifier.is_empty() || self.identifier.len() > Address::MAX_IDENTIFIER_BYTES {
            return wrong("identifier", format!("1 to {} bytes", Address::MAX_IDENTIFIER_BYTES));
        }
        let chars = |field, text: &str, max: usize| match text.chars().count() {
            count if count > max => wrong(field, format!("at most {max} characters")),
            _ => Ok(()),
        };
        if self.title.trim().is_empty() {
            return wrong("title", "it must not be empty".into());
        }
        chars("title", &self.title, Self::MAX_TITLE_CHARS)?;
        chars("summary", &self.summary, Self::MAX_SUMMARY_CHARS)?;
        most("hashtags", self.hashtags.len(), Self::MAX_HASHTAGS)?;
        self.hashtags.iter().try_for_each(|word| chars("hashtags", word, Self::MAX_HASHTAG_CHARS))?;
        most("participants", self.participants.len(), Self::MAX_PARTICIPANTS)?;
        most("relays", self.relays.len(), Self::MAX_URLS)?;
        most("streaming", self.streaming.len(), Self::MAX_URLS)?;
        most("pinned", self.pinned.len(), Self::MAX_PINNED)?;
        let urls = [
            ("image", &self.image),
            ("thumb", &self.thumb),
            ("recording", &self.recording),
            ("service", &self.service),
        ];
        let urls = urls.into_iter().flat_map(|(field, url)| url.iter().map(move |url| (field, url)));
        for (field, url) in urls.chain(self.streaming.iter().map(|url| ("streaming", url))) {
            if !text::is_web_url(url) {
                return wrong(field, "a URL that begins with https:// or http://".into());
            }
        }
        if !self.relays.iter().all(|url| text::is_relay_url(url)) {
            return wrong("relays", "URLs that begin with wss:// or ws://".into());
        }
        Ok(())
    }
}

impl From<&LiveEvent> for LiveEventDraft {
    /// To announce it again with something changed.
    fn from(event: &LiveEvent) -> Self {
        Self {
            identifier: event.address.identifier.clone(),
            status: event.status,
            title: event.title.clone(),
            summary: event.summary.clone(),
            image: event.image.clone(),
            thumb: event.thumb.clone(),
            hashtags: event.categories.iter().chain(&event.hashtags).cloned().collect(),
            streaming: event.streaming.clone(),
            recording: event.recording.clone(),
            starts: event.starts,
            ends: event.ends,
            current_participants: event.current_participants,
            total_participants: event.total_participants,
            participants: event.participants.clone(),
            relays: event.relays.clone(),
            pinned: event.pinned.clone(),
            goal: event.goal,
            content_warning: event.content_warning.clone(),
            service: event.service.clone(),
        }
    }
}

fn participant(one: &Participant) -> Vec<String> {
    let mut elements = tag(["p", &one.pubkey.to_string(), one.relay.as_deref().unwrap_or_default(), one.role.as_str()]);
    elements.extend(one.proof.clone());
    elements
}
