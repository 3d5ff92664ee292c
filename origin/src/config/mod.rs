//! The configuration: defaults, overridden by a TOML file, by environment variables, by flags. Reading it is pure:
//! text in, value out.
//!
//! | module | what |
//! |---|---|
//! | `addr` | addresses to listen on, as people write them |
//! | `sources` | a file's text and the environment, merged; errors that say where |
//! | `limits` | what values are allowed |

mod addr;
mod limits;
mod sources;

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use nostr::RelayUrl;
use serde::{Deserialize, Serialize};
use skylark_protocol::{event::PublicKey, nip19::Entity};

pub use addr::ListenAddr;
pub use limits::OutOfRange;
pub use sources::{ConfigError, ENV_PREFIX, parse};

use crate::{
    discovery::DiscoveryConfig,
    ingest::PublisherLimits,
    live::LiveConfig,
    mirror::MirrorConfig,
    relay::{Information, RelayConfig, Room, SEND_LIMIT, Scope},
    streams::{Allow, StreamsConfig},
};

/// Everything that can be set. What holds a secret is a path to a file that does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Serving viewers.
    pub http: Http,
    /// RTMP publishers.
    pub rtmp: Rtmp,
    /// SRT publishers.
    pub srt: Srt,
    /// Packaging.
    pub hls: Hls,
    /// Streams and their publishers.
    pub live: LiveSection,
    /// What a publisher may send.
    pub limits: Limits,
    /// Streams that belong to a Nostr key.
    pub api: Api,
    /// The Nostr relay.
    pub relay: RelaySection,
    /// Live events that are announced elsewhere.
    pub discovery: DiscoverySection,
    /// Media on disk.
    pub store: StoreSection,
    /// The log.
    pub log: Log,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address to serve viewers on.
    pub addr: ListenAddr,
    /// How viewers reach this server, if not by `addr`: `https://live.example.org`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Certificate chain (PEM): with it and `tls_key`, HTTPS is spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// Viewers' connections at once.
    pub max_connections: usize,
    /// Of them, those from one address (or IPv6 /64 network). Behind a reverse proxy all come from one.
    pub max_connections_per_address: usize,
}

/// `[rtmp]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rtmp {
    /// Address to take publishers on.
    pub addr: ListenAddr,
    /// Connections at once.
    pub max_connections: usize,
    /// Time from the connection to `publish`, seconds.
    pub handshake_timeout_s: u64,
    /// A connection that sends nothing for so long is closed, seconds.
    pub idle_timeout_s: u64,
}

/// `[srt]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Srt {
    /// Address to take publishers on.
    pub addr: ListenAddr,
    /// File with the passphrase of all callers whose key has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// Least latency, milliseconds; a caller who asks for more gets it.
    pub latency_ms: u64,
    /// Sessions at once.
    pub max_sessions: usize,
    /// Handshakes in progress at once.
    pub max_pending: usize,
    /// Time for a handshake, seconds.
    pub handshake_timeout_s: u64,
    /// A session that sends nothing for so long is closed, seconds.
    pub idle_timeout_s: u64,
}

/// `[hls]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hls {
    /// Longest part, milliseconds.
    pub part_ms: u64,
    /// Aimed length of a segment, milliseconds.
    pub segment_ms: u64,
    /// Length of what viewers can seek in, seconds.
    pub window_s: u64,
}

/// `[live]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveSection {
    /// How long a broadcast waits for its publisher's return, seconds.
    pub reconnect_timeout_s: u64,
    /// How long an ended broadcast can still be played, seconds.
    pub ended_retention_s: u64,
    /// Publishers at once.
    pub max_publishers: usize,
    /// Streams at once, whether live or not.
    pub max_streams: usize,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most that a publisher may send over ten seconds, kilobits per second.
    pub bitrate_kbps: u64,
    /// Widest picture, pixels.
    pub width: u32,
    /// Highest picture, pixels.
    pub height: u32,
    /// A publisher from whom no media comes for so long is closed, seconds.
    pub media_timeout_s: u64,
    /// A publisher who sends no keyframe for so long is closed, seconds.
    pub keyframe_timeout_s: u64,
}

