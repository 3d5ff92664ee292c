//! The host's computer dies: the relay says that the stream has ended.

use std::time::Duration;

use anyhow::{Context as _, Result};
use e2e::{
    clip::Clip,
    origin::{Origin, StreamKey},
    publish::{self, Publisher},
    relay_client::RelayClient,
    streamer::{OPEN_TO_ALL, Streamer},
    wait,
};
use hyper::Method;
use serde_json::json;
use skylark_protocol::StreamState;

const SOON: Duration = Duration::from_secs(30);
/// Reconnect time-out of these streams, seconds.
const TIMEOUT_S: u64 = 5;
/// From the publisher's death to the end on the relay: the time-out, what the host gets to say it by itself, and what a
/// busy machine needs.
const PATIENCE: Duration = Duration::from_secs(TIMEOUT_S + 5 + 10);

/// A stream that is live and announced, and whose end is left.
async fn announced(origin: &Origin) -> Result<(StreamKey, Publisher)> {
    let mut host = Streamer::new(origin, 1).await?;
    let stream = host.create("Show").await?;
    let (path, timeout) = (format!("/api/v1/streams/{}", stream.stream), json!({"reconnect_timeout_s": TIMEOUT_S}));
    host.ask(Method::PATCH, &path, &timeout).await?;
    let publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&stream))?;
    origin.wait_for_state(&stream, StreamState::Live, SOON).await?;
    host.go_live(&stream, "Show").await?;
    Ok((stream, publisher))
}

fn relay(origin: &Origin) -> String {
    format!("ws://{}/", origin.http)
}

async fn status(origin: &Origin) -> Result<String> {
    let mut client = RelayClient::connect(&relay(origin)).await?;
    let events = client.subscribe("status", &json!({"kinds": [30311]})).await?;
    let event = events.first().context("no live event")?;
    let tag = event.tags.iter().map(|tag| tag.as_slice()).find(|tag| tag[0] == "status");
    Ok(tag.context("no status")?[1].clone())
}

async fn wait_for_ended(origin: &Origin) -> Result<()> {
    let is_ended = async || status(origin).await.is_ok_and(|status| status == "ended").then_some(());
    wait::until("the relay says ended", PATIENCE, is_ended).await
}

#[tokio::test]
async fn a_host_who_dies_is_said_to_have_ended() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let (stream, publisher) = announced(&origin).await?;
    publisher.kill();
    origin.wait_for_state(&stream, StreamState::Reconnecting, SOON).await?;
    assert_eq!(status(&origin).await?, "live", "the publisher may still come back");
    wait_for_ended(&origin).await?;
    let refused = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&stream))?.ended(SOON).await?;
    assert!(!refused.success(), "an end is not taken back");
    Ok(())
}

#[tokio::test]
async fn host_and_server_may_die_together() -> Result<()> {
    let mut origin = Origin::with_config(OPEN_TO_ALL).await?;
    let (_, publisher) = announced(&origin).await?;
    publisher.kill();
    origin.kill_and_restart().await?;
    assert_eq!(status(&origin).await?, "live", "the publisher may still come back");
    wait_for_ended(&origin).await
}
