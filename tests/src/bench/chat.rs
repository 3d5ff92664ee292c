//! Chat: from one client's send to all of many subscribed viewers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nostr::{Event, JsonUtil as _, ToBech32 as _};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use super::{Row, Verdict, quantile_ms};
use crate::{
    origin::Origin,
    relay_client::{RelayClient, event, keys},
};

/// Messages a second.
const MESSAGES_PER_S: u32 = 20;
/// Who writes: each as often as chats allow.
const WRITERS: u64 = 60;
/// The last message has to be with everybody after so long.
const PATIENCE: Duration = Duration::from_secs(15);

/// When each message was sent, by its id.
type Sent = Arc<Mutex<HashMap<String, Instant>>>;

/// Everybody is subscribed to one live event's chat; the time counts that passes until the last of them has a message.
///
/// # Errors
/// When the relay does not take or does not pass on a message.
pub async fn measure(quick: bool) -> Result<Vec<Row>> {
    let (viewers, messages) = if quick { (200, 100) } else { (1000, 600) };
    let host = keys(1)?;
    let origin = Origin::with_config(&format!(
        "[relay]\nhosts = [\"{}\"]\nmax_clients_per_address = 2000\n",
        host.public_key().to_bech32()?
    ))
    .await?;
    let url = format!("ws://{}/", origin.http);
    let address = format!("30311:{}:bench", host.public_key());
    let mut sender = RelayClient::connect(&url).await?;
    sender.publish(&event(&host, 30311, &[&["d", "bench"], &["status", "live"], &["title", "Bench"]], "")?).await?;

    let sent = Sent::default();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let mut audience = JoinSet::new();
    for _ in 0..viewers {
        let mut viewer = RelayClient::connect(&url).await?;
        viewer.subscribe("chat", &json!({"kinds": [1311, 7, 5, 9735], "#a": [address], "limit": 100})).await?;
        audience.spawn(watch(viewer, messages, Arc::clone(&sent), arrived.clone()));
    }
    drop(arrived);
    for message in 0..messages {
        let writer = keys(100 + message as u64 % WRITERS)?;
        let message = event(&writer, 1311, &[&["a", &address]], &format!("message {message}"))?;
        let value: Value = serde_json::from_str(&message.as_json())?;
        sent.lock().unwrap_or_else(PoisonError::into_inner).insert(message.id.to_hex(), Instant::now());
        sender.say(&json!(["EVENT", value])).await?;
        tokio::time::sleep(Duration::from_secs(1) / MESSAGES_PER_S).await;
    }
    let everybody = tokio::time::timeout(PATIENCE, async {
        while let Some(ended) = audience.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    });
    everybody.await.context("not every message came to everybody")??;

    let mut last: HashMap<String, Duration> = HashMap::new();
    let mut all = Vec::new();
    while let Ok((id, delay)) = arrivals.try_recv() {
        all.push(delay);
        let slowest = last.entry(id).or_default();
        *slowest = delay.max(*slowest);
    }
    ensure!(all.len() == viewers * messages, "{} of {} messages came", all.len(), viewers * messages);
    let mut last: Vec<Duration> = last.into_values().collect();
    let (to_each, to_all) = (quantile_ms(&mut all, 0.99), quantile_ms(&mut last, 0.99));
    let median = quantile_ms(&mut last, 0.5);
    Ok(vec![Row {
        what: format!("chat message → all of {viewers} viewers, {MESSAGES_PER_S} a second"),
        ours: format!("p50 {median:.0} ms, p99 {to_all:.0} ms"),
        reference: format!("to each: p99 {to_each:.0} ms"),
        ratio: None,
        goal: "must p99 250 ms, aim 100 ms".to_owned(),
        verdict: Verdict::at_most(to_all, 250.0, Some(100.0)),
    }])
}

/// Hears as many messages, and says of each how long it took.
async fn watch(
    mut viewer: RelayClient,
    messages: usize,
    sent: Sent,
    arrived: mpsc::UnboundedSender<(String, Duration)>,
) -> Result<()> {
    for _ in 0..messages {
        let text = viewer.hear_text().await?;
        let now = Instant::now();
        let message: Value = serde_json::from_str(&text)?;
        let id = message[2]["id"].as_str().with_context(|| format!("no event: {text}"))?.to_owned();
        let sent = *sent.lock().unwrap_or_else(PoisonError::into_inner).get(&id).context("nobody sent this")?;
        // Who measures listens until the end.
        _ = arrived.send((id, now - sent));
    }
    Ok(())
}

/// So many messages of as many people, about so many live events of one host.
///
/// # Errors
/// Never for a host with a key.
pub(super) fn messages(host: &nostr::PublicKey, live_events: usize, count: usize) -> Result<Vec<Event>> {
    let addresses: Vec<String> = (0..live_events).map(|number| format!("30311:{host}:bench-{number}")).collect();
    let message = |number: usize| {
        let address = &addresses[number % live_events];
        event(&keys(1000 + number as u64)?, 1311, &[&["a", address]], &format!("This is message {number} of a chat."))
    };
    (0..count).map(message).collect()
}
