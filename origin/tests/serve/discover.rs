//! Live events to be found. The outside relay is another server of ours.

use std::time::Duration;

use nostr::{EventBuilder, Keys, Kind, RelayUrl, Tag, Timestamp};
use serde_json::{Value, json};
use skylark_origin::{
    discovery::DiscoveryConfig,
    relay::{RelayConfig, Scope},
    streams::{Allow, StreamsConfig},
};
use skylark_protocol::{address::Address, event::PublicKey, nip19::Entity};

use crate::{
    client::Client,
    owned::{get, wait_for},
    owner::Owner,
    relay_client::{RelayClient, event, keys},
    stage::{Setting, Stage},
};

/// A relay that carries anybody's live events.
async fn outside() -> Stage {
    let setting = Setting::default();
    let relay = RelayConfig { scope: Scope::Live, events_per_minute: 100_000, ..setting.relay.clone() };
    Stage::with(Setting { relay, ..setting }).await
}

/// A server where anybody may have streams, and that looks for live events at these.
async fn home(outside: &[&Stage]) -> Stage {
    let setting = Setting::default();
    let streams = StreamsConfig { allow: Allow::Everybody, ..setting.streams.clone() };
    let relays = outside.iter().map(|stage| RelayUrl::parse(&format!("ws://{}", stage.addr)).unwrap()).collect();
    let discovery = DiscoveryConfig { relays, own_relay: Some("wss://live.example".into()) };
    Stage::with(Setting { streams, discovery, ..setting }).await
}

fn dated(keys: &Keys, at: Timestamp, tags: &[&[&str]]) -> nostr::Event {
    let tags = tags.iter().map(|tag| Tag::parse(tag.iter().copied()).unwrap());
    EventBuilder::new(Kind::from(30311), "").tags(tags).custom_created_at(at).sign_with_keys(keys).unwrap()
}

fn naddr(keys: &Keys, identifier: &str) -> String {
    let author = PublicKey::from_bytes(keys.public_key().to_bytes());
    Entity::naddr(&Address::live_event(author, identifier), &[])
}

fn titles(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|card| card["title"].as_str().unwrap_or_default()).collect()
}

const PLAYED: &[&str] = &["streaming", "https://media.example/live.m3u8"];

