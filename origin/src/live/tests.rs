//! The streams as publishers and viewers meet them, without sockets; time is the test's.

use std::{net::SocketAddr, path::Path, time::Duration};

use bytes::Bytes;
use skylark_media::{
    MediaTime, RenditionId, UnixTime,
    pipeline::{Init, Output, PackageConfig, Part, Resume},
    window::Lookup,
};
use tokio::{sync::watch, task::JoinHandle, time::advance};

use super::*;
use crate::{
    db::{KeySelector, NewKey},
    ingest::Protocol,
    store::StoreConfig,
};

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 40_000);
const PICTURE: RenditionId = RenditionId(0);

/// An origin, and somebody who may publish.
struct Stage {
    live: Arc<Live>,
    store: Store,
    db: Db,
    stream: StreamId,
    key: String,
    _time: Time,
    _frozen: Frozen,
}

/// Paused time goes on by itself when all tasks wait, as they do for the database's thread. Not while this exists.
struct Frozen(#[expect(dead_code, reason = "a blocking task waits for its end")] std::sync::mpsc::Sender<()>);

impl Frozen {
    fn new() -> Self {
        let (held, release) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || release.recv());
        Self(held)
    }
}

struct Time(JoinHandle<()>);

impl Drop for Time {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Stage {
    async fn new() -> Self {
        Self::with(LiveConfig::default(), Store::memory()).await
    }

    async fn with(config: LiveConfig, store: Store) -> Self {
        let _frozen = Frozen::new();
        let db = Db::memory().await.unwrap();
        let (stream, key) = db.create_key(NewKey::default()).await.unwrap();
        Self::on(config, store, db, stream, key.reveal().to_owned()).await
    }

    async fn on(config: LiveConfig, store: Store, db: Db, stream: StreamId, key: String) -> Self {
        let _frozen = Frozen::new();
        let live = Live::new(config, store.clone(), db.clone());
        live.recover().await.unwrap();
        let (running, stop) = watch::channel(false);
        let time = tokio::spawn({
            let live = Arc::clone(&live);
            async move {
                let _running = running;
                live.run(stop).await;
            }
        });
        Self { live, store, db, stream, key, _time: Time(time), _frozen }
    }

    async fn admit(&self) -> Result<Publisher, Refusal> {
        self.live.admit(&self.key, Protocol::Rtmp, PEER).await
    }

    fn state(&self) -> StreamState {
        self.live.get(&self.stream).unwrap().state()
    }

    fn broadcast(&self) -> Arc<Broadcast> {
        self.live.get(&self.stream).unwrap().current().unwrap()
    }

    fn published(&self) -> Arc<Published> {
        self.broadcast().rendition(PICTURE).unwrap().published()
    }

    fn playlist(&self) -> String {
        String::from_utf8(self.published().playlist.to_vec()).unwrap()
    }
}

/// What a pipeline would yield: parts of 300 ms, 7 of them in a segment.
struct Encoder {
    next: MediaTime,
    count: usize,
}

impl Encoder {
    fn new(resume: Resume) -> Self {
        Self { next: resume.base, count: 0 }
    }

    async fn init(&self, publisher: &Publisher) {
        let init = Init {
            data: Bytes::from_static(b"ftyp moov"),
            codecs: "avc1.64001f".into(),
            resolution: Some((1280, 720)),
            frame_rate_millis: Some(30_000),
            bitrate_bps: None,
        };
        publisher.push(Output::Init(PICTURE, init)).await.unwrap();
    }

    async fn parts(&mut self, publisher: &Publisher, count: usize) {
        for _ in 0..count {
            publisher.deliver(publisher.now());
            publisher.push(Output::Part(PICTURE, self.part(publisher.now()))).await.unwrap();
            if self.count.is_multiple_of(7) {
                publisher.push(Output::SegmentEnd(PICTURE)).await.unwrap();
            }
        }
    }

