//! The API against those who mean it harm.

use serde_json::{Value, json};
use skylark_origin::streams::{Allow, StreamsConfig};
use skylark_protocol::nip98;

use crate::{
    client::Answer,
    owned::{get, open_stage},
    owner::{Call, Owner},
    relay_client::event,
    stage::{Setting, Stage},
};

const CREATE: &str = "/api/v1/streams/create";
const JSON: &str = "application/json";

fn create() -> Call<'static> {
    Call { method: "POST", path: CREATE, media_type: JSON, body: br#"{"title":"a"}"#.to_vec() }
}

fn code(answer: &Answer) -> (u16, String) {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    (answer.status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn not_signed() -> (u16, String) {
    (401, "not-signed".to_owned())
}

async fn count(stage: &Stage) -> usize {
    get(stage, "/api/v1/streams?limit=100").await["streams"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_signed_request_is_good_once() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    let header = ann.header(&ann.url(CREATE), "POST", &create().body);
    assert_eq!(ann.send(&create(), &header).await.status, 201);
    let again = ann.send(&create(), &header).await;
    assert_eq!(code(&again), not_signed(), "{}", again.text());
    assert!(again.text().contains("used already") && again.header("www-authenticate") == "Nostr");
    assert_eq!(count(&stage).await, 1);
}

#[tokio::test]
async fn a_request_signed_for_something_else_is_refused() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    let (url, body) = (ann.url(CREATE), create().body);
    let elsewhere = format!("https://elsewhere.example{CREATE}");
    for (why, header) in [
        ("another site", ann.header(&elsewhere, "POST", &body)),
        ("another path", ann.header(&ann.url("/api/v1/streams/"), "POST", &body)),
        ("another query", ann.header(&format!("{url}?a=b"), "POST", &body)),
        ("another scheme", ann.header(&url.replace("http://", "https://"), "POST", &body)),
        ("another method", ann.header(&url, "PUT", &body)),
        ("another body", ann.header(&url, "POST", b"{\"title\":\"b\"}")),
        ("no body", ann.header(&url, "POST", b"")),
        ("nothing", String::new()),
        ("another scheme of authentication", "Bearer abc".to_owned()),
        ("no event", "Nostr e30=".to_owned()),
    ] {
        assert_eq!(code(&ann.send(&create(), &header).await), not_signed(), "{why}");
    }
    assert_eq!(count(&stage).await, 0);
}

#[tokio::test]
async fn forged_and_stale_events_are_refused() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    let url = ann.url(CREATE);
    let now = nostr::Timestamp::now().as_secs();
    let request = nip98::Request { url: &url, method: "POST", body: &create().body };
    let sign = |at_s: u64, change: &dyn Fn(&mut Value)| {
        let unsigned = nip98::unsigned(ann.pubkey(), request, at_s);
        let tags = unsigned.tags.iter().map(|tag| nostr::Tag::parse(tag).unwrap());
        let builder = nostr::EventBuilder::new(nostr::Kind::from(unsigned.kind), "").tags(tags);
        let signed = builder.custom_created_at(at_s.into()).sign_with_keys(&ann.keys).unwrap();
        let mut value = serde_json::to_value(&signed).unwrap();
        change(&mut value);
        nip98::header(&serde_json::from_value(value).unwrap())
    };
    let victim = Owner::new(&stage, 2).pubkey().to_string();
    for (why, header) in [
        ("stale", sign(now - 90, &|_| {})),
        ("from the future", sign(now + 90, &|_| {})),
        ("another's name", sign(now, &|event| event["pubkey"] = json!(victim))),
        ("changed", sign(now, &|event| event["content"] = json!("x"))),
        ("no signature", sign(now, &|event| event["sig"] = json!("0".repeat(128)))),
    ] {
        assert_eq!(code(&ann.send(&create(), &header).await), not_signed(), "{why}");
    }
    assert_eq!(ann.send(&create(), &sign(now, &|_| {})).await.status, 201, "it is good without the change");
}

#[tokio::test]
async fn the_address_of_the_site_is_not_what_a_client_says() {
    let streams = StreamsConfig { allow: Allow::Everybody, ..Setting::default().streams };
    let public_url = Some("https://live.example.org".to_owned());
    let stage = Stage::with(Setting { streams: streams.clone(), public_url, ..Setting::default() }).await;
    let ann = Owner::new(&stage, 1);
    let header = ann.header(&ann.url(CREATE), "POST", &create().body);
    assert_eq!(code(&ann.send(&create(), &header).await), not_signed(), "the Host header does not count");
    let header = ann.header(&format!("https://live.example.org{CREATE}"), "POST", &create().body);
    let answer = ann.send(&create(), &header).await;
    assert_eq!(answer.status, 201);
    assert!(answer.text().contains("rtmp://live.example.org:1935/live"));

    let stage = Stage::with(Setting { streams, ..Setting::default() }).await;
    let ann = Owner::new(&stage, 1);
    let header = ann.header(&format!("http://evil.example{CREATE}"), "POST", &create().body);
    let body = create().body;
    let mut client = stage.connect().await;
    let head = format!(
        "POST {CREATE} HTTP/1.1\r\nhost: evil.example\r\nauthorization: {header}\r\ncontent-type: {JSON}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    client.send([head.as_bytes(), &body].concat()).await;
    assert_eq!(
        code(&client.answer().await.unwrap()),
        (503, "no-public-url".into()),
        "what was signed for evil.example"
    );
}

#[tokio::test]
async fn other_peoples_streams_are_out_of_reach() {
    let stage = open_stage().await;
    let (ann, mallory) = (Owner::new(&stage, 1), Owner::new(&stage, 2));
    let (id, key) = ann.create("Ann's").await;
    let (own, _) = mallory.create("Mallory's").await;
    let path = format!("/api/v1/streams/{id}");
    let before = get(&stage, &path).await["details"].clone();
    let ending = json!({"event": serde_json::to_value(event(&mallory.keys, 30_311, &[&["d", &id]], "")).unwrap()});
    for (method, path, body) in [
        ("PATCH", path.clone(), json!({"title": "mine"})),
        ("DELETE", path.clone(), Value::Null),
        ("POST", format!("{path}/start"), Value::Null),
        ("POST", format!("{path}/stop"), Value::Null),
        ("POST", format!("{path}/pause"), Value::Null),
        ("POST", format!("{path}/resume"), Value::Null),
        ("POST", format!("{path}/key"), Value::Null),
        ("POST", format!("/api/v1/streams/{own}/key"), json!({"from": id})),
        ("PUT", format!("{path}/ending"), ending),
        ("PUT", format!("{path}/thumbnail"), json!({})),
        ("GET", format!("{path}/analytics"), Value::Null),
    ] {
        let (status, answer) = mallory.ask(method, &path, body).await;
        assert_eq!((status, &answer["error"]["code"]), (403, &json!("not-yours")), "{method} {path}");
    }
    assert_eq!(get(&stage, &path).await["details"], before);
    assert_eq!(get(&stage, &path).await["phase"], "planned");
    assert!(stage.publish(&key).await.is_ok(), "the key still works");
}

#[tokio::test]
async fn another_sites_page_can_do_nothing_in_its_visitors_name() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    let form = "POST /api/v1/streams/create HTTP/1.1\r\nhost: localhost\r\norigin: https://evil.example\r\n\
                cookie: a=b\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\r\n{\"title\":\"a\"}";
    let mut client = stage.connect().await;
    client.send(form).await;
    assert_eq!(code(&client.answer().await.unwrap()), not_signed());
    let plain = Call { media_type: "text/plain", ..create() };
    assert_eq!(code(&ann.call(&plain).await), (415, "json-needed".into()));
    let mut client = stage.connect().await;
    client.ask("OPTIONS", CREATE, &[("origin", "https://other.example")]).await;
    let preflight = client.answer().await.unwrap();
    assert!(preflight.header("access-control-allow-methods").contains("DELETE"));
    assert_eq!(preflight.header("access-control-allow-credentials"), "", "nothing that a browser sends by itself");
    assert_eq!(count(&stage).await, 0);
}

#[tokio::test]
async fn giant_and_broken_bodies_are_refused() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    let nested = format!("{}{}", "[".repeat(8000), "]".repeat(8000));
    for (body, status) in [
        (json!({"title": "x".repeat(15_000)}).to_string(), 422),
        (json!({"title": "x".repeat(20_000)}).to_string(), 413),
        (json!({"title": "a", "tags": vec!["t"; 3000]}).to_string(), 422),
        (format!(r#"{{"title":{nested}}}"#), 422),
        (r#"{"title":"a"}{"title":"b"}"#.into(), 400),
        (r#"{"title":"a","title":"b"}"#.into(), 400),
        (r#"{"title":"a""#.into(), 400),
        (r#"["a"]"#.into(), 400),
        (String::new(), 400),
    ] {
        let answer = ann.call(&Call { body: body.clone().into_bytes(), ..create() }).await;
        let start: String = body.chars().take(40).collect();
        assert_eq!(answer.status, status, "{start}: {}", answer.text());
    }
    assert_eq!(count(&stage).await, 0);
    let answer = ann.call(&Call { body: b"{\"title\":\"\xff\"}".to_vec(), ..create() }).await;
    assert!(matches!(answer.status, 400 | 422));
}

#[tokio::test]
async fn sql_and_html_are_only_text_in_every_field() {
    let stage = open_stage().await;
    let ann = Owner::new(&stage, 1);
    for evil in [
        "'); DROP TABLE owned_streams; --",
        "\" OR \"\"=\"",
        "<script>alert(1)</script>",
        "{{7*7}} ${7*7} %s %00 \\u0000",
        "../../etc/passwd",
    ] {
        let details = json!({"title": evil, "description": evil, "category": evil, "tags": [evil]});
        let (status, made) = ann.ask("POST", CREATE, details).await;
        assert_eq!(status, 201, "{made}");
        let path = format!("/api/v1/streams/{}", made["stream"]["id"].as_str().unwrap());
        let answer = stage.get(&path).await;
        assert_eq!((answer.header("content-type"), answer.header("x-content-type-options")), (JSON, "nosniff"));
        let stream: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(stream["details"]["title"], evil);
        assert_eq!(stream["details"]["description"], evil);
        assert_eq!(stream["details"]["tags"], json!([evil]));
        let image = json!({ "image": evil });
        assert_eq!(ann.ask("PATCH", &path, image).await.0, 422, "an image is a URL");
        let escaped: String = evil.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for name in ["title", "tag", "category"] {
            let found = get(&stage, &format!("/api/v1/streams?{name}={escaped}")).await;
            assert_eq!(found["streams"].as_array().unwrap().len(), 1, "{name}={evil}");
        }
        for path in [format!("/api/v1/streams/{escaped}"), format!("/api/v1/streams/user/{escaped}")] {
            assert!(matches!(stage.get(&path).await.status, 404 | 422), "{path}");
        }
    }
    assert_eq!(count(&stage).await, 5);
}

#[tokio::test]
async fn who_asks_too_often_has_to_wait() {
    let streams = StreamsConfig { allow: Allow::Everybody, ..Setting::default().streams };
    let stage = Stage::with(Setting { streams, requests_per_minute: 20, ..Setting::default() }).await;
    let (ann, ben) = (Owner::new(&stage, 1), Owner::new(&stage, 2));
    let mut refused = None;
    for _ in 0..10 {
        let answer = ann.call(&create()).await;
        if answer.status != 201 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a limit");
    assert_eq!(code(&refused), (429, "too-fast".into()));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(ben.call(&create()).await.status, 201, "others need not wait");
}

#[tokio::test]
async fn one_address_with_many_keys_has_its_share_of_streams() {
    let streams = StreamsConfig { allow: Allow::Everybody, max_per_owner: 2, ..Setting::default().streams };
    let stage = Stage::with(Setting { streams, ..Setting::default() }).await;
    for number in 1..=9 {
        let who = Owner::new(&stage, number);
        let header = who.header(&who.url(CREATE), "POST", &create().body);
        let answer = who.send(&create(), &header).await;
        let expected = if number <= 8 { (201, String::new()) } else { (429, "too-fast".to_owned()) };
        assert_eq!(code(&answer), expected, "{number}");
    }
}
