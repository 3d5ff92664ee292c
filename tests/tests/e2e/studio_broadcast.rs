//! Broadcasts of the Studio against a real origin, with ffmpeg in the place of its encoders: going live, what goes wrong
//! meanwhile, and what is left behind.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    air::FfmpegAir,
    keyring::{Home, Keychain},
    origin::Origin,
    relay_client::{self, RelayClient},
    signer::RemoteSigner,
    streamer::{OPEN_TO_ALL, Streamer},
    wait,
};
use futures_util::FutureExt as _;
use hyper::Method;
use nostr::{Event, ToBech32 as _};
use serde_json::json;
use skylark_protocol::{
    api::{Phase, StreamDetails},
    event::EventId,
    studio::{BroadcastState, BroadcastView, Check, CheckOutcome, Typed},
};
use skylark_studio::{broadcast::Broadcast, identity::Identities};

const SOON: Duration = Duration::from_secs(30);
/// A failure is seen within this time.
const SEEN: Duration = Duration::from_secs(2);
/// Says which origin, to tests inside a session.
const ORIGIN: &str = "ORIGIN";
/// Whose key is imported in these tests.
const HOST: u64 = 4242;

/// A Studio, as far as it broadcasts.
struct Studio {
    broadcast: Arc<Broadcast>,
    identities: Arc<Identities>,
    air: Arc<FfmpegAir>,
}

fn data() -> Result<PathBuf> {
    Ok(PathBuf::from(std::env::var("XDG_DATA_HOME")?).join("skylark"))
}

fn details(title: &str) -> StreamDetails {
    StreamDetails { title: title.into(), tags: vec!["music".into()], ..StreamDetails::default() }
}

impl Studio {
    /// With the host's key, and no origin yet.
    async fn open() -> Result<Self> {
        let identities = Identities::open(&data()?).await?;
        if identities.current().is_none() {
            let nsec = relay_client::keys(HOST)?.secret_key().to_bech32()?;
            identities.import(Typed(nsec), None).await?;
        }
        let air = FfmpegAir::new()?;
        let broadcast = Broadcast::open(&data()?, Arc::clone(&identities), Arc::clone(&air) as _).await?;
        Ok(Self { broadcast, identities, air })
    }

    /// That streams to the origin of the test outside.
    async fn at_origin() -> Result<Self> {
        let studio = Self::open().await?;
        studio.broadcast.use_origin(&std::env::var(ORIGIN)?).await?;
        Ok(studio)
    }

    fn view(&self) -> BroadcastView {
        self.broadcast.view().borrow().clone()
    }

    /// Waits until the view is as it should be.
    async fn sees(
        &self,
        what: &str,
        patience: Duration,
        is_so: impl Fn(&BroadcastView) -> bool,
    ) -> Result<BroadcastView> {
        let mut view = self.broadcast.view();
        let seen = tokio::time::timeout(patience, view.wait_for(|view| is_so(view))).await;
        match seen {
            Ok(view) => Ok(view?.clone()),
            Err(_) => anyhow::bail!(
                "not seen within {patience:?}: {what}; {:?}; {:?}",
                self.view(),
                self.broadcast.notices().borrow()
            ),
        }
    }

    async fn is(&self, state: BroadcastState, patience: Duration) -> Result<BroadcastView> {
        self.sees(&format!("{state:?}"), patience, |view| view.state == state).await
    }
}

/// What the relay says of the host's live events now.
async fn announced(relay: &str) -> Result<Vec<Event>> {
    let mut client = RelayClient::connect(relay).await?;
    let host = relay_client::keys(HOST)?.public_key().to_hex();
    client.subscribe("now", &json!({ "kinds": [30311], "authors": [host] })).await
}

fn tag(event: &Event, name: &str) -> Option<String> {
    event.tags.iter().map(|tag| tag.as_slice()).find(|tag| tag[0] == name).and_then(|tag| tag.get(1).cloned())
}

async fn wait_for_status(relay: &str, status: &str) -> Result<Event> {
    wait::until(&format!("the relay says {status}"), SOON, async || {
        let events = announced(relay).await.ok()?;
        events.into_iter().find(|event| tag(event, "status").as_deref() == Some(status))
    })
    .await
}

