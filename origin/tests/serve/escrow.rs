//! Streams whose host is gone: the relay says that they have ended.

use std::time::{Duration, Instant};

use nostr::{Event, JsonUtil as _};
use serde_json::{Value, json};

use crate::{
    owned::{PATIENCE, get, open_stage, wait_for},
    owner::Owner,
    relay_client::{RelayClient, event, keys},
    stage::Stage,
};

fn live_event(host: &Owner<'_>, id: &str, status: &str, at_s: u64) -> Event {
    let ends = at_s.to_string();
    let mut tags = vec![["d", id], ["title", "Show"], ["status", status]];
    if status == "ended" {
        tags.push(["ends", &ends]);
    }
    let tags = tags.iter().map(|tag| nostr::Tag::parse(*tag).unwrap());
    nostr::EventBuilder::new(nostr::Kind::LiveEvent, "")
        .tags(tags)
        .custom_created_at(at_s.into())
        .sign_with_keys(&host.keys)
        .unwrap()
}

fn value(event: &Event) -> Value {
    serde_json::from_str(&event.as_json()).unwrap()
}

fn now_s() -> u64 {
    nostr::Timestamp::now().as_secs()
}

/// What the relay says of the stream's live event.
async fn status(stage: &Stage, id: &str) -> Option<String> {
    let mut client = RelayClient::connect(stage.addr).await;
    client.say(json!(["REQ", "status", {"kinds": [30311], "#d": [id]}])).await;
    let answer = client.hear().await;
    let tags = answer[2]["tags"].as_array()?.clone();
    let tag = tags.iter().find(|tag| tag[0] == "status")?;
    tag[1].as_str().map(str::to_owned)
}

