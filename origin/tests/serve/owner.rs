//! Somebody with a Nostr key who asks the API.

use nostr::{JsonUtil as _, Keys};
use serde_json::{Value, json};
use skylark_protocol::{event::PublicKey, nip98};

use crate::{
    client::Answer,
    relay_client::{event, keys},
    stage::Stage,
};

/// A request as it is signed and sent; each part can be made to differ.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) media_type: &'a str,
    pub(crate) body: Vec<u8>,
}

/// Somebody.
pub(crate) struct Owner<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) keys: Keys,
}

impl<'a> Owner<'a> {
    pub(crate) fn new(stage: &'a Stage, number: u8) -> Self {
        Self { stage, keys: keys(number) }
    }

    pub(crate) fn pubkey(&self) -> PublicKey {
        PublicKey::from_bytes(self.keys.public_key().to_bytes())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.stage.addr)
    }

    /// The header for a request.
    pub(crate) fn header(&self, url: &str, method: &str, body: &[u8]) -> String {
        let request = nip98::Request { url, method, body };
        let unsigned = nip98::unsigned(self.pubkey(), request, nostr::Timestamp::now().as_secs());
        // Two requests that are the same in one second are still two.
        let nonce = format!("{:?}", std::time::Instant::now());
        let mut tags: Vec<Vec<&str>> =
            unsigned.tags.iter().map(|tag| tag.iter().map(String::as_str).collect()).collect();
        tags.push(vec!["nonce", &nonce]);
        let tags: Vec<&[&str]> = tags.iter().map(Vec::as_slice).collect();
        let event = event(&self.keys, unsigned.kind, &tags, "");
        nip98::header(&serde_json::from_str(&event.as_json()).unwrap())
    }

    /// Sends a request with this header.
    pub(crate) async fn send(&self, call: &Call<'_>, authorization: &str) -> Answer {
        let Call { method, path, media_type, body } = call;
        let mut client = self.stage.connect().await;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: {authorization}\r\ncontent-type: {media_type}\r\n\
             content-length: {}\r\n\r\n",
            self.stage.addr,
            body.len()
        );
        client.send([head.as_bytes(), body].concat()).await;
        client.answer().await.expect("an answer")
    }

    /// Signs and sends.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Answer {
        self.send(call, &self.header(&self.url(call.path), call.method, &call.body)).await
    }

    /// Signs and sends JSON; answers status and JSON.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = self.call(&Call { method, path, media_type: "application/json", body }).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// Makes a stream with this title; answers its id and key.
    pub(crate) async fn create(&self, title: &str) -> (String, String) {
        let (status, answer) = self.ask("POST", "/api/v1/streams/create", json!({ "title": title })).await;
        assert_eq!(status, 201, "{answer}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&answer["stream"]["id"]), text(&answer["access"]["key"]))
    }
}
