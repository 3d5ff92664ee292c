//! Streams that belong to a Nostr key.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skylark_origin::{
    live::Refusal,
    streams::{Allow, StreamsConfig},
};
use skylark_protocol::nip19::Entity;

use crate::{
    owner::{Call, Owner},
    stage::{Setting, Stage},
};

/// What does not happen within this time does not happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An origin where anybody may create streams.
pub(crate) async fn open_stage() -> Stage {
    let streams = StreamsConfig {
        allow: Allow::Everybody,
        // Tests come from one address.
        max_per_owner: 1000,
        answer_time: Duration::from_millis(100),
        ..Setting::default().streams
    };
    Stage::with(Setting { streams, ..Setting::default() }).await
}

pub(crate) async fn get(stage: &Stage, path: &str) -> Value {
    let answer = stage.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// Asks until the answer is as wanted.
pub(crate) async fn wait_for(stage: &Stage, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get(stage, path).await;
        if wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{path} stays {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_stream_is_made_shown_published_to_and_stopped_for_good() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    let details = json!({"title": " Morning ", "description": "a\nb", "category": "Music", "tags": ["#rust", "live"]});
    let (status, made) = ann.ask("POST", "/api/v1/streams/create", details).await;
    assert_eq!(status, 201, "{made}");
    let id = made["stream"]["id"].as_str().unwrap();
    assert_eq!(made["stream"]["owner"], ann.pubkey().to_string());
    assert_eq!(made["stream"]["details"]["title"], "Morning");
    assert_eq!(made["access"]["rtmp_url"], "rtmp://127.0.0.1:1935/live");
    assert_eq!(made["access"]["playlist_url"], ann.url(&format!("/live/{id}/index.m3u8")));
    let key = made["access"]["key"].as_str().unwrap();

    let path = format!("/api/v1/streams/{id}");
    assert_eq!(get(&stage, &path).await["phase"], "planned");
    assert!(!get(&stage, &path).await.to_string().contains(key), "the key is shown once");

    let publisher = stage.publish(key).await.unwrap();
    let listed = |live: &Value| live["streams"].as_array().unwrap().iter().any(|stream| stream["id"] == id);
    assert!(!listed(&get(&stage, "/api/v1/streams/live").await), "a preview is not listed");
    let (status, started) = ann.ask("POST", &format!("{path}/start"), Value::Null).await;
    assert_eq!((status, &started["phase"], &started["status"]["state"]), (200, &json!("live"), &json!("live")));
    assert!(listed(&get(&stage, "/api/v1/streams/live").await));

    let (status, changed) = ann.ask("PATCH", &path, json!({"title": "Noon", "tags": []})).await;
    assert_eq!((status, &changed["details"]["title"], &changed["details"]["tags"]), (200, &json!("Noon"), &json!([])));
    assert_eq!(changed["details"]["category"], "music", "what is not named stays");

    let (status, stopped) = ann.ask("POST", &format!("{path}/stop"), Value::Null).await;
    assert_eq!((status, &stopped["phase"], &stopped["status"]["state"]), (200, &json!("ended"), &json!("ended")));
    assert_eq!(publisher.stopped().await.to_string(), "the stream was ended by its owner");
    drop(publisher);
    assert_eq!(stage.publish(key).await.unwrap_err(), Refusal::Over);
    let (status, again) = ann.ask("POST", &format!("{path}/start"), Value::Null).await;
    assert_eq!((status, &again["error"]["code"]), (409, &json!("over")), "an end is not taken back");
    assert_eq!(ann.ask("DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(stage.get(&path).await.status, 404);
    assert_eq!(stage.get(&format!("{path}/status")).await.status, 404);
}

#[tokio::test]
async fn the_owner_may_create_streams_and_strangers_may_not() {
    let stage = Stage::start().await;
    let (ann, ben) = (Owner::new(&stage, 1), Owner::new(&stage, 2));
    let create = async |who: &Owner<'_>| who.ask("POST", "/api/v1/streams/create", json!({"title": "a"})).await;
    assert_eq!(create(&ann).await.1["error"]["code"], "not-allowed", "the server belongs to nobody yet");
    stage.db.set_owner(&ann.pubkey()).await.unwrap();
    assert_eq!(create(&ann).await.0, 201);
    assert_eq!(create(&ben).await.0, 403);
}

#[tokio::test]
async fn nobody_has_more_streams_than_allowed() {
    let streams = StreamsConfig { allow: Allow::Everybody, max_per_owner: 2, ..Setting::default().streams };
    let stage = Stage::with(Setting { streams, ..Setting::default() }).await;
    let ann = Owner::new(&stage, 1);
    let (first, _) = ann.create("a").await;
    ann.create("b").await;
    let (status, refused) = ann.ask("POST", "/api/v1/streams/create", json!({"title": "c"})).await;
    assert_eq!((status, &refused["error"]["code"]), (403, &json!("too-many-streams")));
    Owner::new(&stage, 2).create("another's").await;
    ann.ask("POST", &format!("/api/v1/streams/{first}/stop"), Value::Null).await;
    ann.create("c").await;
}

#[tokio::test]
async fn lists_are_paged_and_narrowed_down() {
    let stage = open_stage().await;
    let (ann, ben) = (Owner::new(&stage, 1), Owner::new(&stage, 2));
    let mut made = Vec::new();
    for number in 0..5 {
        let details = json!({"title": format!("Show {number}%"), "tags": [format!("Tag{number}")], "category": "talk"});
        let (_, stream) = ann.ask("POST", "/api/v1/streams/create", details).await;
        made.push(stream["stream"]["id"].as_str().unwrap().to_owned());
    }
    ben.create("other").await;
    ann.ask("POST", &format!("/api/v1/streams/{}/start", made[0]), Value::Null).await;

    let user = format!("/api/v1/streams/user/{}", Entity::npub(&ann.pubkey()));
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = get(&stage, &format!("{user}?limit=2{next}")).await;
        let ids = page["streams"].as_array().unwrap().iter();
        seen.extend(ids.map(|stream| stream["id"].as_str().unwrap().to_owned()));
        let Some(after) = page["next"].as_str() else { break };
        next = format!("&after={after}");
    }
    seen.sort();
    let mut all = made.clone();
    all.sort();
    assert_eq!(seen, all, "each once");
    let titles = async |query: &str| {
        let page = get(&stage, &format!("/api/v1/streams?{query}")).await;
        let streams = page["streams"].as_array().unwrap().clone();
        streams.iter().map(|stream| stream["details"]["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles("phase=live").await, ["Show 0%"]);
    assert_eq!(titles("tag=tag3").await, ["Show 3%"]);
    assert_eq!(titles("title=sHOW%204%25").await, ["Show 4%"]);
    assert_eq!(titles("title=_how").await, [] as [&str; 0], "it is no pattern");
    assert_eq!(titles("category=talk&limit=100").await.len(), 5);
    for (query, field) in [("limit=0", "limit"), ("limit=101", "limit"), ("after=x", "after")] {
        let answer = stage.get(&format!("/api/v1/streams?{query}")).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &body["error"]["fields"][0]["field"]), (422, &json!(field)), "{query}");
    }
}

#[tokio::test]
async fn errors_say_which_field_and_why() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    let wrong = json!({"title": "x".repeat(101), "tags": ["ok", "y".repeat(51)], "reconnect_timeout_s": 4});
    let (status, answer) = ann.ask("POST", "/api/v1/streams/create", wrong).await;
    assert_eq!((status, &answer["error"]["code"]), (422, &json!("invalid")));
    let fields: Vec<_> = answer["error"]["fields"].as_array().unwrap().iter().map(|field| &field["field"]).collect();
    assert_eq!(fields, ["title", "tags[1]", "reconnect_timeout_s"]);
    for (body, field) in [
        (json!({"title": 5}), "title"),
        (json!({"title": "a", "tags": ["b", 5]}), "tags[1]"),
        (json!({"title": "a", "chat": "yes"}), "chat"),
        (json!({"title": "a", "starts_at_s": -1}), "starts_at_s"),
        (json!({"titel": "a"}), "titel"),
    ] {
        let (status, answer) = ann.ask("POST", "/api/v1/streams/create", body).await;
        assert_eq!((status, &answer["error"]["fields"][0]["field"]), (422, &json!(field)), "{answer}");
    }
}

#[tokio::test]
async fn a_new_key_replaces_the_old_and_a_key_can_move_on() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    let (first, key) = ann.create("first").await;
    let (status, rotated) = ann.ask("POST", &format!("/api/v1/streams/{first}/key"), Value::Null).await;
    assert_eq!(status, 200, "{rotated}");
    let fresh = rotated["access"]["key"].as_str().unwrap();
    assert_eq!(stage.publish(&key).await.unwrap_err(), Refusal::Revoked);
    drop(stage.publish(fresh).await.unwrap());

    let (second, unused) = ann.create("second").await;
    let (status, moved) = ann.ask("POST", &format!("/api/v1/streams/{second}/key"), json!({"from": first})).await;
    assert_eq!((status, moved), (200, json!({})));
    assert_eq!(stage.publish(&unused).await.unwrap_err(), Refusal::Revoked);
    assert_eq!(stage.publish(fresh).await.unwrap().stream_id().as_str(), second);
}

#[tokio::test]
async fn a_thumbnail_is_a_picture_and_nothing_else() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    let (id, _) = ann.create("a").await;
    let path = format!("/api/v1/streams/{id}/thumbnail");
    let put = async |body: Vec<u8>| {
        let answer = ann.call(&Call { method: "PUT", path: &path, media_type: "image/png", body }).await;
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap_or_default())
    };
    assert_eq!(stage.get(&path).await.status, 404);
    assert_eq!(put(b"<svg onload=alert(1)>".to_vec()).await.0, 422);
    assert_eq!(
        put([b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 100_000]].concat()).await.0,
        422,
        "only the beginning of one"
    );
    // The smallest PNG: one pixel.
    let picture = [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55".as_slice(),
        b"\0\0\0\x0aIDAT\x78\x9c\x63\x60\0\0\0\x02\0\x01\x48\xaf\xa4\x71\0\0\0\0IEND\xae\x42\x60\x82",
    ]
    .concat();
    let (status, stream) = put(picture.clone()).await;
    assert_eq!(status, 200, "{stream}");
    let shown = stage.get(stream["thumbnail"].as_str().unwrap()).await;
    assert_eq!((shown.status, shown.header("content-type")), (200, "image/png"));
    assert!(shown.header("cache-control").contains("immutable") && shown.header("x-content-type-options") == "nosniff");
    assert_eq!(shown.body, picture);
    assert_eq!(put([b"\x89PNG\r\n\x1a\n".as_slice(), &vec![7; 1 << 20]].concat()).await.0, 413);
}

