//! Order in a chat, as the clients of the relay see it: over real sockets, events alone decide.

use std::time::{Duration, Instant};

use nostr::{Event, EventBuilder, Keys, Kind, Tag, Timestamp};
use serde_json::{Value, json};
use skylark_origin::relay::RelayConfig;
use skylark_protocol::event::PublicKey;

use crate::{
    relay_client::{RelayClient, event, keys},
    stage::{Setting, Stage},
};

/// A live event and its host, on a relay of its own.
struct Chat {
    stage: Stage,
    host: RelayClient,
    /// How many events that replace others were made: each is later than the one before.
    versions: u64,
}

impl Chat {
    async fn new() -> Self {
        let setting = Setting::default();
        let hosts = [PublicKey::from_bytes(keys(1).public_key().to_bytes())].into();
        let relay = RelayConfig { hosts, events_per_minute: 100_000, ..setting.relay.clone() };
        let stage = Stage::with(Setting { relay, ..setting }).await;
        let mut host = RelayClient::connect(stage.addr).await;
        host.publish_well(&event(&keys(1), 30_311, &[&["d", "demo"], &["status", "live"]], "")).await;
        Self { stage, host, versions: 0 }
    }

    /// A version of something that replaces the last one.
    fn version(&mut self, kind: u16, tags: &[&[&str]]) -> Event {
        self.versions += 1;
        let at = Timestamp::from_secs(Timestamp::now().as_secs() - 1000 + self.versions);
        let tags = tags.iter().map(|tag| Tag::parse(tag.iter().copied()).unwrap());
        let builder = EventBuilder::new(Kind::from(kind), "").tags(tags).custom_created_at(at);
        builder.sign_with_keys(&keys(1)).unwrap()
    }

    /// The host wants this from now on, and nothing else.
    async fn settle(&mut self, rules: &[&[&str]]) {
        let address = address();
        let own: [&[&str]; 2] = [&["d", "skylark:demo"], &["a", &address]];
        let tags: Vec<&[&str]> = own.into_iter().chain(rules.iter().copied()).collect();
        let settings = self.version(30_078, &tags);
        self.host.publish_well(&settings).await;
    }

    /// The live event, announced again so many seconds from now.
    fn later_live_event(&self, seconds: u64) -> Event {
        let tags = [["d", "demo"], ["status", "live"]].map(|tag| Tag::parse(tag).unwrap());
        let at = Timestamp::from_secs(Timestamp::now().as_secs() + seconds);
        EventBuilder::new(Kind::from(30_311), "").tags(tags).custom_created_at(at).sign_with_keys(&keys(1)).unwrap()
    }

    async fn mute(&mut self, muted: &[&Keys]) {
        let muted: Vec<String> = muted.iter().map(|keys| keys.public_key().to_hex()).collect();
        let tags: Vec<[&str; 2]> = muted.iter().map(|key| ["p", key.as_str()]).collect();
        let tags: Vec<&[&str]> = tags.iter().map(|tag| tag.as_slice()).collect();
        let list = self.version(10_000, &tags);
        self.host.publish_well(&list).await;
    }

    async fn viewer(&self) -> RelayClient {
        RelayClient::connect(self.stage.addr).await
    }

    /// What one who comes now sees of the chat.
    async fn seen(&self) -> Vec<String> {
        self.viewer().await.subscribe("seen", chat()).await
    }
}

fn address() -> String {
    format!("30311:{}:demo", keys(1).public_key())
}

fn chat() -> Value {
    json!({"kinds": [1311], "#a": [address()]})
}

fn message(author: &Keys, content: &str) -> Event {
    event(author, 1311, &[&["a", &address(), "", "root"]], content)
}

/// Asserts that the relay does not take it, for a reason of this kind.
async fn refused(client: &mut RelayClient, event: &Event, prefix: &str) {
    let (is_taken, reason) = client.publish(event).await;
    assert!(!is_taken && reason.starts_with(&format!("{prefix}: ")), "{:?}: {is_taken} {reason}", event.content);
}

#[tokio::test]
async fn whom_the_host_mutes_is_not_heard_until_unmuted() {
    let mut chat = Chat::new().await;
    let (mut viewer, loud) = (chat.viewer().await, keys(2));
    chat.mute(&[&loud]).await;
    refused(&mut viewer, &message(&loud, "you cannot hear me"), "blocked").await;
    refused(&mut viewer, &event(&loud, 7, &[&["a", &address()]], "🔥"), "blocked").await;
    viewer.publish_well(&message(&keys(3), "others can")).await;
    chat.mute(&[]).await;
    viewer.publish_well(&message(&loud, "now you can")).await;
}

