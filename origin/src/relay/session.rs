//! One client's connection: what it asks is answered in order, and what it subscribed to is sent as it comes.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use nostr::{Event, Filter, filter::MatchEventOptions};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{
    Accepted, Announced, Relay, Source,
    authentication::Authentication,
    limits::{BROADCAST_QUEUE, MAX_MESSAGE_BYTES, MAX_SUBSCRIPTIONS, MESSAGE_BURST, MESSAGES_PER_S, PING_INTERVAL},
    message::{Request, Response, Unreadable},
};
use crate::pace::{Allowance, Pace};

/// Events of a request that are remembered until they can no longer come as news, too.
const MAX_JUST_SENT: usize = 64;

/// The connection is over.
#[derive(Debug)]
struct Over;

impl Relay {
    /// Takes a client from `address`. `host` is what it calls this relay.
    pub fn welcome(
        self: Arc<Self>,
        upgrade: WebSocketUpgrade,
        host: String,
        address: IpAddr,
    ) -> axum::response::Response {
        let upgrade = upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES);
        let Some(place) = self.places.enter(address) else {
            self.counters.turned_away.increment();
            let refusal = (
                axum::http::StatusCode::SERVICE_UNAVAILABLE,
                "the relay has too many clients, or too many of this address\n",
            );
            return axum::response::IntoResponse::into_response(refusal);
        };
        upgrade.on_upgrade(async move |socket| {
            let _place = place;
            let _present = self.counters.clients.enter();
            let url = self.config.url.clone().unwrap_or(host);
            match Authentication::new(&url) {
                Ok(authentication) => Session::new(&self, socket, authentication).serve().await,
                Err(error) => tracing::error!(%error, "no random bytes"),
            }
        })
    }
}

/// The next event that was announced; never, if nobody asked for any.
async fn next(announcements: &mut Option<broadcast::Receiver<Arc<Announced>>>) -> Result<Arc<Announced>, RecvError> {
    match announcements {
        Some(announcements) => announcements.recv().await,
        None => std::future::pending().await,
    }
}

struct Session<'a> {
    relay: &'a Relay,
    socket: WebSocket,
    authentication: Authentication,
    subscriptions: HashMap<String, Vec<Filter>>,
    /// As long as there are subscriptions: who only publishes is not woken by what others say.
    announcements: Option<broadcast::Receiver<Arc<Announced>>>,
    /// Events that a request has just brought: when they come as news, too, they are not sent again.
    just_sent: HashMap<String, HashSet<[u8; 32]>>,
    pace: Pace,
}

impl<'a> Session<'a> {
    fn new(relay: &'a Relay, socket: WebSocket, authentication: Authentication) -> Self {
        Self {
            relay,
            socket,
            authentication,
            subscriptions: HashMap::new(),
            announcements: None,
            just_sent: HashMap::new(),
            pace: Pace::new(Instant::now()),
        }
    }

    async fn serve(mut self) {
        let challenge = Response::Challenge(self.authentication.challenge()).to_string();
        if self.send(challenge).await.is_ok() {
            // Whatever ends it, it is over.
            _ = self.converse().await;
        }
        _ = tokio::time::timeout(self.relay.config.send_limit, self.socket.send(Message::Close(None))).await;
    }

