//! Where parts and segments are cut.
//!
//! Picture leads. A part is cut at a frame boundary that makes it as long as PART-TARGET allows and at least
//! [`PART_MIN_PERCENT`] of it. At a frame rate where no boundary lies there (12 or 5 frames per second and 0.3 s), it
//! is cut at PART-TARGET exactly: a frame belongs to the part in which it starts, and may last into the next one.
//! When frames come regularly, a part is cut with its last frame and not with the one after: the frame's predicted
//! duration is written, and the timeline places the next one where it ends.
//!
//! Sound goes into a part as far as it is there: it is never waited for, and what comes late is in the next part.
//!
//! A segment ends at the first keyframe from [`SEGMENT_MIN_PERCENT`] of its target on; one that started without a
//! keyframe ends at the first there is; without one it ends where the next part could break TARGETDURATION.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{
    pipeline::PackageConfig,
    time::{MediaTime, TICKS_PER_SECOND},
    timeline::{Ahead, ROUNDING, sample_time},
};

/// Least duration of a part, of PART-TARGET (rfc8216bis §4.4.4.9); the last of a segment may be shorter.
const PART_MIN_PERCENT: i64 = 85;
/// A keyframe that comes a little before the target still ends a segment.
const SEGMENT_MIN_PERCENT: i64 = 90;
/// EXTINF is rounded to the nearest second before it is compared with TARGETDURATION (rfc8216bis §4.4.3.1).
const ROUNDED_DOWN: MediaTime = MediaTime::from_ticks(TICKS_PER_SECOND * 45 / 100);
/// So long after its last frame a picture is given up, and sound goes on alone.
const VIDEO_STALL: MediaTime = MediaTime::from_ms(1500);
/// Most frames of sound that wait for their picture; far more than fit into [`VIDEO_STALL`].
const MAX_QUEUED_AUDIO: usize = 2048;

/// A picture on the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VideoSample {
    pub(crate) dts: MediaTime,
    /// Presentation time minus decode time.
    pub(crate) composition: MediaTime,
    /// Zero as long as it is not known.
    pub(crate) duration: MediaTime,
    pub(crate) keyframe: bool,
    pub(crate) data: Bytes,
}

/// A frame of sound on the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AudioSample {
    /// Samples since the timeline's start.
    pub(crate) position: i64,
    pub(crate) data: Bytes,
}

/// How long a frame of sound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AudioFormat {
    pub(crate) sample_rate: u32,
    pub(crate) frame_samples: u32,
}

/// What the segmenter decides.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// These samples are a part.
    Part(PartSamples),
    /// The parts since the last of these are a segment.
    SegmentEnd,
    /// The segment ended without a keyframe; so long after the last one.
    LongGop(MediaTime),
}

/// The content of a part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PartSamples {
    pub(crate) start: MediaTime,
    pub(crate) duration: MediaTime,
    pub(crate) independent: bool,
    pub(crate) video: Vec<VideoSample>,
    pub(crate) audio: Vec<AudioSample>,
}

/// Cuts one rendition, from an init segment or discontinuity to the next.
#[derive(Debug)]
pub(crate) struct Segmenter {
    part_target: MediaTime,
    part_min: MediaTime,
    segment_target: MediaTime,
    segment_min: MediaTime,
    segment_limit: MediaTime,
    has_video: bool,
    audio_format: Option<AudioFormat>,
    part_start: MediaTime,
    segment_start: MediaTime,
    /// The current segment starts with a keyframe; `None` before its first part.
    segment_independent: Option<bool>,
    /// Frames that are in no part yet. Only the last has no duration.
    frames: Vec<VideoSample>,
    /// Where the last frame that is in a part ends.
    video_end: MediaTime,
    audio: VecDeque<AudioSample>,
    stalled: bool,
    last_keyframe: Option<MediaTime>,
    gop: Option<MediaTime>,
    cuts: VecDeque<Cut>,
}

impl Segmenter {
    /// A segmenter for the tracks there are; its first segment begins at `start`.
    pub(crate) fn new(config: PackageConfig, has_video: bool, audio: Option<AudioFormat>, start: MediaTime) -> Self {
        let percent = |span: MediaTime, percent| MediaTime::from_ticks(span.ticks().saturating_mul(percent) / 100);
        let part_target = config.part_target.max(MediaTime::from_ms(1));
        let target_duration = MediaTime::from_ms(1000 * i64::from(config.target_duration_s()));
        Self {
            part_target,
            part_min: MediaTime::from_ticks((part_target.ticks().saturating_mul(PART_MIN_PERCENT) + 99) / 100),
            segment_target: config.segment_target,
            segment_min: percent(config.segment_target, SEGMENT_MIN_PERCENT),
            segment_limit: target_duration + ROUNDED_DOWN,
            has_video,
            audio_format: audio,
            part_start: start,
            segment_start: start,
            segment_independent: None,
            frames: Vec::new(),
            video_end: start,
            audio: VecDeque::new(),
            stalled: false,
            last_keyframe: None,
            gop: None,
            cuts: VecDeque::new(),
        }
    }

