//! A Nostr client that says exactly what the test wants it to say.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use nostr::{Event, EventBuilder, JsonUtil as _, Keys, Kind, SecretKey, Tag};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// What is not said within this time is not said.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct RelayClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) challenge: String,
}

/// The same keys every time.
pub(crate) fn keys(number: u8) -> Keys {
    Keys::new(SecretKey::from_slice(&[number; 32]).unwrap())
}

/// An event of now.
pub(crate) fn event(keys: &Keys, kind: u16, tags: &[&[&str]], content: &str) -> Event {
    let tags = tags.iter().map(|tag| Tag::parse(tag.iter().copied()).unwrap());
    EventBuilder::new(Kind::from(kind), content).tags(tags).sign_with_keys(keys).unwrap()
}

impl RelayClient {
    /// Connects, and takes the challenge.
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let (socket, _) = connect_async(format!("ws://{addr}/")).await.unwrap();
        let mut client = Self { socket, challenge: String::new() };
        let challenge = client.hear().await;
        assert_eq!(challenge[0], "AUTH");
        client.challenge = challenge[1].as_str().unwrap().to_owned();
        client
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    pub(crate) async fn say_text(&mut self, text: &str) {
        // A relay that has hung up is found by what it said.
        _ = self.socket.send(Message::Text(text.into())).await;
    }

    /// The next message; `Null` when the relay has hung up.
    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("the relay says nothing");
            match message {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(text.as_str()).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Value::Null,
                Some(Ok(other)) => panic!("the relay says {other:?}"),
            }
        }
    }

    /// Publishes an event; answers whether it was taken, and why not.
    pub(crate) async fn publish(&mut self, event: &Event) -> (bool, String) {
        let value: Value = serde_json::from_str(&event.as_json()).unwrap();
        self.say(json!(["EVENT", value])).await;
        let answer = self.hear().await;
        assert_eq!(
            (answer[0].as_str(), answer[1].as_str()),
            (Some("OK"), Some(event.id.to_hex().as_str())),
            "{answer}"
        );
        (answer[2].as_bool().unwrap(), answer[3].as_str().unwrap().to_owned())
    }

    /// Publishes an event that has to be taken.
    pub(crate) async fn publish_well(&mut self, event: &Event) {
        assert_eq!(self.publish(event).await, (true, String::new()));
    }

    /// Subscribes; answers the ids of what is stored.
    pub(crate) async fn subscribe(&mut self, id: &str, filter: Value) -> Vec<String> {
        self.say(json!(["REQ", id, filter])).await;
        let mut stored = Vec::new();
        loop {
            let message = self.hear().await;
            match message[0].as_str() {
                Some("EVENT") => stored.push(message[2]["id"].as_str().unwrap().to_owned()),
                Some("EOSE") => return stored,
                _ => panic!("the relay says {message}"),
            }
        }
    }

    /// Does not read any more, and so does not take any more.
    pub(crate) fn into_unread(self) -> impl Send {
        self.socket
    }
}
