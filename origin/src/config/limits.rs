//! What values are allowed.

use std::{fmt::Display, ops::RangeInclusive};

use nostr::RelayUrl;
use skylark_protocol::text::is_relay_url;

use super::Config;
use crate::discovery;

/// A value that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} = {value}: {reason}")]
pub struct OutOfRange {
    /// The setting, as `section.name`.
    name: &'static str,
    /// What it was set to.
    value: String,
    /// What it may be.
    reason: String,
}

impl Config {
    /// Looks at values that are right each by itself but cannot work.
    ///
    /// # Errors
    /// The first such value.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let Self { http, rtmp, srt, hls, live, limits, store, relay, api, .. } = self;
        within("http.max_connections", http.max_connections, 1..=1_000_000)?;
        let per_address = http.max_connections_per_address;
        within("http.max_connections_per_address", per_address, 1..=1_000_000)?;
        within("rtmp.max_connections", rtmp.max_connections, 1..=100_000)?;
        within("rtmp.handshake_timeout_s", rtmp.handshake_timeout_s, 1..=60)?;
        within("rtmp.idle_timeout_s", rtmp.idle_timeout_s, 1..=600)?;
        within("srt.latency_ms", srt.latency_ms, 120..=8000)?;
        within("srt.max_sessions", srt.max_sessions, 1..=100_000)?;
        within("srt.max_pending", srt.max_pending, 1..=65_536)?;
        within("srt.handshake_timeout_s", srt.handshake_timeout_s, 1..=60)?;
        within("srt.idle_timeout_s", srt.idle_timeout_s, 1..=600)?;
        within("hls.part_ms", hls.part_ms, 100..=2000)?;
        within("hls.segment_ms", hls.segment_ms, 500..=10_000)?;
        within("hls.window_s", hls.window_s, 6..=3600)?;
        within("live.reconnect_timeout_s", live.reconnect_timeout_s, 1..=3600)?;
        within("live.ended_retention_s", live.ended_retention_s, 10..=86_400)?;
        within("live.max_publishers", live.max_publishers, 1..=10_000)?;
        within("live.max_streams", live.max_streams, 1..=1_000_000)?;
        within("limits.bitrate_kbps", limits.bitrate_kbps, 100..=1_000_000)?;
        within("limits.width", limits.width, 16..=16_384)?;
        within("limits.height", limits.height, 16..=16_384)?;
        within("limits.media_timeout_s", limits.media_timeout_s, 4..=600)?;
        within("limits.keyframe_timeout_s", limits.keyframe_timeout_s, 2..=600)?;
        within("store.queue_mib", store.queue_mib, 1..=65_536)?;
        within("relay.events_per_minute", relay.events_per_minute, 1..=1_000_000)?;
        within("relay.max_clients_per_address", relay.max_clients_per_address, 1..=1_000_000)?;
        within("relay.max_mib", relay.max_mib, 64..=1_000_000)?;
        within("relay.max_events", relay.max_events, 1000..=1_000_000_000)?;
        within("api.max_streams_per_key", api.max_streams_per_key, 1..=100_000)?;
        within("api.requests_per_minute", api.requests_per_minute, 10..=1_000_000)?;
        within("api.ended_retention_h", api.ended_retention_h, 1..=87_600)?;
        within("api.metrics_retention_d", api.metrics_retention_d, 1..=3650)?;
        let named = |name, keys: &[String]| match keys.iter().find(|key| super::public_key(key).is_none()) {
            None => Ok(()),
            Some(key) => Err(OutOfRange {
                name,
                value: key.clone(),
                reason: "it is no public key: npub1…, or 64 hexadecimal digits".into(),
            }),
        };
        named("api.owner", api.owner.as_slice())?;
        let allowed: Vec<_> = api.allow.iter().filter(|key| *key != super::EVERYBODY).cloned().collect();
        named("api.allow", &allowed)?;
        named("relay.hosts", &relay.hosts)?;
        self.check_discovery()?;
        if hls.part_ms * 2 > hls.segment_ms {
            return Err(OutOfRange {
                name: "hls.part_ms",
                value: hls.part_ms.to_string(),
                reason: format!("a segment of {} ms has to hold two parts or more", hls.segment_ms),
            });
        }
        if hls.segment_ms * 3 > hls.window_s * 1000 {
            return Err(OutOfRange {
                name: "hls.window_s",
                value: hls.window_s.to_string(),
                reason: format!("the window has to hold three segments of {} ms or more", hls.segment_ms),
            });
        }
        if http.tls_cert.is_some() != http.tls_key.is_some() {
            let (name, other) =
                if http.tls_cert.is_some() { ("http.tls_cert", "tls_key") } else { ("http.tls_key", "tls_cert") };
            let path = http.tls_cert.as_ref().or(http.tls_key.as_ref());
            return Err(OutOfRange {
                name,
                value: path.map(|path| path.display().to_string()).unwrap_or_default(),
                reason: format!("HTTPS needs {other}, too"),
            });
        }
        if let Some(url) = &http.public_url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Err(OutOfRange {
                name: "http.public_url",
                value: url.clone(),
                reason: "it starts with https:// or http://".into(),
            });
        }
        Ok(())
    }
}

impl Config {
    fn check_discovery(&self) -> Result<(), OutOfRange> {
        const NAME: &str = "discovery.relays";
        let relays = &self.discovery.relays;
        within("the number of discovery.relays", relays.len(), 0..=discovery::MAX_RELAYS)?;
        let is_relay = |url: &&String| is_relay_url(url.trim()) && RelayUrl::parse(url.trim()).is_ok();
        match relays.iter().find(|url| !is_relay(url)) {
            None => Ok(()),
            Some(url) => Err(OutOfRange {
                name: NAME,
                value: url.clone(),
                reason: "it is no relay: wss://relay.example.org".into(),
            }),
        }
    }
}

fn within<T: PartialOrd + Display>(name: &'static str, value: T, range: RangeInclusive<T>) -> Result<(), OutOfRange> {
    if range.contains(&value) {
        return Ok(());
    }
    let reason = format!("it has to be {} to {}", range.start(), range.end());
    Err(OutOfRange { name, value: value.to_string(), reason })
}
