//! The Studio's way to the origin: encoded frames go in at one end, a player has them at the other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    clip::Clip,
    encoders::Encoders,
    hls::{Player, resolve},
    lossy_proxy::{LossyProxy, Network},
    origin::{Origin, StreamKey},
    wait,
};
use skylark_protocol::{StreamState, studio::RenditionSettings};
use skylark_studio::{
    encoded::{Outlet, Track},
    push::{Push, Rates, Report, State},
};

const SOON: Duration = Duration::from_secs(20);
const PASSPHRASE: &str = "correct-horse-battery";
const LARGE: Clip = Clip { width: 1280, height: 720, b_frames: 0, bitrate_bps: 2_000_000, ..SMALL };
/// Whoever switches between clips at keyframes does so soon.
const OBEDIENT: Clip = Clip { gop: 10, ..LARGE };
const SMALL: Clip =
    Clip { width: 640, height: 360, frame_rate: 30, gop: 60, b_frames: 0, seconds: 90, bitrate_bps: 1_000_000 };

/// Encoders that cannot change what was encoded before, and remember what they were asked.
struct Asked {
    bitrate_bps: AtomicU64,
    lowest_bps: AtomicU64,
    keyframes: AtomicU32,
}

impl Default for Asked {
    fn default() -> Self {
        Self { bitrate_bps: AtomicU64::new(0), lowest_bps: AtomicU64::new(u64::MAX), keyframes: AtomicU32::new(0) }
    }
}

impl Rates for Asked {
    fn set_bitrate(&self, track: Track, bitrate_bps: u64) {
        if track == Track::Video(0) {
            self.bitrate_bps.store(bitrate_bps, Ordering::Relaxed);
            self.lowest_bps.fetch_min(bitrate_bps, Ordering::Relaxed);
        }
    }

    fn request_keyframe(&self) {
        self.keyframes.fetch_add(1, Ordering::Relaxed);
    }
}

fn settings(clip: &Clip) -> RenditionSettings {
    let Clip { width, height, frame_rate, bitrate_bps, .. } = *clip;
    RenditionSettings { width, height, frame_rate, bitrate_bps }
}

fn start(url: &str, clips: &[Clip]) -> Result<(Arc<Push>, Arc<Asked>)> {
    let asked = Arc::new(Asked::default());
    let renditions: Vec<_> = clips.iter().map(settings).collect();
    Ok((Push::start(url, &renditions, asked.clone())?, asked))
}

/// Encodes into a push for as long as the answer is held.
fn encode(encoders: &Encoders, push: &Arc<Push>) -> tokio::task::JoinHandle<()> {
    let (encoders, outlet) = (encoders.clone(), Arc::clone(push) as Arc<dyn Outlet>);
    tokio::spawn(async move { encoders.run(&outlet).await })
}

async fn report(push: &Push, what: &str, is_it: impl FnMut(&Report) -> bool) -> Result<Report> {
    let mut reports = push.reports();
    let found = tokio::time::timeout(SOON, reports.wait_for(is_it)).await;
    let found =
        found.with_context(|| format!("no report in time: {what}; the last is {:?}", push.reports().borrow()))?;
    Ok(found?.clone())
}

