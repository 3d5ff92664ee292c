//! Encoders of this machine: found, ranked, really tried, and set up for live streams.
//!
//! | module | does |
//! |---|---|
//! | `kind` | the encoders there are, the best first, and how each is told what to do |
//! | `trial` | tries them |
//! | `ladder` | which renditions a machine holds |
//! | `branch` | encodes a picture, or the sound, of the running graph |
//! | `beginning` | the frame with which all tracks begin |
//! | `latency` | how long frames take, and which are lost |

mod beginning;
mod branch;
mod kind;
mod ladder;
mod latency;
mod trial;

pub(crate) use beginning::Beginning;
pub(crate) use branch::{Coding, Destination, EncodingBranch, Picture};
pub use kind::{ENCODERS, Kind};
pub(crate) use ladder::threads_for;
pub use ladder::{preset_for, renditions_for};
pub(crate) use latency::Captures;
pub use latency::Latency;
pub use trial::try_encoders;

use skylark_protocol::studio::{EncoderState, OutputSettings, RenditionSettings};

/// What is to be encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingPlan {
    /// Name of the encoder.
    pub encoder: String,
    /// From the best to the least.
    pub renditions: Vec<RenditionSettings>,
    /// For the file alone.
    pub recording: Option<RenditionSettings>,
    /// Of the sound, bits per second.
    pub audio_bitrate_bps: u32,
    /// Between two keyframes, milliseconds.
    pub keyframe_interval_ms: u32,
}

impl EncodingPlan {
    /// The plan for what somebody set, on a machine with these encoders. None: no encoder works.
    #[must_use]
    pub fn of(
        output: &OutputSettings,
        encoders: &[EncoderState],
        canvas: skylark_protocol::studio::Canvas,
    ) -> Option<Self> {
        let chosen = encoders.iter().find(|state| state.works && state.name == output.encoder);
        let encoder = chosen.or_else(|| encoders.iter().find(|state| state.works))?;
        let mut renditions = output.renditions.clone();
        renditions.truncate(OutputSettings::MAX_RENDITIONS);
        if renditions.is_empty() {
            renditions = renditions_for(canvas, encoder.speed_fps);
        }
        let best = *renditions.first()?;
        let recording = (output.recording.bitrate_bps > 0)
            .then_some(RenditionSettings { bitrate_bps: output.recording.bitrate_bps, ..best });
        Some(Self {
            encoder: encoder.name.clone(),
            renditions,
            recording,
            audio_bitrate_bps: output.audio_bitrate_bps.clamp(32_000, 320_000),
            keyframe_interval_ms: output.keyframe_interval_ms.clamp(500, 10_000),
        })
    }
}