/// `[api]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Whom this server belongs to (`npub1…`): written down at the first start, and to be changed with
    /// `skylark-origin owner`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Who may create streams besides (`npub1…`); `*` is anybody.
    pub allow: Vec<String>,
    /// Streams of one key that have not ended.
    pub max_streams_per_key: u32,
    /// Signed requests that one key may send in a minute.
    pub requests_per_minute: u32,
    /// How long a stream that has ended is kept, hours.
    pub ended_retention_h: u64,
    /// How long what is measured of streams is kept, days.
    pub metrics_retention_d: u64,
}

/// `[relay]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelaySection {
    /// Whose live events are carried: `own`, those of keys that have a stream here, or `live`, anybody's.
    pub scope: Scope,
    /// Keys (`npub1…`) whose live events are carried besides those that have a stream here.
    pub hosts: Vec<String>,
    /// Exchange live events and their chat with the relays that they name.
    pub mirror: bool,
    /// … also with relays on this machine and in private networks.
    pub mirror_private: bool,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How to reach whoever runs it: a `mailto:` or `nostr:` address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Events that one key may publish in a minute; who has a stream here may publish more.
    pub events_per_minute: u32,
    /// Clients of the relay at once from one address.
    pub max_clients_per_address: usize,
    /// Events that are kept; the oldest go first. Those that can be replaced count apart, up to a quarter of this.
    pub max_events: u64,
    /// Size of the database beyond which the oldest events go, MiB.
    pub max_mib: u64,
}

