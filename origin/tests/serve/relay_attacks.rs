//! The relay against those who mean it harm, over real sockets.

use nostr::{Event, EventBuilder, JsonUtil as _, Keys, Kind, Tag, Timestamp};
use serde_json::{Value, json};
use skylark_origin::relay::RelayConfig;
use skylark_protocol::event::PublicKey;
use tokio_tungstenite::{connect_async, tungstenite::Error};

use crate::{
    relay_client::{RelayClient, event, keys},
    stage::{Setting, Stage},
};

/// What may stand where a program expects anything else.
const NASTY: [&str; 5] = [
    "'; DROP TABLE events; --",
    "\" OR 1=1 --",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "%00%ff\u{0}\u{202e}\u{2066}",
    "{\"$ne\":null}",
];

/// An origin with two hosts, of whom the first is live; so many clients may come from one address.
async fn stage(max_clients_per_address: usize) -> Stage {
    let setting = Setting::default();
    let hosts = [1, 2].map(|host| PublicKey::from_bytes(keys(host).public_key().to_bytes())).into();
    let relay = RelayConfig { hosts, max_clients_per_address, events_per_minute: 100_000, ..setting.relay.clone() };
    let stage = Stage::with(Setting { relay, ..setting }).await;
    let mut host = RelayClient::connect(stage.addr).await;
    host.publish_well(&event(&keys(1), 30_311, &[&["d", "demo"], &["status", "live"]], "")).await;
    stage
}

fn address() -> String {
    format!("30311:{}:demo", keys(1).public_key())
}

/// A chat message of some time.
fn dated(author: &Keys, at: u64) -> Event {
    let builder = EventBuilder::new(Kind::from(1311), "x").tag(Tag::parse(["a", &address()]).unwrap());
    builder.custom_created_at(Timestamp::from_secs(at)).sign_with_keys(author).unwrap()
}

async fn refused(client: &mut RelayClient, event: &Event, prefix: &str) {
    let (is_taken, reason) = client.publish(event).await;
    assert!(!is_taken && reason.starts_with(&format!("{prefix}: ")), "{is_taken} {reason}");
}

#[tokio::test]
async fn what_is_forged_or_misdated_or_giant_is_refused_and_costs_nobody_the_connection() {
    let stage = stage(100).await;
    let mut client = RelayClient::connect(stage.addr).await;
    let (author, now) = (keys(3), Timestamp::now().as_secs());
    let good = dated(&author, now);
    for forge in [
        (|event: &mut Event| event.pubkey = keys(1).public_key()) as fn(&mut Event),
        |event| event.content = "changed".into(),
        |event| event.sig = dated(&keys(4), 1).sig,
        |event| event.id = dated(&keys(4), 1).id,
        |event| event.created_at = event.created_at - 1,
    ] {
        let mut forged = good.clone();
        forge(&mut forged);
        refused(&mut client, &forged, "invalid").await;
    }
    for at in [now + 3600, now + 24 * 3600, u64::from(u32::MAX) * 2, now - 3 * 365 * 24 * 3600, 0] {
        refused(&mut client, &dated(&author, at), "invalid").await;
    }
    let (address, long) = (address(), "x".repeat(20_000));
    refused(&mut client, &event(&author, 1311, &[&["a", &address, &long]], "a giant tag"), "invalid").await;
    let many: Vec<&[&str]> = vec![&["t", "y"]; 3000];
    refused(&mut client, &event(&author, 1311, &many, "many tags"), "invalid").await;
    client.publish_well(&good).await;
}

#[tokio::test]
async fn nobody_writes_under_anothers_name() {
    let stage = stage(100).await;
    let mut client = RelayClient::connect(stage.addr).await;
    let same_name: &[&[&str]] = &[&["d", "demo"], &["status", "ended"]];
    refused(&mut client, &event(&keys(3), 30_311, same_name, ""), "restricted").await;
    client.publish_well(&event(&keys(2), 30_311, same_name, "another host's own")).await;
    let address = address();
    client.publish_well(&event(&keys(2), 5, &[&["a", &address], &["k", "30311"]], "")).await;
    let theirs = json!({"kinds": [30_311], "authors": [keys(1).public_key().to_hex()], "#d": ["demo"]});
    assert_eq!(client.subscribe("theirs", theirs).await.len(), 1);
    let (own, settings) = (format!("30311:{}:demo", keys(2).public_key()), "skylark:demo");
    client.publish_well(&event(&keys(2), 30_078, &[&["d", settings], &["a", &own], &["chat", "off"]], "")).await;
    client.publish_well(&event(&keys(4), 1311, &[&["a", &address]], "this chat is on")).await;
}

