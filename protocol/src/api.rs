//! What the origin's API takes and answers: streams that belong to a Nostr key.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    StreamId, StreamStatus,
    event::{Event, PublicKey},
    live_event::LiveEventDraft,
    text,
};

/// What a streamer says of a stream: the body of `POST /api/v1/streams/create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamDetails {
    /// Its title.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// `music`, `talk`, `gaming`, …; empty for none.
    pub category: String,
    /// Hashtags, without the `#`.
    pub tags: Vec<String>,
    /// Picture, `https://…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When it is to begin, Unix seconds; none: when it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at_s: Option<u64>,
    /// Whether viewers may write.
    pub chat: bool,
    /// Whether viewers may react.
    pub reactions: bool,
    /// How long a broadcast waits for its publisher's return, seconds.
    pub reconnect_timeout_s: u32,
    /// Only those may watch whom its owner lets in. Settled when the stream is made.
    pub private: bool,
}

impl Default for StreamDetails {
    fn default() -> Self {
        Self {
            title: String::new(),
            description: String::new(),
            category: String::new(),
            tags: Vec::new(),
            image: None,
            starts_at_s: None,
            chat: true,
            reactions: true,
            reconnect_timeout_s: Self::DEFAULT_RECONNECT_TIMEOUT_S,
            private: false,
        }
    }
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field.
    pub field: String,
    /// Why it cannot be taken.
    pub reason: String,
}

impl FieldError {
    /// `reason` is the end of a sentence that begins with the field.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

impl StreamDetails {
    /// Longest title, characters.
    pub const MAX_TITLE_CHARS: usize = LiveEventDraft::MAX_TITLE_CHARS;
    /// Longest description, characters.
    pub const MAX_DESCRIPTION_CHARS: usize = LiveEventDraft::MAX_SUMMARY_CHARS;
    /// Longest tag or category, characters.
    pub const MAX_TAG_CHARS: usize = LiveEventDraft::MAX_HASHTAG_CHARS;
    /// Most tags.
    pub const MAX_TAGS: usize = LiveEventDraft::MAX_HASHTAGS;
    /// Shortest reconnect time-out, seconds.
    pub const MIN_RECONNECT_TIMEOUT_S: u32 = 5;
    /// Longest reconnect time-out, seconds.
    pub const MAX_RECONNECT_TIMEOUT_S: u32 = 3600;
    /// Reconnect time-out of who does not say, seconds.
    pub const DEFAULT_RECONNECT_TIMEOUT_S: u32 = 30;
    /// Latest start, Unix seconds: the end of the year 2100.
    pub const MAX_STARTS_AT_S: u64 = 4_133_980_799;