    async fn converse(&mut self) -> Result<(), Over> {
        let mut stop = self.relay.stop.clone();
        let stopped = async move { _ = stop.wait_for(|stop| *stop).await };
        tokio::pin!(stopped);
        let mut pings = tokio::time::interval(PING_INTERVAL);
        let mut is_alive = true;
        loop {
            tokio::select! {
                message = self.socket.recv() => {
                    is_alive = true;
                    match message {
                        Some(Ok(Message::Text(text))) => self.hear(text.as_str()).await?,
                        Some(Ok(Message::Binary(_))) => self.notice("invalid: messages are text").await?,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Over),
                    }
                }
                announced = next(&mut self.announcements) => self.tell(announced).await?,
                _ = pings.tick() => {
                    if !is_alive {
                        return Err(Over);
                    }
                    is_alive = false;
                    self.just_sent.clear();
                    self.write(Message::Ping(Vec::new().into())).await?;
                }
                () = &mut stopped => return Err(Over),
            }
        }
    }

    /// Answers one message.
    async fn hear(&mut self, text: &str) -> Result<(), Over> {
        let allowance = Allowance::new(MESSAGE_BURST, MESSAGES_PER_S, Duration::from_secs(1));
        while let Err(wait) = self.pace.take(allowance, Instant::now()) {
            // Who sends too fast is read more slowly: the network tells them.
            tokio::time::sleep(wait).await;
        }
        match Request::parse(text) {
            Ok(Request::Publish(event)) => self.publish(*event).await,
            Ok(Request::Subscribe(id, filters)) => {
                self.relay.counters.requests.increment();
                self.subscribe(id, filters).await
            }
            Ok(Request::Count(id, filters)) => {
                self.relay.counters.requests.increment();
                self.count(&id, &filters).await
            }
            Ok(Request::Unsubscribe(id)) => {
                self.unsubscribe(&id);
                Ok(())
            }
            Ok(Request::Authenticate(event)) => {
                let answer = match self.authentication.answer(&event) {
                    Ok(()) => Response::Ok(&event.id, true, "").to_string(),
                    Err(rejected) => Response::Ok(&event.id, false, &rejected.to_string()).to_string(),
                };
                self.send(answer).await
            }
            Err(unreadable) => self.complain(unreadable).await,
        }
    }

    async fn complain(&mut self, unreadable: Unreadable) -> Result<(), Over> {
        self.relay.counters.unreadable.increment();
        match unreadable {
            Unreadable::Event(Some(id), reason) => {
                self.send(Response::Ok(&id, false, &format!("invalid: {reason}")).to_string()).await
            }
            Unreadable::Subscription(id, reason) => {
                self.send(Response::Closed(&id, &format!("invalid: {reason}")).to_string()).await
            }
            Unreadable::Event(None, reason) | Unreadable::Message(reason) => {
                self.notice(&format!("invalid: {reason}")).await
            }
        }
    }

    async fn publish(&mut self, event: Event) -> Result<(), Over> {
        let id = event.id;
        let answer = match self.relay.take(event, Source::Client(self.authentication.keys())).await {
            Ok(Accepted::Stored) => Response::Ok(&id, true, "").to_string(),
            Ok(Accepted::Duplicate) => Response::Ok(&id, true, "duplicate: it is here already").to_string(),
            Ok(Accepted::Superseded) => Response::Ok(&id, true, "duplicate: a newer version is here").to_string(),
            Err(rejected) => Response::Ok(&id, false, &rejected.to_string()).to_string(),
        };
        self.send(answer).await
    }

    async fn subscribe(&mut self, id: String, filters: Vec<Filter>) -> Result<(), Over> {
        if self.subscriptions.len() >= MAX_SUBSCRIPTIONS && !self.subscriptions.contains_key(&id) {
            let reason = format!("rate-limited: at most {MAX_SUBSCRIPTIONS} subscriptions");
            return self.send(Response::Closed(&id, &reason).to_string()).await;
        }
        // What is announced from here on waits in the queue: nothing falls between what is stored and what is new.
        self.announcements.get_or_insert_with(|| self.relay.announcements.subscribe());
        let found = match self.relay.read(&filters, self.authentication.keys()).await {
            Ok(found) => found,
            Err(rejected) => return self.send(Response::Closed(&id, &rejected.to_string()).to_string()).await,
        };
        for event in &found {
            self.send(Response::Event(&id, &event.json).to_string()).await?;
        }
        self.send(Response::EndOfStored(&id).to_string()).await?;
        self.just_sent.insert(id.clone(), found.iter().take(MAX_JUST_SENT).map(|event| event.id).collect());
        self.subscriptions.insert(id, filters);
        Ok(())
    }

    fn unsubscribe(&mut self, id: &str) {
        self.subscriptions.remove(id);
        self.just_sent.remove(id);
        if self.subscriptions.is_empty() {
            self.announcements = None;
        }
    }

    async fn count(&mut self, id: &str, filters: &[Filter]) -> Result<(), Over> {
        let answer = match self.relay.count(filters, self.authentication.keys()).await {
            Ok(count) => Response::Count(id, count).to_string(),
            Err(rejected) => Response::Closed(id, &rejected.to_string()).to_string(),
        };
        self.send(answer).await
    }

    /// Passes on an event to every subscription that wants it.
    async fn tell(&mut self, announced: Result<Arc<Announced>, RecvError>) -> Result<(), Over> {
        let announced = match announced {
            Ok(announced) => announced,
            Err(RecvError::Lagged(_)) => {
                self.relay.counters.slow.increment();
                _ = self.notice(&format!("error: too slow: {BROADCAST_QUEUE} events were waiting")).await;
                return Err(Over);
            }
            Err(RecvError::Closed) => return Err(Over),
        };
        let id = announced.event.id.to_bytes();
        if !self.relay.may_read(&announced, self.authentication.keys()) {
            return Ok(());
        }
        let is_wanted = |filters: &[Filter]| {
            filters.iter().any(|filter| filter.match_event(&announced.event, MatchEventOptions::new()))
        };
        let wanted = self.subscriptions.iter().filter(|(name, filters)| {
            let was_sent = self.just_sent.get(*name).is_some_and(|sent| sent.contains(&id));
            !was_sent && is_wanted(filters)
        });
        let messages: Vec<String> =
            wanted.map(|(name, _)| Response::Event(name, &announced.json).to_string()).collect();
        for message in messages {
            self.send(message).await?;
        }
        Ok(())
    }

    async fn notice(&mut self, text: &str) -> Result<(), Over> {
        self.send(Response::Notice(text).to_string()).await
    }

    async fn send(&mut self, message: String) -> Result<(), Over> {
        self.write(Message::Text(message.into())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), Over> {
        match tokio::time::timeout(self.relay.config.send_limit, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Over),
            Err(_) => {
                self.relay.counters.slow.increment();
                Err(Over)
            }
        }
    }
}
