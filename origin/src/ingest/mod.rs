//! What the protocols of publishers share: [`Ingest`] takes container bytes from a socket adapter and hands parts to
//! the live stream.
//!
//! | module | what |
//! |---|---|
//! | [`rtmp`], [`srt`] | twins: accept, authorise, pump the socket into an [`Ingest`] |

pub mod rtmp;
pub mod srt;

use std::{fmt, future::Future, time::Duration};

use skylark_media::pipeline::{Input, Pipeline, PipelineError, PipelineLimits};

use crate::live::{Publisher, Stop};

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

/// One publishing session: pipeline, limits and health between a socket and a live stream.
#[derive(Debug)]
pub struct Ingest {
    publisher: Publisher,
    pipeline: Option<Pipeline>,
}

impl Ingest {
    /// Call [`Ingest::feed`] with [`Input::Tick`] at least so often while nothing else arrives.
    pub const TICK: Duration = Duration::from_millis(250);

    /// A session that has been admitted and has not sent media yet.
    #[must_use]
    pub fn new(publisher: Publisher) -> Self {
        Self { publisher, pipeline: None }
    }

    /// Takes what arrived; returns when viewers can be given what it completes.
    ///
    /// # Errors
    /// When the publisher has to be told to go; then call [`Ingest::finish`] with [`Departure::Refused`].
    pub async fn feed(&mut self, input: Input) -> Result<(), IngestError> {
        let now = self.publisher.now();
        let pipeline = match &mut self.pipeline {
            Some(pipeline) => pipeline,
            None if matches!(input, Input::Tick) => return Ok(()),
            none => {
                let (config, resume) = self.publisher.begin().await?;
                none.insert(Pipeline::new(config, PipelineLimits::default(), resume))
            }
        };
        let fed = pipeline.feed(now, input);
        while let Some(output) = pipeline.poll() {
            self.publisher.push(output).await?;
        }
        Ok(fed?)
    }

    /// Resolves when this session has to end: a newcomer took over, the key was revoked, or the server stops. It
    /// borrows nothing, so it can be polled beside [`Ingest::feed`].
    pub fn superseded(&self) -> impl Future<Output = Stop> + Send + use<> {
        self.publisher.stopped()
    }

    /// What the SRT session knows of its link; about once a second.
    pub fn report_link(&mut self, _link: SrtLink) {}

    /// Ends the session: viewers get what is complete, and the stream waits for the publisher's return. A session that
    /// is dropped without this is taken for lost.
    pub async fn finish(mut self, _departure: Departure) {
        if let Some(mut pipeline) = self.pipeline.take() {
            pipeline.finish(self.publisher.now());
            while let Some(output) = pipeline.poll() {
                if self.publisher.push(output).await.is_err() {
                    break;
                }
            }
        }
    }
}
