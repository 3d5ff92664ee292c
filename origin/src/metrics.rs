//! What `/metrics` shows, in Prometheus' text format (version 0.0.4): totals of the server, none per stream, so that
//! their number is fixed.

use std::{
    fmt::{Display, Write as _},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{ingest::Protocol, live::Refusal};

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Counts several.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number of things that are there now.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// One more, until what it answers is dropped.
    pub fn enter(&self) -> Present<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Present(self)
    }

    /// How many there are.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts in a [`Gauge`] while it exists.
#[derive(Debug)]
pub struct Present<'a>(&'a Gauge);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What one protocol's publishers brought.
#[derive(Debug, Default)]
pub struct IngestCounters {
    /// Sessions admitted.
    pub sessions: Counter,
    /// Container bytes taken.
    pub bytes: Counter,
    /// Video frames packaged.
    pub video_frames: Counter,
    /// Audio frames packaged.
    pub audio_frames: Counter,
    /// Parts announced.
    pub parts: Counter,
}

/// The server's counters.
#[derive(Debug, Default)]
pub struct Metrics {
    rtmp: IngestCounters,
    srt: IngestCounters,
    refused: [Counter; REFUSALS.len()],
    departures: [Counter; DEPARTURES.len()],
    http: [Counter; HTTP_CLASSES.len()],
    /// Media requests in progress: mostly held ones.
    pub http_held: Gauge,
    /// Broadcasts brought back at the start.
    pub recovered_broadcasts: Counter,
    /// Entries of error logs that could not be kept.
    pub errors_dropped: Counter,
}

const REFUSALS: [(Refusal, &str); 7] = [
    (Refusal::UnknownKey, "unknown_key"),
    (Refusal::Revoked, "revoked"),
    (Refusal::Over, "over"),
    (Refusal::InUse, "in_use"),
    (Refusal::TooManyPublishers, "too_many_publishers"),
    (Refusal::ShuttingDown, "shutting_down"),
    (Refusal::Unavailable, "unavailable"),
];
/// How sessions end: in the order of [`Departure`](crate::ingest::Departure)'s variants.
const DEPARTURES: [&str; 3] = ["clean", "lost", "refused"];
const HTTP_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Metrics {
    /// The counters of a protocol.
    #[must_use]
    pub fn ingest(&self, protocol: Protocol) -> &IngestCounters {
        match protocol {
            Protocol::Rtmp => &self.rtmp,
            Protocol::Srt => &self.srt,
        }
    }

    /// Somebody was not let in.
    pub fn refuse(&self, refusal: Refusal) {
        for ((known, _), counter) in REFUSALS.iter().zip(&self.refused) {
            if *known == refusal {
                counter.increment();
            }
        }
    }

    /// A session ended in this way (an index of `clean`, `lost`, `refused`).
    pub(crate) fn depart(&self, how: usize) {
        if let Some(counter) = self.departures.get(how) {
            counter.increment();
        }
    }

    /// A request was answered with this status.
    pub fn answer(&self, status: u16) {
        if let Some(counter) = self.http.get(usize::from(status / 100).wrapping_sub(1)) {
            counter.increment();
        }
    }

    /// Writes everything that is counted here.
    pub fn render(&self, page: &mut Page) {
        let protocols = [("rtmp", &self.rtmp), ("srt", &self.srt)];
        type Pick = fn(&IngestCounters) -> &Counter;
        let by_protocol: [(&str, &str, Pick); 5] = [
            ("skylark_ingest_sessions_total", "Publishing sessions admitted.", |counters| &counters.sessions),
            ("skylark_ingest_bytes_total", "Container bytes taken from publishers.", |counters| &counters.bytes),
            ("skylark_ingest_video_frames_total", "Video frames packaged.", |counters| &counters.video_frames),
            ("skylark_ingest_audio_frames_total", "Audio frames packaged.", |counters| &counters.audio_frames),
            ("skylark_parts_total", "Parts announced.", |counters| &counters.parts),
        ];
        for (name, help, counter) in by_protocol {
            page.counters(
                name,
                help,
                "protocol",
                protocols.map(|(protocol, counters)| (protocol, counter(counters).get())),
            );
        }
        let refused = REFUSALS.iter().zip(&self.refused).map(|((_, reason), counter)| (*reason, counter.get()));
        page.counters("skylark_refused_total", "Publishers not let in.", "reason", refused);
        let departures = DEPARTURES.iter().zip(&self.departures).map(|(how, counter)| (*how, counter.get()));
        page.counters("skylark_departures_total", "Publishing sessions that ended.", "how", departures);
        let http = HTTP_CLASSES.iter().zip(&self.http).map(|(class, counter)| (*class, counter.get()));
        page.counters("skylark_http_responses_total", "HTTP responses.", "class", http);
        page.gauge(
            "skylark_http_held",
            "Media requests in progress, mostly held until there is something new.",
            self.http_held.get(),
        );
        let recovered = self.recovered_broadcasts.get();
        page.counter("skylark_recovered_broadcasts_total", "Broadcasts brought back at the start.", recovered);
        let dropped = self.errors_dropped.get();
        page.counter("skylark_errors_dropped_total", "Error log entries that could not be kept.", dropped);
    }
}

/// A page in Prometheus' text format.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// A counter without labels.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        self.line(format_args!("{name} {value}"));
    }

    /// A gauge without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, help, "gauge");
        self.line(format_args!("{name} {value}"));
    }

    /// A counter with one label; its values have to be plain words.
    pub fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.head(name, help, "counter");
        for (word, value) in values {
            self.line(format_args!("{name}{{{label}=\"{word}\"}} {value}"));
        }
    }

    /// A gauge with one label; its values have to be plain words.
    pub fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.head(name, help, "gauge");
        for (word, value) in values {
            self.line(format_args!("{name}{{{label}=\"{word}\"}} {value}"));
        }
    }

    /// The page's text.
    #[must_use]
    pub fn finish(self) -> String {
        self.0
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        _ = writeln!(self.0, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_help_and_type_once() {
        let metrics = Metrics::default();
        metrics.ingest(Protocol::Srt).bytes.add(1316);
        metrics.refuse(Refusal::InUse);
        metrics.answer(404);
        metrics.answer(0);
        let held = metrics.http_held.enter();
        let mut page = Page::default();
        metrics.render(&mut page);
        let text = page.finish();
        for line in [
            "skylark_ingest_bytes_total{protocol=\"srt\"} 1316",
            "skylark_refused_total{reason=\"in_use\"} 1",
            "skylark_http_responses_total{class=\"4xx\"} 1",
            "skylark_http_held 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            assert_eq!(text.matches(&format!("# TYPE {name} ")).count(), 1, "{name}");
            assert_eq!(text.matches(&format!("# HELP {name} ")).count(), 1, "{name}");
        }
        drop(held);
        assert_eq!(metrics.http_held.get(), 0);
    }
}
