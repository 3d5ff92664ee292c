//! What the protocols of publishers share: [`Ingest`] takes container bytes from a socket adapter and hands parts to
//! the live stream.
//!
//! | module | what |
//! |---|---|
//! | [`rtmp`], [`srt`] | twins: accept, authorise, pump the socket into an [`Ingest`] |
//! | [`multitrack`] | what OBS is told to send when it asks |
//! | `limits` | what a publisher may send |

mod limits;
pub mod multitrack;
pub mod rtmp;
pub mod srt;

use std::{fmt, future::Future, time::Duration};

use skylark_media::{
    UnixTime,
    flv::TagKind,
    pipeline::{Input, Output, Pipeline, PipelineError, PipelineStats, Warning},
};

pub use self::limits::PublisherLimits;
use self::limits::{Allowance, Noted};
use crate::{
    health::Meter,
    live::{Publisher, Stop},
};

/// How a publisher reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RTMP over TCP.
    Rtmp,
    /// SRT over UDP.
    Srt,
}

impl Protocol {
    /// As it stands in logs, metrics and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Srt => "srt",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What an SRT session knows of its link; for the publisher's health.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SrtLink {
    /// Packets received since the session began.
    pub received: u64,
    /// Packets given up as lost since the session began.
    pub lost: u64,
    /// Packets that arrived as retransmissions since the session began.
    pub retransmitted: u64,
    /// Round-trip time.
    pub rtt: Duration,
}

/// Why a publisher is gone.
#[derive(Debug)]
pub enum Departure {
    /// It said goodbye.
    Clean,
    /// Its connection was lost, or its protocol broken: what happened.
    Lost(String),
    /// We had to turn it out.
    Refused(IngestError),
}

impl Departure {
    /// Its place among the metrics' departures.
    fn index(&self) -> usize {
        match self {
            Self::Clean => 0,
            Self::Lost(_) => 1,
            Self::Refused(_) => 2,
        }
    }
}

/// A publisher's media cannot go on: tell it, then close.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum IngestError {
    /// Its media cannot be packaged.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// It sends more than is allowed.
    #[error("{bitrate_bps} bit/s is more than the {max_bitrate_bps} bit/s allowed here")]
    Bitrate {
        /// What it sent over the last seconds.
        bitrate_bps: u64,
        /// What it may send.
        max_bitrate_bps: u64,
    },
    /// It sends nothing.
    #[error("no media for {idle_s} s")]
    Idle {
        /// For how long.
        idle_s: u64,
    },
    /// It has to go for another reason.
    #[error(transparent)]
    Stopped(#[from] Stop),
}

impl IngestError {
    /// Stable name, for error logs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pipeline(PipelineError::NoKeyframe { .. }) => "no-keyframe",
            Self::Pipeline(PipelineError::UnsupportedCodec { .. }) => "unsupported-codec",
            Self::Pipeline(PipelineError::Resolution { .. }) => "resolution",
            Self::Pipeline(_) => "malformed",
            Self::Bitrate { .. } => "bitrate",
            Self::Idle { .. } => "idle",
            Self::Stopped(Stop::Superseded) => "superseded",
            Self::Stopped(Stop::Revoked) => "revoked",
            Self::Stopped(Stop::Ended) => "ended",
            Self::Stopped(Stop::ShuttingDown | Stop::Unavailable) => "server",
        }
    }
}

/// One publishing session: pipeline, limits and health between a socket and a live stream.
#[derive(Debug)]
pub struct Ingest {
    publisher: Publisher,
    pipeline: Option<Pipeline>,
    allowance: Allowance,
    meter: Meter,
    bytes: u64,
    media_bytes: u64,
    began_at: UnixTime,
    last_media: UnixTime,
    counted: PipelineStats,
    noted: Noted,
}

impl Ingest {
    /// Call [`Ingest::feed`] with [`Input::Tick`] at least so often while nothing else arrives.
    pub const TICK: Duration = Duration::from_millis(250);

    /// A session that has been admitted and has not sent media yet.
    #[must_use]
    pub fn new(publisher: Publisher) -> Self {
        let now = publisher.now();
        let max_bitrate_bps = publisher.limits().bitrate_bps;
        publisher.metrics().ingest(publisher.protocol()).sessions.increment();
        Self {
            meter: Meter::new(publisher.protocol(), max_bitrate_bps, now),
            allowance: Allowance::new(max_bitrate_bps),
            pipeline: None,
            bytes: 0,
            media_bytes: 0,
            began_at: now,
            last_media: now,
            counted: PipelineStats::default(),
            noted: Noted::default(),
            publisher,
        }
    }

    /// Takes what arrived; returns when viewers can be given what it completes.
    ///
    /// # Errors
    /// When the publisher has to be told to go; then call [`Ingest::finish`] with [`Departure::Refused`].
    pub async fn feed(&mut self, input: Input) -> Result<(), IngestError> {
        let now = self.publisher.now();
        let (bytes, may_begin) = weigh(&input);
        if bytes > 0 {
            self.bytes += bytes;
            self.publisher.metrics().ingest(self.publisher.protocol()).bytes.add(bytes);
            self.allowance.spend(now, bytes)?;
        }
        let fed = match self.pipeline(now, may_begin).await? {
            Some(pipeline) => pipeline.feed(now, input),
            None => Ok(()),
        };
        self.expect_media(now)?;
        self.drain(now).await?;
        fed?;
        if self.meter.is_due(now) {
            self.measure(now);
            self.expect_frames(now)?;
        }
        Ok(())
    }

