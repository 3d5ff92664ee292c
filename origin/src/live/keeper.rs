//! Time passing: reconnect time-outs, retention, revoked keys, new streams.

use std::{sync::Arc, time::Duration};

use skylark_media::{MediaTime, pipeline::PackageConfig, window::WindowConfig};
use tokio::sync::watch;

use super::{Live, publisher::Stop, state::Rules};

/// How often time-outs are looked at.
const TICK: Duration = Duration::from_millis(250);

/// What the streams depend on.
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

impl Live {
    /// Makes time pass until `stop` becomes true; then every session is told to end.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(TICK);
        let stopped = async move { _ = stop.wait_for(|stop| *stop).await };
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.tick().await,
                () = &mut stopped => break,
            }
        }
        self.stopping.send_replace(true);
        for stream in self.streams.load().values() {
            if let Some(bell) = &stream.desk().bell {
                bell.send_replace(Some(Stop::ShuttingDown));
            }
        }
    }

    async fn tick(&self) {
        let now = self.clock.now();
        for stream in self.streams.load_full().values() {
            let mut writer = stream.writer.lock().await;
            if stream.desk().state.expire(now) {
                if let Some(mut writer) = writer.take() {
                    writer.end().await;
                }
                stream.show_state();
            }
        }
    }
}
