//! One rendition of a publisher: from access units to parts.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    Init, Output, PackageConfig, Part, PipelineError, PipelineLimits, PipelineStats, Warning,
    start::{Known, Ready, Waiting},
};
use crate::{
    codec::{AudioConfig, VideoConfig, aac},
    package::{
        fmp4::{self, Fragment},
        segmenter::{AudioFormat, AudioSample, Cut, PartSamples, Segmenter, VideoSample},
    },
    time::{MediaTime, UnixTime},
    timeline::{Ahead, Anchor, AudioClock, AudioPlace, GAP_MAX, Timeline, VideoClock, WallClock},
    unit::{RenditionId, Track, Unit},
};

/// Sound further than this behind the picture is given up: silence takes its place, so that players can go on.
const SOUND_LATE: MediaTime = MediaTime::from_ms(2000);
/// How far behind the picture that silence stays.
const SILENCE_BEHIND: MediaTime = MediaTime::from_ms(500);
/// Sound further than this behind or ahead of the last picture is on a clock of its own.
const TRACKS_APART: MediaTime = MediaTime::from_ms(3000);
const SOUND_AHEAD: MediaTime = MediaTime::from_ms(1400);
/// So long it may still join the picture's clock (the two never change in the same moment).
const JOIN_WAIT: Duration = Duration::from_secs(1);
/// Averages move by one part in so many of each new value.
const SMOOTHING: i64 = 32;
/// A different keyframe interval is worth another warning: percent.
const GOP_CHANGE_PERCENT: i64 = 20;

/// From units to parts.
#[derive(Debug)]
pub(super) struct Rendition {
    id: RenditionId,
    config: PackageConfig,
    limits: PipelineLimits,
    declared: Option<(bool, bool)>,
    bitrate_bps: Option<u64>,
    /// As the publisher last sent them.
    video_config: Option<Arc<VideoConfig>>,
    audio_config: Option<Arc<AudioConfig>>,
    state: State,
    /// The publisher's clock is known to have changed since the last start.
    jumped: bool,
    /// What the current init segment was made from.
    current: Option<Tracks>,
    wall: WallClock,
    end: MediaTime,
    sequence: u32,
    warned_gop_ms: Option<i64>,
    delays_us: [Option<i64>; 2],
    pub(super) stats: PipelineStats,
    pub(super) outputs: VecDeque<Output>,
}

/// Configurations of the tracks that an init segment has.
#[derive(Debug, PartialEq, Eq)]
struct Tracks {
    video: Option<Arc<VideoConfig>>,
    audio: Option<Arc<AudioConfig>>,
}

#[derive(Debug)]
enum State {
    Waiting(Waiting),
    Running(Box<Running>),
}

#[derive(Debug)]
struct Running {
    segmenter: Segmenter,
    video: Option<VideoClock>,
    audio: Option<Sound>,
}

#[derive(Debug)]
struct Sound {
    clock: AudioClock,
    config: Arc<AudioConfig>,
    /// It begins together with the picture.
    from: MediaTime,
    /// Since when sound has been on another clock than the picture, and where that was.
    apart: Option<(UnixTime, MediaTime)>,
}

impl Running {
    fn ahead(&self) -> Ahead {
        self.video.as_ref().map_or(Ahead { next: None, interval: MediaTime::ZERO }, VideoClock::ahead)
    }
}

impl Rendition {
    pub(super) fn new(id: RenditionId, config: PackageConfig, limits: PipelineLimits, base: MediaTime) -> Self {
        Self {
            id,
            config,
            limits,
            declared: None,
            bitrate_bps: None,
            video_config: None,
            audio_config: None,
            state: State::Waiting(Waiting::default()),
            jumped: false,
            current: None,
            wall: WallClock::default(),
            end: base,
            // A session that resumes a broadcast goes on above what the one before can have reached.
            sequence: u32::try_from(base.as_ms() / 10).unwrap_or(0),
            warned_gop_ms: None,
            delays_us: [None; 2],
            stats: PipelineStats::default(),
            outputs: VecDeque::new(),
        }
    }

