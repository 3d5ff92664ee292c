//! Somebody with a Nostr key who has streams: makes them by the API, announces them on the relay.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use hyper::Method;
use nostr::{Event, JsonUtil as _, Keys, Timestamp, ToBech32 as _};
use serde_json::{Value, json};
use skylark_protocol::{
    api::CreatedStream,
    event::{PublicKey, UnsignedEvent},
    live_event::{LiveEventDraft, Status},
    nip98,
};

use crate::{
    origin::{Origin, StreamKey},
    relay_client::{RelayClient, event, event_at, keys},
};

/// Configuration of a server on which everybody may make streams.
pub const OPEN_TO_ALL: &str = "[api]\nallow = [\"*\"]\n";

/// A streamer with a connection to the origin's relay.
#[derive(Debug)]
pub struct Streamer<'a> {
    origin: &'a Origin,
    keys: Keys,
    relay: RelayClient,
}

impl<'a> Streamer<'a> {
    /// The streamer of this number: the same key every time.
    ///
    /// # Errors
    /// When the relay does not answer.
    pub async fn new(origin: &'a Origin, number: u64) -> Result<Self> {
        let relay = RelayClient::connect(&format!("ws://{}/", origin.http)).await?;
        Ok(Self { origin, keys: keys(number)?, relay })
    }

    /// Their secret key, as people paste it.
    ///
    /// # Errors
    /// Never for a key that is one.
    pub fn nsec(&self) -> Result<String> {
        Ok(self.keys.secret_key().to_bech32()?)
    }

    /// Makes a stream.
    ///
    /// # Errors
    /// When the API does not.
    pub async fn create(&self, title: &str) -> Result<StreamKey> {
        let answer = self.ask(Method::POST, "/api/v1/streams/create", &json!({ "title": title })).await?;
        let created: CreatedStream = serde_json::from_value(answer)?;
        Ok(StreamKey { stream: created.stream.id.to_string(), key: created.access.key })
    }

    /// Asks the API with a signed request; a body of `null` is none.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let (url, body) = (self.origin.url(path), if body.is_null() { String::new() } else { body.to_string() });
        let request = nip98::Request { url: &url, method: method.as_str(), body: body.as_bytes() };
        let now = nostr::Timestamp::now().as_secs();
        let mut unsigned = nip98::unsigned(self.pubkey(), request, now);
        // Two requests that are the same in one second are still two.
        unsigned.tags.push(vec!["nonce".into(), format!("{:?}", std::time::Instant::now())]);
        let signed = self.sign(&unsigned)?;
        let header = nip98::header(&serde_json::from_str(&signed.as_json())?);
        let headers = [("authorization", header.as_str()), ("content-type", "application/json")];
        let answer = self.origin.client().send(method, &url, &headers, Bytes::from(body)).await?;
        ensure!(answer.status < 300, "{path} answered {} {}", answer.status, answer.text());
        if answer.body.is_empty() { Ok(Value::Null) } else { answer.json() }
    }

    /// Goes live as a client should: leaves the end with the origin before the announcement is published.
    ///
    /// # Errors
    /// When API or relay do not take it.
    pub async fn go_live(&mut self, stream: &StreamKey, title: &str) -> Result<()> {
        let path = format!("/api/v1/streams/{}", stream.stream);
        self.ask(Method::POST, &format!("{path}/start"), &Value::Null).await?;
        let at_s = nostr::Timestamp::now().as_secs() - 1;
        let mut draft = LiveEventDraft::new(&stream.stream, Status::Live, title);
        draft.streaming = vec![self.origin.playlist(stream)];
        let ending = self.sign(&draft.ending(at_s).unsigned(self.pubkey(), at_s + 1)?)?;
        let ending: Value = serde_json::from_str(&ending.as_json())?;
        self.ask(Method::PUT, &format!("{path}/ending"), &json!({ "event": ending })).await?;
        let announcement = self.sign(&draft.unsigned(self.pubkey(), at_s)?)?;
        self.relay.publish(&announcement).await
    }

    /// Announces a stream as live.
    ///
    /// # Errors
    /// When the relay does not take it.
    pub async fn announce(&mut self, stream: &StreamKey, title: &str) -> Result<()> {
        let mut draft = LiveEventDraft::new(&stream.stream, Status::Live, title);
        draft.streaming = vec![self.origin.playlist(stream)];
        let unsigned = draft.unsigned(self.pubkey(), nostr::Timestamp::now().as_secs())?;
        let signed = self.sign(&unsigned)?;
        self.relay.publish(&signed).await
    }

    /// Has anybody say something about a stream.
    ///
    /// # Errors
    /// When the relay does not take it.
    pub async fn let_say(&mut self, who: u64, stream: &StreamKey, text: &str) -> Result<()> {
        self.let_have_said(who, stream, text, 0).await
    }

    /// The same, some seconds ago.
    ///
    /// # Errors
    /// When the relay does not take it.
    pub async fn let_have_said(&mut self, who: u64, stream: &StreamKey, text: &str, ago_s: u64) -> Result<()> {
        let address = format!("30311:{}:{}", self.keys.public_key(), stream.stream);
        let at = Timestamp::now() - ago_s;
        self.relay.publish(&event_at(&keys(who)?, at, 1311, &[&["a", &address]], text)?).await
    }

    /// Publishes what somebody says of themselves.
    ///
    /// # Errors
    /// When the relay does not take it.
    pub async fn introduce(&mut self, who: u64, profile: &Value) -> Result<()> {
        self.relay.publish(&event(&keys(who)?, 0, &[], &profile.to_string())?).await
    }

    fn pubkey(&self) -> PublicKey {
        PublicKey::from_bytes(self.keys.public_key().to_bytes())
    }

    fn sign(&self, unsigned: &UnsignedEvent) -> Result<Event> {
        let json = serde_json::to_string(unsigned)?;
        let unsigned = nostr::UnsignedEvent::from_json(&json).with_context(|| format!("no event: {json}"))?;
        Ok(unsigned.sign_with_keys(&self.keys)?)
    }
}