    /// The details as they are kept: trimmed, without what turns or towers.
    ///
    /// # Errors
    /// Every field that cannot be taken.
    pub fn checked(self) -> Result<Self, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let line = |field: &str, text: &str, max: usize, wrong: &mut Vec<FieldError>| {
            if text.trim().chars().count() > max {
                wrong.push(FieldError::new(field, format!("has more than {max} characters")));
            }
            // What was left out may have hidden spaces at the ends.
            text::line(text, max).trim().to_owned()
        };
        let title = line("title", &self.title, Self::MAX_TITLE_CHARS, &mut wrong);
        if title.is_empty() {
            wrong.push(FieldError::new("title", "is empty"));
        }
        if self.description.trim().chars().count() > Self::MAX_DESCRIPTION_CHARS {
            let reason = format!("has more than {} characters", Self::MAX_DESCRIPTION_CHARS);
            wrong.push(FieldError::new("description", reason));
        }
        let category = line("category", &self.category, Self::MAX_TAG_CHARS, &mut wrong).to_lowercase();
        if self.tags.len() > Self::MAX_TAGS {
            wrong.push(FieldError::new("tags", format!("has more than {} entries", Self::MAX_TAGS)));
        }
        let mut tags = Vec::new();
        for (index, given) in self.tags.iter().take(Self::MAX_TAGS).enumerate() {
            let field = format!("tags[{index}]");
            let bare = |text: &str| text.trim_start_matches(|c: char| c == '#' || c.is_whitespace()).to_owned();
            let tag = bare(&line(&field, &bare(given), Self::MAX_TAG_CHARS, &mut wrong));
            if tag.is_empty() {
                wrong.push(FieldError::new(field, "is empty"));
            } else if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        if self.image.as_deref().is_some_and(|url| !text::is_web_url(url)) {
            wrong.push(FieldError::new("image", "is not a URL that begins with https:// or http://"));
        }
        if self.starts_at_s.is_some_and(|at| at > Self::MAX_STARTS_AT_S) {
            wrong.push(FieldError::new("starts_at_s", "is not a date of this century in Unix seconds"));
        }
        let timeouts = Self::MIN_RECONNECT_TIMEOUT_S..=Self::MAX_RECONNECT_TIMEOUT_S;
        if !timeouts.contains(&self.reconnect_timeout_s) {
            let reason = format!("is not {} to {} seconds", timeouts.start(), timeouts.end());
            wrong.push(FieldError::new("reconnect_timeout_s", reason));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let description = text::block(&self.description, Self::MAX_DESCRIPTION_CHARS).trim().to_owned();
        Ok(Self { title, description, category, tags, ..self })
    }
}

/// Largest picture that `PUT /api/v1/streams/{id}/thumbnail` takes, bytes.
pub const MAX_THUMBNAIL_BYTES: usize = 1 << 20;

/// `PATCH /api/v1/streams/{id}`: what is to change. What is not named stays; `null` removes what can be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChangeStream {
    /// See [`StreamDetails::title`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// See [`StreamDetails::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// See [`StreamDetails::category`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// See [`StreamDetails::tags`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// See [`StreamDetails::image`].
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub image: Option<Option<String>>,
    /// See [`StreamDetails::starts_at_s`].
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub starts_at_s: Option<Option<u64>>,
    /// See [`StreamDetails::chat`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<bool>,
    /// See [`StreamDetails::reactions`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reactions: Option<bool>,
    /// See [`StreamDetails::reconnect_timeout_s`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnect_timeout_s: Option<u32>,
}

/// A field that is there, be it `null`.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl ChangeStream {
    /// The details as they are after the change.
    ///
    /// # Errors
    /// Every field that cannot be taken.
    pub fn applied_to(self, details: StreamDetails) -> Result<StreamDetails, Vec<FieldError>> {
        StreamDetails {
            title: self.title.unwrap_or(details.title),
            description: self.description.unwrap_or(details.description),
            category: self.category.unwrap_or(details.category),
            tags: self.tags.unwrap_or(details.tags),
            image: self.image.unwrap_or(details.image),
            starts_at_s: self.starts_at_s.unwrap_or(details.starts_at_s),
            chat: self.chat.unwrap_or(details.chat),
            reactions: self.reactions.unwrap_or(details.reactions),
            reconnect_timeout_s: self.reconnect_timeout_s.unwrap_or(details.reconnect_timeout_s),
            private: details.private,
        }
        .checked()
    }
}

/// Where a stream stands by its owner's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not begun yet.
    Planned,
    /// On.
    Live,
    /// Over, for good.
    Ended,
}

/// Who watches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewers {
    /// Now.
    pub now: u64,
    /// Most at once.
    pub peak: u64,
    /// So far, each once.
    pub total: u64,
}

/// `GET /api/v1/streams/{id}`: a stream that belongs to a Nostr key. Its id is also the `d` tag of its live event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// Its id.
    pub id: StreamId,
    /// Whose it is.
    pub owner: PublicKey,
    /// What its owner says of it.
    pub details: StreamDetails,
    /// Where it stands by its owner's word.
    pub phase: Phase,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// When its details were changed last, Unix milliseconds.
    pub updated_at_ms: i64,
    /// When it went live, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at_ms: Option<i64>,
    /// When it ended, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at_ms: Option<i64>,
    /// Path of its small picture, if one was uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// Who watches.
    pub viewers: Viewers,
    /// Its media.
    pub status: StreamStatus,
}