#[tokio::test]
async fn what_the_host_removes_is_gone_and_stays_away() {
    let mut chat = Chat::new().await;
    let mut viewer = chat.viewer().await;
    let (bad, good) = (message(&keys(2), "bad"), message(&keys(3), "good"));
    viewer.publish_well(&bad).await;
    viewer.publish_well(&good).await;
    viewer.subscribe("rules", json!({"kinds": [30_078], "#a": [address()]})).await;
    chat.settle(&[&["e", &bad.id.to_hex()]]).await;
    let told = viewer.hear().await;
    assert_eq!((told[0].as_str(), told[1].as_str()), (Some("EVENT"), Some("rules")), "pages can take it away, too");
    assert_eq!(chat.seen().await, [good.id.to_hex()]);
    refused(&mut viewer, &bad, "blocked").await;
}

#[tokio::test]
async fn people_take_back_what_they_said_and_others_hear_of_it() {
    let room = Chat::new().await;
    let (mut author, mut other) = (room.viewer().await, room.viewer().await);
    let (said, kept) = (message(&keys(2), "oops"), message(&keys(3), "kept"));
    author.publish_well(&said).await;
    other.publish_well(&kept).await;
    other.subscribe("deletions", json!({"kinds": [5], "#e": [said.id.to_hex()]})).await;
    let not_theirs = event(&keys(2), 5, &[&["e", &kept.id.to_hex()], &["k", "1311"]], "");
    author.publish_well(&not_theirs).await;
    author.publish_well(&event(&keys(2), 5, &[&["e", &said.id.to_hex()], &["k", "1311"]], "")).await;
    assert_eq!(other.hear().await[1], "deletions");
    assert_eq!(room.seen().await, [kept.id.to_hex()]);
    // At first it comes too soon after itself.
    let deadline = Instant::now() + Duration::from_secs(10);
    let reason = loop {
        let (is_taken, reason) = author.publish(&said).await;
        assert!(!is_taken, "it is back");
        if !reason.starts_with("rate-limited: ") {
            break reason;
        }
        assert!(Instant::now() < deadline, "it is too soon for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(reason.starts_with("blocked: "), "{reason}");
}

#[tokio::test]
async fn each_mode_holds_for_viewers_and_not_for_the_host() {
    let mut chat = Chat::new().await;
    let mut viewer = chat.viewer().await;

    chat.settle(&[&["slow", "600"]]).await;
    viewer.publish_well(&message(&keys(2), "one")).await;
    refused(&mut viewer, &message(&keys(2), "two, too soon"), "rate-limited").await;
    viewer.publish_well(&message(&keys(3), "another's first")).await;

    chat.settle(&[&["mode", "emotes"]]).await;
    refused(&mut viewer, &message(&keys(4), "words"), "blocked").await;
    viewer.publish_well(&message(&keys(4), "🔥 :party:")).await;

    chat.settle(&[&["mode", "followers"]]).await;
    refused(&mut viewer, &message(&keys(5), "who am I?"), "restricted").await;
    // Of people who are not known here nothing is kept: an event of theirs makes them known.
    viewer.publish_well(&event(&keys(5), 10_312, &[&["a", &address()]], "")).await;
    viewer.publish_well(&event(&keys(5), 3, &[&["p", &keys(1).public_key().to_hex()]], "")).await;
    viewer.publish_well(&message(&keys(5), "a follower")).await;

    chat.settle(&[&["word", "Rude"], &["word", "two words"]]).await;
    for text in ["how RUDE!", "these two words"] {
        refused(&mut viewer, &message(&keys(6), text), "blocked").await;
    }
    viewer.publish_well(&message(&keys(6), "rudeness is another word")).await;

    chat.settle(&[&["chat", "off"], &["slow", "600"], &["word", "quiet"], &["mode", "emotes"]]).await;
    refused(&mut viewer, &message(&keys(7), "hello"), "blocked").await;
    for text in ["quiet, please", "I mean it"] {
        chat.host.publish_well(&message(&keys(1), text)).await;
    }
}

#[tokio::test]
async fn messages_have_a_length_whatever_the_host_says() {
    let mut chat = Chat::new().await;
    refused(&mut chat.host, &message(&keys(1), &"夜".repeat(501)), "invalid").await;
    refused(&mut chat.host, &message(&keys(1), " \n "), "invalid").await;
    chat.host.publish_well(&message(&keys(1), &"夜".repeat(500))).await;
}

#[tokio::test]
async fn only_hosts_settle_what_holds_in_their_chats() {
    let mut chat = Chat::new().await;
    let (mut viewer, victim) = (chat.viewer().await, message(&keys(3), "stays"));
    viewer.publish_well(&victim).await;
    let (address, id) = (address(), victim.id.to_hex());
    let taken_over: &[&[&str]] = &[&["d", "skylark:demo"], &["a", &address], &["e", &id], &["chat", "off"]];
    refused(&mut viewer, &event(&keys(2), 30_078, taken_over, ""), "restricted").await;
    assert_eq!(chat.seen().await, [id]);
    chat.host.publish_well(&message(&keys(4), "the chat is on")).await;
}

#[tokio::test]
async fn reactions_are_switched_off_and_on_by_the_host() {
    let mut chat = Chat::new().await;
    let (mut viewer, message) = (chat.viewer().await, message(&keys(2), "hello"));
    viewer.publish_well(&message).await;
    let (id, address) = (message.id.to_hex(), address());
    chat.settle(&[&["reactions", "off"]]).await;
    refused(&mut viewer, &event(&keys(3), 7, &[&["a", &address]], "🔥"), "blocked").await;
    refused(&mut viewer, &event(&keys(3), 7, &[&["e", &id]], "🔥"), "blocked").await;
    chat.host.publish_well(&event(&keys(1), 7, &[&["e", &id]], "👍")).await;
    viewer.publish_well(&self::message(&keys(3), "words still pass")).await;
    chat.settle(&[]).await;
    viewer.publish_well(&event(&keys(3), 7, &[&["e", &id]], "🔥")).await;
    let reactions = viewer.subscribe("reactions", json!({"kinds": [7], "#e": [id]})).await;
    assert_eq!(reactions.len(), 2, "the host's and the viewer's");
}

#[tokio::test]
async fn what_names_only_a_message_obeys_the_rules_of_its_chat() {
    let mut chat = Chat::new().await;
    let (mut viewer, message) = (chat.viewer().await, message(&keys(2), "hello"));
    viewer.publish_well(&message).await;
    let live = chat.viewer().await.subscribe("live", json!({"kinds": [30_311]})).await;
    let unknown = "ab".repeat(32);
    refused(&mut viewer, &event(&keys(3), 7, &[&["e", &unknown]], "+"), "blocked").await;
    chat.mute(&[&keys(3)]).await;
    for id in [&message.id.to_hex(), &live[0]] {
        refused(&mut viewer, &event(&keys(3), 7, &[&["e", id]], "+"), "blocked").await;
        viewer.publish_well(&event(&keys(4), 7, &[&["e", id]], "+")).await;
        refused(&mut viewer, &zap(&keys(3), &[&["e", id]], "from the muted"), "blocked").await;
        viewer.publish_well(&zap(&keys(4), &[&["e", id]], id)).await;
    }
}

/// A wallet's receipt of a zap by `sender`.
fn zap(sender: &Keys, target: &[&[&str]], comment: &str) -> Event {
    let (recipient, wallet) = (keys(1).public_key().to_hex(), keys(99));
    let asked: &[&[&str]] = &[&["p", &recipient], &["amount", "21000"]];
    let asked: Vec<&[&str]> = asked.iter().chain(target).copied().collect();
    let request = nostr::JsonUtil::as_json(&event(sender, 9734, &asked, comment));
    let told: &[&[&str]] = &[&["p", &recipient], &["bolt11", "lnbc210n1pskylark"], &["description", &request]];
    let told: Vec<&[&str]> = told.iter().chain(target).copied().collect();
    event(&wallet, 9735, &told, "")
}

#[tokio::test]
async fn zaps_are_heard_by_the_chat_but_for_those_of_the_muted_and_unwanted_words() {
    let mut chat = Chat::new().await;
    let (mut viewer, address) = (chat.viewer().await, address());
    chat.settle(&[&["word", "rude"]]).await;
    chat.mute(&[&keys(3)]).await;
    viewer.subscribe("zaps", json!({"kinds": [9735], "#a": [address]})).await;
    let good = zap(&keys(2), &[&["a", &address]], "well played");
    chat.host.publish_well(&good).await;
    assert_eq!(viewer.hear().await[2]["id"], good.id.to_hex());
    refused(&mut viewer, &zap(&keys(3), &[&["a", &address]], "muted"), "blocked").await;
    refused(&mut viewer, &zap(&keys(4), &[&["a", &address]], "how rude"), "blocked").await;
    refused(&mut viewer, &event(&keys(99), 9735, &[&["a", &address]], ""), "invalid").await;
    let elsewhere = format!("30311:{}:elsewhere", keys(1).public_key());
    refused(&mut viewer, &zap(&keys(2), &[&["a", &elsewhere]], "nobody knows it"), "blocked").await;
}

#[tokio::test]
async fn one_message_a_second_and_no_more() {
    let chat = Chat::new().await;
    let mut viewer = chat.viewer().await;
    viewer.publish_well(&message(&keys(2), "one")).await;
    refused(&mut viewer, &message(&keys(2), "two"), "rate-limited").await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !viewer.publish(&message(&keys(2), "three")).await.0 {
        assert!(Instant::now() < deadline, "it is too soon for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_announcement_is_taken_back_by_its_address_and_by_its_id() {
    let mut chat = Chat::new().await;
    let (mut viewer, address) = (chat.viewer().await, address());
    viewer.publish_well(&message(&keys(2), "hello")).await;
    refused(&mut viewer, &event(&keys(3), 5, &[&["a", &address]], ""), "blocked").await;
    assert_eq!(chat.viewer().await.subscribe("l", json!({"kinds": [30_311]})).await.len(), 1, "it was not theirs");
    chat.host.publish_well(&event(&keys(1), 5, &[&["a", &address], &["k", "30311"]], "")).await;
    assert!(chat.viewer().await.subscribe("l", json!({"kinds": [30_311]})).await.is_empty());
    refused(&mut viewer, &message(&keys(4), "to nobody"), "blocked").await;
    let again = chat.later_live_event(2);
    chat.host.publish_well(&again).await;
    viewer.publish_well(&message(&keys(5), "it is back")).await;
    chat.host.publish_well(&event(&keys(1), 5, &[&["e", &again.id.to_hex()]], "")).await;
    refused(&mut viewer, &message(&keys(6), "to nobody"), "blocked").await;
}

#[tokio::test]
async fn of_one_second_the_lower_id_is_first_even_where_a_limit_cuts() {
    let chat = Chat::new().await;
    let mut viewer = chat.viewer().await;
    let at = Timestamp::now();
    let tag = || Tag::parse(["a", &address()]).unwrap();
    let mut ids = Vec::new();
    for author in 10..30 {
        let builder = EventBuilder::new(Kind::from(7), "+").tag(tag()).custom_created_at(at);
        let reaction = builder.sign_with_keys(&keys(author)).unwrap();
        viewer.publish_well(&reaction).await;
        ids.push(reaction.id.to_hex());
    }
    ids.sort();
    assert_eq!(viewer.subscribe("all", json!({"kinds": [7], "#a": [address()]})).await, ids);
    assert_eq!(viewer.subscribe("some", json!({"kinds": [7], "#a": [address()], "limit": 5})).await, ids[..5]);
    assert_eq!(viewer.subscribe("kind", json!({"kinds": [7], "limit": 5})).await, ids[..5]);
}

#[tokio::test]
async fn what_has_expired_is_neither_taken_nor_served_nor_counted() {
    let chat = Chat::new().await;
    let (mut viewer, address) = (chat.viewer().await, address());
    let now = Timestamp::now().as_secs();
    let past = (now - 1).to_string();
    refused(&mut viewer, &event(&keys(2), 1311, &[&["a", &address], &["expiration", &past]], "late"), "invalid").await;
    let soon = (now + 3).to_string();
    viewer.publish_well(&event(&keys(3), 1311, &[&["a", &address], &["expiration", &soon]], "fleeting")).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !chat.seen().await.is_empty() {
        assert!(Instant::now() < deadline, "it is still served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    viewer.say(json!(["COUNT", "n", self::chat()])).await;
    assert_eq!(viewer.hear().await, json!(["COUNT", "n", {"count": 0}]));
}