#[tokio::test]
async fn sql_and_html_in_every_field_are_text() {
    let stage = stage(100).await;
    let mut client = RelayClient::connect(stage.addr).await;
    let address = address();
    for (number, nasty) in NASTY.into_iter().enumerate() {
        let author = keys(10 + u8::try_from(number).unwrap());
        let tags: &[&[&str]] = &[&["a", &address], &["t", nasty], &["e", nasty], &["p", nasty], &[nasty, nasty]];
        let message = event(&author, 1311, tags, nasty);
        client.publish_well(&message).await;
        let live =
            event(&keys(2), 30_311, &[&["d", nasty], &["title", nasty], &["status", nasty], &["p", nasty]], nasty);
        client.publish_well(&live).await;
        client.say(json!(["REQ", nasty.chars().take(64).collect::<String>(), {"#t": [nasty], "#p": [nasty]}])).await;
        let found = client.hear().await;
        assert_eq!(found[2], serde_json::from_str::<Value>(&message.as_json()).unwrap(), "as it was signed");
        assert_eq!(client.hear().await[0], "EOSE");
        assert_eq!(client.subscribe("d", json!({"kinds": [30_311], "#d": [nasty]})).await, [live.id.to_hex()]);
        client.say(json!(["CLOSE", nasty])).await;
    }
    for filter in
        [json!({"ids": NASTY}), json!({"authors": NASTY}), json!({"kinds": NASTY}), json!({"since": NASTY[0]})]
    {
        client.say(json!(["REQ", "s", filter])).await;
        assert_eq!(client.hear().await[0], "CLOSED");
    }
    assert_eq!(client.subscribe("all", json!({"kinds": [1311]})).await.len(), NASTY.len());
}

#[tokio::test]
async fn a_flood_of_subscriptions_and_filters_is_turned_down_and_others_are_served() {
    let stage = stage(100).await;
    let (mut flood, mut other) = (RelayClient::connect(stage.addr).await, RelayClient::connect(stage.addr).await);
    for n in 0..150 {
        flood.say(json!(["REQ", format!("s{n}"), {"kinds": [1311]}])).await;
    }
    let mut answers = (0, 0);
    for _ in 0..150 {
        match flood.hear().await[0].as_str() {
            Some("EOSE") => answers.0 += 1,
            Some("CLOSED") => answers.1 += 1,
            answer => panic!("the relay says {answer:?}"),
        }
    }
    assert_eq!(answers, (50, 100));
    flood.say_text(&format!("[\"REQ\",\"many\"{}]", ",{}".repeat(40_000))).await;
    assert_eq!(flood.hear().await[0], "CLOSED");
    let ids: Vec<String> = (0..1500).map(|n| format!("{n:064x}")).collect();
    flood.say(json!(["REQ", "long", {"ids": ids}])).await;
    assert_eq!(flood.hear().await[0], "CLOSED");
    flood.say_text(&format!("[\"REQ\",\"deep\",{}{}]", "[".repeat(60_000), "]".repeat(60_000))).await;
    assert_ne!(flood.hear().await[0], "EOSE");
    // Beyond the largest message nobody reads on.
    flood.say_text(&format!("[\"REQ\",\"more\"{}]", ",{}".repeat(1_000_000))).await;
    assert_eq!(flood.hear().await, Value::Null);
    assert!(other.subscribe("s", json!({"kinds": [1311]})).await.is_empty());
}

#[tokio::test]
async fn one_address_has_its_share_of_clients() {
    let stage = stage(3).await;
    let url = format!("ws://{}/", stage.addr);
    let mut clients = Vec::new();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    // The host's connection of before may take a moment to be gone.
    while clients.len() < 3 {
        assert!(std::time::Instant::now() < deadline, "there is no room");
        match connect_async(&url).await {
            Ok((client, _)) => clients.push(client),
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
    let Err(Error::Http(refusal)) = connect_async(&url).await else { panic!("a fourth was let in") };
    assert_eq!(refusal.status(), 503);
    assert_eq!(stage.get("/healthz").await.status, 200, "pages are served");
    clients.pop();
    while connect_async(&url).await.is_err() {
        assert!(std::time::Instant::now() < deadline, "the place is not free again");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
