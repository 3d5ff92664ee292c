//! Other people's Nostr software (npm's nostr-tools) against the relay.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    browser,
    origin::Origin,
    relay_client::{RelayClient, keys},
};
use nostr::ToBech32 as _;
use serde::Deserialize;
use serde_json::json;
use skylark_protocol::nip19::Entity;
use xtask::child::{self, Orphaned, Running};

const PACKAGES: [(&str, &str); 2] = [
    ("package.json", include_str!("../../fixtures/nostr_tools/package.json")),
    ("package-lock.json", include_str!("../../fixtures/nostr_tools/package-lock.json")),
];
const CLIENT: &str = include_str!("../../fixtures/nostr_tools/client.mjs");
/// How long npm may take to fetch two packages.
const NPM_PATIENCE: Duration = Duration::from_secs(120);
/// How long the client may take for all it does.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a program may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(2);

/// What the client says at its end.
#[derive(Deserialize)]
struct Said {
    /// Its name for the live event.
    naddr: String,
    /// The chat message that is left.
    message: String,
}

/// Runs a program to its end; returns what it wrote.
fn run(name: &str, command: &mut Command, patience: Duration) -> Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::spawn(name, command, GRACE).with_context(|| format!("{name} cannot be started"))?;
    let status = running.wait(patience)?;
    let (mut output, mut errors) = (String::new(), String::new());
    if status.is_some() {
        // A few lines, which fit into the pipes.
        running.child().stdout.take().context("no output")?.read_to_string(&mut output)?;
        running.child().stderr.take().context("no errors")?.read_to_string(&mut errors)?;
    }
    let status = status.with_context(|| format!("{name} did not end within {patience:?}"))?;
    ensure!(status.success(), "{name} ended with {status}:\n{output}{errors}");
    Ok(output)
}

/// The folder with the client and its packages, which are fetched when they are not there at the locked versions.
fn client() -> Result<PathBuf> {
    let folder = browser::output_folder()?.join("nostr_tools");
    fs::create_dir_all(&folder)?;
    let is_there =
        |(name, text): &(&str, &str)| fs::read_to_string(folder.join(name)).is_ok_and(|found| found == *text);
    let stamp = folder.join("node_modules/.installed");
    if !PACKAGES.iter().all(is_there) || !stamp.exists() {
        for (name, text) in PACKAGES {
            fs::write(folder.join(name), text)?;
        }
        let mut npm = child::command("npm", Orphaned::Killed);
        npm.current_dir(&folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
        run("npm", &mut npm, NPM_PATIENCE)?;
        fs::write(stamp, "")?;
    }
    fs::write(folder.join("client.mjs"), CLIENT)?;
    Ok(folder)
}

fn converse(folder: &Path, url: &str, secret: &str) -> Result<Said> {
    let mut node = child::command("node", Orphaned::Killed);
    let output = run("nostr-tools", node.current_dir(folder).args(["client.mjs", url, secret]), PATIENCE)?;
    let last = output.lines().last().context("the client says nothing")?;
    serde_json::from_str(last).with_context(|| format!("the client says {last}"))
}

#[tokio::test]
async fn nostr_tools_publishes_reads_and_is_kept_in_order() -> Result<()> {
    let host = keys(1)?;
    let npub = host.public_key().to_bech32()?;
    let origin = Origin::with_config(&format!("[relay]\nhosts = [\"{npub}\"]\n")).await?;
    let url = format!("ws://{}", origin.http);
    let said = converse(&client()?, &url, &host.secret_key().to_secret_hex())?;

    let address = format!("30311:{}:party", host.public_key());
    let Entity::Address(named, relays) = said.naddr.parse()? else { anyhow::bail!("{} is no address", said.naddr) };
    assert_eq!((named.to_string(), relays), (address.clone(), vec![url.clone()]));
    let left = RelayClient::connect(&url).await?.subscribe("chat", &json!({"kinds": [1311], "#a": [address]})).await?;
    assert_eq!(left.iter().map(|event| event.id.to_hex()).collect::<Vec<_>>(), [said.message]);
    assert!(left.iter().all(|event| event.verify().is_ok()), "what nostr-tools signs holds here");
    Ok(())
}
