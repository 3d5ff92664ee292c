//! What a stream's owner may do to it, whoever publishes.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use skylark_protocol::StreamId;

use super::{Live, LiveStream, gate::Gate, publisher::Stop};

impl Live {
    /// Makes a stream known at once that was just written to the database.
    pub fn introduce(&self, id: &StreamId) -> Option<Arc<LiveStream>> {
        self.know(id)
    }

    /// From now on these, and nobody else, may watch: the stream is private.
    pub fn set_gate(&self, id: &StreamId, gate: Gate) {
        self.set_gates([(id.clone(), gate)]);
    }

    pub(super) fn set_gates(&self, gates: impl IntoIterator<Item = (StreamId, Gate)>) {
        // The map is whole after every statement: a panic elsewhere does not spoil it.
        let mut known = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, gate) in gates {
            let gate = Arc::new(gate);
            known.insert(id.clone(), Arc::clone(&gate));
            if let Some(stream) = self.get(&id) {
                stream.gate().store(Some(gate));
            }
        }
    }

    /// How long the stream's broadcasts wait for their publisher's return from now on.
    pub fn set_reconnect_timeout(&self, id: &StreamId, timeout: Duration) {
        if let Some(stream) = self.know(id) {
            stream.desk().state.set_reconnect_timeout(timeout);
        }
    }

    /// Ends the stream's broadcast now, and its publisher's session.
    pub async fn end(&self, id: &StreamId) {
        let Some(stream) = self.get(id) else { return };
        let mut writers = stream.writers.lock().await;
        let ends = {
            let mut desk = stream.desk();
            if let Some(bell) = desk.bell.take() {
                bell.send_replace(Some(Stop::Ended));
            }
            desk.key = None;
            desk.place = None;
            desk.state.end()
        };
        if let Some(mut writer) = writers.current.take() {
            if ends {
                writer.end();
                tracing::info!(stream = %id, broadcast = writer.broadcast().id(), "ended by its owner");
                writers.ended.push((self.clock.now(), writer));
            } else {
                // Nobody has seen anything of it.
                writer.remove();
            }
        }
        stream.show_health(None);
        stream.show_state();
    }

    /// Forgets a stream that is no longer in the database, and its media.
    pub async fn forget(&self, id: &StreamId) {
        self.end(id).await;
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        let Some(stream) = self.get(id) else { return };
        self.streams.rcu(|streams| {
            let mut streams = std::collections::HashMap::clone(streams);
            streams.remove(id);
            streams
        });
        for (_, writer) in stream.writers.lock().await.ended.drain(..) {
            stream.hide(writer.broadcast().id());
            writer.remove();
        }
    }
}
