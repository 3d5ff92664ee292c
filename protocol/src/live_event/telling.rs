//! What a stream's live event says of it.

use super::{LiveEventDraft, Status};
use crate::api::Stream;

impl LiveEventDraft {
    /// The announcement of `stream`, which stands at `status` at `now` (Unix seconds): what others have to know, with
    /// what they were told before and a stream's details do not say (relays, pins, …).
    ///
    /// `site` is what the server's URLs begin with, without a slash at the end, and `relay` the URL of its relay.
    #[must_use]
    pub fn telling(self, stream: &Stream, status: Status, site: &str, relay: &str, now: u64) -> Self {
        let details = &stream.details;
        let seconds = |at_ms: Option<i64>| at_ms.and_then(|at_ms| u64::try_from(at_ms / 1000).ok());
        let category = Some(details.category.clone()).filter(|category| !category.is_empty());
        let uploaded = stream.thumbnail.as_ref().map(|path| format!("{site}{path}"));
        let is_over = status == Status::Ended;
        let ours = relay.trim_end_matches('/').to_owned();
        let others = self.relays.iter().filter(|known| **known != ours).cloned();
        let relays = std::iter::once(ours.clone()).chain(others).take(Self::MAX_URLS).collect();
        Self {
            status,
            title: details.title.clone(),
            summary: details.description.clone(),
            // Some programs look at the one, some at the other.
            image: details.image.clone().or_else(|| uploaded.clone()),
            thumb: uploaded,
            hashtags: details.tags.iter().cloned().chain(category).take(Self::MAX_HASHTAGS).collect(),
            streaming: if is_over { Vec::new() } else { vec![format!("{site}/live/{}/index.m3u8", stream.id)] },
            starts: seconds(stream.started_at_ms).or(details.starts_at_s).or((status == Status::Live).then_some(now)),
            // Said once, never moved.
            ends: if is_over { self.ends.or(seconds(stream.ended_at_ms)).or(Some(now)) } else { None },
            current_participants: (status == Status::Live).then_some(stream.viewers.now),
            total_participants: (stream.viewers.total > 0).then_some(stream.viewers.total),
            relays,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        StreamStatus,
        api::{Phase, StreamDetails, Viewers},
        event::PublicKey,
    };

    fn stream() -> Stream {
        let id: crate::StreamId = "abc123def456".parse().unwrap();
        Stream {
            id: id.clone(),
            owner: PublicKey::from_bytes([1; 32]),
            details: StreamDetails { title: "Jam".into(), tags: vec!["music".into()], ..StreamDetails::default() },
            phase: Phase::Live,
            created_at_ms: 0,
            updated_at_ms: 0,
            started_at_ms: Some(5_000_900),
            ended_at_ms: None,
            thumbnail: None,
            viewers: Viewers { now: 3, peak: 4, total: 9 },
            status: StreamStatus::offline(id, 0),
        }
    }

    #[test]
    fn the_announcement_tells_the_truth_and_keeps_what_others_added() {
        let mut earlier = LiveEventDraft::new("abc123def456", Status::Planned, "Old title");
        earlier.content_warning = Some("noise".into());
        earlier.relays = vec!["wss://other.example".into(), "wss://a.tv".into()];
        let live = earlier.telling(&stream(), Status::Live, "https://a.tv", "wss://a.tv/", 6000);
        assert_eq!(live.title, "Jam");
        assert_eq!(live.streaming, ["https://a.tv/live/abc123def456/index.m3u8"]);
        assert_eq!((live.starts, live.ends, live.current_participants), (Some(5000), None, Some(3)));
        assert_eq!(live.relays, ["wss://a.tv", "wss://other.example"], "ours first, each once");
        assert_eq!(live.content_warning.as_deref(), Some("noise"));
        let pictured = Stream { thumbnail: Some("/api/v1/streams/abc123def456/thumbnail?v=1".into()), ..stream() };
        let told = live.clone().telling(&pictured, Status::Live, "https://a.tv", "wss://a.tv/", 6000);
        assert!(told.image == told.thumb && told.image.is_some_and(|url| url.starts_with("https://a.tv/api/")));
        let ended = live.ending(6000).telling(&stream(), Status::Ended, "https://a.tv", "wss://a.tv", 7000);
        assert_eq!((ended.ends, ended.streaming.len()), (Some(6001), 0), "an end that was said stays");
    }
}
