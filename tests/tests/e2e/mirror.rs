//! Live events and their chat on outside relays. The outside relay is another server of ours, in a process of its own.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    origin::Origin,
    relay_client::{RelayClient, event, keys},
    wait,
};
use nostr::{Event, Keys, ToBech32 as _};
use serde_json::{Value, json};
use skylark_protocol::mirror::{LinkState, OutsideRelay, OutsideRelays};

const SOON: Duration = Duration::from_secs(30);

/// A server whose host is `host`, and which may call relays on this machine.
async fn home(host: &Keys) -> Result<Origin> {
    let host = host.public_key().to_bech32()?;
    Origin::with_config(&format!("[relay]\nhosts = [\"{host}\"]\nmirror_private = true\n")).await
}

fn relay_url(origin: &Origin) -> String {
    format!("ws://{}", origin.http)
}

fn live_event(host: &Keys, relays: &[&str]) -> Result<Event> {
    let named: Vec<&str> = ["relays"].iter().chain(relays).copied().collect();
    event(host, 30311, &[&["d", "party"], &["status", "live"], &["title", "Party"], &named], "")
}

/// What a relay has of a chat: the texts, sorted.
async fn chat(url: &str, filter: &Value) -> Result<Vec<String>> {
    let mut texts: Vec<String> = RelayClient::connect(url)
        .await?
        .subscribe("chat", filter)
        .await?
        .into_iter()
        .map(|event| event.content)
        .collect();
    texts.sort();
    Ok(texts)
}

/// How it goes with an outside relay.
async fn outside(origin: &Origin, relay: &Origin) -> Result<OutsideRelay> {
    let relays: OutsideRelays = origin.client().get(&origin.url("/api/v1/relays")).await?.json()?;
    let url = relay_url(relay);
    relays.relays.into_iter().find(|relay| relay.url == url).context("the outside relay is not known")
}

#[tokio::test]
async fn chat_goes_to_an_outside_relay_and_comes_from_it_though_both_are_killed() -> Result<()> {
    let host = keys(1)?;
    let mut home = home(&host).await?;
    let mut away = Origin::with_config("[relay]\nscope = \"live\"\n").await?;
    let address = format!("30311:{}:party", host.public_key());
    let filter = json!({"kinds": [1311], "#a": [address]});
    let say = |number: u64, text: &str| event(&keys(number)?, 1311, &[&["a", &address]], text);

    let mut streamer = RelayClient::connect(&relay_url(&home)).await?;
    streamer.publish(&live_event(&host, &[&relay_url(&away), &relay_url(&home)])?).await?;
    streamer.publish(&say(10, "from home")?).await?;
    wait::until("the live event and its chat are at the outside relay", SOON, async || {
        chat(&relay_url(&away), &filter).await.ok().filter(|texts| texts == &["from home"])
    })
    .await?;
    RelayClient::connect(&relay_url(&away)).await?.publish(&say(11, "from away")?).await?;
    wait::until("what was said outside is here", SOON, async || {
        chat(&relay_url(&home), &filter).await.ok().filter(|texts| texts == &["from away", "from home"])
    })
    .await?;

    away.kill();
    wait::until("the outside relay is known to be away, and why", SOON, async || {
        outside(&home, &away).await.ok().filter(|relay| relay.state != LinkState::Connected && relay.error.is_some())
    })
    .await?;
    for number in 0..5 {
        streamer.publish(&say(20 + number, &format!("meanwhile {number}"))?).await?;
    }
    assert_eq!(outside(&home, &away).await?.waiting, 5);
    // What waits is on disk.
    home.kill_and_restart().await?;
    away.kill_and_restart().await?;
    let all = ["from away", "from home", "meanwhile 0", "meanwhile 1", "meanwhile 2", "meanwhile 3", "meanwhile 4"];
    wait::until("everything is at the outside relay, once", SOON, async || {
        chat(&relay_url(&away), &filter).await.ok().filter(|texts| texts == &all)
    })
    .await?;
    assert_eq!(chat(&relay_url(&home), &filter).await?, all);
    let relay =
        wait::until("nothing waits", SOON, async || outside(&home, &away).await.ok().filter(|it| it.waiting == 0))
            .await?;
    assert_eq!((relay.state, relay.delivered, relay.refused), (LinkState::Connected, 5, 0));
    ensure!(relay.live_events.iter().any(|live| live.to_string() == address), "{relay:?}");
    Ok(())
}

#[tokio::test]
async fn an_end_reaches_an_outside_relay_that_was_away() -> Result<()> {
    let host = keys(2)?;
    let home = home(&host).await?;
    let mut away = Origin::with_config("[relay]\nscope = \"live\"\n").await?;
    let mut streamer = RelayClient::connect(&relay_url(&home)).await?;
    let announced = live_event(&host, &[&relay_url(&away)])?;
    streamer.publish(&announced).await?;
    let status = json!({"kinds": [30311], "authors": [host.public_key().to_hex()]});
    let statuses =
        async |url: &str| -> Result<Vec<Event>> { RelayClient::connect(url).await?.subscribe("status", &status).await };
    wait::until("the live event is at the outside relay", SOON, async || {
        statuses(&relay_url(&away)).await.ok().filter(|found| found.len() == 1)
    })
    .await?;
    away.kill();
    let ended = nostr::EventBuilder::new(nostr::Kind::from(30311), "")
        .tags([
            nostr::Tag::parse(["d", "party"])?,
            nostr::Tag::parse(["status", "ended"])?,
            nostr::Tag::parse(["relays", &relay_url(&away)])?,
        ])
        .custom_created_at(announced.created_at + 1)
        .sign_with_keys(&host)?;
    streamer.publish(&ended).await?;
    away.kill_and_restart().await?;
    wait::until("the outside relay says that it is over", SOON, async || {
        statuses(&relay_url(&away)).await.ok().filter(|found| found.iter().map(|event| event.id).eq([ended.id]))
    })
    .await?;
    Ok(())
}