async fn wait_for_ended(stage: &Stage, id: &str) {
    let deadline = Instant::now() + PATIENCE;
    while status(stage, id).await.as_deref() != Some("ended") {
        assert!(Instant::now() < deadline, "the relay never says ended");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A stream that is live, published to with the key, and announced; its end is left.
async fn announced(host: &Owner<'_>) -> (String, String) {
    let (id, key) = host.create("Show").await;
    let path = format!("/api/v1/streams/{id}");
    assert_eq!(host.ask("PATCH", &path, json!({"reconnect_timeout_s": 5})).await.0, 200);
    assert_eq!(host.ask("POST", &format!("{path}/start"), Value::Null).await.0, 200);
    let at_s = now_s() - 1;
    let ending = json!({"event": value(&live_event(host, &id, "ended", at_s + 1))});
    assert_eq!(host.ask("PUT", &format!("{path}/ending"), ending).await, (204, Value::Null));
    let mut client = RelayClient::connect(host.stage.addr).await;
    client.publish_well(&live_event(host, &id, "live", at_s)).await;
    (id, key)
}

#[tokio::test]
async fn when_publisher_and_browser_die_the_relay_says_ended() {
    let stage = open_stage().await;
    let host = Owner::new(&stage, 1);
    let (id, key) = announced(&host).await;
    let publisher = stage.publish(&key).await.unwrap();
    let path = format!("/api/v1/streams/{id}");
    wait_for(&stage, &path, |stream| stream["status"]["state"] == "live").await;
    assert_eq!(status(&stage, &id).await.as_deref(), Some("live"));
    drop(publisher);
    wait_for(&stage, &path, |stream| stream["status"]["state"] == "reconnecting").await;
    assert_eq!(status(&stage, &id).await.as_deref(), Some("live"), "it may still come back");
    let over = wait_for(&stage, &path, |stream| stream["phase"] == "ended").await;
    wait_for_ended(&stage, &id).await;
    assert!(over["ended_at_ms"].is_i64());
    assert!(stage.publish(&key).await.is_err(), "an end is not taken back");
    let late = json!({"event": value(&live_event(&host, &id, "ended", now_s()))});
    let (code, answer) = host.ask("PUT", &format!("{path}/ending"), late).await;
    assert_eq!((code, &answer["error"]["code"]), (409, &json!("over")));
}

#[tokio::test]
async fn a_publisher_who_returns_in_time_keeps_the_stream() {
    let stage = open_stage().await;
    let host = Owner::new(&stage, 1);
    let (id, key) = announced(&host).await;
    let path = format!("/api/v1/streams/{id}");
    let publisher = stage.publish(&key).await.unwrap();
    wait_for(&stage, &path, |stream| stream["status"]["state"] == "live").await;
    drop(publisher);
    wait_for(&stage, &path, |stream| stream["status"]["state"] == "reconnecting").await;
    let _back = stage.publish(&key).await.unwrap();
    wait_for(&stage, &path, |stream| stream["status"]["state"] == "live").await;
    // Longer than the time-out.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(get(&stage, &path).await["phase"], "live");
    assert_eq!(status(&stage, &id).await.as_deref(), Some("live"));
}

#[tokio::test]
async fn a_host_who_says_it_by_itself_is_left_alone() {
    let stage = open_stage().await;
    let host = Owner::new(&stage, 1);
    let (id, _) = announced(&host).await;
    let own = live_event(&host, &id, "ended", now_s() + 2);
    RelayClient::connect(stage.addr).await.publish_well(&own).await;
    host.ask("POST", &format!("/api/v1/streams/{id}/stop"), Value::Null).await;
    let deadline = Instant::now() + PATIENCE;
    while !stage.db.unsettled_endings(i64::MAX, 10).await.unwrap().is_empty() {
        assert!(Instant::now() < deadline, "the end is never settled");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut client = RelayClient::connect(stage.addr).await;
    assert_eq!(client.subscribe("all", json!({"kinds": [30311]})).await, [own.id.to_hex()]);
}

#[tokio::test]
async fn an_end_outlives_the_server() {
    let data = tempfile::tempdir().unwrap();
    let db = skylark_origin::db::Db::open(data.path()).await.unwrap();
    let details = skylark_protocol::api::StreamDetails { title: "a".into(), ..Default::default() };
    let who = skylark_protocol::event::PublicKey::from_bytes(keys(1).public_key().to_bytes());
    let (id, _) = db.create_owned(&who, &details, 1, None).await.unwrap().unwrap();
    assert!(db.leave_ending(&id, "new", 20).await.unwrap());
    assert!(!db.leave_ending(&id, "old", 10).await.unwrap(), "the newest is kept");
    db.mark_ended(&id).await.unwrap();
    assert!(!db.leave_ending(&id, "late", 30).await.unwrap());
    db.close().await;
    let db = skylark_origin::db::Db::open(data.path()).await.unwrap();
    let waiting = db.unsettled_endings(i64::MAX, 10).await.unwrap();
    assert_eq!(waiting.iter().map(|ending| ending.event.as_str()).collect::<Vec<_>>(), ["new"]);
}

#[tokio::test]
async fn only_a_true_end_of_the_own_live_event_is_taken() {
    let stage = open_stage().await;
    let (host, stranger) = (Owner::new(&stage, 1), Owner::new(&stage, 2));
    let (id, _) = host.create("Show").await;
    let path = format!("/api/v1/streams/{id}/ending");
    let good = live_event(&host, &id, "ended", now_s());
    let mut forged = value(&good);
    forged["sig"] = json!("00".repeat(64));
    for (bad, why) in [
        (value(&live_event(&stranger, &id, "ended", now_s())), "another author"),
        (value(&live_event(&host, "zzzzzzzzzzzz", "ended", now_s())), "another stream"),
        (value(&live_event(&host, &id, "live", now_s())), "not an end"),
        (value(&live_event(&host, &id, "ended", now_s() + 3600)), "from the future"),
        (value(&event(&host.keys, 1, &[&["d", &id]], "")), "another kind"),
        (forged, "a forged signature"),
    ] {
        let (code, answer) = host.ask("PUT", &path, json!({ "event": bad })).await;
        assert_eq!((code, &answer["error"]["fields"][0]["field"]), (422, &json!("event")), "{why}: {answer}");
    }
    let body = json!({"event": value(&good)});
    assert_eq!(stranger.ask("PUT", &path, body.clone()).await.0, 403);
    assert_eq!(host.ask("PUT", &path, body).await.0, 204);
}
