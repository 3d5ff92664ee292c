//! A relay that answers every request with what the test wants, true or not.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use futures_util::{SinkExt as _, StreamExt as _};
use nostr::{Event, JsonUtil as _};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// The relay; it ends when dropped.
#[derive(Debug)]
pub struct Liar {
    addr: SocketAddr,
    events: Arc<Mutex<Vec<Value>>>,
    task: AbortHandle,
}

impl Liar {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let events = Arc::<Mutex<Vec<Value>>>::default();
        let said = Arc::clone(&events);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(converse(socket, Arc::clone(&said)));
            }
        });
        Ok(Self { addr, events, task: task.abort_handle() })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.addr)
    }

    /// It will send this event.
    pub fn will_say(&self, event: &Event) {
        self.add(serde_json::from_str(&event.as_json()).unwrap_or_default());
    }

    /// It will send this event with another text, as if its author had signed that.
    pub fn will_forge(&self, event: &Event, text: &str) {
        let mut forged: Value = serde_json::from_str(&event.as_json()).unwrap_or_default();
        forged["content"] = text.into();
        self.add(forged);
    }

    fn add(&self, event: Value) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(socket: TcpStream, events: Arc<Mutex<Vec<Value>>>) {
    let Ok(mut socket) = accept_async(socket).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        let Ok(request) = serde_json::from_str::<Value>(message.to_text().unwrap_or_default()) else { continue };
        if request[0] != "REQ" {
            continue;
        }
        let said = events.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let events = said.into_iter().map(|event| json!(["EVENT", request[1], event]));
        for answer in events.chain([json!(["EOSE", request[1]])]) {
            if socket.send(Message::text(answer.to_string())).await.is_err() {
                return;
            }
        }
    }
}
