//! One outside relay: called, called again when it is gone, told what waits for it, heard.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use nostr::{Alphabet, Filter, Kind, RelayUrl, SingleLetterTag, SubscriptionId, Timestamp};
use nostr_sdk::{
    Client, RelayOptions,
    pool::{
        monitor::{Monitor, MonitorNotification},
        relay::{Error as RelayError, RelayNotification, SubscribeOptions},
    },
};
use skylark_protocol::{
    address::Address,
    event::kind,
    mirror::{LinkState, OutsideRelay},
};
use tokio::sync::{
    broadcast::{Receiver, error::RecvError},
    watch,
};

use super::{
    answer::{self, Answer},
    outbox::{Letter, Outbox},
};
use crate::{
    db::{DbError, now_ms},
    relay::{Accepted, Relay},
};

/// The connection has to be there after so long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that lasted so long was a good one: the next pause is a short one again.
const GOOD_CONNECTION: Duration = Duration::from_secs(60);
/// Events that are on their way to one relay at once.
const AT_ONCE: usize = 8;
/// Events that are read from the outbox at once.
const BATCH: u32 = 64;
/// The outbox is looked at so often even if nobody says that something is in it.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// How much of the past is asked for.
const PAST: Duration = Duration::from_secs(2 * 60 * 60);
/// Events of the past that are asked for.
const PAST_EVENTS: usize = 500;
/// Kinds that refer to a live event and come from outside.
const KINDS: [u16; 6] = [kind::CHAT, kind::REACTION, kind::ZAP_RECEIPT, kind::RAID, kind::CLIP, kind::DELETION];
/// Longest error that is shown, characters.
const MAX_ERROR_CHARS: usize = 200;

/// What is known of a link, for everybody to read.
#[derive(Debug)]
pub(super) struct Report(Mutex<OutsideRelay>);

impl Report {
    pub(super) fn new(url: String) -> Self {
        Self(Mutex::new(OutsideRelay {
            url,
            state: LinkState::Connecting,
            since_ms: now_ms(),
            error: None,
            refusal: None,
            waiting: 0,
            delivered: 0,
            refused: 0,
            received: 0,
            live_events: Vec::new(),
        }))
    }

    pub(super) fn read(&self) -> OutsideRelay {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut OutsideRelay)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn enter(&self, state: LinkState, error: Option<String>) {
        self.change(|relay| {
            if relay.state != state {
                (relay.state, relay.since_ms) = (state, now_ms());
            }
            // The last error stays readable while the next attempt is made.
            if error.is_some() || state == LinkState::Connected {
                relay.error = error.map(|error| skylark_protocol::text::line(&error, MAX_ERROR_CHARS));
            }
        });
    }
}

/// Returns when there is no connection any more.
pub(crate) async fn gone(outside: &nostr_sdk::Relay, mut changes: Receiver<MonitorNotification>) {
    // Whether the change is about this relay or another, whether some were missed: what counts is what it says now.
    while outside.is_connected() {
        let change = tokio::time::timeout(LOOK_INTERVAL, changes.recv()).await;
        if matches!(change, Ok(Err(RecvError::Closed))) {
            return;
        }
    }
}

/// Everything that one link needs.
pub(super) struct Link {
    /// Says when connections change.
    pub(super) monitor: Monitor,
    pub(super) client: Client,
    pub(super) url: RelayUrl,
    pub(super) relay: Arc<Relay>,
    pub(super) outbox: Outbox,
    pub(super) report: Arc<Report>,
    /// The live events that are listened to.
    pub(super) wanted: watch::Receiver<BTreeSet<Address>>,
    /// Changes when something may be in an outbox.
    pub(super) mail: watch::Receiver<u64>,
}