#[tokio::test]
async fn own_streams_come_first_and_then_what_outside_relays_know() {
    let away = outside().await;
    let mut relay = RelayClient::connect(away.addr).await;
    let live: &[&[&str]] = &[
        &["d", "x"],
        &["title", "Far <b>away</b>\u{202e}"],
        &["status", "live"],
        PLAYED,
        &["current_participants", "90"],
        &["image", "https://pictures.example/a.jpg"],
        &["t", "Music"],
    ];
    relay.publish_well(&event(&keys(2), 30311, live, "")).await;
    relay
        .publish_well(&event(&keys(2), 0, &[], r#"{"name":"Ann","picture":"https://pictures.example/ann.jpg"}"#))
        .await;
    let now = Timestamp::now();
    let stale: &[&[&str]] = &[&["d", "y"], &["title", "Stuck"], &["status", "live"], PLAYED];
    relay.publish_well(&dated(&keys(3), now - 7200, stale)).await;
    let starts = (now + 3600).to_string();
    let planned: &[&[&str]] = &[&["d", "z"], &["title", "Tomorrow"], &["status", "planned"], &["starts", &starts]];
    relay.publish_well(&event(&keys(4), 30311, planned, "")).await;
    let recording = ["recording", "https://media.example/recording.mp4"];
    let ended: &[&[&str]] = &[&["d", "w"], &["title", "Yesterday"], &["status", "ended"], &recording];
    relay.publish_well(&event(&keys(5), 30311, ended, "")).await;
    let no_picture: &[&[&str]] = &[&["d", "v"], &["title", "Sound only"], &["status", "live"]];
    relay.publish_well(&event(&keys(6), 30311, no_picture, "")).await;

    let stage = home(&[&away]).await;
    let ann = Owner::new(&stage, 1);
    let (id, key) = ann.create("Near").await;
    ann.ask("POST", &format!("/api/v1/streams/{id}/start"), Value::Null).await;
    let _publisher = stage.publish(&key).await.unwrap();
    let named = |found: &Value| found["live"][2]["host"]["name"] == "Ann";
    let found = wait_for(&stage, "/api/v1/discover", named).await;
    // The stage's own stream was made on the command line, and has no title.
    let mut live = titles(&found["live"]);
    live[..2].sort_unstable();
    assert_eq!(live, ["", "Near", "Far <b>away</b>"]);
    assert_eq!((titles(&found["planned"]), titles(&found["ended"])), (vec!["Tomorrow"], vec!["Yesterday"]));
    let far = &found["live"][2];
    assert_eq!((far["viewers"].as_u64(), &far["hashtags"]), (Some(90), &json!(["music"])));
    assert_eq!(far["picture"], "https://pictures.example/a.jpg");
    assert_eq!(far["host"]["picture"], "https://pictures.example/ann.jpg");
    assert_eq!(far["naddr"], naddr(&keys(2), "x"));
    let near = found["live"].as_array().unwrap().iter().find(|card| card["title"] == "Near").unwrap();
    assert_eq!((near["stream"].as_str(), near["viewers"].as_u64()), (Some(id.as_str()), Some(0)));

    // What ends goes, and so does what its author deletes.
    relay.publish_well(&event(&keys(2), 30311, &[&["d", "x"], &["status", "ended"]], "")).await;
    let address = format!("30311:{}:z", keys(4).public_key());
    relay.publish_well(&event(&keys(4), 5, &[&["a", &address], &["k", "30311"]], "")).await;
    let gone = |found: &Value| titles(&found["live"]).len() == 2 && titles(&found["planned"]).is_empty();
    wait_for(&stage, "/api/v1/discover", gone).await;
}

#[tokio::test]
async fn the_listing_is_sent_once_to_each_who_has_it() {
    let stage = home(&[]).await;
    // Nothing changes any more: the only stream was listed as live.
    wait_for(&stage, "/api/v1/discover", |found| titles(&found["live"]).len() == 1).await;
    let mut client = Client::connect(stage.addr).await;
    let whole = client.get("/api/v1/discover", &[]).await;
    assert_eq!((whole.header("cache-control"), whole.header("content-encoding")), ("no-cache", ""));
    let tag = whole.header("etag").to_owned();
    let again = client.get("/api/v1/discover", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, tag.as_str()));
    let other = client.get("/api/v1/discover", &[("if-none-match", "W/\"0\"")]).await;
    assert_eq!((other.status, other.header("etag")), (200, tag.as_str()));
    let packed = client.get("/api/v1/discover", &[("accept-encoding", "br, gzip")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(packed.body.first_chunk(), Some(&[0x1f, 0x8b]), "it is gzip");
}

#[tokio::test]
async fn one_live_event_is_found_wherever_it_is() {
    let away = outside().await;
    let mut relay = RelayClient::connect(away.addr).await;
    // Nobody lists what is so old; whoever has a link still gets there.
    let old: &[&[&str]] = &[&["d", "old"], &["title", "Long ago"], &["summary", "a\nb"], &["status", "ended"]];
    relay.publish_well(&dated(&keys(2), Timestamp::now() - 60 * 24 * 3600, old)).await;
    let fresh: &[&[&str]] = &[&["d", "x"], &["title", "Now"], &["status", "live"], PLAYED];
    relay.publish_well(&event(&keys(2), 30311, fresh, "")).await;

    let stage = home(&[&away]).await;
    wait_for(&stage, "/api/v1/discover", |found| titles(&found["live"]).contains(&"Now")).await;
    let found = get(&stage, &format!("/api/v1/events/{}", naddr(&keys(2), "old"))).await;
    assert_eq!((found["card"]["title"].as_str(), found["summary"].as_str()), (Some("Long ago"), Some("a\nb")));
    assert_eq!((&found["is_carried"], &found["relays"]), (&json!(false), &json!([format!("ws://{}", away.addr)])));
    let found = get(&stage, &format!("/api/v1/events/{}", naddr(&keys(2), "x"))).await;
    assert_eq!(found["streaming"], json!(["https://media.example/live.m3u8"]));

    let ann = Owner::new(&stage, 1);
    let (id, _) = ann.create("Near").await;
    let found = get(&stage, &format!("/api/v1/events/{}", naddr(&keys(1), &id))).await;
    assert_eq!((found["card"]["stream"].as_str(), &found["is_carried"]), (Some(id.as_str()), &json!(true)));
    let stranger = stage.get(&format!("/api/v1/events/{}", naddr(&keys(9), &id))).await;
    assert_eq!(stranger.status, 404, "somebody else's address is not that stream");
}

#[tokio::test]
async fn what_nobody_knows_is_sought_once() {
    let away = outside().await;
    let stage = home(&[&away]).await;
    let path = format!("/api/v1/events/{}", naddr(&keys(3), "nowhere"));
    for _ in 0..5 {
        let answer = stage.get(&path).await;
        assert_eq!(answer.status, 404, "{}", answer.text());
    }
    assert!(stage.get("/metrics").await.text().contains("\nskylark_discovery_seeks_total 1\n"));
    let (npub, note) = (Entity::npub(&PublicKey::from_bytes([3; 32])), naddr(&keys(3), "x").replace('1', "2"));
    for wrong in
        [npub.as_str(), &note, "naddr1", "%00", "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"]
    {
        let answer = stage.get(&format!("/api/v1/events/{wrong}")).await;
        assert_eq!(answer.status, 422, "{wrong}: {}", answer.text());
    }
}

#[tokio::test]
async fn without_any_outside_relay_all_still_works() {
    let gone = outside().await;
    gone.stop();
    let stage = home(&[&gone]).await;
    let found = tokio::time::timeout(Duration::from_secs(5), get(&stage, "/api/v1/discover")).await.unwrap();
    assert_eq!(titles(&found["live"]).len(), 1);
    let answer = stage.get(&format!("/api/v1/events/{}", naddr(&keys(3), "x"))).await;
    assert_eq!(answer.status, 404);
}
