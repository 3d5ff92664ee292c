//! Time passing: reconnect time-outs, retention, revoked keys, new streams, error logs.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use skylark_media::UnixTime;
use skylark_protocol::StreamId;
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval},
};

use super::{Live, LiveStream, publisher::Stop, writer::BroadcastWriter};
use crate::{
    db::{DbError, LoggedError, StreamCursor},
    store::recovery::Recovered,
};

/// How often time-outs are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often the database is asked for revoked keys and new streams, which other processes may have made.
const DB_INTERVAL: Duration = Duration::from_secs(1);
/// How often old entries of the error logs are deleted.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);
/// Entries of error logs that may wait to be written.
const MAX_QUEUED_ERRORS: usize = 1000;
/// Streams that are read from the database at once.
const STREAMS_AT_ONCE: usize = 1000;
/// A stream may be written to the database so long after the time of its making, milliseconds.
const LATE_MS: i64 = 10_000;
/// Ended broadcasts of one stream that can still be played.
const MAX_ENDED: usize = 3;

/// Entries of error logs on their way to the database.
#[derive(Debug, Default)]
pub(super) struct ErrorQueue {
    waiting: Mutex<VecDeque<(StreamId, LoggedError)>>,
    filled: Notify,
}

impl Live {
    /// Learns which streams there are, and brings back the broadcasts that had not ended when the server did. Answers
    /// how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recover(self: &Arc<Self>) -> Result<usize, DbError> {
        self.set_gates(self.db.gates().await?);
        let mut known = StreamCursor::default();
        while self.learn_streams(&mut known).await? {}
        let (store, now) = (self.store.clone(), self.clock.now());
        let found = match tokio::task::spawn_blocking(move || store.recover(now)).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "looking for broadcasts from before the start failed");
                Vec::new()
            }
        };
        let mut count = 0;
        for recovered in found {
            match self.get(&recovered.stream) {
                Some(stream) => {
                    self.bring_back(&stream, recovered).await;
                    count += 1;
                }
                None => self.store.discard(recovered),
            }
        }
        self.metrics.recovered_broadcasts.add(count as u64);
        Ok(count)
    }

    async fn bring_back(&self, stream: &LiveStream, recovered: Recovered) {
        let mut writers = stream.writers.lock().await;
        let writer = BroadcastWriter::recover(recovered, &self.store, stream.gate());
        let broadcast = Arc::clone(writer.broadcast());
        stream.desk().state.recover(self.clock.now());
        writers.current = Some(writer);
        stream.show(&broadcast);
        tracing::info!(stream = %stream.id(), broadcast = broadcast.id(), "brought back: waiting for its publisher");
    }

    /// Makes time pass until `stop` becomes true; then every session is told to end.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let stopped = async move { _ = stop.wait_for(|stop| *stop).await };
        tokio::select! {
            () = stopped => {}
            () = self.keep_time() => {}
            () = self.follow_database() => {}
            () = self.write_errors() => {}
        }
        self.stopping.send_replace(true);
        for stream in self.streams.load().values() {
            if let Some(bell) = &stream.desk().bell {
                bell.send_replace(Some(Stop::ShuttingDown));
            }
        }
    }

    async fn keep_time(&self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.clock.now();
            for stream in self.streams.load_full().values() {
                self.expire(stream, now);
            }
        }
    }

    /// Ends the stream's broadcast if nobody came back, and forgets those that ended long ago.
    fn expire(&self, stream: &LiveStream, now: UnixTime) {
        // One that is being written to does not expire.
        let Ok(mut writers) = stream.writers.try_lock() else { return };
        if stream.desk().state.expire(now) {
            if let Some(mut writer) = writers.current.take() {
                writer.end();
                tracing::info!(stream = %stream.id(), broadcast = writer.broadcast().id(), "ended");
                writers.ended.push((now, writer));
            }
            stream.show_state();
        }
        if !stream.desk().state.has_broadcast()
            && let Some(unseen) = writers.current.take()
        {
            // Its publisher left before there was anything to see.
            unseen.remove();
        }
        let retention = self.config.ended_retention;
        while let Some((at, _)) = writers.ended.first()
            && (now.since(*at) >= retention || writers.ended.len() > MAX_ENDED)
        {
            let (_, writer) = writers.ended.remove(0);
            stream.hide(writer.broadcast().id());
            writer.remove();
        }
    }

    async fn follow_database(&self) {
        let mut ticks = interval(DB_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = StreamCursor::default();
        let mut failing = false;
        loop {
            ticks.tick().await;
            let outcome = match self.close_revoked().await {
                Ok(()) => self.learn_streams(&mut known).await.map(|_| ()),
                Err(error) => Err(error),
            };
            if let Err(error) = &outcome
                && !failing
            {
                tracing::error!(%error, "cannot follow the database");
            }
            failing = outcome.is_err();
        }
    }

    /// Ends the sessions whose keys were revoked.
    async fn close_revoked(&self) -> Result<(), DbError> {
        let streams = self.streams.load_full();
        let held: Vec<(i64, &Arc<LiveStream>)> =
            streams.values().filter_map(|stream| Some((stream.desk().key?, stream))).collect();
        if held.is_empty() {
            return Ok(());
        }
        let keys: Vec<i64> = held.iter().map(|(key, _)| *key).collect();
        let revoked = self.db.revoked_among(&keys).await?;
        for (key, stream) in held.into_iter().filter(|(key, _)| revoked.contains(key)) {
            let desk = stream.desk();
            if let Some(bell) = desk.bell.as_ref().filter(|_| desk.key == Some(key)) {
                tracing::info!(stream = %stream.id(), key, "the publisher's key was revoked");
                bell.send_replace(Some(Stop::Revoked));
            }
        }
        Ok(())
    }

    /// Reads on in the list of streams from `known`; false when there were no more.
    async fn learn_streams(&self, known: &mut StreamCursor) -> Result<bool, DbError> {
        let fresh = self.db.streams(known, STREAMS_AT_ONCE).await?;
        for id in fresh.iter().filter_map(|fresh| fresh.id.as_ref()) {
            if self.know(id).is_none() {
                tracing::warn!(max_streams = self.config.max_streams, "there are more streams than the server takes");
                return Ok(false);
            }
        }
        let is_full = fresh.len() == STREAMS_AT_ONCE;
        if let Some(last) = fresh.into_iter().next_back() {
            *known = match is_full {
                true => last,
                // Another process may still write what it made before this one.
                false => StreamCursor { created_at_ms: last.created_at_ms - LATE_MS, id: None },
            };
        }
        Ok(is_full)
    }

    /// Adds to a stream's error log, soon.
    pub(super) fn log_error(&self, stream: &StreamId, code: &str, message: String) {
        let entry = LoggedError { at_ms: self.clock.now().as_ms(), code: code.to_owned(), message };
        {
            let mut waiting = self.errors.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() >= MAX_QUEUED_ERRORS {
                self.metrics.errors_dropped.increment();
                return;
            }
            waiting.push_back((stream.clone(), entry));
        }
        self.errors.filled.notify_one();
    }

    async fn write_errors(&self) {
        let mut prune = interval(PRUNE_INTERVAL);
        loop {
            tokio::select! {
                () = self.errors.filled.notified() => self.flush_errors().await,
                _ = prune.tick() => {
                    if let Err(error) = self.db.prune_errors().await {
                        tracing::error!(%error, "cannot delete old errors");
                    }
                }
            }
        }
    }

    /// Writes down what waits for the error logs.
    pub(crate) async fn flush_errors(&self) {
        loop {
            let next = self.errors.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((stream, entry)) = next else { return };
            if let Err(error) = self.db.log_error(&stream, &entry).await {
                self.metrics.errors_dropped.increment();
                tracing::error!(%error, "cannot write to an error log");
            }
        }
    }
}
