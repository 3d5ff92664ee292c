//! Time passing for streams of Nostr keys: what is over ends, ends are published, what is old is forgotten.

use std::{sync::Arc, time::Duration};

use skylark_protocol::StreamState;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::Streams;
use crate::db::{DbError, OwnedStream, Sample, now_ms};

/// How often streams are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often something is measured.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(10);
/// How often what is old is forgotten.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(3600);
/// A stream that went live by its owner's word waits so long for its first media, and for a sign of life of its owner's
/// client, who gives one every minute.
const FIRST_MEDIA: Duration = Duration::from_secs(180);
/// Ends that are published, and streams that are forgotten, in one go.
const AT_ONCE: u32 = 100;

impl Streams {
    /// Looks after the streams until the server stops.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let stopped = async move { _ = stop.wait_for(|stop| *stop).await };
        tokio::select! {
            () = stopped => {}
            () = self.keep() => {}
        }
    }

    async fn keep(&self) {
        let ticks = |period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (mut looks, mut samples, mut cleanups) = (ticks(TICK), ticks(SAMPLE_INTERVAL), ticks(CLEANUP_INTERVAL));
        let mut failing = false;
        loop {
            let outcome = tokio::select! {
                _ = looks.tick() => self.look().await,
                _ = samples.tick() => self.measure().await,
                _ = cleanups.tick() => self.clean().await,
            };
            if let Err(error) = &outcome
                && !failing
            {
                tracing::error!(%error, "cannot look after streams");
            }
            failing = outcome.is_err();
        }
    }

    /// Ends what is over, and publishes the ends that wait for it.
    pub(super) async fn look(&self) -> Result<(), DbError> {
        for stream in self.db.started().await? {
            let state = self.media(&stream.id).map_or(StreamState::Offline, |media| media.state());
            let has_media = matches!(state, StreamState::Live | StreamState::Reconnecting);
            if has_media && !stream.had_media {
                self.db.mark_had_media(&stream.id).await?;
            }
            if !has_media && self.is_over(&stream, state).await? {
                tracing::info!(stream = %stream.id, "its publisher is gone: over");
                self.end(&stream.id).await?;
            }
        }
        let answer_ms = i64::try_from(self.config.answer_time.as_millis()).unwrap_or(i64::MAX);
        for ending in self.db.unsettled_endings(now_ms() - answer_ms, AT_ONCE).await? {
            if self.publish_ending(&ending).await? {
                self.db.settle_ending(&ending.stream).await?;
            }
        }
        Ok(())
    }

    /// Whether a stream without media is over.
    async fn is_over(&self, stream: &OwnedStream, state: StreamState) -> Result<bool, DbError> {
        if stream.had_media {
            // A server that was restarted and found no media waits as long for the publisher as for one who left.
            let timeout_ms = i64::from(stream.details.reconnect_timeout_s) * 1000;
            return Ok(state == StreamState::Ended || now_ms() - self.opened_at_ms >= timeout_ms);
        }
        let left_at_ms = self.db.ending_left_at_ms(&stream.id).await?;
        let last_sign = [stream.started_at_ms, left_at_ms, Some(self.opened_at_ms)].into_iter().flatten().max();
        let first_media_ms = i64::try_from(FIRST_MEDIA.as_millis()).unwrap_or(i64::MAX);
        Ok(last_sign.is_some_and(|at_ms| now_ms() - at_ms >= first_media_ms))
    }

    async fn measure(&self) -> Result<(), DbError> {
        let at_ms = now_ms();
        for stream in self.db.started().await? {
            let viewers = self.viewers(&stream);
            let health = self.media(&stream.id).and_then(|media| media.status().health);
            let bitrate_bps = health.map_or(0, |health| health.bitrate_bps);
            let sample = Sample { at_ms, viewers: viewers.now, bitrate_bps };
            self.db.add_sample(&stream.id, sample, viewers.peak, viewers.total).await?;
        }
        Ok(())
    }

    /// Forgets streams that ended long ago, and old measurements.
    pub(super) async fn clean(&self) -> Result<(), DbError> {
        let ago = |time: Duration| now_ms() - i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        loop {
            let old = self.db.ended_before(ago(self.config.ended_retention), AT_ONCE).await?;
            for id in &old {
                self.forget(id).await?;
            }
            if old.len() < AT_ONCE as usize {
                break;
            }
        }
        self.db.prune_samples(ago(self.config.metrics_retention)).await?;
        Ok(())
    }
}
