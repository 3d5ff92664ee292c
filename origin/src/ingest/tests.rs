use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use tokio::{sync::watch, time::advance};

use super::*;
use crate::{
    db::{Db, NewKey},
    live::{Live, LiveConfig},
    store::Store,
};

/// An origin without sockets, a stream and its key. Time stands still but for `advance`: the blocking task that waits for
/// the sender's end sees to that.
struct Stage {
    live: Arc<Live>,
    key: String,
    _frozen: std::sync::mpsc::Sender<()>,
}

impl Stage {
    async fn new(limits: PublisherLimits) -> Self {
        let (frozen, thaw) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || thaw.recv());
        let db = Db::memory().await.unwrap();
        let (_, key) = db.create_key(NewKey::default()).await.unwrap();
        let live = Live::new(LiveConfig { limits, ..LiveConfig::default() }, Store::memory(), db);
        live.recover().await.unwrap();
        Self { live, key: key.reveal().to_owned(), _frozen: frozen }
    }

    async fn ingest(&self) -> Ingest {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
        Ingest::new(self.live.admit(&self.key, Protocol::Srt, peer).await.unwrap())
    }

    async fn logged(&self) -> Vec<String> {
        self.live.flush_errors().await;
        let mut codes = Vec::new();
        for stream in self.live.streams() {
            codes.extend(self.live.health_report(&stream).await.errors.into_iter().map(|error| error.code));
        }
        codes
    }
}

/// Null packets: media to the limits, nothing to a demultiplexer.
fn padding(packets: usize) -> Input {
    let mut packet = [0xff_u8; 188];
    packet[..4].copy_from_slice(&[0x47, 0x1f, 0xff, 0x10]);
    Input::Ts(Bytes::from(packet.repeat(packets)))
}

#[tokio::test(start_paused = true)]
async fn a_publisher_who_sends_nothing_is_told_and_closed() {
    let stage = Stage::new(PublisherLimits::default()).await;
    let mut ingest = stage.ingest().await;
    let mut waited = Duration::ZERO;
    let error = loop {
        match ingest.feed(Input::Tick).await {
            Ok(()) => advance(Ingest::TICK).await,
            Err(error) => break error,
        }
        waited += Ingest::TICK;
        assert!(waited <= Duration::from_secs(15));
    };
    assert_eq!((error.to_string().as_str(), waited), ("no media for 15 s", Duration::from_secs(15)));
    ingest.finish(Departure::Refused(error)).await;
    assert_eq!(stage.logged().await, ["idle"]);
    stage.ingest().await;
}

#[tokio::test(start_paused = true)]
async fn a_publisher_who_sends_too_much_is_told_and_closed() {
    let stage = Stage::new(PublisherLimits { bitrate_bps: 1_000_000, ..PublisherLimits::default() }).await;
    let mut ingest = stage.ingest().await;
    let error = loop {
        // 15 Mbit/s
        match ingest.feed(padding(10)).await {
            Ok(()) => advance(Duration::from_millis(1)).await,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, IngestError::Bitrate { max_bitrate_bps: 1_000_000, .. }), "{error}");
    ingest.finish(Departure::Refused(error)).await;
    assert_eq!(stage.logged().await, ["bitrate"]);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_without_a_keyframe_is_told_and_closed() {
    let limits = PublisherLimits { keyframe_timeout: Duration::from_secs(5), ..PublisherLimits::default() };
    let stage = Stage::new(limits).await;
    let mut ingest = stage.ingest().await;
    let mut waited = Duration::ZERO;
    let error = loop {
        match ingest.feed(padding(7)).await {
            Ok(()) => advance(Duration::from_millis(100)).await,
            Err(error) => break error,
        }
        waited += Duration::from_millis(100);
        assert!(waited <= Duration::from_secs(10), "it waits for ever");
    };
    assert_eq!(error.code(), "no-keyframe", "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_stopping_server_tells_its_publishers_and_admits_no_more() {
    let stage = Stage::new(PublisherLimits::default()).await;
    let ingest = stage.ingest().await;
    let (stop, stopping) = watch::channel(false);
    let running = tokio::spawn(Arc::clone(&stage.live).run(stopping));
    stop.send_replace(true);
    running.await.unwrap();
    assert_eq!(ingest.superseded().await, Stop::ShuttingDown);
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_001));
    let refusal = stage.live.admit(&stage.key, Protocol::Rtmp, peer).await.unwrap_err();
    assert_eq!(refusal, crate::live::Refusal::ShuttingDown);
    ingest.finish(Departure::Refused(IngestError::Stopped(Stop::ShuttingDown))).await;
    assert_eq!(stage.logged().await, [] as [&str; 0], "not the publisher's fault");
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_noted_and_the_stream_is_free_at_once() {
    let stage = Stage::new(PublisherLimits::default()).await;
    let mut ingest = stage.ingest().await;
    ingest.feed(padding(7)).await.unwrap();
    ingest.finish(Departure::Lost("nothing was sent for 5 s".into())).await;
    assert_eq!(stage.logged().await, ["connection-lost"]);
    let mut ingest = stage.ingest().await;
    ingest.feed(padding(7)).await.unwrap();
    drop(ingest);
    stage.ingest().await;
}