    /// Only picture and sound keep a session: an encoder without input goes on sending tables and stuffing.
    fn expect_media(&mut self, now: UnixTime) -> Result<(), IngestError> {
        let media_bytes = self.pipeline.as_ref().map_or(0, |pipeline| pipeline.stats().media_bytes);
        if media_bytes > self.media_bytes {
            (self.media_bytes, self.last_media) = (media_bytes, now);
            self.publisher.deliver(now);
            return Ok(());
        }
        let silent = now.since(self.last_media);
        if silent < self.publisher.limits().media_timeout {
            return Ok(());
        }
        Err(IngestError::Idle { idle_s: silent.as_secs() })
    }

    /// Bytes in which there is neither picture nor sound do not hold a stream for ever.
    fn expect_frames(&self, now: UnixTime) -> Result<(), IngestError> {
        let waited = now.since(self.began_at);
        let packaged = self.counted.video_frames + self.counted.audio_frames;
        if packaged == 0 && waited > self.publisher.limits().keyframe_timeout {
            let waited_ms = u32::try_from(waited.as_millis()).unwrap_or(u32::MAX);
            return Err(PipelineError::NoKeyframe { waited_ms }.into());
        }
        Ok(())
    }

    /// Resolves when this session has to end: a newcomer took over, the key was revoked, or the server stops. It
    /// borrows nothing, so it can be polled beside [`Ingest::feed`].
    pub fn superseded(&self) -> impl Future<Output = Stop> + Send + use<> {
        self.publisher.stopped()
    }

    /// What the SRT session knows of its link; about once a second.
    pub fn report_link(&mut self, link: SrtLink) {
        self.meter.link(link);
    }

    /// Ends the session: viewers get what is complete, and the stream waits for the publisher's return. A session that
    /// is dropped without this is taken for lost.
    pub async fn finish(mut self, departure: Departure) {
        let now = self.publisher.now();
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.finish(now);
            // When another session has taken over, what was pending has no place any more.
            _ = self.drain(now).await;
            self.measure(now);
        }
        self.publisher.metrics().depart(departure.index());
        match departure {
            Departure::Clean => {}
            Departure::Lost(reason) => self.publisher.log_error("connection-lost", reason),
            Departure::Refused(IngestError::Stopped(Stop::ShuttingDown | Stop::Ended)) => {}
            Departure::Refused(error) => self.publisher.log_error(error.code(), error.to_string()),
        }
    }

    /// The pipeline; made when the first media arrives.
    async fn pipeline(&mut self, now: UnixTime, may_begin: bool) -> Result<Option<&mut Pipeline>, Stop> {
        if self.pipeline.is_none() && may_begin {
            self.began_at = now;
            let (config, resume) = self.publisher.begin().await?;
            self.pipeline = Some(Pipeline::new(config, self.publisher.limits().pipeline(), resume));
        }
        Ok(self.pipeline.as_mut())
    }

    /// Stores and announces what the pipeline has.
    async fn drain(&mut self, now: UnixTime) -> Result<(), Stop> {
        while let Some(output) = self.pipeline.as_mut().and_then(Pipeline::poll) {
            match output {
                Output::Warning(warning) => {
                    if self.noted.is_news(code(&warning), now) {
                        tracing::warn!(stream = %self.publisher.stream_id(), %warning, "the publisher's media is faulty");
                        self.publisher.log_error(code(&warning), warning.to_string());
                    }
                }
                output => {
                    if matches!(output, Output::Part(..)) {
                        self.publisher.metrics().ingest(self.publisher.protocol()).parts.increment();
                    }
                    self.publisher.push(output).await?;
                }
            }
        }
        Ok(())
    }

    fn measure(&mut self, now: UnixTime) {
        let Some(pipeline) = &self.pipeline else { return };
        let stats = pipeline.stats();
        let counters = self.publisher.metrics().ingest(self.publisher.protocol());
        counters.video_frames.add(stats.video_frames.saturating_sub(self.counted.video_frames));
        counters.audio_frames.add(stats.audio_frames.saturating_sub(self.counted.audio_frames));
        self.counted = stats;
        let health = self.meter.sample(now, self.bytes, stats);
        self.publisher.show_health(health);
    }
}

/// Bytes of an input, and whether they may be sound or picture.
fn weigh(input: &Input) -> (u64, bool) {
    match input {
        Input::Flv(tag) => (tag.data.len() as u64, tag.kind != TagKind::Data),
        Input::Ts(bytes) => (bytes.len() as u64, !bytes.is_empty()),
        Input::Tick => (0, false),
    }
}

/// Stable name of a warning, for error logs.
fn code(warning: &Warning) -> &'static str {
    match warning {
        Warning::LongGop { .. } => "long-gop",
        Warning::ClockJump { .. } => "clock-jump",
        Warning::Dropped { .. } => "dropped-frames",
    }
}

#[cfg(test)]
mod tests;
