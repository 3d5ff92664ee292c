//! A Nostr client of any relay, and keys and events for it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use nostr::{Event, EventBuilder, JsonUtil as _, Keys, Kind, SecretKey, Tag, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// What is not said within this time is not said.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection to a relay.
#[derive(Debug)]
pub struct RelayClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// The same keys for the same number, every time.
///
/// # Errors
/// Never for numbers above zero.
pub fn keys(number: u64) -> Result<Keys> {
    let mut secret = [0; 32];
    secret[24..].copy_from_slice(&number.to_be_bytes());
    Ok(Keys::new(SecretKey::from_slice(&secret)?))
}

/// A signed event of now.
///
/// # Errors
/// When a tag is empty.
pub fn event(keys: &Keys, kind: u16, tags: &[&[&str]], content: &str) -> Result<Event> {
    event_at(keys, Timestamp::now(), kind, tags, content)
}

/// A signed event of another time.
///
/// # Errors
/// When a tag is empty.
pub fn event_at(keys: &Keys, at: Timestamp, kind: u16, tags: &[&[&str]], content: &str) -> Result<Event> {
    let tags = tags.iter().map(|tag| Tag::parse(tag.iter().copied())).collect::<Result<Vec<_>, _>>()?;
    Ok(EventBuilder::new(Kind::from(kind), content).tags(tags).custom_created_at(at).sign_with_keys(keys)?)
}

impl RelayClient {
    /// Connects to `ws://…`.
    ///
    /// # Errors
    /// When the relay does not answer.
    pub async fn connect(url: &str) -> Result<Self> {
        let (socket, _) = connect_async(url).await.with_context(|| format!("cannot connect to {url}"))?;
        Ok(Self { socket })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the relay has hung up.
    pub async fn say(&mut self, message: &Value) -> Result<()> {
        Ok(self.socket.send(Message::text(message.to_string())).await?)
    }

    /// The next message, as it came. Waits for ever.
    ///
    /// # Errors
    /// When the relay has hung up.
    pub async fn hear_text(&mut self) -> Result<String> {
        loop {
            match self.socket.next().await.context("the relay has hung up")?? {
                Message::Text(text) => return Ok(text.as_str().to_owned()),
                Message::Close(_) => bail!("the relay has hung up"),
                _ => {}
            }
        }
    }

    /// The next message.
    ///
    /// # Errors
    /// When none comes in time.
    pub async fn hear(&mut self) -> Result<Value> {
        let text = tokio::time::timeout(PATIENCE, self.hear_text()).await.context("the relay says nothing")??;
        Ok(serde_json::from_str(&text)?)
    }

    /// Publishes an event that has to be taken. What else comes before the answer is not looked at.
    ///
    /// # Errors
    /// When it is not taken; the error says what the relay says.
    pub async fn publish(&mut self, event: &Event) -> Result<()> {
        let value: Value = serde_json::from_str(&event.as_json())?;
        self.say(&json!(["EVENT", value])).await?;
        loop {
            let answer = self.hear().await?;
            if answer[0] == "OK" && answer[1] == event.id.to_hex() {
                ensure!(answer[2] == true, "the event was not taken: {answer}");
                return Ok(());
            }
        }
    }

    /// Subscribes, and returns what is stored.
    ///
    /// # Errors
    /// When the relay closes the subscription, or something in it is no event.
    pub async fn subscribe(&mut self, name: &str, filter: &Value) -> Result<Vec<Event>> {
        self.say(&json!(["REQ", name, filter])).await?;
        let mut stored = Vec::new();
        loop {
            let message = self.hear().await?;
            match message[0].as_str() {
                Some("EVENT") => stored.push(Event::from_json(message[2].to_string())?),
                Some("EOSE") => return Ok(stored),
                Some("CLOSED") => bail!("{message}"),
                _ => {}
            }
        }
    }
}
