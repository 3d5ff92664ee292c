//! Other people's Nostr software (npm's nostr-tools and NDK) against the relay.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use e2e::{
    npm,
    origin::Origin,
    relay_client::{RelayClient, keys},
};
use nostr::ToBech32 as _;
use serde::Deserialize;
use serde_json::json;
use skylark_protocol::nip19::Entity;
use xtask::child::{self, Orphaned};

const NOSTR_TOOLS: &str = include_str!("../../fixtures/nostr_tools/client.mjs");
const NDK: &str = include_str!("../../fixtures/nostr_tools/ndk.mjs");
/// How long the client may take for all it does.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the client says at its end.
#[derive(Deserialize)]
struct Said {
    /// Its name for the live event.
    naddr: String,
    /// The chat message that is left.
    message: String,
}

fn converse((name, text): (&str, &str), url: &str, secret: &str) -> Result<Said> {
    let folder = npm::packages()?;
    fs::write(folder.join(name), text)?;
    let mut node = child::command("node", Orphaned::Killed);
    let output = npm::run(name, node.current_dir(folder).args([name, url, secret]), PATIENCE)?;
    let last = output.lines().last().context("the client says nothing")?;
    serde_json::from_str(last).with_context(|| format!("the client says {last}"))
}

#[tokio::test]
async fn nostr_tools_publishes_reads_and_is_kept_in_order() -> Result<()> {
    stream_with(("client.mjs", NOSTR_TOOLS)).await
}

#[tokio::test]
async fn ndk_publishes_reads_and_is_kept_in_order() -> Result<()> {
    stream_with(("ndk.mjs", NDK)).await
}

/// The client is host and viewers; what it leaves behind is looked at.
async fn stream_with(client: (&str, &str)) -> Result<()> {
    let host = keys(1)?;
    let npub = host.public_key().to_bech32()?;
    let origin = Origin::with_config(&format!("[relay]\nhosts = [\"{npub}\"]\n")).await?;
    let url = format!("ws://{}", origin.http);
    let said = converse(client, &url, &host.secret_key().to_secret_hex())?;

    let address = format!("30311:{}:party", host.public_key());
    let Entity::Address(named, _) = said.naddr.parse()? else { anyhow::bail!("{} is no address", said.naddr) };
    assert_eq!(named.to_string(), address);
    let left = RelayClient::connect(&url).await?.subscribe("chat", &json!({"kinds": [1311], "#a": [address]})).await?;
    assert_eq!(left.iter().map(|event| event.id.to_hex()).collect::<Vec<_>>(), [said.message]);
    assert!(left.iter().all(|event| event.verify().is_ok()), "what others sign holds here");
    Ok(())
}
