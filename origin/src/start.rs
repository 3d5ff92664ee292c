//! Wires the rooms together, and takes them apart in the right order.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinHandle};

use crate::{
    config::Config,
    db::{Db, DbError},
    discovery::Discovery,
    folder::{self, FolderError},
    ingest::{rtmp, srt},
    live::Live,
    metrics::Page,
    mirror::Mirror,
    relay::Relay,
    secret::Passphrase,
    serve::{self, HttpConfig, HttpError, IngestPorts, Probe, Rooms, Service, SiteUrl, TlsFiles},
    store::{Store, StoreConfig},
    streams::Streams,
    vital::Vital,
};

/// What publishers' sessions get after a stop to hand over what they have.
const INGEST_GRACE: Duration = Duration::from_secs(6);

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The database cannot be used.
    #[error(transparent)]
    Db(#[from] DbError),
    /// HTTP cannot be served.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A publisher's port cannot be opened.
    #[error("cannot listen on {addr} for {protocol}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// RTMP or SRT.
        protocol: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Media cannot be kept on disk.
    #[error("cannot keep media in {path}: {source}", path = path.display())]
    Store {
        /// The data folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The passphrase file cannot be used.
    #[error("srt.passphrase_file: {path}: {reason}", path = path.display())]
    Passphrase {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A running server.
#[derive(Debug)]
pub struct Handle {
    /// Where viewers are served.
    pub http: SocketAddr,
    /// Where RTMP publishers are taken.
    pub rtmp: SocketAddr,
    /// Where SRT publishers are taken.
    pub srt: SocketAddr,
    live: Arc<Live>,
    db: Db,
    store: Store,
    stop_ingest: watch::Sender<bool>,
    ingest: Vec<JoinHandle<()>>,
    stop_http: watch::Sender<bool>,
    serving: JoinHandle<()>,
    _lock: folder::Lock,
}

/// Starts the server; returns when it takes publishers and serves viewers.
///
/// # Errors
/// When it cannot.
pub async fn start(config: &Config, data: &Path) -> Result<Handle, StartError> {
    folder::create(data)?;
    let lock = folder::lock(data)?;
    let db = Db::open(data).await?;
    let http = serve::Server::bind(http_config(config))?;
    let rtmp_config = rtmp_config(config);
    let rtmp_addr = rtmp_config.addr;
    let bind = |addr, protocol| move |source| StartError::Bind { addr, protocol, source };
    let rtmp = rtmp::Server::bind(rtmp_config).await.map_err(bind(rtmp_addr, "RTMP"))?;
    let srt_config = srt_config(config)?;
    let srt_addr = srt_config.addr;
    let srt = srt::Server::bind(srt_config).await.map_err(bind(srt_addr, "SRT"))?;
    let store = open_store(config, data)?;
    let live = Live::new(config.live_config(), store.clone(), db.clone());
    live.recover().await?;
    let (stop_ingest, ingest_stop) = watch::channel(false);
    let (stop_http, http_stop) = watch::channel(false);
    let addrs = (http.local_addr(), rtmp.local_addr(), srt.local_addr());
    let relay = Relay::new(config.relay_config(), db.clone(), stop_http.subscribe());
    own(config, &db).await?;
    let streams = Streams::open(config.streams_config(), db.clone(), Arc::clone(&live), Arc::clone(&relay)).await?;
    let mirror = Mirror::new(Arc::clone(&relay), db.clone());
    let found = (Arc::clone(&live), Arc::clone(&relay), Arc::clone(&streams));
    let discovery = Discovery::new(config.discovery_config(), found.0, found.1, found.2);
    let vital = Vital::default();
    let rooms = Rooms {
        live: Arc::clone(&live),
        relay: Arc::clone(&relay),
        mirror: Arc::clone(&mirror),
        streams: Arc::clone(&streams),
        discovery: Arc::clone(&discovery),
        site: SiteUrl::new(config.http.public_url.as_deref(), config.http.tls_cert.is_some()),
        ingest: IngestPorts { rtmp: addrs.1.port(), srt: addrs.2.port() },
        requests_per_minute: config.api.requests_per_minute,
        stop: stop_http.subscribe(),
        probes: probes(&db, &vital, &ingest_stop),
        metrics: page(&live, &store, &relay, (&mirror, &discovery), rtmp.counters(), srt.counters()),
    };
    let ingest = vec![
        vital.spawn("live", &ingest_stop, Arc::clone(&live).run(ingest_stop.clone())),
        vital.spawn("rtmp", &ingest_stop, rtmp.run(Arc::clone(&live), ingest_stop.clone())),
        vital.spawn("srt", &ingest_stop, srt.run(Arc::clone(&live), ingest_stop.clone())),
        vital.spawn("streams", &ingest_stop, streams.run(ingest_stop.clone())),
    ];
    vital.spawn("relay", &http_stop, relay.run());
    vital.spawn("mirror", &http_stop, Arc::clone(&mirror).run(http_stop.clone()));
    vital.spawn("discovery", &http_stop, discovery.run(http_stop.clone()));
    let serving = tokio::spawn(http.run(Service::new(rooms), http_stop));
    let (http, rtmp, srt) = addrs;
    // Scripts read the addresses from this line.
    tracing::info!(%http, %rtmp, %srt, "listening");
    Ok(Handle { http, rtmp, srt, live, db, store, stop_ingest, ingest, stop_http, serving, _lock: lock })
}

impl Handle {
    /// The streams.
    #[must_use]
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Stops in peace: publishers hand over what they have, viewers get it, and everything that waits is written. The
    /// broadcasts are not ended: they wait for their publishers' return after the next start.
    pub async fn stop(self) {
        self.stop_ingest.send_replace(true);
        for room in self.ingest {
            if tokio::time::timeout(INGEST_GRACE, room).await.is_err() {
                tracing::warn!("publishers' sessions did not end in time");
            }
        }
        self.store.flush().await;
        self.live.flush_errors().await;
        self.stop_http.send_replace(true);
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "serving ended badly");
        }
        self.db.close().await;
    }
}

/// Whom the server belongs to is written down at the first start.
async fn own(config: &Config, db: &Db) -> Result<(), DbError> {
    match (db.owner().await?, config.owner()) {
        (None, Some(owner)) => db.set_owner(&owner).await?,
        (None, None) => tracing::info!("nobody owns this server yet: `skylark-origin owner <npub>`, or api.owner"),
        (Some(owner), Some(other)) if owner != other => {
            tracing::warn!(%owner, "api.owner names somebody else than the first start did: change it with `skylark-origin owner`");
        }
        _ => {}
    }
    Ok(())
}

fn http_config(config: &Config) -> HttpConfig {
    let http = &config.http;
    let tls = http.tls_cert.clone().zip(http.tls_key.clone()).map(|(cert, key)| TlsFiles { cert, key });
    HttpConfig {
        addr: http.addr.to_socket_addr(),
        tls,
        max_connections: http.max_connections,
        max_connections_per_address: http.max_connections_per_address,
    }
}

fn rtmp_config(config: &Config) -> rtmp::RtmpConfig {
    let rtmp = &config.rtmp;
    rtmp::RtmpConfig {
        addr: rtmp.addr.to_socket_addr(),
        max_connections: rtmp.max_connections,
        handshake_timeout: Duration::from_secs(rtmp.handshake_timeout_s),
        idle_timeout: Duration::from_secs(rtmp.idle_timeout_s),
    }
}

fn srt_config(config: &Config) -> Result<srt::SrtConfig, StartError> {
    let srt = &config.srt;
    Ok(srt::SrtConfig {
        addr: srt.addr.to_socket_addr(),
        passphrase: srt.passphrase_file.as_deref().map(passphrase).transpose()?,
        latency: Duration::from_millis(srt.latency_ms),
        max_sessions: srt.max_sessions,
        max_pending: srt.max_pending,
        handshake_timeout: Duration::from_secs(srt.handshake_timeout_s),
        idle_timeout: Duration::from_secs(srt.idle_timeout_s),
    })
}

fn passphrase(path: &Path) -> Result<Passphrase, StartError> {
    let wrong = |reason| StartError::Passphrase { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Passphrase::new(&text).map_err(|error| wrong(error.to_string()))
}

/// What `/readyz` asks.
fn probes(db: &Db, vital: &Vital, stop: &watch::Receiver<bool>) -> Arc<[(&'static str, Probe)]> {
    let db = db.clone();
    let database: Probe = Arc::new(move || {
        let db = db.clone();
        Box::pin(async move { db.ping().await.map_err(|error| error.to_string()) })
    });
    let stop = stop.clone();
    let running: Probe = Arc::new(move || {
        let running = if *stop.borrow() { Err("it is about to stop".to_owned()) } else { Ok(()) };
        Box::pin(std::future::ready(running))
    });
    let vital = vital.clone();
    let tasks: Probe = Arc::new(move || Box::pin(std::future::ready(vital.check())));
    Arc::new([("server", running), ("tasks", tasks), ("database", database)])
}

fn open_store(config: &Config, data: &Path) -> Result<Store, StartError> {
    if !config.store.write_behind {
        return Ok(Store::memory());
    }
    let store_config = StoreConfig { queue_bytes: config.store.queue_mib << 20 };
    Store::open(data, store_config).map_err(|source| StartError::Store { path: data.to_owned(), source })
}

/// What `/metrics` answers.
fn page(
    live: &Arc<Live>,
    store: &Store,
    relay: &Arc<Relay>,
    (mirror, discovery): (&Arc<Mirror>, &Arc<Discovery>),
    rtmp: Arc<rtmp::Counters>,
    srt: Arc<srt::Counters>,
) -> Arc<dyn Fn() -> Page + Send + Sync> {
    let (live, store, relay, mirror) = (Arc::clone(live), store.clone(), Arc::clone(relay), Arc::clone(mirror));
    let discovery = Arc::clone(discovery);
    Arc::new(move || {
        let mut page = Page::default();
        let census = live.census();
        page.gauge("skylark_publishers", "Sessions that hold a stream.", census.publishers);
        let states = [
            ("offline", census.offline),
            ("live", census.live),
            ("reconnecting", census.reconnecting),
            ("ended", census.ended),
        ];
        page.gauges("skylark_streams", "Streams by state.", "state", states);
        live.metrics().render(&mut page);
        relay.render(&mut page);
        mirror.render(&mut page);
        discovery.render(&mut page);
        let stats = store.stats();
        page.gauge("skylark_store_queued_bytes", "Media that waits to be written to disk.", stats.queued_bytes);
        page.counter("skylark_store_written_bytes_total", "Media written to disk.", stats.written_bytes);
        let lost = [("disk", stats.failed_parts), ("queue_full", stats.dropped_parts)];
        page.counters("skylark_store_lost_parts_total", "Parts that did not reach the disk.", "why", lost);
        let panics = [("rtmp", read(&rtmp.panics)), ("srt", read(&srt.panics))];
        page.counters("skylark_panics_total", "Sessions ended by a programming error.", "protocol", panics);
        let rtmp = [
            ("accepted", read(&rtmp.connections)),
            ("turned_away", read(&rtmp.turned_away)),
            ("refused", read(&rtmp.refused)),
            ("malformed", read(&rtmp.malformed)),
            ("timed_out", read(&rtmp.handshake_timeouts)),
        ];
        page.counters("skylark_rtmp_connections_total", "Connections on the RTMP port.", "event", rtmp);
        let callers = [("accepted", read(&srt.accepted)), ("refused", read(&srt.refused))];
        page.counters("skylark_srt_callers_total", "Callers on the SRT port.", "event", callers);
        let lost = [("dropped", read(&srt.dropped)), ("unsent", read(&srt.unsent))];
        page.counters("skylark_srt_lost_packets_total", "Packets lost on this machine.", "event", lost);
        page
    })
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