    /// The next decision; `None` until there is more.
    pub(crate) fn poll(&mut self) -> Option<Cut> {
        self.cuts.pop_front()
    }

    /// Where the parts so far end.
    pub(crate) fn end(&self) -> MediaTime {
        self.part_start
    }

    /// The last frame's time, or where the last one that is in a part ends.
    pub(crate) fn picture(&self) -> MediaTime {
        self.frames.last().map_or(self.video_end, |last| last.dts)
    }

    /// The picture has been given up: it can come back with a keyframe, and another segmenter.
    pub(crate) fn stalled(&self) -> bool {
        self.stalled
    }

    /// Distance of the last two keyframes.
    pub(crate) fn keyframe_interval(&self) -> Option<MediaTime> {
        self.gop
    }

    /// Takes the next frame, later than all before; `ahead` is what is expected of the one after it. Answers where
    /// that one has to start, if this one's duration has already been written.
    pub(crate) fn push_video(&mut self, frame: VideoSample, ahead: Ahead) -> Option<MediaTime> {
        let time = frame.dts;
        self.finish_frame(time);
        if frame.keyframe {
            self.gop = self.last_keyframe.map(|last| time - last).or(self.gop);
            self.last_keyframe = Some(time);
            if self.segment_ends_at(time) {
                self.close_segment(time);
            }
        }
        self.cut_up_to(time, ahead.interval);
        self.frames.push(frame);
        self.cut_ahead(ahead)
    }

    /// Takes the next frame of sound. Answers like [`Self::push_video`].
    pub(crate) fn push_audio(&mut self, sample: AudioSample, ahead: Ahead) -> Option<MediaTime> {
        let format = self.audio_format?;
        let end = sample_time(sample.position + i64::from(format.frame_samples), format.sample_rate);
        self.audio.push_back(sample);
        if self.audio.len() > MAX_QUEUED_AUDIO {
            self.audio.pop_front();
        }
        if !self.has_video || self.stalled {
            self.cut_sound(format);
            return None;
        }
        let committed = self.cut_between_frames(end, ahead);
        let seen = self.picture();
        if end - seen > VIDEO_STALL {
            self.finish_frame(seen + ahead.interval);
            self.stalled = true;
            self.cut_sound(format);
        }
        committed
    }

    /// Ends the last segment. `at`: where what follows begins; otherwise the last frame ends after `interval`.
    pub(crate) fn finish(&mut self, at: Option<MediaTime>, interval: MediaTime) {
        let frames_end = self.frames.last().map(|last| at.filter(|at| *at > last.dts).unwrap_or(last.dts + interval));
        if let Some(end) = frames_end {
            self.finish_frame(end);
        }
        let sound_end = self.audio_format.and_then(|format| {
            let last = self.audio.back()?.position + i64::from(format.frame_samples);
            Some(sample_time(last, format.sample_rate))
        });
        let end = match (at, frames_end) {
            (Some(at), frames_end) => frames_end.map_or(at, |end| end.max(at)),
            (None, Some(end)) => end,
            (None, None) if self.has_video && !self.stalled => self.video_end,
            (None, None) => sound_end.unwrap_or(self.part_start),
        };
        // Pictures that came later than the sound they belong to still need a part.
        let late = !self.frames.is_empty() && end <= self.part_start;
        self.close_segment(if late { self.part_start + interval.min(self.part_target) } else { end });
    }

    /// The frame before one at `end` is now known to last until then.
    fn finish_frame(&mut self, end: MediaTime) {
        if let Some(last) = self.frames.last_mut() {
            last.duration = end - last.dts;
        }
    }

    fn segment_ends_at(&self, time: MediaTime) -> bool {
        match self.segment_independent {
            // Pictures that came later than their sound: what waits has to go first.
            _ if time <= self.part_start && !self.frames.is_empty() => false,
            None => false,
            Some(independent) => !independent || time - self.segment_start >= self.segment_min,
        }
    }

    /// Cuts as often as a frame at `time` makes it necessary, or allows no better cut later.
    fn cut_up_to(&mut self, time: MediaTime, interval: MediaTime) {
        while time - self.part_start > self.part_target + ROUNDING {
            let at = self.boundary().unwrap_or(self.part_start + self.part_target);
            self.cut(at);
        }
        let span = time - self.part_start;
        if span >= self.part_min && span + interval > self.part_target + ROUNDING {
            self.cut(time.min(self.part_start + self.part_target));
        }
    }

    /// The last frame boundary that makes a part neither too short nor too long.
    fn boundary(&self) -> Option<MediaTime> {
        let (least, most) = (self.part_start + self.part_min, self.part_start + self.part_target);
        self.frames.iter().map(|frame| frame.dts).filter(|dts| (least..=most).contains(dts)).last()
    }

