//! A stream as the API describes it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Name of a stream in URLs: 12 characters of `[a-z0-9]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId(String);

impl StreamId {
    /// Length of every id, in characters.
    pub const LEN: usize = 12;
    /// Characters an id is made of.
    pub const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

    /// The id as it stands in a URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not 12 characters of `[a-z0-9]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream id is 12 characters of a-z and 0-9")]
pub struct InvalidStreamId;

impl FromStr for StreamId {
    type Err = InvalidStreamId;

    fn from_str(text: &str) -> Result<Self, InvalidStreamId> {
        if text.len() == Self::LEN && text.bytes().all(|byte| Self::ALPHABET.contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidStreamId)
        }
    }
}

impl TryFrom<String> for StreamId {
    type Error = InvalidStreamId;

    fn try_from(text: String) -> Result<Self, InvalidStreamId> {
        text.parse()
    }
}

impl From<StreamId> for String {
    fn from(id: StreamId) -> Self {
        id.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Where a stream stands, as viewers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamState {
    /// Known, but nothing has been published since the origin knows it.
    Offline,
    /// A publisher's media can be played.
    Live,
    /// The publisher is gone and may still come back to the same playlist.
    Reconnecting,
    /// Over: the playlist has its `EXT-X-ENDLIST`.
    Ended,
}

/// `GET /api/v1/streams/{id}/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// The stream.
    pub id: StreamId,
    /// Where it stands.
    pub state: StreamState,
    /// Path of the multivariant playlist, while there is something to play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playlist: Option<String>,
    /// Changes when a new broadcast starts under the same id, so that a page that shows `ended` knows to load again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<String>,
    /// Start of the broadcast, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at_ms: Option<i64>,
    /// The origin's clock when it answered, Unix milliseconds: what `EXT-X-PROGRAM-DATE-TIME` is counted on.
    pub now_ms: i64,
    /// Ingest health of the current publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Who watches now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewers: Option<u64>,
    /// Its host takes a break: pages show a card instead of the picture, whatever is sent meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_paused: bool,
    /// Only those may watch whom its owner lets in: the playlist has to be asked for with a signature.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_private: bool,
}

impl StreamStatus {
    /// What strangers may know of a private stream; of any other, all.
    #[must_use]
    pub fn for_strangers(self) -> Self {
        if self.is_private {
            Self { state: self.state, is_private: true, ..Self::offline(self.id, self.now_ms) }
        } else {
            self
        }
    }

    /// Of a stream that nobody has published to.
    #[must_use]
    pub fn offline(id: StreamId, now_ms: i64) -> Self {
        Self {
            id,
            state: StreamState::Offline,
            playlist: None,
            broadcast: None,
            started_at_ms: None,
            now_ms,
            health: None,
            viewers: None,
            is_paused: false,
            is_private: false,
        }
    }
}

/// `GET /api/v1/streams/live`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveStreams {
    /// Streams that are live or reconnecting, newest first.
    pub streams: Vec<StreamStatus>,
}

/// What arrives from a publisher, measured over the last seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// `rtmp` or `srt`.
    pub protocol: String,
    /// Received media, bits per second.
    pub bitrate_bps: u64,
    /// Video access units per second.
    pub frame_rate: f64,
    /// Time between the last two keyframes, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyframe_interval_ms: Option<u32>,
    /// Audio minus video timestamps at arrival, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub av_skew_ms: Option<i32>,
    /// SRT: packets lost for good, of those sent, in 0..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srt_loss_ratio: Option<f64>,
    /// SRT: round-trip time, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srt_rtt_ms: Option<f64>,
    /// SRT: packets that arrived as retransmissions since the session began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srt_retransmitted: Option<u64>,
    /// 100 is flawless, 0 unwatchable.
    pub score: u8,
    /// What costs points, worst first.
    pub warnings: Vec<HealthWarning>,
}

/// Something a streamer should mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthWarning {
    /// Stable name, such as `long-gop`.
    pub code: String,
    /// A sentence for the streamer.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_twelve_lowercase_letters_and_digits() {
        assert!("abc123def456".parse::<StreamId>().is_ok());
        for bad in ["", "abc123def45", "abc123def4567", "ABC123def456", "abc123def45/", "abc123def4é"] {
            assert_eq!(bad.parse::<StreamId>(), Err(InvalidStreamId), "{bad}");
        }
        assert!(serde_json::from_str::<StreamId>("\"../../../etc\"").is_err());
    }
}
