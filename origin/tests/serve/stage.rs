//! A stream on an origin of its own: the test decides when the next part appears.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use skylark_media::{
    MediaTime, RenditionId, UnixTime,
    pipeline::{Init, Output, Part},
};
use skylark_origin::{
    config::Config,
    db::{Db, NewKey},
    discovery::{Discovery, DiscoveryConfig},
    ingest::Protocol,
    live::{Live, LiveConfig, Publisher, Refusal},
    metrics::Page,
    mirror::Mirror,
    relay::{Relay, RelayConfig},
    serve::{HttpConfig, IngestPorts, MAX_CONNECTIONS, Rooms, Server, Service, SiteUrl, TlsFiles},
    store::{Store, StoreConfig},
    streams::{Streams, StreamsConfig},
};
use skylark_protocol::StreamId;
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle};

use crate::client::{Answer, Client};

/// The only rendition of these streams.
const RENDITION: RenditionId = RenditionId(0);
/// What the init segment holds.
pub(crate) const INIT: &[u8] = b"an init segment";
/// How long a part plays, milliseconds.
const PART_MS: i64 = 300;

/// How the origin differs from the default.
pub(crate) struct Setting {
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_address: usize,
    pub(crate) part_bytes: usize,
    pub(crate) reconnect_timeout: Duration,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) relay: RelayConfig,
    pub(crate) streams: StreamsConfig,
    pub(crate) public_url: Option<String>,
    pub(crate) requests_per_minute: u32,
    pub(crate) discovery: DiscoveryConfig,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            max_connections: MAX_CONNECTIONS,
            max_connections_per_address: MAX_CONNECTIONS,
            part_bytes: 1000,
            reconnect_timeout: Duration::from_secs(30),
            tls: None,
            relay: Config::default().relay_config(),
            streams: Config::default().streams_config(),
            public_url: None,
            requests_per_minute: 1_000_000,
            discovery: DiscoveryConfig::default(),
        }
    }
}

/// An origin with one live stream, which has the first part of its first segment.
pub(crate) struct Stage {
    pub(crate) addr: SocketAddr,
    pub(crate) id: StreamId,
    pub(crate) key: String,
    /// Path of the rendition's folder, with a slash at its end.
    pub(crate) folder: String,
    publisher: Option<Publisher>,
    parts: u64,
    part_bytes: usize,
    stop: watch::Sender<bool>,
    live: Arc<Live>,
    pub(crate) db: Db,
    pub(crate) server: JoinHandle<()>,
    _data: TempDir,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        Self::with(Setting::default()).await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        let data = tempfile::tempdir().unwrap();
        let db = Db::open(data.path()).await.unwrap();
        let new = NewKey { stream: None, name: "test".into(), passphrase_file: None };
        let (id, key) = db.create_key(new).await.unwrap();
        let config = LiveConfig { reconnect_timeout: setting.reconnect_timeout, ..LiveConfig::default() };
        let live = Live::new(config, Store::open(data.path(), StoreConfig::default()).unwrap(), db.clone());
        let publisher = live.admit(key.reveal(), Protocol::Rtmp, "127.0.0.1:1935".parse().unwrap()).await.unwrap();
        begin(&publisher).await;