/// The media playlists of all variants.
async fn variants(origin: &Origin, key: &StreamKey, count: usize) -> Result<Vec<String>> {
    let multivariant = origin.playlist(key);
    wait::until("all variants are listed", SOON, async || {
        let answer = origin.client().get(&multivariant).await.ok().filter(|answer| answer.status == 200)?;
        let text = answer.text();
        let uris: Vec<_> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        (uris.len() == count).then(|| uris.iter().map(|uri| resolve(&multivariant, uri)).collect())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_push_makes_a_ladder_with_aligned_segments() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let clips = [LARGE, SMALL];
    let encoders = Encoders::of(&clips, 40)?;
    let (push, _) = start(&origin.srt_url(&key), &clips)?;
    let _encoding = encode(&encoders, &push);
    let mut players = Vec::new();
    for url in variants(&origin, &key, 2).await? {
        players.push(Player::open_media(origin.client(), url).await?);
    }
    let (large, small) = players.split_at_mut(1);
    tokio::try_join!(large[0].play_seconds(12.0), small[0].play_seconds(12.0))?;
    for player in &players {
        ensure!(player.runs.len() == 1, "the stream is one piece");
        let decoded = player.runs[0].decode()?;
        decoded.check_every_frame()?;
        decoded.check_sync(30, 15.0, 8)?;
    }
    let cuts = |player: &Player| {
        let segments = &player.playlist.segments;
        segments.iter().map(|segment| (segment.msn, segment.program_date_time.clone())).collect::<Vec<_>>()
    };
    let (large, small) = (cuts(&players[0]), cuts(&players[1]));
    let shared: Vec<_> = large.iter().filter(|cut| small.contains(cut)).collect();
    ensure!(shared.len() >= 3, "segments begin at the same time under the same number: {large:?} {small:?}");
    let sent = report(&push, "all is well", |report| report.state == State::Connected).await?;
    ensure!(sent.dropped_frames == 0 && sent.error.is_none() && sent.queued_ms < 500, "{sent:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_push_encrypts_and_tells_no_secret() -> Result<()> {
    let origin =
        Origin::with_files("[srt]\npassphrase_file = \"@FOLDER@/passphrase\"\n", &[("passphrase", PASSPHRASE)]).await?;
    let key = origin.create_key()?;
    let encoders = Encoders::of(&[SMALL], 20)?;
    let (plain, _) = start(&origin.srt_url(&key), &[SMALL])?;
    let refused = report(&plain, "refused without a passphrase", |report| report.error.is_some()).await?;
    ensure!(matches!(refused.state, State::Waiting { .. }), "{refused:?}");
    let (wrong, _) = start(&format!("{}&passphrase=another-passphrase", origin.srt_url(&key)), &[SMALL])?;
    let told = report(&wrong, "refused with another passphrase", |report| report.error.is_some()).await?;
    let told = format!("{told:?} {refused:?}");
    ensure!(told.contains("passphrase is another one"), "{told}");
    ensure!(!told.contains(&key.key) && !told.contains("another-passphrase"), "{told}");
    let url = format!("{}&passphrase={PASSPHRASE}&pbkeylen=32", origin.srt_url(&key));
    let (push, _) = start(&url, &[SMALL])?;
    let _encoding = encode(&encoders, &push);
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(5.0).await?;
    player.runs[0].decode()?.check_every_frame()
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_push_says_that_a_key_is_refused_and_that_nobody_is_there() -> Result<()> {
    let mut origin = Origin::start().await?;
    let key = StreamKey { stream: "none".into(), key: "sky_live_not-a-key-of-this-origin".into() };
    let (push, _) = start(&origin.srt_url(&key), &[SMALL])?;
    let refused = report(&push, "refused", |report| report.error.is_some()).await?;
    let told = refused.error.unwrap_or_default();
    ensure!(told.contains("the stream key is wrong") && !told.contains("sky_live_"), "{told}");
    origin.kill();
    report(&push, "nobody is there", |report| {
        report.error.as_ref().is_some_and(|told| told.contains("Nobody listens"))
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_push_loses_nothing_at_its_close() -> Result<()> {
    let origin = Origin::with_config("[live]\nreconnect_timeout_s = 2\n").await?;
    let key = origin.create_key()?;
    let proxy =
        LossyProxy::start(origin.srt, Network { seed: 7, loss: 0.02, delay: Duration::from_millis(30) }).await?;
    let url = origin.srt_url(&key).replace(&origin.srt.to_string(), &proxy.addr().to_string());
    let encoders = Encoders::of(&[SMALL], 8)?;
    let (push, _) = start(&url, &[SMALL])?;
    encode(&encoders, &push).await?;
    push.close().await;
    let last = push.reports().borrow().clone();
    ensure!(last.state == State::Closed, "{last:?}");
    ensure!(last.sent_frames == encoders.pictures(0) && last.dropped_frames == 0, "{last:?}");
    ensure!(last.loss_ratio.is_some_and(|ratio| ratio > 0.0), "the network is a bad one: {last:?}");
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_to_the_end(SOON).await?;
    let decoded = player.runs[0].decode()?;
    decoded.check_every_frame()?;
    let (first, end) = (decoded.frames.first(), decoded.frames.last());
    ensure!(first.is_some_and(|frame| frame.number == 0), "{first:?}");
    ensure!(end.is_some_and(|frame| u64::from(frame.number) + 1 == encoders.pictures(0)), "{end:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_push_makes_up_for_what_a_bad_network_loses() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let network = Network { seed: 5, loss: 0.05, delay: Duration::from_millis(40) };
    let proxy = LossyProxy::start(origin.srt, network).await?;
    let url = origin.srt_url(&key).replace(&origin.srt.to_string(), &proxy.addr().to_string());
    let encoders = Encoders::of(&[LARGE], 40)?;
    let (push, _) = start(&url, &[LARGE])?;
    let _encoding = encode(&encoders, &push);
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(20.0).await?;
    ensure!(player.runs.len() == 1, "the stream is one piece");
    player.runs[0].decode()?.check_every_frame()?;
    let last = push.reports().borrow().clone();
    ensure!(last.loss_ratio.is_some_and(|ratio| (0.02..0.15).contains(&ratio)), "{last:?}");
    ensure!(last.target_bps == u64::from(LARGE.bitrate_bps) && last.connections == 1, "loss is left to SRT: {last:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_push_goes_on_in_the_same_playlist_after_the_network_was_away() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let network = Network { seed: 11, loss: 0.0, delay: Duration::from_millis(20) };
    let proxy = LossyProxy::start(origin.srt, network).await?;
    let url = origin.srt_url(&key).replace(&origin.srt.to_string(), &proxy.addr().to_string());
    let encoders = Encoders::of(&[SMALL], 60)?;
    let (push, asked) = start(&url, &[SMALL])?;
    let _encoding = encode(&encoders, &push);
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(4.0).await?;
    let before = origin.status(&key).await?.broadcast;
    proxy.cut(true);
    let cut = std::time::Instant::now();
    report(&push, "the loss is told", |report| matches!(report.state, State::Waiting { .. })).await?;
    ensure!(cut.elapsed() < Duration::from_secs(2), "it was told after {:?}", cut.elapsed());
    let waiting = report(&push, "frames wait", |report| report.queued_ms > 2500).await?;
    ensure!(waiting.error.is_some_and(|told| told.contains("not heard")));
    proxy.cut(false);
    let back =
        report(&push, "it is back", |report| report.connections >= 2 && report.state == State::Connected).await?;
    let has_second = |player: &Player| player.runs.len() >= 2 && player.runs[1].parts.len() >= 20;
    player.play_until("the stream goes on", SOON, has_second).await?;
    ensure!(origin.status(&key).await?.broadcast == before, "it is another broadcast");
    let (first, second) = (player.runs[0].decode()?, player.runs[1].decode()?);
    first.check_every_frame()?;
    second.check_every_frame()?;
    let gap = second.frames[0].number - first.frames.last().context("no frame")?.number - 1;
    // All but a piece up to a keyframe waited for the network: with encoders that make none when asked, two seconds.
    ensure!(gap <= 60, "{gap} frames are missing, {back:?}");
    let now = report(&push, "it has caught up", |report| report.queued_ms < 300).await?;
    ensure!(now.dropped_frames >= u64::from(gap), "{gap} frames are missing, and it says {}", now.dropped_frames);
    ensure!(asked.keyframes.load(Ordering::Relaxed) > 0, "a keyframe was asked for");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_push_goes_on_when_the_origin_was_killed() -> Result<()> {
    let mut origin = Origin::start().await?;
    let key = origin.create_key()?;
    let encoders = Encoders::of(&[SMALL], 60)?;
    let (push, _) = start(&origin.srt_url(&key), &[SMALL])?;
    let _encoding = encode(&encoders, &push);
    report(&push, "frames arrive", |report| report.sent_frames > 60).await?;
    origin.kill_and_restart().await?;
    report(&push, "it is back", |report| report.connections >= 2 && report.state == State::Connected).await?;
    origin.wait_for_state(&key, StreamState::Live, SOON).await?;
    let arrived = push.reports().borrow().sent_frames;
    report(&push, "frames arrive again", |report| report.sent_frames > arrived + 60).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn studio_push_asks_for_less_when_the_link_gets_narrow_and_for_all_when_it_is_wide_again() -> Result<()> {
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let network = Network { seed: 3, loss: 0.0, delay: Duration::from_millis(15) };
    let proxy = LossyProxy::start(origin.srt, network).await?;
    let url = origin.srt_url(&key).replace(&origin.srt.to_string(), &proxy.addr().to_string());
    let (large, little) =
        (Encoders::of(&[OBEDIENT], 60)?, Encoders::of(&[Clip { bitrate_bps: 300_000, ..OBEDIENT }], 60)?);
    let (push, asked) = start(&url, &[OBEDIENT])?;
    let (outlet, rates) = (Arc::clone(&push) as Arc<dyn Outlet>, Arc::clone(&asked));
    let _encoding = tokio::spawn(async move {
        let is_little = || (1..1_800_000).contains(&rates.bitrate_bps.load(Ordering::Relaxed));
        large.run_or(&little, is_little, &outlet).await;
    });
    report(&push, "frames arrive", |report| report.sent_frames > 90 && report.queued_ms < 200).await?;
    proxy.narrow(1_200_000);
    let narrowed = std::time::Instant::now();
    let less = report(&push, "less is asked for", |report| report.target_bps < 1_200_000).await?;
    ensure!(narrowed.elapsed() < Duration::from_secs(2), "after {:?}: {less:?}", narrowed.elapsed());
    proxy.narrow(0);
    report(&push, "all is asked for", |report| report.target_bps == u64::from(OBEDIENT.bitrate_bps)).await?;
    ensure!(asked.bitrate_bps.load(Ordering::Relaxed) == u64::from(OBEDIENT.bitrate_bps));
    ensure!((150_000..1_200_000).contains(&asked.lowest_bps.load(Ordering::Relaxed)));
    Ok(())
}