    pub(super) fn declare(&mut self, now: UnixTime, tracks: (bool, bool), bitrate_bps: Option<u64>) {
        self.declared = Some(tracks);
        self.bitrate_bps = bitrate_bps.or(self.bitrate_bps);
        self.begin(now);
    }

    pub(super) fn set_video(&mut self, now: UnixTime, config: Arc<VideoConfig>) -> Result<(), PipelineError> {
        let PipelineLimits { max_width, max_height, .. } = self.limits;
        let (width, height) = (config.width, config.height);
        if width.max(height) > max_width.max(max_height) || width.min(height) > max_width.min(max_height) {
            return Err(PipelineError::Resolution { width, height, max_width, max_height });
        }
        self.video_config = Some(config);
        self.begin(now);
        Ok(())
    }

    pub(super) fn set_audio(&mut self, now: UnixTime, config: Arc<AudioConfig>) {
        self.audio_config = Some(config);
        self.begin(now);
    }

    fn begin(&mut self, now: UnixTime) {
        if let State::Waiting(waiting) = &mut self.state {
            waiting.begin(now);
        }
    }

    pub(super) fn push(&mut self, timeline: &mut Timeline, now: UnixTime, unit: Unit) -> Result<(), PipelineError> {
        self.stats.media_bytes += unit.data.len() as u64;
        match &self.state {
            State::Waiting(_) => self.wait(now, unit),
            State::Running(_) => self.run(now, unit)?,
        }
        self.tick(timeline, now)
    }

    fn wait(&mut self, now: UnixTime, unit: Unit) {
        if let State::Waiting(waiting) = &mut self.state {
            self.stats.dropped_frames += waiting.push(unit, now);
        }
    }

    /// Starts if that is possible now.
    pub(super) fn tick(&mut self, timeline: &mut Timeline, now: UnixTime) -> Result<(), PipelineError> {
        while let State::Waiting(waiting) = &mut self.state {
            let waited = waiting.without_keyframe(now);
            if waited > self.limits.keyframe_wait {
                let waited_ms = u32::try_from(waited.as_millis()).unwrap_or(u32::MAX);
                return Err(PipelineError::NoKeyframe { waited_ms });
            }
            let known = Known {
                declared: self.declared,
                video_config: self.video_config.is_some(),
                audio_config: self.audio_config.is_some(),
            };
            let Some(ready) = waiting.ready(now, known) else { return Ok(()) };
            let Some((raw, arrived)) = waiting.first(ready) else { return Ok(()) };
            let Anchor::Offset(offset) = timeline.anchor(raw, arrived, self.end, self.jumped) else {
                self.stats.dropped_frames +=
                    if ready.video { waiting.skip_keyframe() } else { waiting.take().len() as u64 };
                return Ok(());
            };
            let units = waiting.take();
            self.start(ready, raw + offset, offset)?;
            for (unit, arrived) in units {
                match &self.state {
                    State::Waiting(_) => self.wait(arrived, unit),
                    State::Running(_) => self.run(arrived, unit)?,
                }
            }
        }
        Ok(())
    }

    /// Begins a range without discontinuities at `start` on the timeline.
    fn start(&mut self, ready: Ready, start: MediaTime, offset: MediaTime) -> Result<(), PipelineError> {
        let video = self.video_config.clone().filter(|_| ready.video);
        let audio = self.audio_config.clone().filter(|_| ready.audio);
        let tracks = Tracks { video: video.clone(), audio: audio.clone() };
        if self.current.as_ref() == Some(&tracks) {
            self.outputs.push_back(Output::Discontinuity(self.id));
        } else {
            let init = self.init(video.as_deref(), audio.as_deref())?;
            self.outputs.push_back(Output::Init(self.id, init));
            self.current = Some(tracks);
        }
        if std::mem::take(&mut self.jumped) {
            self.wall.restart();
        }
        let format = audio.as_ref().map(|config| audio_format(config));
        let start = start.max(self.end);
        self.state = State::Running(Box::new(Running {
            segmenter: Segmenter::new(self.config, ready.video, format, start),
            video: video.map(|config| VideoClock::new(offset, config.frame_rate, start)),
            audio: audio.map(|config| Sound {
                clock: AudioClock::new(offset, &config),
                config,
                from: start,
                apart: None,
            }),
        }));
        Ok(())
    }