impl Link {
    /// Until it is aborted.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        loop {
            self.report.enter(LinkState::Connecting, None);
            let begun = Instant::now();
            let error = self.connect_and_converse().await;
            failures = if begun.elapsed() >= GOOD_CONNECTION { 0 } else { failures + 1 };
            tracing::info!(relay = %self.url, %error, "outside relay is away");
            self.report.enter(LinkState::Failed, Some(error));
            tokio::time::sleep(answer::pause(failures)).await;
        }
    }

    /// Answers why it is over.
    async fn connect_and_converse(&mut self) -> String {
        // We call again by ourselves: so the reason is known, and the pauses are ours.
        let options = RelayOptions::new().reconnect(false);
        if let Err(error) = self.client.pool().add_relay(self.url.clone(), options).await {
            return error.to_string();
        }
        let outside = match self.client.relay(self.url.clone()).await {
            Ok(outside) => outside,
            Err(error) => return error.to_string(),
        };
        let (mut news, changes) = (outside.notifications(), self.monitor.subscribe());
        let error = match outside.try_connect(CONNECT_TIMEOUT).await {
            Ok(()) => {
                tracing::info!(relay = %self.url, "outside relay is connected");
                self.report.enter(LinkState::Connected, None);
                let (listen, write, gone) = (self.listen(&mut news), self.write(&outside), gone(&outside, changes));
                tokio::select! {
                    reason = listen => reason,
                    reason = write => reason,
                    () = gone => "the connection was lost".into(),
                }
            }
            Err(error) => error.to_string(),
        };
        outside.disconnect();
        // A fresh one next time: it remembers nothing of this one's subscriptions.
        if let Err(error) = self.client.force_remove_relay(self.url.clone()).await {
            tracing::debug!(relay = %self.url, %error, "cannot forget the relay");
        }
        error
    }

    /// Takes what the relay says.
    async fn listen(&self, news: &mut Receiver<RelayNotification>) -> String {
        loop {
            match news.recv().await {
                Ok(RelayNotification::Event { event, .. }) => match self.relay.take_mirrored(*event).await {
                    Ok(Accepted::Stored) => self.report.change(|relay| relay.received += 1),
                    Ok(_) => {}
                    Err(rejected) => tracing::debug!(relay = %self.url, %rejected, "event from outside not taken"),
                },
                Ok(RelayNotification::Shutdown) | Err(RecvError::Closed) => return "the connection was closed".into(),
                // What was missed is asked for anew.
                Err(RecvError::Lagged(_)) => return "it sends faster than can be taken".into(),
                Ok(_) => {}
            }
        }
    }

    /// Subscribes to what is wanted, and sends what waits.
    async fn write(&self, outside: &nostr_sdk::Relay) -> String {
        let (mut wanted, mut mail) = (self.wanted.clone(), self.mail.clone());
        wanted.mark_changed();
        loop {
            if wanted.has_changed().unwrap_or(false) {
                let live_events = wanted.borrow_and_update().clone();
                if let Err(error) = self.subscribe(outside, live_events).await {
                    return error.to_string();
                }
            }
            mail.borrow_and_update();
            let next = match self.deliver(outside).await {
                Ok(next) => next,
                Err(error) => return error,
            };
            tokio::select! {
                changed = wanted.changed() => if changed.is_err() { return "it is not needed any more".into() },
                changed = mail.changed() => if changed.is_err() { return "the server stops".into() },
                () = tokio::time::sleep(next.min(LOOK_INTERVAL)) => {}
            }
        }
    }

    async fn subscribe(&self, outside: &nostr_sdk::Relay, live_events: BTreeSet<Address>) -> Result<(), RelayError> {
        let name = SubscriptionId::new("skylark");
        if live_events.is_empty() {
            return outside.unsubscribe(&name).await;
        }
        let since = Timestamp::now() - PAST;
        let filter = Filter::new()
            .kinds(KINDS.map(Kind::from))
            .custom_tags(SingleLetterTag::lowercase(Alphabet::A), live_events.iter().map(Address::to_string))
            .since(since)
            .limit(PAST_EVENTS);
        outside.subscribe_with_id(name, filter, SubscribeOptions::default()).await
    }

    /// Sends everything that is due. Answers how long there will be nothing to do.
    async fn deliver(&self, outside: &nostr_sdk::Relay) -> Result<Duration, String> {
        let failed = |error: DbError| error.to_string();
        loop {
            let letters = self.outbox.due(self.url.as_str(), BATCH).await.map_err(failed)?;
            if letters.is_empty() {
                let next_ms = self.outbox.next_due_ms(self.url.as_str()).await.map_err(failed)?;
                let wait_ms = next_ms.map_or(i64::MAX, |next| (next - now_ms()).max(0));
                return Ok(Duration::from_millis(u64::try_from(wait_ms).unwrap_or_default()));
            }
            let mut answers = stream::iter(letters)
                .map(async |letter| {
                    let answer = outside.send_event(&letter.event).await;
                    (letter, answer)
                })
                .buffer_unordered(AT_ONCE);
            let mut rest = None;
            while let Some((letter, answer)) = answers.next().await {
                let rests = self.settle(&letter, answer.map(|_| ())).await?;
                rest = rests.or(rest);
            }
            if let Some(rest) = rest {
                return Ok(rest);
            }
        }
    }

    /// Does what the answer asks for. Answers how long the relay wants to be left alone, if it does; the error is that
    /// of the connection.
    async fn settle(&self, letter: &Letter, sent: Result<(), RelayError>) -> Result<Option<Duration>, String> {
        let answer = match sent {
            Ok(()) => Answer::Taken,
            Err(RelayError::RelayMessage(text)) => answer::read(Some(&text), letter.attempts),
            Err(RelayError::Timeout) => answer::read(None, letter.attempts),
            Err(error) => return Err(error.to_string()),
        };
        let url = self.url.as_str();
        let (settled, rest) = match answer {
            Answer::Taken => {
                self.report.change(|relay| relay.delivered += 1);
                (self.outbox.settle(url, letter).await, None)
            }
            Answer::Refused(reason) => {
                tracing::debug!(relay = url, %reason, event = %letter.event.id, "outside relay refused an event");
                self.report.change(|relay| {
                    relay.refused += 1;
                    relay.refusal = Some(skylark_protocol::text::line(&reason, MAX_ERROR_CHARS));
                });
                (self.outbox.settle(url, letter).await, None)
            }
            Answer::Later { pause, is_for_all } => {
                let due_ms = now_ms().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
                (self.outbox.put_off(url, letter, due_ms).await, is_for_all.then_some(pause))
            }
        };
        settled.map_err(|error| error.to_string())?;
        Ok(rest)
    }
}
