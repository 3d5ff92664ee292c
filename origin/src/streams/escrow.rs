//! Ends of live events, signed ahead. The origin signs for nobody; so that no stream stays live for ever when its host's
//! computer dies, the host's client leaves a signed `ended` event with every refresh of the live event. When the stream
//! is over and the client does not say so itself, the newest of them is published.

use nostr::{Filter, JsonUtil as _, Kind};
use skylark_protocol::{
    StreamId,
    address::Address,
    event::{Event, PublicKey},
    live_event::{LiveEvent, Status},
};

use super::{Refused, Streams};
use crate::{
    db::{DbError, Ending},
    relay::Accepted,
};

/// How far ahead of the clock an end may be dated, seconds: further ahead, relays would not take it.
const MAX_AHEAD_S: u64 = 300;
/// How far behind the clock an end may be dated when it is left, seconds.
const MAX_BEHIND_S: u64 = 600;
/// Largest event that is kept, bytes of JSON.
pub const MAX_EVENT_BYTES: usize = 64 * 1024;

impl Streams {
    /// Keeps the end of the stream's live event. Leaving an older one than is kept changes nothing.
    ///
    /// # Errors
    /// What is wrong with it; `Over` when it comes too late.
    pub async fn leave_ending(&self, who: &PublicKey, id: &StreamId, event: &Event, now_s: u64) -> Result<(), Refused> {
        self.mine_to_use(who, id).await?;
        check(event, who, id, now_s).map_err(|reason| Refused::field("event", reason))?;
        let json = serde_json::to_string(event).unwrap_or_default();
        if json.len() > MAX_EVENT_BYTES {
            return Err(Refused::field("event", format!("is larger than {MAX_EVENT_BYTES} bytes")));
        }
        let verified = nostr::Event::from_json(&json).is_ok_and(|event| event.verify().is_ok());
        if !verified {
            return Err(Refused::field("event", "has a signature that is not its author's"));
        }
        if !self.db.leave_ending(id, &json, event.created_at).await? {
            // Over between the question and now, or an older one.
            self.mine_to_use(who, id).await?;
        }
        Ok(())
    }

    /// Publishes an end, unless its host has already said so. False when it has to be tried again.
    pub(super) async fn publish_ending(&self, ending: &Ending) -> Result<bool, DbError> {
        let Ok(event) = nostr::Event::from_json(&ending.event) else {
            tracing::error!(stream = %ending.stream, "a kept end cannot be read");
            return Ok(true);
        };
        if self.is_said_to_have_ended(&event).await? {
            return Ok(true);
        }
        match self.relay.publish(event).await {
            Ok(Accepted::Stored | Accepted::Duplicate) => tracing::info!(stream = %ending.stream, "end published"),
            Ok(Accepted::Superseded) => {
                tracing::warn!(stream = %ending.stream, "the host announced the stream after leaving its end");
            }
            Err(rejected) if rejected.prefix == "error" => {
                tracing::warn!(stream = %ending.stream, %rejected, "the end could not be published: trying again");
                return Ok(false);
            }
            Err(rejected) => tracing::warn!(stream = %ending.stream, %rejected, "the relay does not take the end"),
        }
        Ok(true)
    }

    async fn is_said_to_have_ended(&self, ending: &nostr::Event) -> Result<bool, DbError> {
        let Some(identifier) = ending.tags.identifier() else { return Ok(false) };
        let filter = Filter::new().kind(Kind::LiveEvent).author(ending.pubkey).identifier(identifier).limit(1);
        let newest = self.relay.query_everything(&[filter]).await?;
        let read = |event: &nostr::Event| serde_json::from_str::<Event>(&event.as_json()).ok();
        let newest = newest.first().and_then(read).and_then(|event| LiveEvent::read(&event).ok());
        Ok(newest.is_some_and(|newest| newest.status == Status::Ended))
    }
}

/// What is wrong with an end, as the rest of a sentence. Says nothing of its signature.
fn check(event: &Event, who: &PublicKey, id: &StreamId, now_s: u64) -> Result<(), String> {
    let live_event = LiveEvent::read(event).map_err(|error| format!("is no live event: {error}"))?;
    if live_event.address != Address::live_event(*who, id.as_str()) {
        return Err(format!("is of another live event: its author has to be you, and its d tag {id}"));
    }
    if live_event.status != Status::Ended {
        return Err("has a status that is not ended".into());
    }
    if event.created_at > now_s.saturating_add(MAX_AHEAD_S) || event.created_at < now_s.saturating_sub(MAX_BEHIND_S) {
        let clock = format!("at most {MAX_AHEAD_S} s ahead of this server's clock and {MAX_BEHIND_S} s behind it");
        return Err(format!("has a created_at that is not {clock}"));
    }
    match live_event.ends {
        None => Err("has no ends tag".into()),
        Some(ends) if ends > event.created_at => Err("has an end after its created_at".into()),
        Some(_) if event.has_true_id() => Ok(()),
        Some(_) => Err("has an id that is not its hash".into()),
    }
}

#[cfg(test)]
mod tests {
    use skylark_protocol::{event::Signature, live_event::LiveEventDraft};

    use super::*;

    const NOW: u64 = 1_795_228_800;

    fn ending(id: &str, author: u8, change: impl FnOnce(&mut LiveEventDraft), at: u64) -> Event {
        let mut draft = LiveEventDraft::new(id, Status::Live, "Show").ending(at - 1);
        change(&mut draft);
        draft.unsigned(PublicKey::from_bytes([author; 32]), at).unwrap().with_signature(Signature::from_bytes([0; 64]))
    }

    #[test]
    fn only_a_sane_end_of_this_live_event_is_kept() {
        let (who, id) = (PublicKey::from_bytes([1; 32]), "abcdefghijkl".parse().unwrap());
        let judge = |event: &Event| check(event, &who, &id, NOW).err().unwrap_or_default();
        let same = |_: &mut LiveEventDraft| {};
        assert_eq!(judge(&ending("abcdefghijkl", 1, same, NOW + 1)), "");
        assert!(judge(&ending("abcdefghijkl", 2, same, NOW)).contains("another live event"));
        assert!(judge(&ending("lkjihgfedcba", 1, same, NOW)).contains("another live event"));
        assert!(judge(&ending("abcdefghijkl", 1, |draft| draft.status = Status::Live, NOW)).contains("status"));
        assert!(judge(&ending("abcdefghijkl", 1, |draft| draft.ends = None, NOW)).contains("ends"));
        assert!(judge(&ending("abcdefghijkl", 1, |draft| draft.ends = Some(NOW + 9), NOW)).contains("after"));
        for at in [NOW + MAX_AHEAD_S + 1, NOW - MAX_BEHIND_S - 1] {
            assert!(judge(&ending("abcdefghijkl", 1, same, at)).contains("clock"));
        }
        let mut changed = ending("abcdefghijkl", 1, same, NOW);
        changed.content = "changed".into();
        assert!(judge(&changed).contains("hash"));
        changed.kind = 1;
        assert!(judge(&changed).contains("no live event"));
    }
}
