//! The Nostr relay over real sockets.

use std::time::{Duration, Instant};

use nostr::{Event, Keys};
use serde_json::{Value, json};
use skylark_origin::relay::RelayConfig;
use skylark_protocol::event::PublicKey;

use crate::{
    client::Client,
    relay_client::{RelayClient, event, keys},
    stage::{Setting, Stage},
};

/// An origin whose only host is `keys(1)`.
async fn stage() -> Stage {
    let setting = Setting::default();
    let hosts = [PublicKey::from_bytes(keys(1).public_key().to_bytes())].into();
    let relay =
        RelayConfig { hosts, events_per_minute: 100_000, send_limit: Duration::from_secs(2), ..setting.relay.clone() };
    Stage::with(Setting { relay, ..setting }).await
}

fn address() -> String {
    format!("30311:{}:demo", keys(1).public_key())
}

fn live_event() -> Event {
    event(&keys(1), 30_311, &[&["d", "demo"], &["status", "live"], &["title", "Demo"]], "")
}

fn message(author: &Keys, content: &str) -> Event {
    event(author, 1311, &[&["a", &address(), "", "root"]], content)
}

fn chat() -> Value {
    json!({"kinds": [1311], "#a": [address()], "limit": 100})
}

#[tokio::test]
async fn one_address_is_a_page_for_browsers_and_a_relay_for_clients() {
    let stage = stage().await;
    let mut client = Client::connect(stage.addr).await;
    let document = client.get("/", &[("accept", "application/nostr+json")]).await;
    assert_eq!((document.status, document.header("content-type")), (200, "application/nostr+json"));
    assert_eq!(document.header("access-control-allow-origin"), "*");
    let document: Value = serde_json::from_slice(&document.body).unwrap();
    assert!(
        [1, 9, 11, 40, 42, 45, 70]
            .iter()
            .all(|nip| document["supported_nips"].as_array().unwrap().contains(&json!(nip)))
    );
    assert_eq!(document["limitation"]["max_subscriptions"], 50);
    let page = client.get("/", &[("accept", "text/html")]).await;
    assert_ne!(page.header("content-type"), "application/nostr+json");
}

#[tokio::test]
async fn what_one_says_the_others_hear_once_and_later_comers_find() {
    let stage = stage().await;
    let (mut host, mut viewer) = (RelayClient::connect(stage.addr).await, RelayClient::connect(stage.addr).await);
    host.publish_well(&live_event()).await;
    assert!(viewer.subscribe("chat", chat()).await.is_empty());
    assert!(viewer.subscribe("other", json!({"kinds": [1]})).await.is_empty());
    let hello = message(&keys(2), "hello \"there\"\n</script>");
    host.publish_well(&hello).await;
    let heard = viewer.hear().await;
    assert_eq!((heard[0].as_str(), heard[1].as_str()), (Some("EVENT"), Some("chat")));
    assert_eq!(heard[2]["content"], "hello \"there\"\n</script>");
    assert_eq!(host.publish(&hello).await, (true, "duplicate: it is here already".into()));
    let later = message(&keys(3), "later");
    host.publish_well(&later).await;
    assert_eq!(viewer.hear().await[2]["content"], "later", "and nothing in between");
    let mut late = RelayClient::connect(stage.addr).await;
    let mut stored = late.subscribe("x", chat()).await;
    stored.sort();
    let mut wanted = [hello.id.to_hex(), later.id.to_hex()];
    wanted.sort();
    assert_eq!(stored, wanted);
    late.say(json!(["COUNT", "n", chat()])).await;
    assert_eq!(late.hear().await, json!(["COUNT", "n", {"count": 2}]));
}

#[tokio::test]
async fn a_closed_subscription_is_silent_and_a_repeated_one_replaced() {
    let stage = stage().await;
    let (mut host, mut viewer) = (RelayClient::connect(stage.addr).await, RelayClient::connect(stage.addr).await);
    host.publish_well(&live_event()).await;
    viewer.subscribe("a", chat()).await;
    viewer.subscribe("b", chat()).await;
    viewer.say(json!(["CLOSE", "a"])).await;
    viewer.subscribe("b", json!({"kinds": [7]})).await;
    host.publish_well(&message(&keys(2), "unheard")).await;
    host.publish_well(&event(&keys(2), 7, &[&["a", &address()]], "🔥")).await;
    let heard = viewer.hear().await;
    assert_eq!((heard[1].as_str(), heard[2]["content"].as_str()), (Some("b"), Some("🔥")));
}

