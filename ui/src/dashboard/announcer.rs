//! The live event that tells the world of a stream: signed anew while it is live, and with each time its end, signed
//! ahead, which the origin publishes should nothing more be heard from here.

use leptos::prelude::*;
use skylark_protocol::{
    api::{LeaveEnding, Stream},
    event::PublicKey,
    live_event::{LiveEventDraft, Status},
};

use crate::{api, chat::Room, clock::now_s, identity::Identity};

/// Announces one stream.
#[derive(Clone, Copy)]
pub(super) struct Announcer {
    pub(super) room: Room,
    pub(super) identity: Identity,
    pub(super) host: PublicKey,
}

impl Announcer {
    /// Says where the stream stands. While it is live, its end is left with the origin as well.
    ///
    /// # Errors
    /// A sentence for the streamer.
    pub(super) async fn announce(self, stream: &Stream, status: Status) -> Result<(), String> {
        self.announce_changed(stream, status, |_| {}).await
    }

    /// The same, with something changed that the announcement alone says.
    ///
    /// # Errors
    /// A sentence for the streamer.
    pub(super) async fn announce_changed(
        self,
        stream: &Stream,
        status: Status,
        change: impl FnOnce(&mut LiveEventDraft),
    ) -> Result<(), String> {
        if self.room.is_gone() {
            return Err(String::new());
        }
        let mut draft = self.draft(stream, status);
        change(&mut draft);
        let at = self.room.announce(&draft).await?;
        if status == Status::Live { self.leave_ending(stream, &draft, at).await } else { Ok(()) }
    }

    async fn leave_ending(self, stream: &Stream, live: &LiveEventDraft, at: u64) -> Result<(), String> {
        let unsigned = live.ending(at).unsigned(self.host, at + 1).map_err(|invalid| invalid.to_string())?;
        let event = self.identity.sign(&unsigned).await?;
        let path = format!("/api/v1/streams/{}/ending", stream.id);
        api::signed::<()>(self.identity, "PUT", &path, &LeaveEnding { event }).await
    }

    /// What others have to know, with what they were told before and this page does not change.
    fn draft(self, stream: &Stream, status: Status) -> LiveEventDraft {
        let site = window().location().origin().unwrap_or_default();
        let earlier = self.room.announcement.with_untracked(|event| event.as_ref().map(LiveEventDraft::from));
        let earlier = earlier.unwrap_or_else(|| LiveEventDraft::new(stream.id.as_str(), status, &stream.details.title));
        fill(earlier, stream, status, &site, &self.room.relay_url(), now_s())
    }
}

fn fill(earlier: LiveEventDraft, stream: &Stream, status: Status, site: &str, relay: &str, now: u64) -> LiveEventDraft {
    let details = &stream.details;
    let seconds = |at_ms: Option<i64>| at_ms.and_then(|at_ms| u64::try_from(at_ms / 1000).ok());
    let category = Some(details.category.clone()).filter(|category| !category.is_empty());
    let is_over = status == Status::Ended;
    let ours = relay.trim_end_matches('/').to_owned();
    let others = earlier.relays.iter().filter(|known| **known != ours).cloned();
    let relays = std::iter::once(ours.clone()).chain(others).take(LiveEventDraft::MAX_URLS).collect();
    LiveEventDraft {
        status,
        title: details.title.clone(),
        summary: details.description.clone(),
        image: details.image.clone(),
        thumb: stream.thumbnail.as_ref().map(|path| format!("{site}{path}")),
        hashtags: details.tags.iter().cloned().chain(category).take(LiveEventDraft::MAX_HASHTAGS).collect(),
        streaming: if is_over { Vec::new() } else { vec![format!("{site}/live/{}/index.m3u8", stream.id)] },
        starts: seconds(stream.started_at_ms).or(details.starts_at_s).or((status == Status::Live).then_some(now)),
        // Said once, never moved.
        ends: if is_over { earlier.ends.or(seconds(stream.ended_at_ms)).or(Some(now)) } else { None },
        current_participants: (status == Status::Live).then_some(stream.viewers.now),
        total_participants: (stream.viewers.total > 0).then_some(stream.viewers.total),
        relays,
        ..earlier
    }
}

#[cfg(test)]
mod tests {
    use skylark_protocol::{
        StreamStatus,
        api::{Phase, StreamDetails, Viewers},
    };

    use super::*;

    fn stream() -> Stream {
        let id: skylark_protocol::StreamId = "abc123def456".parse().unwrap();
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
        let live = fill(earlier, &stream(), Status::Live, "https://a.tv", "wss://a.tv/", 6000);
        assert_eq!(live.title, "Jam");
        assert_eq!(live.streaming, ["https://a.tv/live/abc123def456/index.m3u8"]);
        assert_eq!((live.starts, live.ends, live.current_participants), (Some(5000), None, Some(3)));
        assert_eq!(live.relays, ["wss://a.tv", "wss://other.example"], "ours first, each once");
        assert_eq!(live.content_warning.as_deref(), Some("noise"));
        let ended = fill(live.ending(6000), &stream(), Status::Ended, "https://a.tv", "wss://a.tv", 7000);
        assert_eq!((ended.ends, ended.streaming.len()), (Some(6001), 0), "an end that was said stays");
    }
}