/// Where and how to publish. Shown once: the key is not kept in clear.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamAccess {
    /// The stream key.
    pub key: String,
    /// OBS's "Server" for RTMP.
    pub rtmp_url: String,
    /// Address for SRT, key included.
    pub srt_url: String,
    /// The playlist that viewers play: the first `streaming` of the live event.
    pub playlist_url: String,
    /// The page where it can be watched.
    pub page_url: String,
}

impl std::fmt::Debug for StreamAccess {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StreamAccess").field("page_url", &self.page_url).finish_non_exhaustive()
    }
}

/// `POST /api/v1/streams/create` answers this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreatedStream {
    /// The stream.
    pub stream: Stream,
    /// Where and how to publish to it.
    pub access: StreamAccess,
}

/// `POST /api/v1/streams/{id}/key`: a new key; those before are revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RotateKey {
    /// Another stream of the same owner, whose key is to publish to this one from now on: nothing has to be changed in
    /// OBS. The answer has no key then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<StreamId>,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotatedKey {
    /// The new key; none when another stream's was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<StreamAccess>,
}

/// `GET /api/v1/streams/{id}/analytics`: for the owner only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Analytics {
    /// Who watches, and who did.
    pub viewers: Viewers,
    /// What was measured while the stream was live, oldest first.
    pub points: Vec<AnalyticsPoint>,
}

/// What was measured at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalyticsPoint {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// Viewers.
    pub viewers: u64,
    /// Media that arrived, bits per second.
    pub bitrate_bps: u64,
}

/// Some of many streams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamPage {
    /// Newest first.
    pub streams: Vec<Stream>,
    /// What to pass as `after` to go on; none when there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `POST /api/v1/streams/{id}/ticket`: what whoever is let into a private stream watches it with.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// The stream.
    pub stream: Stream,
    /// Path of the multivariant playlist, as long as the ticket is good; nobody else's ticket is in it.
    pub playlist: String,
    /// When another is needed, Unix seconds.
    pub good_until_s: u64,
}

impl Ticket {
    /// What is in the playlist's path, and answers for its bearer in `Authorization: Bearer …`.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        self.playlist.split('/').nth(3)
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ticket").field("stream", &self.stream.id).finish_non_exhaustive()
    }
}

/// `GET /api/v1/streams/{id}/guests`: whom the owner of a private stream has let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guests {
    /// Their public keys.
    pub guests: Vec<PublicKey>,
}

/// `PUT /api/v1/streams/{id}/ending`: the live event's end, signed ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaveEnding {
    /// The `ended` event: of the stream's owner and with the stream's id as its `d`.
    pub event: Event,
}

/// Body of every answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What is wrong.
    pub error: ErrorDetail,
}

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// Stable name, such as `not-yours`.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// What is wrong with which field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldError>,
}

/// Body of the fuzz target `api_body`: what a stranger sends as a request. Panics when an invariant breaks.
#[doc(hidden)]
pub fn fuzz_body(body: &[u8]) {
    if let Ok(text) = std::str::from_utf8(body) {
        let _ = crate::nip98::read_header(text);
    }
    let details = serde_json::from_slice::<StreamDetails>(body).map(StreamDetails::checked);
    let change = serde_json::from_slice::<ChangeStream>(body);
    let changed = change.map(|change| change.applied_to(StreamDetails { title: "a".into(), ..Default::default() }));
    for kept in [details, changed].into_iter().flatten().flatten() {
        assert_eq!(kept.clone().checked().as_ref(), Ok(&kept), "what is kept is as it is kept");
    }
}

#[cfg(test)]
mod tests;