/// What is looked at on this machine, as others would.
fn looked_at_here() -> futures_util::future::BoxFuture<'static, Vec<Check>> {
    let check = |code: &str| Check {
        code: code.into(),
        title: code.into(),
        outcome: CheckOutcome::Good,
        message: "Fine.".into(),
    };
    let checks = ["encoder", "picture", "microphone", "disk"].map(check).to_vec();
    async move { checks }.boxed()
}

fn run(home: &Home, origin: &Origin, test: &str) -> Result<String> {
    home.run(Keychain::Unlocked, &format!("studio_broadcast::{test}"), &[(ORIGIN, &origin.url(""))])
}

/// The stream's key must be in no file, nor the host's.
fn keeps_no_secret(home: &Home) -> Result<()> {
    let keys = relay_client::keys(HOST)?;
    let (hex, nsec) = (keys.secret_key().to_secret_hex(), keys.secret_key().to_bech32()?);
    let found = home.files_with(&[hex.as_bytes(), nsec.as_bytes(), b"m=publish", b"streamid", b"\"key\""])?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_from_the_check_to_the_summary() -> Result<()> {
    let (origin, home) = (Origin::with_config(OPEN_TO_ALL).await?, Home::new()?);
    let mut host = Streamer::new(&origin, HOST).await?;
    host.create("Not today").await?;
    host.introduce(HOST, &json!({ "name": "Ada" })).await?;
    tokio::task::block_in_place(|| run(&home, &origin, "inside_from_the_check_to_the_summary"))?;
    keeps_no_secret(&home)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_whose_key_is_with_a_remote_signer_goes_live() -> Result<()> {
    let (origin, home) = (Origin::with_config(OPEN_TO_ALL).await?, Home::new()?);
    tokio::task::block_in_place(|| run(&home, &origin, "inside_a_remote_signer_goes_live"))?;
    Ok(())
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_a_remote_signer_goes_live() -> Result<()> {
    let signer = RemoteSigner::start(&relay_client::keys(HOST)?)?;
    let identities = Identities::open(&data()?).await?;
    identities.connect_bunker(Typed(signer.bunker.clone())).await?;
    let studio = Studio::at_origin().await?;
    let relay = studio.broadcast.relay_url().context("no relay")?;
    studio.broadcast.go_live(details("Jam")).await?;
    studio.is(BroadcastState::Live, SOON).await?;
    wait_for_status(&relay, "live").await?;
    studio.broadcast.stop().await?;
    wait_for_status(&relay, "ended").await?;
    Ok(())
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_from_the_check_to_the_summary() -> Result<()> {
    let studio = Studio::open().await?;
    let Studio { broadcast, air, .. } = &studio;
    assert_eq!(broadcast.go_live(details("Jam")).await.unwrap_err().code, "no-origin");
    assert_eq!(broadcast.use_origin("http://live.example.org").await.unwrap_err().code, "not-secure");
    assert_eq!(broadcast.use_origin("http://127.0.0.1:9").await.unwrap_err().code, "origin-silent");
    let url = std::env::var(ORIGIN)?;
    broadcast.use_origin(&url).await?;
    let relay = broadcast.relay_url().context("no relay")?;
    let mut who = studio.identities.view();
    let named = who.wait_for(|view| view.cards.iter().any(|card| card.name.as_deref() == Some("Ada")));
    tokio::time::timeout(SOON, named).await.context("their name was not found")??;

    broadcast.check(2_500_000, looked_at_here()).await?;
    let preflight = studio.view().preflight.context("nothing was looked at")?;
    assert!(preflight.is_done && preflight.checks.len() == 9);
    let wrong: Vec<_> = preflight.checks.iter().filter(|check| check.outcome != CheckOutcome::Good).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(studio.view().state, BroadcastState::Preflight);

    assert_eq!(broadcast.go_live(details(" ")).await.unwrap_err().message, "Title is empty.");
    broadcast.go_live(details("Jam")).await?;
    assert!(broadcast.is_on_air());
    assert_eq!(broadcast.go_live(details("Twice")).await.unwrap_err().code, "on-air");
    let view = studio.is(BroadcastState::Live, SOON).await?;
    let stream = view.stream.context("no stream")?;
    assert_eq!((stream.phase, stream.details.reconnect_timeout_s), (Phase::Live, 600));
    assert_eq!(view.page_url, Some(format!("{url}/s/{}", stream.id)));
    let live = wait_for_status(&relay, "live").await?;
    assert_eq!(tag(&live, "streaming"), Some(format!("{url}/live/{}/index.m3u8", stream.id)));
    assert_eq!((tag(&live, "title"), tag(&live, "d")), (Some("Jam".into()), Some(stream.id.to_string())));

    // Somebody watches.
    let socket = format!("{}/api/v1/streams/{}/ws?viewer=somebody", url.replacen("http", "ws", 1), stream.id);
    let (_watching, _) = tokio_tungstenite::connect_async(socket).await?;
    studio
        .sees("a viewer, and what arrives", SOON, |view| {
            view.viewers == 1 && view.health.as_ref().is_some_and(|health| health.bitrate_bps > 500_000)
        })
        .await?;
    assert!(air.heard().is_some_and(|health| health.bitrate_bps > 0), "the encoders are told");

    broadcast.describe(details("Slow jam")).await?;
    let pinned: EventId = "ab".repeat(32).parse()?;
    broadcast.pin(pinned, true).await?;
    let now = wait_for_status(&relay, "live").await?;
    assert_eq!((tag(&now, "title"), tag(&now, "pinned")), (Some("Slow jam".into()), Some(pinned.to_string())));
    assert!(now.created_at > live.created_at);

    // The network goes, and comes back.
    air.cut(true);
    studio.is(BroadcastState::Reconnecting, SEEN).await?;
    ensure!(broadcast.notices().borrow().iter().any(|notice| notice.message.contains("network is cut")));
    air.cut(false);
    studio.is(BroadcastState::Live, SOON).await?;
    assert!(broadcast.notices().borrow().is_empty(), "{:?}", broadcast.notices().borrow());

    broadcast.stop().await?;
    let view = studio.view();
    assert_eq!((view.state, broadcast.is_on_air()), (BroadcastState::Ended, false));
    let ended = wait_for_status(&relay, "ended").await?;
    assert_eq!((tag(&ended, "streaming"), tag(&ended, "pinned")), (None, Some(pinned.to_string())));
    assert_eq!(announced(&relay).await?.len(), 1);
    broadcast.recorded(Some("/tmp/jam.mp4".into()));
    let view = studio
        .sees("the recording", SOON, |view| view.summary.as_ref().is_some_and(|summary| summary.recording.is_some()))
        .await?;
    let summary = view.summary.context("no summary")?;
    assert!(summary.stream.phase == Phase::Ended && summary.analytics.is_some_and(|all| all.viewers.peak == 1));
    broadcast.dismiss();
    let mut view = studio.is(BroadcastState::Idle, SOON).await?;
    assert_eq!(
        view.last.take().map(|last| last.title).as_deref(),
        Some("Slow jam"),
        "the next one begins with its words"
    );
    assert_eq!(view, BroadcastView::default());
    assert!(!data()?.join("broadcast.json").exists(), "nothing is left to resume");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_dies_is_seen_at_once_and_the_stream_goes_on_when_it_is_back() -> Result<()> {
    let (mut origin, home) = (Origin::with_config(OPEN_TO_ALL).await?, Home::new()?);
    let (path, url) = (home.path().to_owned(), origin.url(""));
    let inside = std::thread::spawn(move || {
        let test = "studio_broadcast::inside_the_origin_dies";
        home.run(Keychain::Unlocked, test, &[(ORIGIN, &url)])
    });
    let outside = async {
        wait_for_sign(&path, "live").await?;
        origin.kill();
        wait_for_sign(&path, "seen").await?;
        origin.kill_and_restart().await
    };
    let outside = outside.await;
    // Its own words say more.
    tokio::task::block_in_place(|| inside.join()).map_err(|_| anyhow::anyhow!("panicked"))??;
    outside
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_the_origin_dies() -> Result<()> {
    let studio = Studio::at_origin().await?;
    studio.broadcast.go_live(details("Jam")).await?;
    let before = studio.is(BroadcastState::Live, SOON).await?.stream.context("no stream")?;
    let relay = studio.broadcast.relay_url().context("no relay")?;
    wait_for_status(&relay, "live").await?;
    give_sign("live")?;
    let url = std::env::var(ORIGIN)?;
    let died = wait::until("the origin is dead", SOON, async || {
        let address = url.trim_start_matches("http://");
        tokio::net::TcpStream::connect(address).await.is_err().then(Instant::now)
    });
    let died = died.await?;
    let view = studio.sees("the origin is silent", SEEN, |view| view.origin_silent_s.is_some()).await?;
    assert!(died.elapsed() <= SEEN && view.state == BroadcastState::Reconnecting && view.health.is_none(), "{view:?}");
    studio.sees("still silent", SOON, |view| view.origin_silent_s.is_some_and(|silent_s| silent_s >= 3)).await?;
    ensure!(studio.broadcast.notices().borrow().iter().any(|notice| notice.code == "origin-silent"));
    give_sign("seen")?;
    let after = studio.is(BroadcastState::Live, SOON).await?.stream.context("no stream")?;
    assert_eq!(after.id, before.id, "it is the same stream");
    studio.sees("no silence", SOON, |view| view.origin_silent_s.is_none()).await?;
    studio.broadcast.stop().await?;
    wait_for_status(&relay, "ended").await?;
    Ok(())
}

fn give_sign(name: &str) -> Result<()> {
    Ok(std::fs::write(PathBuf::from(std::env::var("HOME")?).join(name), "")?)
}

async fn wait_for_sign(home: &Path, name: &str) -> Result<()> {
    let sign = home.join(name);
    wait::until(&format!("the test inside says {name}"), SOON * 2, async || sign.exists().then_some(())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_studio_that_dies_can_go_on() -> Result<()> {
    let (origin, home) = (Origin::with_config(OPEN_TO_ALL).await?, Home::new()?);
    let relay = format!("ws://{}/", origin.http);
    let crash = || tokio::task::block_in_place(|| run(&home, &origin, "inside_the_studio_dies"));
    ensure!(crash().is_err(), "it did not die");
    let live = wait_for_status(&relay, "live").await?;
    keeps_no_secret(&home)?;
    tokio::task::block_in_place(|| run(&home, &origin, "inside_the_next_launch_resumes"))?;
    let ended = wait_for_status(&relay, "ended").await?;
    assert_eq!(tag(&ended, "d"), tag(&live, "d"), "it was the same stream");
    assert_eq!(announced(&relay).await?.len(), 1);

    // Once more, and this time the origin does not wait so long.
    ensure!(crash().is_err(), "it did not die");
    let left = wait_for_status(&relay, "live").await?;
    let id = tag(&left, "d").context("no d")?;
    let streamer = Streamer::new(&origin, HOST).await?;
    let change = json!({ "reconnect_timeout_s": 5 });
    streamer.ask(Method::PATCH, &format!("/api/v1/streams/{id}"), &change).await?;
    wait::until("the end that was signed ahead is said", SOON, async || {
        let events = announced(&relay).await.ok()?;
        let left = events.iter().find(|event| tag(event, "d").as_ref() == Some(&id))?;
        (tag(left, "status").as_deref() == Some("ended")).then_some(())
    })
    .await?;
    tokio::task::block_in_place(|| run(&home, &origin, "inside_it_goes_on_as_a_new_stream"))?;

    // And once more, and nobody wants to go on.
    ensure!(crash().is_err(), "it did not die");
    wait_for_status(&relay, "live").await?;
    tokio::task::block_in_place(|| run(&home, &origin, "inside_it_is_abandoned"))?;
    let all = announced(&relay).await?;
    assert!(all.iter().all(|event| tag(event, "status").as_deref() == Some("ended")), "{all:?}");
    Ok(())
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_the_studio_dies() -> Result<()> {
    let studio = Studio::at_origin().await?;
    studio.broadcast.go_live(details("Jam")).await?;
    studio.is(BroadcastState::Live, SOON).await?;
    wait_for_status(&studio.broadcast.relay_url().context("no relay")?, "live").await?;
    std::process::abort();
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_the_next_launch_resumes() -> Result<()> {
    let studio = Studio::open().await?;
    let resumable = studio.view().resumable.context("nothing to resume")?;
    let now_ms = i64::try_from(nostr::Timestamp::now().as_secs())? * 1000;
    let left_s = (resumable.until_ms - now_ms) / 1000;
    assert!((500..=600).contains(&left_s) && resumable.details.title == "Jam", "{left_s} {resumable:?}");
    let relay = studio.broadcast.relay_url().context("the origin is remembered")?;
    let before = wait_for_status(&relay, "live").await?;
    studio.broadcast.resume().await?;
    let view = studio.is(BroadcastState::Live, SOON).await?;
    assert_eq!(view.stream.context("no stream")?.id, resumable.stream);
    assert_eq!(view.resumable, None);
    let after = wait::until("it is announced anew", SOON, async || {
        wait_for_status(&relay, "live").await.ok().filter(|after| after.created_at > before.created_at)
    });
    after.await?;
    studio.broadcast.stop().await?;
    Ok(())
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_it_goes_on_as_a_new_stream() -> Result<()> {
    let studio = Studio::open().await?;
    let resumable = studio.view().resumable.context("nothing to resume")?;
    studio.broadcast.resume().await?;
    let stream = studio.is(BroadcastState::Live, SOON).await?.stream.context("no stream")?;
    assert_ne!(stream.id, resumable.stream);
    assert_eq!(stream.details.title, resumable.details.title);
    studio.broadcast.stop().await?;
    Ok(())
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_it_is_abandoned() -> Result<()> {
    let studio = Studio::open().await?;
    studio.view().resumable.context("nothing to abandon")?;
    studio.broadcast.abandon().await?;
    assert_eq!(studio.view().resumable, None);
    assert_eq!(studio.broadcast.resume().await.unwrap_err().code, "nothing-left");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_origin_on_this_machine_lives_as_long_as_the_studio() -> Result<()> {
    let home = Home::new()?;
    let ran = tokio::task::block_in_place(|| {
        home.run(Keychain::Unlocked, "studio_broadcast::inside_the_built_in_origin", &[])
    });
    let said = ran.err().context("it did not die")?;
    // Written just before it dies.
    let id: u32 = std::fs::read_to_string(home.path().join("process")).context(said)?.parse()?;
    wait::until("the origin is gone as well", SOON, async || (!is_running(id)).then_some(())).await?;
    keeps_no_secret(&home)?;
    let log = home.path().join("data/skylark/origin/origin.log");
    ensure!(std::fs::read_to_string(log)?.contains("listening"), "its log is kept");
    Ok(())
}

/// Its status is not that of a process that waits to be buried.
fn is_running(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_the_built_in_origin() -> Result<()> {
    let studio = Studio::open().await?;
    let Studio { broadcast, identities, .. } = &studio;
    broadcast.use_built_in().await?;
    let origin = broadcast.origin().borrow().clone();
    assert!(origin.is_built_in);
    let first = broadcast.built_in_process().await.context("no process")?;

    // It is the other identity's as soon as that streams.
    identities.create().await?;
    broadcast.go_live(details("Jam")).await?;
    let stream = studio.is(BroadcastState::Live, SOON).await?.stream.context("no stream")?;
    assert_eq!(Some(stream.owner), identities.current());

    // Killed, it is seen at once, and comes back by itself.
    let id = rustix::process::Pid::from_raw(i32::try_from(first)?).context("no id")?;
    rustix::process::kill_process(id, rustix::process::Signal::KILL)?;
    studio.is(BroadcastState::Reconnecting, SEEN).await?;
    let after = studio.is(BroadcastState::Live, SOON).await?.stream.context("no stream")?;
    assert_eq!(after.id, stream.id);
    let second = broadcast.built_in_process().await.context("no process")?;
    assert_ne!(second, first);
    broadcast.stop().await?;

    // The next time it is at the same address.
    broadcast.close().await;
    ensure!(!is_running(second), "it was not stopped");
    broadcast.use_built_in().await?;
    assert_eq!(*broadcast.origin().borrow(), origin);
    let third = broadcast.built_in_process().await.context("no process")?;
    std::fs::write(PathBuf::from(std::env::var("HOME")?).join("process"), third.to_string())?;
    std::process::abort();
}
