//! Body of the fuzz target `relay_message`: whatever a client says is answered or read, and what is read keeps what the
//! rest of the relay relies on.

use nostr::{Event, Filter, JsonUtil as _, filter::MatchEventOptions};
use serde_json::Value;
use skylark_protocol::{
    chat::{ChatMessage, Clip, Raid},
    event::{self, kind},
    live_event::LiveEvent,
    moderation::{ChatRules, ChatSettings, Circumstances, Deletion, MuteList, Report},
    profile::{Presence, Profile, RelayList},
    reaction::Reaction,
    zap::{Zap, ZapGoal},
};

use super::{
    limits::{MAX_FILTER_TAGS, MAX_FILTER_VALUES, MAX_FILTERS, MAX_SUBSCRIPTION_ID_CHARS, MAX_TAGS},
    message::{Request, Response, Unreadable},
    scope::{self, References},
    shape,
};

pub(super) fn message(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Request::parse(text) {
        Ok(Request::Publish(event) | Request::Authenticate(event)) => read_event(&event),
        Ok(Request::Subscribe(id, filters) | Request::Count(id, filters)) => {
            check_name(&id);
            assert!((1..=MAX_FILTERS).contains(&filters.len()), "{} filters", filters.len());
            filters.iter().for_each(check_filter);
        }
        Ok(Request::Unsubscribe(id)) => check_name(&id),
        Err(unreadable) => {
            let answer = match &unreadable {
                Unreadable::Message(reason) | Unreadable::Event(None, reason) => Response::Notice(reason).to_string(),
                Unreadable::Event(Some(id), reason) => Response::Ok(id, false, reason).to_string(),
                Unreadable::Subscription(id, reason) => Response::Closed(id, reason).to_string(),
            };
            assert!(serde_json::from_str::<Vec<Value>>(&answer).is_ok(), "not JSON: {answer}");
        }
    }
}

fn check_name(id: &str) {
    assert!((1..=MAX_SUBSCRIPTION_ID_CHARS).contains(&id.chars().count()), "a name of {} characters", id.len());
}

fn check_filter(filter: &Filter) {
    assert!(filter.generic_tags.len() <= MAX_FILTER_TAGS, "{filter:?}");
    assert!(filter.generic_tags.values().map(|values| values.len()).sum::<usize>() <= MAX_FILTER_VALUES, "{filter:?}");
    let nothing = format!(
        r#"{{"id":"{0}","pubkey":"{0}","created_at":0,"kind":1,"tags":[],"content":"","sig":"{0}{0}"}}"#,
        "00".repeat(32)
    );
    if let Ok(event) = Event::from_json(nothing) {
        filter.match_event(&event, MatchEventOptions::new());
    }
}

/// An event that the relay would look at, if its signature were good.
fn read_event(event: &Event) {
    // Of the past are most that a fuzzer comes upon.
    if shape::check(event, event.created_at).is_err() {
        return;
    }
    let plain = scope::plain(event);
    let stored: event::Event = serde_json::from_str(&event.as_json()).expect("what is stored can be read");
    assert_eq!(stored, plain);
    assert_eq!(event.verify_id(), plain.has_true_id(), "two ways to hash: {}", event.as_json());
    References::of(&plain);
    read_as_every_kind(plain);
}

/// Nothing that can be in an event makes reading it panic, whichever kind it says it is of.
fn read_as_every_kind(mut event: event::Event) {
    let mut as_kind = |kind| {
        event.kind = kind;
        event.clone()
    };
    if let Ok(live) = LiveEvent::read(&as_kind(kind::LIVE_EVENT)) {
        _ = live.state(live.created_at);
        assert!(live.participants.len() <= MAX_TAGS, "{} participants", live.participants.len());
    }
    _ = ChatMessage::read(&as_kind(kind::CHAT));
    _ = Raid::read(&as_kind(kind::RAID));
    _ = Clip::read(&as_kind(kind::CLIP));
    _ = Reaction::read(&as_kind(kind::REACTION));
    _ = Presence::read(&as_kind(kind::PRESENCE));
    _ = Profile::read(&as_kind(kind::PROFILE));
    _ = RelayList::read(&as_kind(kind::RELAY_LIST));
    _ = Report::read(&as_kind(kind::REPORT));
    _ = Zap::read(&as_kind(kind::ZAP_RECEIPT));
    _ = ZapGoal::read(&as_kind(kind::ZAP_GOAL));
    if let Ok(deletion) = Deletion::read(&as_kind(kind::DELETION)) {
        assert!(deletion.addresses.iter().all(|address| address.pubkey == deletion.author), "of others");
    }
    let mute_list = MuteList::read(&as_kind(kind::MUTE_LIST)).ok();
    let settings = as_kind(kind::APPLICATION_DATA);
    let Ok(read) = ChatSettings::read(&settings) else { return };
    let again = read.unsigned(settings.pubkey, 0, &ChatSettings::address(settings.pubkey, &read.identifier));
    assert_eq!(ChatSettings::read(&again.with_signature(settings.sig)).as_ref(), Ok(&read));
    let rules = ChatRules::new(settings.pubkey, read, mute_list, [], []);
    assert!(!rules.is_banned(&settings.pubkey), "hosts are not banned from their own chats");
    _ = rules.judge_message(&settings.id, &settings.pubkey, &settings.content, Circumstances::default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Values that mean something to one of the readers.
    const VALUE: &str = "(30311:[01]{64}:demo|[01ab]{64}|skylark:demo|live|ended|host|moderator|banned|off|mode|emotes|\
                         [0-9]{1,20}|wss://[a-z:/]{0,9}|https://[a-z.]{1,9}/x.m3u8|lnbc[0-9]{1,6}[munp]1|.{0,12})";

    fn event() -> impl Strategy<Value = String> {
        let name = prop::sample::select(vec![
            "d",
            "a",
            "e",
            "p",
            "q",
            "t",
            "k",
            "r",
            "-",
            "status",
            "streaming",
            "relays",
            "word",
            "slow",
            "mode",
            "chat",
            "expiration",
            "bolt11",
            "description",
            "amount",
            "emoji",
            "starts",
            "ends",
            "pinned",
            "image",
            "zap",
        ]);
        let tag = (name, prop::collection::vec(VALUE, 0..4));
        let tags = prop::collection::vec(tag, 0..12);
        (tags, VALUE, any::<u16>(), any::<u32>()).prop_map(|(tags, content, kind, at)| {
            let tags: Vec<Vec<String>> = tags
                .into_iter()
                .map(|(name, values)| std::iter::once(name.to_owned()).chain(values).collect())
                .collect();
            let hex = "1".repeat(64);
            serde_json::json!(["EVENT", {
                "id": hex, "pubkey": hex, "created_at": at, "kind": kind, "tags": tags, "content": content,
                "sig": hex.repeat(2),
            }])
            .to_string()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn events(text in event()) {
            prop_assert!(super::Request::parse(&text).is_ok(), "an event that is read: {text}");
            super::message(text.as_bytes());
        }

        #[test]
        fn noise(text in "\\[\"(EVENT|REQ|COUNT|CLOSE|AUTH)\",(\"s\"|\\{\\}|.{0,9})(,\\{(\"(#[a-z]|ids|kinds|limit|since)\":(\\[[0-9,\"a-f]{0,9}\\]|-?[0-9]{0,20}),?){0,3}\\}){0,3}\\]") {
            super::message(text.as_bytes());
        }
    }
}
