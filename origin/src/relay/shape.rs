//! What every event has to be like, whatever it says: signed, of a sane size, of a sane date.

use nostr::{Event, Timestamp};
use skylark_protocol::event::kind;

use super::{
    Rejected,
    limits::{FUTURE_LIMIT_S, MAX_CONTENT_BYTES, MAX_TAG_BYTES, MAX_TAGS, PAST_LIMIT_S},
};

/// Looks at size and date.
pub(super) fn check(event: &Event, now: Timestamp) -> Result<(), Rejected> {
    if event.content.len() > MAX_CONTENT_BYTES {
        return Err(Rejected::invalid("the content is too long"));
    }
    if event.tags.len() > MAX_TAGS {
        return Err(Rejected::invalid("there are too many tags"));
    }
    let elements = event.tags.iter().flat_map(|tag| tag.as_slice());
    if elements.into_iter().any(|element| element.len() > MAX_TAG_BYTES) {
        return Err(Rejected::invalid("a tag is too long"));
    }
    let (at, now) = (event.created_at.as_secs(), now.as_secs());
    if at > now.saturating_add(FUTURE_LIMIT_S) {
        return Err(Rejected::invalid("the event is dated in the future: check the clock"));
    }
    let is_replaced = kind::is_replaceable(event.kind.as_u16()) || kind::is_addressable(event.kind.as_u16());
    if !is_replaced && at < now.saturating_sub(PAST_LIMIT_S) {
        return Err(Rejected::invalid("the event is dated too far in the past"));
    }
    if event.tags.expiration().is_some_and(|expiration| expiration.as_secs() <= now) {
        return Err(Rejected::invalid("the event has expired"));
    }
    Ok(())
}

/// Looks at id and signature; costs most of all.
pub(super) fn verify(event: &Event) -> Result<(), Rejected> {
    if !event.verify_id() {
        return Err(Rejected::invalid("the id is not the hash of the event"));
    }
    if !event.verify_signature() {
        return Err(Rejected::invalid("the signature is not the author's"));
    }
    Ok(())
}
