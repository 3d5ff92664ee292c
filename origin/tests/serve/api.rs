//! What programs ask, and the site.

use serde_json::Value;
use skylark_protocol::{LiveStreams, StreamState, StreamStatus};

use crate::{
    owner::{Call, Owner},
    stage::Stage,
};

fn json(answer: &crate::client::Answer) -> Value {
    assert_eq!(answer.header("content-type"), "application/json");
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn a_live_stream_is_listed_and_has_a_status() {
    let stage = Stage::start().await;
    let answer = stage.get(&format!("/api/v1/streams/{}/status", stage.id)).await;
    let status: StreamStatus = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((status.id, status.state), (stage.id.clone(), StreamState::Live));
    assert_eq!(stage.get(status.playlist.as_deref().unwrap()).await.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("access-control-allow-origin"), "*");

    let listed: LiveStreams = serde_json::from_slice(&stage.get("/api/v1/streams/live").await.body).unwrap();
    assert_eq!(listed.streams.iter().map(|stream| &stream.id).collect::<Vec<_>>(), [&stage.id]);
}

#[tokio::test]
async fn errors_of_the_api_are_json() {
    let stage = Stage::start().await;
    for (path, code) in [
        ("/api/v1/streams/aaaaaaaaaaaa/status", "no-such-stream"),
        ("/api/v1/streams/nonsense/status", "no-such-stream"),
        ("/api/v1/nothing", "not-found"),
    ] {
        let answer = stage.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(json(&answer)["error"]["code"], code, "{path}");
    }
}

#[tokio::test]
async fn health_is_for_those_who_have_the_key() {
    let stage = Stage::start().await;
    let path = format!("/api/v1/streams/{}/health", stage.id);
    let mut client = stage.connect().await;
    let without = client.get(&path, &[]).await;
    assert_eq!((without.status, without.header("www-authenticate")), (401, "Bearer"));
    let wrong = client.get(&path, &[("authorization", "Bearer sky_live_wrong")]).await;
    assert_eq!((wrong.status, &json(&wrong)["error"]["code"]), (401, &"wrong-key".into()));
    let right = client.get(&path, &[("authorization", &format!("Bearer {}", stage.key))]).await;
    assert_eq!((right.status, &json(&right)["state"]), (200, &"live".into()));
}

#[tokio::test]
async fn the_server_tells_how_it_is() {
    let stage = Stage::start().await;
    let mut client = stage.connect().await;
    assert_eq!(client.get("/healthz", &[]).await.status, 200);
    assert_eq!(client.get("/readyz", &[]).await.text(), "ready\n");
    let metrics = client.get("/metrics", &[]).await;
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    assert!(metrics.text().contains("skylark_http_connections 1\n"), "{}", metrics.text());
}

#[tokio::test]
async fn pages_are_guarded_and_unknown_streams_have_one_too() {
    let stage = Stage::start().await;
    for (path, status) in [("/", 200), (&*format!("/s/{}", stage.id), 200), ("/s/aaaaaaaaaaaa", 404), ("/s/x", 404)] {
        let page = stage.get(path).await;
        assert_eq!((page.status, page.header("content-type")), (status, "text/html; charset=utf-8"), "{path}");
        let policy = page.header("content-security-policy");
        for rule in ["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{rule} in {policy}");
        }
        assert!(!policy.contains("'unsafe-inline'"));
        for (header, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")] {
            assert_eq!(page.header(header), value);
        }
    }
    assert_eq!(stage.get("/assets/../Cargo.toml").await.status, 404);
    assert_eq!(stage.get("/nothing").await.status, 404);
}

#[tokio::test]
async fn obs_is_told_what_to_send_or_why_not() {
    let stage = Stage::start().await;
    let ask = async |key: &str| {
        let question = serde_json::json!({
            "service": "IVS", "schema_version": "2024-06-04", "authentication": key,
            "client": { "name": "obs-studio", "version": "30.2.3", "supported_codecs": ["h264"] },
            "preferences": { "width": 1280, "height": 720, "framerate": { "numerator": 30, "denominator": 1 } },
        });
        let call = Call {
            method: "POST",
            path: "/api/v1/multitrack",
            media_type: "application/json",
            body: question.to_string().into_bytes(),
        };
        Owner::new(&stage, 1).send(&call, "").await
    };
    let answer = ask(&format!("{}?bandwidthtest=true", stage.key)).await;
    let told = json(&answer);
    assert_eq!(told["encoder_configurations"].as_array().map(Vec::len), Some(3), "{told}");
    let template = told["ingest_endpoints"][0]["url_template"].as_str().unwrap();
    assert!(template.starts_with("rtmp://127.0.0.1:") && template.ends_with("/live/{stream_key}"), "{template}");
    let answer = ask("no key").await;
    assert_eq!(answer.status, 200, "OBS shows no other answer to its user");
    let told = json(&answer);
    assert_eq!((&told["status"]["result"], told["encoder_configurations"][0].is_null()), (&"error".into(), true));
    assert!(told["status"]["html_en_us"].as_str().unwrap().contains("unknown stream key"), "{told}");
    assert!(!answer.text().contains("no key"), "a key is not repeated");
}
