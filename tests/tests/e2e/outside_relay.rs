//! Somebody else's relay (PyPI's nostr-relay) as an outside relay. It takes liberties: older versions come back to it, and
//! deletions of addresses are nothing to it.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    origin::Origin,
    relay_client::{RelayClient, event, keys},
    wait,
};
use nostr::{Event, EventBuilder, Keys, Kind, Tag, Timestamp, ToBech32 as _};
use serde_json::{Value, json};
use skylark_protocol::mirror::{LinkState, OutsideRelay, OutsideRelays};
use tempfile::TempDir;
use xtask::child::{self, Orphaned, Running};

const SOON: Duration = Duration::from_secs(40);
/// How long it may take to stop when asked to.
const GRACE: Duration = Duration::from_secs(2);

/// The outside relay. What it has is on disk.
struct PythonRelay {
    running: Running,
    folder: TempDir,
    url: String,
}

impl PythonRelay {
    async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("skylark-nostr-relay-").tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let database = folder.path().join("nostr.sqlite3");
        let config = format!(
            "DEBUG: false\nrelay_name: outside\nstorage:\n  sqlalchemy.url: sqlite+aiosqlite:///{}\n  validators:\n    \
             - nostr_relay.validators.is_signed\ngunicorn:\n  bind: 127.0.0.1:{port}\n",
            database.display()
        );
        fs::write(folder.path().join("config.yaml"), config)?;
        let url = format!("ws://127.0.0.1:{port}");
        let relay = Self { running: serve(&folder)?, folder, url };
        relay.wait_until_ready().await?;
        Ok(relay)
    }

    fn kill(&mut self) {
        self.running.kill();
    }

    async fn restart(&mut self) -> Result<()> {
        self.running = serve(&self.folder)?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let answers =
            wait::until("nostr-relay answers", SOON, async || RelayClient::connect(&self.url).await.ok()).await;
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        answers.with_context(|| format!("its log:\n{log}"))?;
        Ok(())
    }
}

fn serve(folder: &TempDir) -> Result<Running> {
    let program: PathBuf = std::env::var_os("SKYLARK_NOSTR_RELAY")
        .context("SKYLARK_NOSTR_RELAY is not set: run the tests with `cargo xtask test [NAME]`")?
        .into();
    let mut command = child::command(program.to_str().context("a path is text")?, Orphaned::Killed);
    let log = File::options().create(true).append(true).open(folder.path().join("log"))?;
    command.args(["-c", "config.yaml", "serve", "--use-uvicorn"]).current_dir(folder.path()).env("HOME", folder.path());
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Running::spawn("nostr-relay", &mut command, GRACE).context("cannot start nostr-relay")
}

/// An announcement that is so many seconds old.
fn announcement(host: &Keys, status: &str, relay: &str, ago_s: u64) -> Result<Event> {
    let tags = [["d", "party"], ["status", status], ["relays", relay]];
    let tags = tags.into_iter().map(Tag::parse).collect::<Result<Vec<_>, _>>()?;
    let builder = EventBuilder::new(Kind::from(30_311), "").tags(tags);
    Ok(builder.custom_created_at(Timestamp::now() - ago_s).sign_with_keys(host)?)
}

async fn stored(url: &str, filter: &Value) -> Result<Vec<Event>> {
    RelayClient::connect(url).await?.subscribe("stored", filter).await
}

/// The texts of a chat, sorted: twice the same would be there twice.
async fn texts(url: &str, filter: &Value) -> Result<Vec<String>> {
    let mut texts: Vec<String> = stored(url, filter).await?.into_iter().map(|event| event.content).collect();
    texts.sort();
    Ok(texts)
}

async fn outside(origin: &Origin, url: &str) -> Result<OutsideRelay> {
    let relays: OutsideRelays = origin.client().get(&origin.url("/api/v1/relays")).await?.json()?;
    relays.relays.into_iter().find(|relay| relay.url == url).context("the outside relay is not known")
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_doubled_though_a_relay_misbehaves_and_dies() -> Result<()> {
    let host = keys(1)?;
    let config = format!("[relay]\nhosts = [\"{}\"]\nmirror_private = true\n", host.public_key().to_bech32()?);
    let home = Origin::with_config(&config).await?;
    let here = format!("ws://{}", home.http);
    let mut away = PythonRelay::start().await?;
    let address = format!("30311:{}:party", host.public_key());
    let chat = json!({"kinds": [1311], "#a": [address]});
    let announced = json!({"kinds": [30_311], "authors": [host.public_key().to_hex()]});
    let say = |number: u64, text: &str| event(&keys(number)?, 1311, &[&["a", &address]], text);

    let mut streamer = RelayClient::connect(&here).await?;
    let first = announcement(&host, "live", &away.url, 60)?;
    streamer.publish(&first).await?;
    streamer.publish(&say(10, "from home")?).await?;
    wait::until("the chat is at the outside relay", SOON, async || {
        texts(&away.url, &chat).await.ok().filter(|texts| texts == &["from home"])
    })
    .await?;
    RelayClient::connect(&away.url).await?.publish(&say(11, "from away")?).await?;
    wait::until("what was said there is here", SOON, async || {
        texts(&here, &chat).await.ok().filter(|texts| texts == &["from away", "from home"])
    })
    .await?;

    // It dies while people talk.
    let mut all = vec!["from away".to_owned(), "from home".to_owned()];
    for number in 0..30 {
        if number == 10 {
            away.kill();
            wait::until("it is shown that it is away, and why", SOON, async || {
                let relay = outside(&home, &away.url).await.ok()?;
                (relay.state != LinkState::Connected && relay.error.is_some()).then_some(())
            })
            .await?;
        }
        if number == 20 {
            ensure!(outside(&home, &away.url).await?.waiting >= 10, "what was said meanwhile does not wait");
            away.restart().await?;
        }
        let text = format!("message {number}");
        streamer.publish(&say(100 + number, &text)?).await?;
        all.push(text);
    }
    all.sort();
    wait::until("everything is there, once", SOON, async || {
        texts(&away.url, &chat).await.ok().filter(|texts| *texts == all)
    })
    .await?;
    assert_eq!(texts(&here, &chat).await?, all);
    let relay = wait::until("nothing waits any more", SOON, async || {
        outside(&home, &away.url).await.ok().filter(|relay| relay.waiting == 0 && relay.state == LinkState::Connected)
    })
    .await?;
    assert_eq!(relay.refused, 0, "{:?}", relay.refusal);

    // It keeps a version that is over, and does not hear of the deletion; here neither comes back.
    let ended = announcement(&host, "ended", &away.url, 30)?;
    streamer.publish(&ended).await?;
    wait::until("it says that the stream is over", SOON, async || {
        let found = stored(&away.url, &announced).await.ok()?;
        found.iter().any(|event| event.id == ended.id).then_some(())
    })
    .await?;
    RelayClient::connect(&away.url).await?.publish(&announcement(&host, "live", &away.url, 50)?).await?;
    assert_eq!(stored(&here, &announced).await?.iter().map(|event| event.id).collect::<Vec<_>>(), [ended.id]);
    streamer.publish(&event(&host, 5, &[&["a", &address], &["k", "30311"]], "")?).await?;
    wait::until("the deletion is there", SOON, async || {
        stored(&away.url, &json!({"kinds": [5]})).await.ok().filter(|found| found.len() == 1)
    })
    .await?;
    ensure!(!stored(&away.url, &announced).await?.is_empty(), "it does keep to deletions of addresses");
    assert!(stored(&here, &announced).await?.is_empty());
    assert_eq!(texts(&here, &chat).await?, all, "what people said stays");
    Ok(())
}