    /// Cuts after the frame that has just come, if the one expected next belongs into the next part.
    fn cut_ahead(&mut self, ahead: Ahead) -> Option<MediaTime> {
        let next = ahead.next?;
        let span = next - self.part_start;
        let fits = span >= self.part_min && span <= self.part_target && span + ahead.interval > self.part_target;
        // Where a segment is about to end, its end is told together with its last part.
        let keyframe = self.last_keyframe.zip(self.gop).map(|(last, gop)| last + gop);
        let near = |due: MediaTime| (due - next).ticks().abs() <= ahead.interval.ticks() / 2;
        if !fits || keyframe.is_some_and(|due| near(due) && self.segment_ends_at(next)) {
            return None;
        }
        self.finish_frame(next);
        self.cut(next);
        Some(next)
    }

    /// With sound up to `sound_end`, cuts where no frame can come any more before the cut: at low frame rates.
    fn cut_between_frames(&mut self, sound_end: MediaTime, ahead: Ahead) -> Option<MediaTime> {
        let mut committed = None;
        loop {
            let limit = self.part_start + self.part_target;
            let known = if self.frames.is_empty() { Some(self.video_end) } else { ahead.next };
            if sound_end < limit || known.is_none_or(|known| known < limit) {
                return committed;
            }
            let at = self.boundary().unwrap_or(limit);
            if self.frames.last().is_some_and(|last| last.dts < at) {
                self.finish_frame(known?);
                committed = known;
            }
            self.cut(at);
        }
    }

    /// Cuts by sound alone.
    fn cut_sound(&mut self, format: AudioFormat) {
        let frame = sample_time(format.frame_samples.into(), format.sample_rate);
        let end_of =
            |sample: &AudioSample| sample_time(sample.position + i64::from(format.frame_samples), format.sample_rate);
        while let Some(sound_end) = self.audio.back().map(end_of) {
            let limit = self.part_start + self.part_target;
            let ends = self.audio.iter().map(end_of).take_while(|end| *end <= limit);
            let at = match ends.last().filter(|end| *end - self.part_start >= self.part_min) {
                Some(end) if end + frame > limit => end,
                _ if sound_end > limit => limit,
                _ => return,
            };
            self.cut(at);
            if self.part_start - self.segment_start + MediaTime::from_ticks(self.part_target.ticks() / 2)
                >= self.segment_target
            {
                self.end_segment();
            }
        }
    }

    /// Everything before `at` becomes a part; the segment ends here if the next part could make it too long.
    fn cut(&mut self, at: MediaTime) {
        self.cut_part(at);
        if at - self.segment_start + self.part_target > self.segment_limit {
            if let Some(last) = self.last_keyframe.filter(|_| !self.stalled) {
                self.cuts.push_back(Cut::LongGop(at - last));
            }
            self.end_segment();
        }
    }

    fn cut_part(&mut self, at: MediaTime) {
        let count = self.frames.iter().take_while(|frame| frame.dts < at).count();
        let rest = self.frames.split_off(count);
        let video = std::mem::replace(&mut self.frames, rest);
        if let Some(last) = video.last() {
            self.video_end = last.dts + last.duration;
        }
        let audio = match self.audio_format {
            None => Vec::new(),
            Some(format) => {
                let before = |sample: &&AudioSample| sample_time(sample.position, format.sample_rate) < at;
                let count = self.audio.iter().take_while(before).count();
                self.audio.drain(..count).collect()
            }
        };
        let independent = match video.first() {
            Some(first) => first.keyframe,
            None => !self.has_video && !audio.is_empty(),
        };
        self.segment_independent.get_or_insert(independent);
        let (start, duration) = (self.part_start, at - self.part_start);
        self.cuts.push_back(Cut::Part(PartSamples { start, duration, independent, video, audio }));
        self.part_start = at;
    }

    /// Makes parts of everything before `at` and ends the segment there.
    fn close_segment(&mut self, at: MediaTime) {
        while at - self.part_start > self.part_target + ROUNDING {
            let boundary = self.boundary().unwrap_or(self.part_start + self.part_target);
            self.cut(boundary);
        }
        let most = self.part_start + self.part_target;
        if at > most {
            // A rounding error longer than a part may be.
            self.cut_part(most);
        } else if at - self.part_start > ROUNDING || at > self.part_start && self.holds_before(at) {
            self.cut_part(at);
        }
        self.part_start = self.part_start.max(at);
        self.end_segment();
    }

    /// A sample waits that starts before `at`.
    fn holds_before(&self, at: MediaTime) -> bool {
        let sound = self.audio.front().zip(self.audio_format);
        self.frames.first().is_some_and(|frame| frame.dts < at)
            || sound.is_some_and(|(sample, format)| sample_time(sample.position, format.sample_rate) < at)
    }

    fn end_segment(&mut self) {
        if self.segment_independent.take().is_some() {
            self.cuts.push_back(Cut::SegmentEnd);
        }
        self.segment_start = self.part_start;
    }
}
