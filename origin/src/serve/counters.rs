//! What the HTTP port counts besides [answers](crate::metrics::Metrics::answer).

use crate::metrics::{Counter, Gauge, Page};

/// Counts of one server.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Open connections.
    pub(super) connections: Gauge,
    /// Connections accepted.
    pub(super) accepted: Counter,
    /// Connections turned away: there were too many.
    pub(super) turned_away: Counter,
    /// Connections closed because their viewers read too slowly.
    pub(super) slow: Counter,
    /// Bytes of playlists and media given to viewers.
    pub(super) media_bytes: Counter,
}

impl Counters {
    /// Writes everything that is counted here.
    pub(super) fn render(&self, page: &mut Page) {
        page.gauge("skylark_http_connections", "Open HTTP connections.", self.connections.get());
        let ended = [
            ("accepted", self.accepted.get()),
            ("turned_away", self.turned_away.get()),
            ("slow_reader", self.slow.get()),
        ];
        page.counters("skylark_http_connections_total", "HTTP connections, and what became of some.", "what", ended);
        let bytes = self.media_bytes.get();
        page.counter("skylark_http_media_bytes_total", "Bytes of playlists and media given to viewers.", bytes);
    }
}
