//! From a publisher's bytes to parts: demultiplexer, timeline and packager behind one call.

mod packager;
mod rendition;
mod start;
#[cfg(test)]
mod tests;
#[doc(hidden)]
pub mod witness;

use std::time::Duration;

use bytes::Bytes;

pub(crate) use packager::MAX_RENDITIONS;
pub use packager::Packager;

use crate::{
    flv,
    time::{MediaTime, TICKS_PER_SECOND, UnixTime},
    ts,
    unit::RenditionId,
};

/// Longest `EXT-X-TARGETDURATION`, seconds: more than anybody wants, and far from overflowing anything.
const MAX_TARGET_DURATION_S: u32 = 60;

/// Sizes that a broadcast keeps from its first part to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageConfig {
    /// `EXT-X-PART-INF:PART-TARGET`: no part is longer.
    pub part_target: MediaTime,
    /// Segments are cut at the first keyframe from here on (aim, default 2 s).
    pub segment_target: MediaTime,
    /// Segments are cut here even without a keyframe, so that `EXT-X-TARGETDURATION` holds (default 4 s).
    pub segment_max: MediaTime,
}

impl Default for PackageConfig {
    fn default() -> Self {
        Self {
            part_target: MediaTime::from_ms(300),
            segment_target: MediaTime::from_ms(2000),
            segment_max: MediaTime::from_ms(4000),
        }
    }
}

impl PackageConfig {
    /// `EXT-X-TARGETDURATION`: the longest segment, in seconds rounded up. It never changes in a broadcast.
    #[must_use]
    pub fn target_duration_s(&self) -> u32 {
        let ticks = u64::try_from(self.segment_max.ticks()).unwrap_or(0);
        u32::try_from(ticks.div_ceil(TICKS_PER_SECOND as u64)).unwrap_or(u32::MAX).clamp(1, MAX_TARGET_DURATION_S)
    }
}

/// What a publisher may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipelineLimits {
    /// Widest picture, pixels.
    pub max_width: u32,
    /// Highest picture, pixels. Pictures may also be turned: the limits hold for the longer and the shorter side.
    pub max_height: u32,
    /// How long to wait for a keyframe before the publisher is sent away.
    pub keyframe_wait: Duration,
}

impl Default for PipelineLimits {
    fn default() -> Self {
        Self { max_width: 3840, max_height: 2160, keyframe_wait: Duration::from_secs(10) }
    }
}

/// Counters of a pipeline since it began, for health reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PipelineStats {
    /// Video frames packaged.
    pub video_frames: u64,
    /// Audio frames packaged, without those that fill gaps.
    pub audio_frames: u64,
    /// Media bytes taken, both tracks, without container overhead.
    pub media_bytes: u64,
    /// Frames left out: before the first keyframe, without a place on the timeline.
    pub dropped_frames: u64,
    /// Silent audio frames put in where sound was missing.
    pub filled_frames: u64,
    /// Distance of the last two keyframes, milliseconds.
    pub keyframe_interval_ms: Option<u32>,
    /// How much later sound arrives than the picture it belongs to (negative: earlier), milliseconds, smoothed.
    pub av_skew_ms: Option<i32>,
    /// Frames per second × 1000, measured over the last seconds.
    pub frame_rate_millis: Option<u32>,
    /// Jumps of the publisher's clock.
    pub clock_jumps: u64,
    /// Reports of loss from the demultiplexer.
    pub losses: u64,
}

/// Where a publisher's media goes on the broadcast's timeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resume {
    /// The first unit is placed here or later: zero for a new broadcast, otherwise the end of what is already there.
    pub base: MediaTime,
}

/// An init segment and what the multivariant playlist says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Init {
    /// `ftyp` + `moov`.
    pub data: Bytes,
    /// `CODECS`, such as `avc1.64001f,mp4a.40.2`.
    pub codecs: String,
    /// Picture width and height in pixels, if there is a picture.
    pub resolution: Option<(u32, u32)>,
    /// Frames per second × 1000, measured or as the parameter sets claim.
    pub frame_rate_millis: Option<u32>,
    /// What the publisher said it would send, bits per second.
    pub bitrate_bps: Option<u64>,
}

/// A partial segment: one `moof` + `mdat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The bytes, shared by everyone who serves them.
    pub data: Bytes,
    /// Start on the broadcast's timeline (decode time).
    pub start: MediaTime,
    /// How long it plays.
    pub duration: MediaTime,
    /// It starts with a keyframe.
    pub independent: bool,
    /// Wall-clock time of its first presented sample: when that sample arrived, smoothed.
    pub program_date_time: UnixTime,
}

/// What a pipeline yields, in the order in which a window takes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Applies to the parts of this rendition that follow. A segment boundary, and a discontinuity unless first.
    Init(RenditionId, Init),
    /// Timestamps or encoding change here: the next segment carries `EXT-X-DISCONTINUITY`.
    Discontinuity(RenditionId),
    /// The next part of the rendition's current segment.
    Part(RenditionId, Part),
    /// The current segment is complete.
    SegmentEnd(RenditionId),
    /// Something the publisher should know, such as a GOP longer than a segment may be.
    Warning(Warning),
}