    fn init(&self, video: Option<&VideoConfig>, audio: Option<&AudioConfig>) -> Result<Init, PipelineError> {
        let data = fmp4::init_segment(video, audio).map_err(|error| PipelineError::Malformed(error.to_string()))?;
        let codecs = video.map(|config| &config.codec).into_iter().chain(audio.map(|config| &config.codec));
        let declared_rate = video.and_then(|config| config.frame_rate).map(|(frames, seconds)| {
            u32::try_from(u64::from(frames) * 1000 / u64::from(seconds.max(1))).unwrap_or(u32::MAX)
        });
        Ok(Init {
            data,
            codecs: codecs.map(String::as_str).collect::<Vec<_>>().join(","),
            resolution: video.map(|config| (config.width, config.height)),
            frame_rate_millis: video.and(self.stats.frame_rate_millis.or(declared_rate)),
            bitrate_bps: self.bitrate_bps,
        })
    }

    fn run(&mut self, now: UnixTime, unit: Unit) -> Result<(), PipelineError> {
        match unit.track {
            Track::Video => self.run_video(now, unit),
            Track::Audio => self.run_audio(now, unit),
        }
    }

    fn run_video(&mut self, now: UnixTime, unit: Unit) -> Result<(), PipelineError> {
        let State::Running(running) = &mut self.state else { return Ok(()) };
        if let Some(by) = running.video.as_ref().and_then(|clock| clock.jump(unit.dts)) {
            self.jump(by);
            self.wait(now, unit);
            return Ok(());
        }
        let (other_picture, other_sound) = match &self.current {
            Some(Tracks { video, audio }) => (*video != self.video_config, *audio != self.audio_config),
            None => (true, true),
        };
        let lost = other_picture || running.segmenter.stalled();
        // A picture without a configuration begins nothing: nobody could decode it.
        if unit.keyframe && self.video_config.is_some() && (lost || other_sound) {
            if !self.switch(&unit)? {
                self.wait(now, unit);
                return Ok(());
            }
        } else if lost {
            self.stats.dropped_frames += 1;
            return Ok(());
        }
        let State::Running(running) = &mut self.state else { return Ok(()) };
        let Some(clock) = &mut running.video else { return Ok(()) };
        let (dts, composition) = clock.place(unit.dts, unit.pts);
        self.wall.arrived(now, dts);
        self.stats.video_frames += 1;
        self.stats.frame_rate_millis = clock.rate_millis().or(self.stats.frame_rate_millis);
        let ahead = clock.ahead();
        let duration = MediaTime::ZERO;
        let sample = VideoSample { dts, composition, duration, keyframe: unit.keyframe, data: unit.data };
        if let Some(end) = running.segmenter.push_video(sample, ahead) {
            clock.commit(end);
        }
        let interval_ms = running.segmenter.keyframe_interval().and_then(|gop| u32::try_from(gop.as_ms()).ok());
        self.stats.keyframe_interval_ms = interval_ms.or(self.stats.keyframe_interval_ms);
        self.replace_lost_sound(dts);
        self.measure_delay(Track::Video, now, dts);
        self.drain();
        Ok(())
    }

