//! From access units to parts: what is behind every demultiplexer.

use std::collections::VecDeque;

use super::{Output, PackageConfig, PipelineError, PipelineLimits, PipelineStats, Resume, rendition::Rendition};
use crate::{
    time::{MediaTime, UnixTime},
    timeline::Timeline,
    unit::{Media, RenditionId},
};

/// Most renditions of one publisher.
pub(crate) const MAX_RENDITIONS: usize = 8;

/// Packages the media of one publishing session.
#[derive(Debug)]
pub struct Packager {
    config: PackageConfig,
    limits: PipelineLimits,
    base: MediaTime,
    timeline: Timeline,
    renditions: Vec<(RenditionId, Rendition)>,
    outputs: VecDeque<Output>,
}

impl Packager {
    /// A packager for one publishing session.
    #[must_use]
    pub fn new(config: PackageConfig, limits: PipelineLimits, resume: Resume) -> Self {
        Self {
            config,
            limits,
            base: resume.base,
            timeline: Timeline::new(resume.base),
            renditions: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes what a demultiplexer made of what arrived at `now`.
    ///
    /// # Errors
    /// When the publisher has to be told to go; parts that were complete can still be polled.
    pub fn feed(&mut self, now: UnixTime, media: Media) -> Result<(), PipelineError> {
        let id = match &media {
            Media::Declared { rendition, .. } => *rendition,
            Media::VideoConfig(id, _) | Media::AudioConfig(id, _) | Media::Lost(id, _) => *id,
            Media::Unit(unit) => unit.rendition,
        };
        let Some(index) = self.index(id) else { return Ok(()) };
        let Some((_, rendition)) = self.renditions.get_mut(index) else { return Ok(()) };
        let fed = match media {
            Media::Declared { video, audio, bitrate_bps, .. } => {
                rendition.declare(now, (video, audio), bitrate_bps);
                Ok(())
            }
            Media::VideoConfig(_, config) => rendition.set_video(now, config),
            Media::AudioConfig(_, config) => {
                rendition.set_audio(now, config);
                Ok(())
            }
            Media::Unit(unit) => rendition.push(&mut self.timeline, now, unit),
            Media::Lost(..) => {
                rendition.stats.losses += 1;
                Ok(())
            }
        };
        self.outputs.append(&mut rendition.outputs);
        fed
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// Like [`Self::feed`].
    pub fn tick(&mut self, now: UnixTime) -> Result<(), PipelineError> {
        for (_, rendition) in &mut self.renditions {
            let ticked = rendition.tick(&mut self.timeline, now);
            self.outputs.append(&mut rendition.outputs);
            ticked?;
        }
        Ok(())
    }

    /// The next output; `None` until more is fed.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Makes parts of what is pending, and ends the segments.
    pub fn finish(&mut self) {
        for (_, rendition) in &mut self.renditions {
            rendition.finish();
            self.outputs.append(&mut rendition.outputs);
        }
    }

    /// Counters of all renditions; intervals, rates and skew of the first.
    #[must_use]
    pub fn stats(&self) -> PipelineStats {
        let mut all = self.renditions.first().map(|(_, rendition)| rendition.stats).unwrap_or_default();
        for (_, rendition) in self.renditions.iter().skip(1) {
            let stats = rendition.stats;
            all.video_frames += stats.video_frames;
            all.audio_frames += stats.audio_frames;
            all.media_bytes += stats.media_bytes;
            all.dropped_frames += stats.dropped_frames;
            all.filled_frames += stats.filled_frames;
            all.clock_jumps += stats.clock_jumps;
            all.losses += stats.losses;
        }
        all
    }

    fn index(&mut self, id: RenditionId) -> Option<usize> {
        if let Some(index) = self.renditions.iter().position(|(known, _)| *known == id) {
            return Some(index);
        }
        if self.renditions.len() >= MAX_RENDITIONS {
            return None;
        }
        let rendition = Rendition::new(id, self.config, self.limits, self.base);
        let index = self.renditions.partition_point(|(known, _)| *known < id);
        self.renditions.insert(index, (id, rendition));
        Some(index)
    }
}
