//! Body of the fuzz target `nostr_event`: any event at all, read as everything that it may be.

use crate::{
    address::Address,
    chat::{ChatMessage, Clip, Raid},
    event::{Event, EventId, PublicKey, Signature, kind},
    live_event::LiveEvent,
    moderation::{ChatSettings, Deletion, MuteList, Report},
    nip19::Entity,
    profile::{Presence, Profile, RelayList},
    reaction::Reaction,
    zap::{Zap, ZapGoal},
};

/// Kinds that are read here; others are no different from each other.
const KINDS: [u16; 16] = [
    kind::LIVE_EVENT,
    kind::CHAT,
    kind::RAID,
    kind::CLIP,
    kind::REACTION,
    kind::DELETION,
    kind::REPORT,
    kind::MUTE_LIST,
    kind::APPLICATION_DATA,
    kind::PROFILE,
    kind::RELAY_LIST,
    kind::PRESENCE,
    kind::ZAP_RECEIPT,
    kind::ZAP_GOAL,
    kind::CONTACTS,
    1,
];

/// The first byte says which kind; lines are tags (the first is the content), with elements between commas. Panics when
/// an invariant breaks.
pub fn event(data: &[u8]) {
    let Some((&plan, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    let mut lines = text.split('\n');
    let event = Event {
        id: EventId::from_bytes([plan; 32]),
        pubkey: PublicKey::from_bytes([1; 32]),
        created_at: u64::from(plan),
        kind: KINDS[usize::from(plan) % KINDS.len()],
        content: lines.next().unwrap_or_default().to_owned(),
        tags: lines.map(|line| line.split(',').map(str::to_owned).collect()).collect(),
        sig: Signature::from_bytes([0; 64]),
    };
    // Each of them says yes or no; none may do anything else.
    if let Ok(live) = LiveEvent::read(&event) {
        for now in [0, event.created_at, u64::MAX] {
            _ = (live.state(now), live.is_listable(now), live.source(now));
        }
        assert_eq!(Some(&live.address), Address::of(&event).as_ref(), "a live event has the address of its event");
        assert!(
            live.participants.iter().any(|participant| participant.pubkey == live.host())
                || live.host() == event.pubkey
        );
    }
    if let Ok(message) = ChatMessage::read(&event) {
        assert_eq!(message.author, event.pubkey);
    }
    _ = (Raid::read(&event), Clip::read(&event), Reaction::read(&event), Deletion::read(&event), Report::read(&event));
    _ = (MuteList::read(&event), ChatSettings::read(&event), Zap::read(&event), ZapGoal::read(&event));
    _ = (Profile::read(&event), RelayList::read(&event), Presence::read(&event));
    _ = (event.content.parse::<Entity>(), event.content.parse::<Address>());
    let again: Event = serde_json::from_value(serde_json::json!(event)).expect("what was written can be read");
    assert_eq!(again, event);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn events_of_noise(data in prop::collection::vec(any::<u8>(), 0..500)) {
            super::event(&data);
        }

        #[test]
        fn events_with_tags_that_mean_something(
            plan in any::<u8>(),
            content in "(.{0,20}|\\{\"name\":\"?.{0,5}\"?\\}|30311:[0-9a-f]{64}:.{0,5})",
            tags in prop::collection::vec(
                "(d|a|e|p|t|k|status|starts|ends|streaming|recording|relays|pinned|goal|r|emoji|word|amount|bolt11|\
                 description|-|)(,(|live|LIVE|ended|planned|[0-9]{1,20}|-1|host|Host|root|https?://.{0,9}|wss://.{0,9}|\
                 30311:[0-9a-f]{64}:.{0,5}|[0-9a-f]{64}|\\{\"kind\":9734\\}|.{0,6})){0,5}",
                0..12,
            ),
        ) {
            let data = [&[plan], content.as_bytes(), b"\n", tags.join("\n").as_bytes()].concat();
            super::event(&data);
        }
    }
}