#[tokio::test]
async fn a_planned_stream_is_a_file_for_calendars() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    let details = json!({"title": "Jam, with friends", "starts_at_s": 1_795_289_400});
    let (_, made) = ann.ask("POST", "/api/v1/streams/create", details).await;
    let id = made["stream"]["id"].as_str().unwrap();
    let path = format!("/api/v1/streams/{id}/calendar");
    let file = stage.get(&path).await;
    assert_eq!((file.status, file.header("content-type")), (200, "text/calendar;charset=utf-8"));
    assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"{id}.ics\""));
    let text = file.text();
    assert!(
        text.contains("DTSTART:20261121T193000Z\r\n") && text.contains("SUMMARY:Jam\\, with friends\r\n"),
        "{text}"
    );
    assert!(text.contains(&format!("/s/{id}\r\n")) && text.contains(&format!("UID:{id}@")), "{text}");
    ann.ask("POST", &format!("/api/v1/streams/{id}/start"), Value::Null).await;
    assert_eq!(stage.get(&path).await.status, 404, "it has begun");
}

#[tokio::test]
async fn a_break_is_seen_by_all_and_ends_with_the_stream_at_the_latest() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    let (id, _) = ann.create("a").await;
    let path = format!("/api/v1/streams/{id}");
    let ask = async |what: &str| ann.ask("POST", &format!("{path}/{what}"), Value::Null).await;
    let (status, early) = ask("pause").await;
    assert_eq!((status, &early["error"]["code"]), (409, &json!("not-live")));
    ask("start").await;
    assert_eq!(ask("pause").await.1["status"]["is_paused"], true);
    assert_eq!(get(&stage, &format!("{path}/status")).await["is_paused"], true);
    assert_eq!(stage.db.paused().await.unwrap(), [id.parse().unwrap()], "a restart does not end it");
    assert_eq!(ask("resume").await.1["status"]["is_paused"], Value::Null);
    ask("pause").await;
    ask("stop").await;
    assert_eq!(get(&stage, &format!("{path}/status")).await["is_paused"], Value::Null);
    assert!(stage.db.paused().await.unwrap().is_empty());
    assert_eq!(ask("resume").await.1["error"]["code"], "over");
}