    fn part(&mut self, now: UnixTime) -> Part {
        let duration = MediaTime::from_ms(300);
        let part = Part {
            data: Bytes::from(format!("moof mdat {} ", self.next.ticks()).repeat(50)),
            start: self.next,
            duration,
            independent: self.count.is_multiple_of(7),
            program_date_time: now,
        };
        self.next = self.next + duration;
        self.count += 1;
        part
    }
}

/// Publishes so many parts as a new session; the session stays.
async fn publish(stage: &Stage, parts: usize) -> (Publisher, Encoder) {
    let publisher = stage.admit().await.unwrap();
    publisher.deliver(publisher.now());
    let (_, resume) = publisher.begin().await.unwrap();
    let mut encoder = Encoder::new(resume);
    encoder.init(&publisher).await;
    encoder.parts(&publisher, parts).await;
    (publisher, encoder)
}

/// Lets time pass in steps in which everybody does what is due.
async fn pass(span: Duration) {
    for _ in 0..span.as_millis() / 50 {
        advance(Duration::from_millis(50)).await;
        tokio::task::yield_now().await;
    }
}

/// Waits for what other threads bring about, while time stands still.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn keys_open_their_stream_and_no_other_way_does() {
    let stage = Stage::new().await;
    let refusal = |key: &str| {
        let (live, key) = (Arc::clone(&stage.live), key.to_owned());
        async move { live.admit(&key, Protocol::Srt, PEER).await.unwrap_err() }
    };
    assert_eq!(refusal("sky_live_0000").await, Refusal::UnknownKey);
    assert_eq!(refusal("").await, Refusal::UnknownKey);
    assert_eq!(refusal(&"k".repeat(10_000)).await, Refusal::UnknownKey);
    assert_eq!(stage.admit().await.unwrap().stream_id(), &stage.stream);
    assert!(stage.live.owns(&stage.stream, &stage.key).await);
    assert!(!stage.live.owns(&"aaaaaaaaaaaa".parse().unwrap(), &stage.key).await);
    stage.db.revoke(&KeySelector::Stream(stage.stream.clone())).await.unwrap();
    assert_eq!(refusal(&stage.key).await, Refusal::Revoked);
    assert!(!stage.live.owns(&stage.stream, &stage.key).await);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_live_from_its_first_part_on() {
    let stage = Stage::new().await;
    assert_eq!(stage.state(), StreamState::Offline);
    let publisher = stage.admit().await.unwrap();
    publisher.deliver(publisher.now());
    let (_, resume) = publisher.begin().await.unwrap();
    let mut encoder = Encoder::new(resume);
    encoder.init(&publisher).await;
    assert_eq!(stage.state(), StreamState::Offline, "an init segment cannot be watched");
    assert!(stage.live.list().is_empty());
    encoder.parts(&publisher, 1).await;
    let status = stage.live.get(&stage.stream).unwrap().status();
    assert_eq!(status.state, StreamState::Live);
    assert_eq!(status.broadcast.as_deref(), Some(stage.broadcast().id()));
    assert_eq!(status.playlist, Some(format!("/live/{}/index.m3u8", stage.stream)));
    let multivariant = String::from_utf8(stage.broadcast().multivariant().to_vec()).unwrap();
    assert!(multivariant.contains(&format!("{}/0/index.m3u8", stage.broadcast().id())), "{multivariant}");
    assert_eq!(stage.live.list().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_gets_each_part_once_it_is_there() {
    let stage = Stage::new().await;
    let (publisher, mut encoder) = publish(&stage, 3).await;
    let mut changes = stage.broadcast().rendition(PICTURE).unwrap().subscribe();
    assert_eq!(changes.borrow_and_update().snapshot.part(0, 3), Lookup::Wait);
    encoder.parts(&publisher, 1).await;
    assert!(changes.has_changed().unwrap());
    let published = Arc::clone(&changes.borrow_and_update());
    assert!(matches!(published.snapshot.part(0, 3), Lookup::Here(_)));
    assert!(String::from_utf8_lossy(&published.playlist).contains("0.3.m4s"));
}

#[tokio::test(start_paused = true)]
async fn a_second_publisher_is_refused_while_the_first_delivers_and_takes_over_when_it_does_not() {
    let stage = Stage::new().await;
    let (first, mut encoder) = publish(&stage, 10).await;
    let broadcast = stage.broadcast().id().to_owned();
    pass(Duration::from_millis(2900)).await;
    assert_eq!(stage.admit().await.unwrap_err(), Refusal::InUse);
    pass(Duration::from_millis(200)).await;
    let (second, _) = publish(&stage, 1).await;
    assert_eq!(first.stopped().await, Stop::Superseded);
    let late = Output::Part(PICTURE, encoder.part(first.now()));
    assert_eq!(first.push(late).await, Err(Stop::Superseded));
    assert_eq!(stage.broadcast().id(), broadcast);
    drop(first);
    assert_eq!(stage.state(), StreamState::Live, "the old session's end is not the stream's");
    drop(second);
    assert_eq!(stage.state(), StreamState::Reconnecting);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_who_returns_goes_on_in_the_same_playlist() {
    let stage = Stage::new().await;
    let (publisher, encoder) = publish(&stage, 10).await;
    let (broadcast, end) = (stage.broadcast().id().to_owned(), encoder.next);
    drop(publisher);
    assert_eq!(stage.state(), StreamState::Reconnecting);
    pass(Duration::from_secs(20)).await;
    let publisher = stage.admit().await.unwrap();
    let (_, resume) = publisher.begin().await.unwrap();
    assert!(resume.base >= end && resume.base >= MediaTime::from_ms(20_000), "{resume:?} after {end:?}");
    let mut encoder = Encoder::new(resume);
    encoder.init(&publisher).await;
    encoder.parts(&publisher, 1).await;
    assert_eq!((stage.state(), stage.broadcast().id()), (StreamState::Live, broadcast.as_str()));
    let playlist = stage.playlist();
    assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{playlist}");
    assert!(playlist.contains("2.0.m4s") && playlist.contains("1.2.m4s"), "{playlist}");
}

#[tokio::test(start_paused = true)]
async fn a_publisher_who_stays_away_ends_the_broadcast_and_the_next_is_another() {
    let stage = Stage::new().await;
    drop(publish(&stage, 10).await);
    let first = stage.broadcast();
    pass(Duration::from_secs(29)).await;
    assert_eq!(stage.state(), StreamState::Reconnecting);
    assert!(!stage.playlist().contains("#EXT-X-ENDLIST"));
    pass(Duration::from_secs(2)).await;
    assert_eq!(stage.state(), StreamState::Ended);
    assert!(stage.playlist().contains("#EXT-X-ENDLIST"));
    let (_publisher, _) = publish(&stage, 1).await;
    assert_ne!(stage.broadcast().id(), first.id());
    let stream = stage.live.get(&stage.stream).unwrap();
    assert!(stream.broadcast(first.id()).is_some(), "who is behind can watch to the end");
    pass(Duration::from_secs(121)).await;
    assert!(stream.broadcast(first.id()).is_none(), "but not for ever");
}

#[tokio::test(start_paused = true)]
async fn an_ended_stream_still_says_which_broadcast_it_was_when_its_media_is_gone() {
    let stage = Stage::new().await;
    drop(publish(&stage, 10).await);
    let id = stage.broadcast().id().to_owned();
    pass(Duration::from_secs(160)).await;
    let status = stage.live.get(&stage.stream).unwrap().status();
    assert_eq!((status.state, status.broadcast, status.playlist), (StreamState::Ended, Some(id), None));
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_ends_its_session_within_two_seconds() {
    let stage = Stage::new().await;
    let (publisher, _) = publish(&stage, 1).await;
    let stopped = tokio::spawn(publisher.stopped());
    stage.db.revoke(&KeySelector::Stream(stage.stream.clone())).await.unwrap();
    pass(Duration::from_millis(1500)).await;
    until("the session is told to end", || stopped.is_finished()).await;
    assert_eq!(stopped.await.unwrap(), Stop::Revoked);
}

#[tokio::test(start_paused = true)]
async fn no_more_publishers_than_allowed_and_a_place_is_given_back() {
    let stage = Stage::with(LiveConfig { max_publishers: 1, ..LiveConfig::default() }, Store::memory()).await;
    let (_, other) = stage.db.create_key(NewKey::default()).await.unwrap();
    let other = || stage.live.admit(other.reveal(), Protocol::Rtmp, PEER);
    let (publisher, _) = publish(&stage, 1).await;
    assert_eq!(other().await.unwrap_err(), Refusal::TooManyPublishers);
    pass(Duration::from_secs(4)).await;
    let newcomer = stage.admit().await.expect("taking over needs no place of its own");
    drop(publisher);
    assert_eq!(other().await.unwrap_err(), Refusal::TooManyPublishers);
    drop(newcomer);
    other().await.expect("a place is free");
}

#[tokio::test]
async fn a_broadcast_that_nobody_ever_saw_leaves_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    let stage = Stage::with(LiveConfig::default(), Store::open(data.path(), StoreConfig::default()).unwrap()).await;
    let publisher = stage.admit().await.unwrap();
    publisher.begin().await.unwrap();
    stage.store.flush().await;
    let folder = data.path().join("live").join(stage.stream.as_str());
    assert!(folder.exists());
    drop(publisher);
    until("it is deleted", || !folder.exists()).await;
    assert_eq!(stage.state(), StreamState::Offline);
}

#[tokio::test(start_paused = true)]
async fn errors_are_there_for_the_owner() {
    let stage = Stage::new().await;
    let (publisher, _) = publish(&stage, 1).await;
    publisher.log_error("long-gop", "keyframes are 8 s apart".into());
    let stream = stage.live.get(&stage.stream).unwrap();
    stage.live.flush_errors().await;
    let report = stage.live.health_report(&stream).await;
    assert_eq!((report.errors.len(), report.errors[0].code.as_str()), (1, "long-gop"));
}

/// Publishes 24 parts into a data folder, and ends as a killed process does: without a word.
async fn killed(data: &Path) -> (Stage, String, MediaTime) {
    let store = Store::open(data, StoreConfig::default()).unwrap();
    let stage = Stage::with(LiveConfig::default(), store).await;
    let (_publisher, encoder) = publish(&stage, 24).await;
    stage.store.flush().await;
    let playlist = stage.playlist();
    (stage, playlist, encoder.next)
}

async fn restarted(data: &Path, before: Stage) -> Stage {
    let store = Store::open(data, StoreConfig::default()).unwrap();
    Stage::on(LiveConfig::default(), store, before.db.clone(), before.stream.clone(), before.key.clone()).await
}

#[tokio::test]
async fn a_restarted_server_carries_on_where_the_killed_one_was() {
    let data = tempfile::tempdir().unwrap();
    let (before, playlist, end) = killed(data.path()).await;
    let (broadcast, part) = (before.broadcast().id().to_owned(), before.published().snapshot.part(3, 2));
    let stage = restarted(data.path(), before).await;
    assert_eq!(stage.state(), StreamState::Reconnecting);
    assert_eq!(stage.broadcast().id(), broadcast);
    assert_eq!(stage.playlist(), playlist, "viewers find what they had");
    assert_eq!(stage.published().snapshot.part(3, 2), part);
    assert_eq!(stage.live.metrics().recovered_broadcasts.get(), 1);
    let (_publisher, encoder) = publish(&stage, 8).await;
    assert!(encoder.next > end);
    let playlist = stage.playlist();
    assert!(playlist.contains("#EXT-X-DISCONTINUITY\n") && playlist.contains("4.0.m4s"), "{playlist}");
    // And once more, now with a discontinuity in the window.
    stage.store.flush().await;
    let again = restarted(data.path(), stage).await;
    assert_eq!(again.playlist(), playlist);
}

#[tokio::test]
async fn a_torn_journal_costs_only_its_end() {
    let data = tempfile::tempdir().unwrap();
    let (before, ..) = killed(data.path()).await;
    let journal = folder(data.path(), &before).join("journal");
    let bytes = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, &bytes[..bytes.len() - 5]).unwrap();
    let stage = restarted(data.path(), before).await;
    assert_eq!(stage.published().snapshot.last(), Some((3, 1)), "one part less");
    publish(&stage, 1).await;
    assert_eq!(stage.published().snapshot.last(), Some((4, 0)));
}

#[tokio::test]
async fn damaged_media_is_not_served_and_its_numbers_are_not_used_again() {
    let data = tempfile::tempdir().unwrap();
    let (before, ..) = killed(data.path()).await;
    let folder = folder(data.path(), &before);
    let damage = |msn: u64| {
        let path = folder.join(format!("0-{msn}.m4s"));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    };
    damage(1);
    let stage = restarted(data.path(), before).await;
    assert!(matches!(stage.published().snapshot.part(2, 0), Lookup::Here(_)));
    assert_eq!(stage.published().snapshot.part(1, 0), Lookup::Gone);
    damage(3);
    let stage = restarted(data.path(), stage).await;
    assert!(stage.broadcast().rendition(PICTURE).is_none(), "nothing that can be played without a gap");
    publish(&stage, 1).await;
    assert_eq!(stage.published().snapshot.last(), Some((4, 0)));
}

#[tokio::test]
async fn what_cannot_be_brought_back_is_deleted_and_harms_nothing() {
    let data = tempfile::tempdir().unwrap();
    let (before, playlist, _) = killed(data.path()).await;
    let live = data.path().join("live");
    for (name, journal) in [("bbbbbbbbbbbb/cccccccc", &b"nonsense"[..]), ("dddddddddddd/eeeeeeee", b"")] {
        std::fs::create_dir_all(live.join(name)).unwrap();
        std::fs::write(live.join(name).join("journal"), journal).unwrap();
    }
    std::fs::create_dir_all(live.join("ffffffffffff/gggggggg")).unwrap();
    std::fs::write(live.join("a file"), "").unwrap();
    let stage = restarted(data.path(), before).await;
    assert_eq!(stage.playlist(), playlist);
    assert_eq!(stage.live.list().len(), 1);
    assert!(!live.join("bbbbbbbbbbbb").exists() && !live.join("ffffffffffff").exists());
}

#[tokio::test]
async fn an_ended_broadcast_does_not_come_back() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), StoreConfig::default()).unwrap();
    let config = LiveConfig { reconnect_timeout: Duration::from_millis(1), ..LiveConfig::default() };
    let stage = Stage::with(config, store).await;
    drop(publish(&stage, 10).await);
    until("it ends", || stage.state() == StreamState::Ended).await;
    stage.store.flush().await;
    let folder = folder(data.path(), &stage);
    assert!(folder.join("journal").exists());
    let stage = restarted(data.path(), stage).await;
    assert_eq!(stage.state(), StreamState::Offline);
    assert!(!folder.exists());
}

