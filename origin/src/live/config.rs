//! What the streams depend on.

use std::time::Duration;

use skylark_media::{MediaTime, pipeline::PackageConfig, window::WindowConfig};

use super::state::Rules;
use crate::ingest::PublisherLimits;

/// Settings of the streams and their publishers.
#[derive(Debug, Clone)]
pub struct LiveConfig {
    /// Aimed length of a part.
    pub part: Duration,
    /// Aimed length of a segment.
    pub segment: Duration,
    /// Length of the window that viewers can seek in.
    pub window: Duration,
    /// How long a broadcast waits for its publisher's return.
    pub reconnect_timeout: Duration,
    /// How long an ended broadcast can still be played.
    pub ended_retention: Duration,
    /// A session that delivered media within this time keeps its place.
    pub in_use: Duration,
    /// Publishers at once.
    pub max_publishers: usize,
    /// Streams at once, whether live or not.
    pub max_streams: usize,
    /// What a publisher may send.
    pub limits: PublisherLimits,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            part: Duration::from_millis(300),
            segment: Duration::from_secs(2),
            window: Duration::from_secs(30),
            reconnect_timeout: Duration::from_secs(30),
            ended_retention: Duration::from_secs(120),
            in_use: Duration::from_secs(3),
            max_publishers: 100,
            max_streams: 10_000,
            limits: PublisherLimits::default(),
        }
    }
}

impl LiveConfig {
    pub(super) fn rules(&self) -> Rules {
        Rules { in_use: self.in_use, reconnect_timeout: self.reconnect_timeout }
    }

    pub(super) fn window(&self) -> WindowConfig {
        let media = |span: Duration| MediaTime::from_us(i64::try_from(span.as_micros()).unwrap_or(i64::MAX));
        WindowConfig {
            package: PackageConfig {
                part_target: media(self.part),
                segment_target: media(self.segment),
                segment_max: media(self.segment * 2),
            },
            length: media(self.window),
        }
    }
}