        let (stop, stopping) = watch::channel(false);
        tokio::spawn(Arc::clone(&live).run(stopping.clone()));
        let addr = "127.0.0.1:0".parse().unwrap();
        let Setting { max_connections, max_connections_per_address, tls, .. } = setting;
        let http = HttpConfig { addr, tls, max_connections, max_connections_per_address };
        let server = Server::bind(http).unwrap();
        let addr = server.local_addr();
        let relay = Relay::new(setting.relay, db.clone(), stopping.clone());
        let streams = Streams::open(setting.streams, db.clone(), Arc::clone(&live), Arc::clone(&relay)).await.unwrap();
        tokio::spawn(Arc::clone(&streams).run(stopping.clone()));
        let found = (Arc::clone(&live), Arc::clone(&relay), Arc::clone(&streams));
        let discovery = Discovery::new(setting.discovery, found.0, found.1, found.2);
        tokio::spawn(Arc::clone(&discovery).run(stopping.clone()));
        let counted = Arc::clone(&discovery);
        let rooms = Rooms {
            discovery,
            live: Arc::clone(&live),
            relay: Arc::clone(&relay),
            mirror: Mirror::new(Arc::clone(&relay), db.clone()),
            streams,
            site: SiteUrl::new(setting.public_url.as_deref(), false),
            ingest: IngestPorts { rtmp: 1935, srt: 10080 },
            requests_per_minute: setting.requests_per_minute,
            stop: stopping.clone(),
            probes: Arc::new([("disk", Arc::new(|| Box::pin(async { Ok(()) })))]),
            metrics: Arc::new(move || {
                let mut page = Page::default();
                relay.render(&mut page);
                counted.render(&mut page);
                page
            }),
        };
        let server = tokio::spawn(server.run(Service::new(rooms), stopping));
        let mut stage = Self {
            addr,
            key: key.reveal().to_owned(),
            folder: String::new(),
            publisher: Some(publisher),
            parts: 0,
            part_bytes: setting.part_bytes,
            stop,
            live: Arc::clone(&live),
            db,
            server,
            _data: data,
            id,
        };
        stage.part().await;
        let stream = live.get(&stage.id).unwrap();
        stage.folder = format!("/live/{}/{}/0/", stage.id, stream.current().unwrap().id());
        stage
    }

    /// Publishes the next part of the current segment; returns its bytes, which no other part has.
    pub(crate) async fn part(&mut self) -> Bytes {
        let (part, data) = part(self.parts, self.part_bytes);
        self.parts += 1;
        self.push(Output::Part(RENDITION, part)).await;
        data
    }

    /// Completes the current segment.
    pub(crate) async fn end_segment(&self) {
        self.push(Output::SegmentEnd(RENDITION)).await;
    }

    async fn push(&self, output: Output) {
        self.publisher.as_ref().expect("the publisher is still there").push(output).await.unwrap();
    }

    /// Publishes one part of another stream; it is live until the publisher is dropped.
    pub(crate) async fn publish(&self, key: &str) -> Result<Publisher, Refusal> {
        let publisher = self.live.admit(key, Protocol::Rtmp, "127.0.0.1:1936".parse().unwrap()).await?;
        begin(&publisher).await;
        publisher.push(Output::Part(RENDITION, part(0, self.part_bytes).0)).await.unwrap();
        Ok(publisher)
    }

    /// Publishes to another stream, as the test pleases.
    pub(crate) async fn encode(&self, key: &str) -> Encoder {
        let publisher = self.publish(key).await.unwrap();
        Encoder { publisher, parts: 1, part_bytes: self.part_bytes }
    }

    /// The publisher leaves.
    pub(crate) fn leave(&mut self) {
        self.publisher = None;
    }

    /// Asks the server to stop.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Path of a file of the rendition.
    pub(crate) fn path(&self, file: &str) -> String {
        format!("{}{file}", self.folder)
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.addr).await
    }

    /// `GET` on a new connection.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.connect().await.get(path, &[]).await
    }
}

/// Who publishes to a stream, which has the first part of its first segment.
pub(crate) struct Encoder {
    publisher: Publisher,
    parts: u64,
    part_bytes: usize,
}

impl Encoder {
    /// The next part of the current segment.
    pub(crate) async fn part(&mut self) -> Bytes {
        let (part, data) = part(self.parts, self.part_bytes);
        self.parts += 1;
        self.publisher.push(Output::Part(RENDITION, part)).await.unwrap();
        data
    }

    /// Completes the current segment.
    pub(crate) async fn end_segment(&self) {
        self.publisher.push(Output::SegmentEnd(RENDITION)).await.unwrap();
    }

    /// Some parts, and the end of their segment.
    pub(crate) async fn segment(&mut self) {
        for _ in 0..6 {
            self.part().await;
        }
        self.end_segment().await;
    }
}

async fn begin(publisher: &Publisher) {
    publisher.begin().await.unwrap();
    let init = Init {
        data: INIT.into(),
        codecs: "avc1.64001f,mp4a.40.2".into(),
        resolution: Some((1280, 720)),
        frame_rate_millis: Some(30_000),
        bitrate_bps: Some(2_500_000),
    };
    publisher.push(Output::Init(RENDITION, init)).await.unwrap();
}

/// A part, and its bytes.
fn part(number: u64, bytes: usize) -> (Part, Bytes) {
    let mut data = format!("part {number};").into_bytes();
    data.resize(bytes, b'.');
    let data = Bytes::from(data);
    let start = MediaTime::from_ms(i64::try_from(number).unwrap() * PART_MS);
    let part = Part {
        data: data.clone(),
        start,
        duration: MediaTime::from_ms(PART_MS),
        independent: true,
        program_date_time: UnixTime::from_ms(1_700_000_000_000 + start.as_ms()),
    };
    (part, data)
}