    fn run_audio(&mut self, now: UnixTime, unit: Unit) -> Result<(), PipelineError> {
        let State::Running(running) = &mut self.state else { return Ok(()) };
        let Some(sound) = &mut running.audio else {
            self.stats.dropped_frames += 1; // until the picture's next keyframe brings an init segment with sound
            return Ok(());
        };
        if self.audio_config.as_ref() != Some(&sound.config) {
            if running.video.is_some() {
                self.stats.dropped_frames += 1;
                return Ok(());
            }
            if !self.switch(&unit)? {
                self.wait(now, unit);
                return Ok(());
            }
        }
        let State::Running(running) = &mut self.state else { return Ok(()) };
        let Some(sound) = &mut running.audio else { return Ok(()) };
        let picture = running.video.as_ref().filter(|_| !running.segmenter.stalled());
        let picture = picture.map(|_| running.segmenter.picture());
        if sound.is_early(unit.pts) || picture.is_some_and(|picture| sound.is_apart(now, unit.pts, picture)) {
            self.stats.dropped_frames += 1;
            return Ok(());
        }
        let (position, fill) = match sound.clock.place(unit.pts) {
            AudioPlace::At { position, fill } => (position, fill),
            AudioPlace::Surplus => {
                self.stats.dropped_frames += 1;
                return Ok(());
            }
            AudioPlace::Jump(by) if picture.is_none() => {
                self.jump(by);
                self.wait(now, unit);
                return Ok(());
            }
            AudioPlace::Jump(_) => {
                // The picture's clock decides; sound finds its place on it again, or on its own.
                sound.clock.forget_last();
                self.stats.dropped_frames += 1;
                return Ok(());
            }
        };
        let told = sound.clock.told(unit.pts);
        let frame = i64::from(sound.config.frame_samples);
        self.wall.arrived(now, told);
        self.stats.audio_frames += 1;
        self.push_silence(position - fill * frame, fill);
        self.push_sound(AudioSample { position, data: unit.data });
        self.measure_delay(Track::Audio, now, told);
        self.drain();
        Ok(())
    }

    fn sound(&mut self) -> Option<&mut Sound> {
        match &mut self.state {
            State::Running(running) => running.audio.as_mut(),
            State::Waiting(_) => None,
        }
    }

    fn push_sound(&mut self, sample: AudioSample) {
        let State::Running(running) = &mut self.state else { return };
        let ahead = running.ahead();
        let committed = running.segmenter.push_audio(sample, ahead);
        if let (Some(end), Some(clock)) = (committed, &mut running.video) {
            clock.commit(end);
        }
    }

    fn push_silence(&mut self, position: i64, count: i64) {
        let Some(sound) = self.sound() else { return };
        let (silence, frame) = (aac::silent_frame(sound.config.channels), i64::from(sound.config.frame_samples));
        for n in 0..count {
            self.push_sound(AudioSample { position: position + n * frame, data: silence.clone() });
        }
        self.stats.filled_frames += u64::try_from(count).unwrap_or(0);
    }

    /// Puts silence where sound has not come for too long.
    fn replace_lost_sound(&mut self, picture: MediaTime) {
        let Some(sound) = self.sound() else { return };
        if picture - sound.clock.end().unwrap_or(sound.from) <= SOUND_LATE {
            return;
        }
        sound.clock.begin(sound.from);
        if let Some((position, count)) = sound.clock.fill_until(picture - SILENCE_BEHIND) {
            self.push_silence(position, count);
        }
    }

    /// The tracks changed, or the picture is back: what comes from `unit` on is another range of the same timeline.
    /// `false`: it is on another clock, and a start is waited for.
    fn switch(&mut self, unit: &Unit) -> Result<bool, PipelineError> {
        let State::Running(running) = &mut self.state else { return Ok(false) };
        let video = running.video.as_ref().map(VideoClock::offset);
        let Some(offset) = video.or(running.audio.as_ref().map(|sound| sound.clock.told(MediaTime::ZERO))) else {
            return Ok(false);
        };
        let at = unit.dts + offset;
        let off = at - running.segmenter.end();
        if off > GAP_MAX + GAP_MAX || MediaTime::ZERO - off > GAP_MAX {
            self.jump(off);
            return Ok(false);
        }
        let interval = running.ahead().interval;
        running.segmenter.finish(Some(at), interval);
        self.drain();
        let ready = Ready { video: unit.track == Track::Video, audio: self.audio_config.is_some() };
        self.start(ready, at, offset)?;
        Ok(true)
    }