/// Something the publisher should know; media still flows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Keyframes are further apart than a segment may be long.
    #[error("keyframes are {gop_ms} ms apart; set the keyframe interval to 2 s")]
    LongGop {
        /// Distance of the last two keyframes, or time without one, milliseconds.
        gop_ms: u32,
    },
    /// The publisher's clock jumped; the stream goes on with a discontinuity.
    #[error("timestamps jumped by {jump_ms} ms")]
    ClockJump {
        /// How far, milliseconds.
        jump_ms: i64,
    },
    /// Units without a place on the timeline were left out.
    #[error("{reason}")]
    Dropped {
        /// Why.
        reason: &'static str,
    },
}

/// What goes into a pipeline.
#[derive(Debug, Clone)]
pub enum Input {
    /// An RTMP audio, video or data message.
    Flv(flv::Tag),
    /// Any number of bytes of an MPEG transport stream.
    Ts(Bytes),
    /// Nothing arrived: lets time pass.
    Tick,
}

/// A publisher's media cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PipelineError {
    /// No keyframe arrived in time.
    #[error("no keyframe within {waited_ms} ms: the encoder must send one at the start and every 2 s")]
    NoKeyframe {
        /// How long the pipeline waited, milliseconds.
        waited_ms: u32,
    },
    /// A codec that Skylark cannot play yet.
    #[error("{codec} is not supported: send H.264 video and AAC audio")]
    UnsupportedCodec {
        /// What was sent.
        codec: String,
    },
    /// The picture is larger than configured.
    #[error("{width}x{height} is larger than the {max_width}x{max_height} allowed here")]
    Resolution {
        /// Sent width.
        width: u32,
        /// Sent height.
        height: u32,
        /// Allowed width.
        max_width: u32,
        /// Allowed height.
        max_height: u32,
    },
    /// The container is malformed.
    #[error("{0}")]
    Malformed(String),
}

/// One publisher's way from container bytes to parts. Sans-IO: `feed`, then `poll` until `None`.
#[derive(Debug)]
pub struct Pipeline {
    packager: Packager,
    demuxer: Option<Demuxer>,
}

/// Chosen by the first input.
#[derive(Debug)]
enum Demuxer {
    Flv(Box<flv::Demuxer>),
    Ts(Box<ts::Demuxer>),
}

impl Pipeline {
    /// A pipeline for one publishing session.
    #[must_use]
    pub fn new(config: PackageConfig, limits: PipelineLimits, resume: Resume) -> Self {
        Self { packager: Packager::new(config, limits, resume), demuxer: None }
    }

    /// Takes what arrived at `now`. `Tick` at least every 250 ms while nothing else arrives.
    ///
    /// # Errors
    /// When the publisher has to be told to go; parts that were complete can still be polled.
    pub fn feed(&mut self, now: UnixTime, input: Input) -> Result<(), PipelineError> {
        let fed = match (input, &mut self.demuxer) {
            (Input::Tick, _) => Ok(()),
            (Input::Flv(tag), demuxer) => match demuxer.get_or_insert_with(|| Demuxer::Flv(Box::default())) {
                Demuxer::Flv(demuxer) => demuxer.feed(tag).map_err(PipelineError::from),
                Demuxer::Ts(_) => Err(PipelineError::Malformed("FLV in a transport stream".to_owned())),
            },
            (Input::Ts(bytes), demuxer) => match demuxer.get_or_insert_with(|| Demuxer::Ts(Box::default())) {
                Demuxer::Ts(demuxer) => demuxer.feed(&bytes).map_err(PipelineError::from),
                Demuxer::Flv(_) => Err(PipelineError::Malformed("a transport stream in FLV".to_owned())),
            },
        };
        self.package(now)?;
        self.packager.tick(now)?;
        fed
    }

    fn package(&mut self, now: UnixTime) -> Result<(), PipelineError> {
        loop {
            let media = match &mut self.demuxer {
                Some(Demuxer::Flv(demuxer)) => demuxer.poll(),
                Some(Demuxer::Ts(demuxer)) => demuxer.poll(),
                None => None,
            };
            match media {
                Some(media) => self.packager.feed(now, media)?,
                None => return Ok(()),
            }
        }
    }

    /// The next output; `None` until more is fed.
    pub fn poll(&mut self) -> Option<Output> {
        self.packager.poll()
    }

    /// Counters so far.
    #[must_use]
    pub fn stats(&self) -> PipelineStats {
        self.packager.stats()
    }

    /// The publisher is gone: what is pending becomes the last part, and the segment ends.
    pub fn finish(&mut self, now: UnixTime) {
        if let Some(Demuxer::Ts(demuxer)) = &mut self.demuxer {
            demuxer.finish();
        }
        // A publisher who is gone need not be told what was wrong with its last frames.
        let _ = self.package(now);
        self.packager.finish();
    }
}
