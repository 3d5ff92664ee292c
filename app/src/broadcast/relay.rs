//! Saying something at the origin's relay: one connection for each time, which is once a minute.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use skylark_protocol::{
    event::{Event, PublicKey, UnsignedEvent, kind},
    live_event::LiveEvent,
    studio::Problem,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use crate::{clock, identity::Identities, origin::use_ring};

/// How long the relay gets for a connection, and for each answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest message that is read, bytes.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// Messages that are passed over before an answer.
const MAX_PASSED_OVER: usize = 50;

/// A connection to the relay.
pub(super) struct Relay<'a> {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    url: &'a str,
    /// What it asks whoever introduces themselves to sign (NIP-42).
    challenge: Option<String>,
}

impl<'a> Relay<'a> {
    /// Connects.
    ///
    /// # Errors
    /// Nobody answers.
    pub(super) async fn connect(url: &'a str) -> Result<Self, Problem> {
        use_ring();
        let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES));
        let connected = timeout(PATIENCE, connect_async_with_config(url, Some(config), true)).await;
        let connected = connected.map_err(|_| silent("it takes too long"))?;
        let (socket, _) = connected.map_err(|error| silent(&error.to_string()))?;
        Ok(Self { socket, url, challenge: None })
    }

    /// What is announced under this address now.
    ///
    /// # Errors
    /// The relay hangs up.
    pub(super) async fn live_event(&mut self, host: PublicKey, identifier: &str) -> Result<Option<LiveEvent>, Problem> {
        let filter = json!({ "kinds": [kind::LIVE_EVENT], "authors": [host], "#d": [identifier], "limit": 1 });
        self.say(&json!(["REQ", "now", filter])).await?;
        let mut found = None;
        for _ in 0..MAX_PASSED_OVER {
            let message = self.hear().await?;
            match message[0].as_str() {
                Some("EVENT") => {
                    let event = serde_json::from_value::<Event>(message[2].clone()).ok();
                    found = event.filter(|event| event.pubkey == host).and_then(|event| LiveEvent::read(&event).ok());
                }
                Some("EOSE" | "CLOSED") => break,
                _ => {}
            }
        }
        Ok(found)
    }

    /// Publishes an event.
    ///
    /// # Errors
    /// The relay does not take it, and says why.
    pub(super) async fn publish(&mut self, event: &Event, identities: &Identities) -> Result<(), Problem> {
        let refusal = match self.offer(event).await? {
            None => return Ok(()),
            Some(refusal) if refusal.starts_with("auth-required") => refusal,
            Some(refusal) => return Err(refused(&refusal)),
        };
        let Some(challenge) = self.challenge.clone() else { return Err(refused(&refusal)) };
        let tags = vec![vec!["relay".into(), self.url.to_owned()], vec!["challenge".into(), challenge]];
        let unsigned = UnsignedEvent {
            pubkey: event.pubkey,
            created_at: clock::now_s(),
            kind: kind::AUTHENTICATION,
            tags,
            content: String::new(),
        };
        let introduction = identities.sign(unsigned).await?;
        if let Some(refusal) = self.send("AUTH", &introduction).await? {
            return Err(refused(&refusal));
        }
        self.offer(event).await?.map_or(Ok(()), |refusal| Err(refused(&refusal)))
    }

    async fn offer(&mut self, event: &Event) -> Result<Option<String>, Problem> {
        self.send("EVENT", event).await
    }

    /// The reason why it is not taken, if it is not.
    async fn send(&mut self, verb: &str, event: &Event) -> Result<Option<String>, Problem> {
        self.say(&json!([verb, event])).await?;
        for _ in 0..MAX_PASSED_OVER {
            let message = self.hear().await?;
            if message[0] == "OK" && message[1] == event.id.to_string() {
                let reason = message[3].as_str().unwrap_or_default();
                return Ok((message[2] != true).then(|| skylark_protocol::text::line(reason, 300)));
            }
        }
        Err(silent("it speaks of other things"))
    }

    async fn say(&mut self, message: &Value) -> Result<(), Problem> {
        let said = timeout(PATIENCE, self.socket.send(Message::text(message.to_string()))).await;
        said.map_err(|_| silent("it takes too long"))?.map_err(|error| silent(&error.to_string()))
    }

    async fn hear(&mut self) -> Result<Value, Problem> {
        loop {
            let next = timeout(PATIENCE, self.socket.next()).await.map_err(|_| silent("it takes too long"))?;
            let text = match next {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(_))) | None => return Err(silent("it hangs up")),
                Some(Err(error)) => return Err(silent(&error.to_string())),
                Some(Ok(_)) => continue,
            };
            let message: Value = serde_json::from_str(text.as_str()).map_err(|_| silent("it makes no sense"))?;
            if message[0] == "AUTH" {
                self.challenge = message[1].as_str().map(str::to_owned);
                continue;
            }
            return Ok(message);
        }
    }
}

fn silent(reason: &str) -> Problem {
    Problem::new("relay-silent", format!("The origin's relay does not answer: {reason}."))
}

fn refused(reason: &str) -> Problem {
    Problem::new("relay-refuses", format!("The origin's relay does not take the announcement: {reason}."))
}