/// `[discovery]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoverySection {
    /// Outside relays (`wss://…`) whose live events are shown beside those of this server.
    pub relays: Vec<String>,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSection {
    /// Keep the live window on disk, too, so that a restarted server carries on.
    pub write_behind: bool,
    /// Most media that waits to be written, MiB; beyond it the disk's copy is given up, never the viewers'.
    pub queue_mib: usize,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text` or `json`
    pub format: LogFormat,
    /// Least level: `error`, `warn`, `info`, `debug`, `trace`, or `module=level` pairs. `RUST_LOG` wins.
    pub level: String,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            addr: ListenAddr::any(8080),
            public_url: None,
            tls_cert: None,
            tls_key: None,
            max_connections: crate::serve::MAX_CONNECTIONS,
            max_connections_per_address: crate::serve::MAX_CONNECTIONS_PER_ADDRESS,
        }
    }
}

impl Default for Rtmp {
    fn default() -> Self {
        Self { addr: ListenAddr::any(1935), max_connections: 1000, handshake_timeout_s: 10, idle_timeout_s: 30 }
    }
}

impl Default for Srt {
    fn default() -> Self {
        Self {
            addr: ListenAddr::any(10080),
            passphrase_file: None,
            latency_ms: 120,
            max_sessions: 1000,
            max_pending: 256,
            handshake_timeout_s: 5,
            idle_timeout_s: 5,
        }
    }
}

impl Default for Hls {
    fn default() -> Self {
        Self { part_ms: 300, segment_ms: 2000, window_s: 30 }
    }
}

impl Default for LiveSection {
    fn default() -> Self {
        Self { reconnect_timeout_s: 30, ended_retention_s: 120, max_publishers: 100, max_streams: 10_000 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { bitrate_kbps: 50_000, width: 3840, height: 2160, media_timeout_s: 15, keyframe_timeout_s: 20 }
    }
}

impl Default for Api {
    fn default() -> Self {
        Self {
            owner: None,
            allow: Vec::new(),
            max_streams_per_key: 20,
            requests_per_minute: 120,
            ended_retention_h: 24,
            metrics_retention_d: 30,
        }
    }
}

impl Default for RelaySection {
    fn default() -> Self {
        Self {
            scope: Scope::Own,
            hosts: Vec::new(),
            mirror: true,
            mirror_private: false,
            name: "Skylark".into(),
            description: "Live events of this server, and their chat".into(),
            contact: None,
            events_per_minute: 120,
            max_clients_per_address: 512,
            max_events: 1_000_000,
            max_mib: 4096,
        }
    }
}

impl Default for StoreSection {
    fn default() -> Self {
        Self { write_behind: true, queue_mib: 64 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".into() }
    }
}

impl Config {
    /// As `config print` shows it: what [`parse`] reads back to the same value.
    ///
    /// # Errors
    /// When a value has no TOML form (a path that is not UTF-8).
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// What the streams' room takes from it.
    #[must_use]
    pub fn live_config(&self) -> LiveConfig {
        LiveConfig {
            part: Duration::from_millis(self.hls.part_ms),
            segment: Duration::from_millis(self.hls.segment_ms),
            window: Duration::from_secs(self.hls.window_s),
            reconnect_timeout: Duration::from_secs(self.live.reconnect_timeout_s),
            ended_retention: Duration::from_secs(self.live.ended_retention_s),
            max_publishers: self.live.max_publishers,
            max_streams: self.live.max_streams,
            limits: PublisherLimits {
                bitrate_bps: self.limits.bitrate_kbps * 1000,
                width: self.limits.width,
                height: self.limits.height,
                media_timeout: Duration::from_secs(self.limits.media_timeout_s),
                keyframe_timeout: Duration::from_secs(self.limits.keyframe_timeout_s),
            },
            ..LiveConfig::default()
        }
    }

    /// What the streams of Nostr keys take from it.
    #[must_use]
    pub fn streams_config(&self) -> StreamsConfig {
        let api = &self.api;
        let allow = match api.allow.iter().any(|key| key == EVERYBODY) {
            true => Allow::Everybody,
            // Those that cannot be read were refused by the check.
            false => Allow::Only(api.allow.iter().filter_map(|key| public_key(key)).collect()),
        };
        StreamsConfig {
            allow,
            max_per_owner: api.max_streams_per_key,
            ended_retention: Duration::from_secs(api.ended_retention_h * 3600),
            metrics_retention: Duration::from_secs(api.metrics_retention_d * 24 * 3600),
            ..StreamsConfig::default()
        }
    }

    /// Whom the server belongs to, if the configuration says it.
    #[must_use]
    pub fn owner(&self) -> Option<PublicKey> {
        self.api.owner.as_deref().and_then(public_key)
    }

    /// Where live events are looked for.
    #[must_use]
    pub fn discovery_config(&self) -> DiscoveryConfig {
        DiscoveryConfig {
            // Those that cannot be read were refused by the check.
            relays: self.discovery.relays.iter().filter_map(|url| RelayUrl::parse(url.trim()).ok()).collect(),
            own_relay: self.http.public_url.as_deref().map(|url| url.replacen("http", "ws", 1)),
        }
    }

    /// What the relay takes from it.
    #[must_use]
    pub fn relay_config(&self) -> RelayConfig {
        let relay = &self.relay;
        RelayConfig {
            scope: relay.scope,
            // Those that cannot be read were refused by the check.
            hosts: relay.hosts.iter().filter_map(|host| public_key(host)).collect::<BTreeSet<_>>(),
            events_per_minute: relay.events_per_minute,
            max_clients_per_address: relay.max_clients_per_address,
            room: Room { max_events: relay.max_events, max_bytes: relay.max_mib << 20 },
            send_limit: SEND_LIMIT,
            mirror: MirrorConfig {
                enabled: relay.mirror,
                private: relay.mirror_private,
                own_url: self.http.public_url.clone(),
            },
            url: self.http.public_url.clone(),
            information: Information {
                name: relay.name.clone(),
                description: relay.description.clone(),
                contact: relay.contact.clone(),
            },
        }
    }
}

/// In `api.allow`: anybody.
const EVERYBODY: &str = "*";

/// A public key as people write it: `npub1…`, or hexadecimal digits.
pub(crate) fn public_key(text: &str) -> Option<PublicKey> {
    match text.parse() {
        Ok(Entity::Profile(pubkey, _)) => Some(pubkey),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
