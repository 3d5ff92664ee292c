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
        earlier.telling(stream, status, &site, &self.room.relay_url(), now_s())
    }
}