#[tokio::test]
async fn nonsense_is_answered_and_costs_nobody_the_connection() {
    let stage = stage().await;
    let mut client = RelayClient::connect(stage.addr).await;
    for text in ["hello", "[]", "{\"a\":1}", "[\"EVENT\",{\"kind\":1}]", "[\"REQ\",\"\",{}]", "[\"NOPE\"]"] {
        client.say_text(text).await;
        assert_eq!(client.hear().await[0], "NOTICE", "{text}");
    }
    client.say(json!(["REQ", "s", {"kinds": ["x"]}])).await;
    let closed = client.hear().await;
    assert!(closed[0] == "CLOSED" && closed[2].as_str().unwrap().starts_with("invalid: "), "{closed}");
    let (is_taken, reason) = client.publish(&event(&keys(2), 1, &[], "a note")).await;
    assert!(!is_taken && reason.starts_with("blocked: "), "{reason}");
    let id = "ab".repeat(32);
    client.say(json!(["EVENT", {"id": id, "tags": [[1]]}])).await;
    assert_eq!(client.hear().await[0], "OK");
    assert!(client.subscribe("still", chat()).await.is_empty());
}

#[tokio::test]
async fn subscriptions_have_a_limit() {
    let stage = stage().await;
    let mut client = RelayClient::connect(stage.addr).await;
    for n in 0..50 {
        client.subscribe(&n.to_string(), chat()).await;
    }
    client.say(json!(["REQ", "one more", chat()])).await;
    let closed = client.hear().await;
    assert!(closed[0] == "CLOSED" && closed[2].as_str().unwrap().starts_with("rate-limited: "), "{closed}");
    client.subscribe("7", chat()).await;
    client.say(json!(["CLOSE", "8"])).await;
    client.subscribe("one more", chat()).await;
}

#[tokio::test]
async fn a_giant_message_costs_its_sender_the_connection_and_nobody_else() {
    let stage = stage().await;
    let (mut giant, mut other) = (RelayClient::connect(stage.addr).await, RelayClient::connect(stage.addr).await);
    giant.say_text(&format!("[\"NOTICE\",\"{}\"]", "x".repeat(1 << 20))).await;
    assert_eq!(giant.hear().await, Value::Null);
    assert!(other.subscribe("s", chat()).await.is_empty());
}

#[tokio::test]
async fn who_says_who_they_are_may_publish_protected_events() {
    let stage = stage().await;
    let (mut client, author) = (RelayClient::connect(stage.addr).await, keys(2));
    client.publish_well(&live_event()).await;
    let protected = event(&author, 1311, &[&["a", &address()], &["-"]], "mine");
    let (is_taken, reason) = client.publish(&protected).await;
    assert!(!is_taken && reason.starts_with("auth-required: "), "{reason}");
    let url = format!("ws://{}", stage.addr);
    for (challenge, relay, is_good) in [
        ("wrong", url.as_str(), false),
        (&client.challenge.clone(), "wss://evil.example", false),
        (&client.challenge.clone(), &url, true),
    ] {
        let answer = event(&author, 22_242, &[&["relay", relay], &["challenge", challenge]], "");
        client.say(json!(["AUTH", answer])).await;
        let ok = client.hear().await;
        assert_eq!((ok[0].as_str(), ok[2].as_bool()), (Some("OK"), Some(is_good)), "{ok}");
    }
    client.publish_well(&protected).await;
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_the_others_miss_nothing() {
    let stage = stage().await;
    let (mut host, mut viewer) = (RelayClient::connect(stage.addr).await, RelayClient::connect(stage.addr).await);
    let filter = json!({"kinds": [30_311], "authors": [keys(1).public_key().to_hex()]});
    viewer.subscribe("s", filter.clone()).await;
    let mut deaf = RelayClient::connect(stage.addr).await;
    for n in 0..50 {
        deaf.subscribe(&n.to_string(), filter.clone()).await;
    }
    let _deaf = deaf.into_unread();
    let (padding, start) = ("x".repeat(60_000), nostr::Timestamp::now().as_secs() - 1000);
    // Fifty copies of each: what the system buffers for the deaf one is soon full.
    for n in 0..30 {
        let tags = [["d", "demo"], ["status", "live"]].map(|tag| nostr::Tag::parse(tag).unwrap());
        let builder = nostr::EventBuilder::new(nostr::Kind::from(30_311), &padding).tags(tags);
        let at = nostr::Timestamp::from_secs(start + n);
        let update = builder.custom_created_at(at).sign_with_keys(&keys(1)).unwrap();
        host.publish_well(&update).await;
        assert_eq!(viewer.hear().await[2]["id"], update.id.to_hex());
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while !stage.get("/metrics").await.text().contains("skylark_relay_clients_closed_total{why=\"slow_reader\"} 1") {
        assert!(Instant::now() < deadline, "the deaf client is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    host.publish_well(&message(&keys(2), "hello")).await;
}

#[tokio::test]
async fn clients_are_closed_when_the_server_stops() {
    let stage = stage().await;
    let mut client = RelayClient::connect(stage.addr).await;
    client.subscribe("s", chat()).await;
    stage.stop();
    assert_eq!(client.hear().await, Value::Null);
}