    /// The publisher's clock jumped: ends the range, and waits for a start.
    fn jump(&mut self, by: MediaTime) {
        self.stats.clock_jumps += 1;
        self.outputs.push_back(Output::Warning(Warning::ClockJump { jump_ms: by.as_ms() }));
        self.finish();
        self.jumped = true;
    }

    /// Makes parts of what is pending.
    pub(super) fn finish(&mut self) {
        if let State::Running(running) = &mut self.state {
            let interval = running.ahead().interval;
            running.segmenter.finish(None, interval);
            self.drain();
            self.state = State::Waiting(Waiting::default());
        }
    }

    fn measure_delay(&mut self, track: Track, now: UnixTime, media: MediaTime) {
        let delay = now.as_us().saturating_sub(media.as_us());
        let slot = &mut self.delays_us[usize::from(track == Track::Audio)];
        let smooth = slot.map_or(delay, |average| average.saturating_add(delay.saturating_sub(average) / SMOOTHING));
        *slot = Some(smooth);
        if let [Some(video), Some(audio)] = self.delays_us {
            self.stats.av_skew_ms = i32::try_from(audio.saturating_sub(video) / 1000).ok();
        }
    }

    /// Turns the segmenter's decisions into outputs.
    fn drain(&mut self) {
        loop {
            let State::Running(running) = &mut self.state else { return };
            let (has_video, has_audio) = (running.video.is_some(), running.audio.is_some());
            let Some(cut) = running.segmenter.poll() else {
                self.end = self.end.max(running.segmenter.end());
                return;
            };
            match cut {
                Cut::Part(samples) => self.emit(&samples, has_video, has_audio),
                Cut::SegmentEnd => self.outputs.push_back(Output::SegmentEnd(self.id)),
                Cut::LongGop(gop) => self.warn_of_gop(gop.as_ms()),
            }
        }
    }

    fn emit(&mut self, samples: &PartSamples, has_video: bool, has_audio: bool) {
        self.sequence = self.sequence.wrapping_add(1);
        let PartSamples { start, duration, independent, video, audio } = samples;
        let (video, audio) = (has_video.then_some(video.as_slice()), has_audio.then_some(audio.as_slice()));
        let fragment = Fragment { sequence: self.sequence, video, start: *start, audio };
        let part = Part {
            data: fragment.write(),
            start: *start,
            duration: *duration,
            independent: *independent,
            program_date_time: self.wall.at(*start, *duration),
        };
        self.outputs.push_back(Output::Part(self.id, part));
    }

    fn warn_of_gop(&mut self, gop_ms: i64) {
        let changed = |warned: i64| (warned - gop_ms).abs() * 100 > warned * GOP_CHANGE_PERCENT;
        if self.warned_gop_ms.is_none_or(changed) {
            self.warned_gop_ms = Some(gop_ms);
            let gop_ms = u32::try_from(gop_ms).unwrap_or(0);
            self.outputs.push_back(Output::Warning(Warning::LongGop { gop_ms }));
        }
    }
}

impl Sound {
    /// What comes before the picture is left out.
    fn is_early(&self, raw: MediaTime) -> bool {
        self.clock.end().is_none() && self.clock.told(raw) < self.from
    }

    /// Sound at `raw` does not fit the picture's clock and has to be left out; after a while it gets an offset of its
    /// own, by the time of its arrival, if the picture goes on meanwhile.
    fn is_apart(&mut self, now: UnixTime, raw: MediaTime, picture: MediaTime) -> bool {
        let told = self.clock.told(raw);
        if told - picture <= SOUND_AHEAD && picture - told <= TRACKS_APART {
            self.apart = None;
            return false;
        }
        let (since, stood) = *self.apart.get_or_insert((now, picture));
        if now.since(since) < JOIN_WAIT {
            return true;
        }
        self.apart = None;
        let far = told - picture > GAP_MAX || picture - told > TRACKS_APART;
        if far || picture > stood {
            self.clock.set_offset(picture - raw);
        }
        false
    }
}

fn audio_format(config: &AudioConfig) -> AudioFormat {
    AudioFormat { sample_rate: config.sample_rate, frame_samples: config.frame_samples }
}