#[tokio::test]
async fn what_left_the_window_leaves_the_disk() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), StoreConfig::default()).unwrap();
    let config = LiveConfig { window: Duration::from_secs(6), ..LiveConfig::default() };
    let stage = Stage::with(config, store).await;
    let (_publisher, _) = publish(&stage, 7 * 60).await;
    stage.store.flush().await;
    let segments = std::fs::read_dir(folder(data.path(), &stage)).unwrap().count() - 1;
    let (last, _) = stage.published().snapshot.last().unwrap();
    assert_eq!(last, 59);
    assert!((3..30).contains(&segments), "{segments} segment files after 60 segments");
}

#[tokio::test]
async fn a_full_queue_costs_the_disk_its_copy_and_viewers_nothing() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), StoreConfig { queue_bytes: 1 }).unwrap();
    let stage = Stage::with(LiveConfig::default(), store).await;
    let (_publisher, _) = publish(&stage, 8).await;
    assert_eq!(stage.store.stats().dropped_parts, 8);
    assert!(matches!(stage.published().snapshot.part(1, 0), Lookup::Here(_)));
    stage.store.flush().await;
    let stage = restarted(data.path(), stage).await;
    publish(&stage, 1).await;
    assert_eq!(stage.published().snapshot.last(), Some((2, 0)), "numbers go on even so");
}

fn folder(data: &Path, stage: &Stage) -> std::path::PathBuf {
    let broadcast = stage.live.get(&stage.stream).unwrap().status().broadcast.unwrap();
    data.join("live").join(stage.stream.as_str()).join(broadcast)
}

#[test]
fn the_default_sizes_are_the_packagers() {
    assert_eq!(LiveConfig::default().window().package, PackageConfig::default());
}
