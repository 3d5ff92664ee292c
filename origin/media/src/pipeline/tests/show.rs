//! A publisher with a clock of its own, and everyone who watches.

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};

use crate::{
    codec::{AudioConfig, VideoConfig, aac, h264},
    pipeline::{PackageConfig, Packager, PipelineError, PipelineLimits, Resume, witness::Witness},
    time::{MediaTime, UnixTime},
    unit::{Media, RenditionId, Track, Unit},
};

pub(super) const EPOCH_MS: i64 = 1_790_000_000_000;
pub(super) const RENDITION: RenditionId = RenditionId(0);

/// x264's parameter sets for 1920×1080 at 30 frames per second, and for 640×360 at 29.97.
const RECORDS: [&[u8]; 2] = [
    &[
        0x01, 0x64, 0x00, 0x28, 0xff, 0xe1, 0x00, 0x1b, 0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27,
        0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xf0, 0x3c, 0x60, 0xc6, 0x58, 0x01,
        0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00,
    ],
    &[
        0x01, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0x00, 0x18, 0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70,
        0x11, 0x00, 0x00, 0x03, 0x03, 0xe9, 0x00, 0x00, 0xea, 0x60, 0x0f, 0x16, 0x2e, 0x48, 0x01, 0x00, 0x05, 0x68,
        0xcb, 0x83, 0xcb, 0x20,
    ],
];

pub(super) fn picture(record: usize) -> Arc<VideoConfig> {
    Arc::new(h264::parse_avcc(RECORDS[record]).expect("a valid record"))
}

/// Stereo at 48 kHz (3) or 44.1 kHz (4).
pub(super) fn sound(sample_rate_index: u8) -> Arc<AudioConfig> {
    let asc = [0x10 | sample_rate_index >> 1, sample_rate_index << 7 | 0x10];
    Arc::new(aac::parse_asc(&asc).expect("a valid configuration"))
}

pub(super) struct Show {
    pub(super) packager: Packager,
    pub(super) witness: Witness,
    /// Of the wall clock, milliseconds since the start.
    pub(super) now_ms: i64,
    /// What the publisher's clock shows at the wall clock's zero, milliseconds.
    pub(super) clock_ms: i64,
    /// Its timestamps are milliseconds as in FLV, not ticks.
    pub(super) rounded: bool,
    /// Frames per second, as a fraction.
    frames: (i64, i64),
    pub(super) gop: i64,
    pub(super) video: bool,
    /// Sample rate.
    pub(super) audio: Option<i64>,
    pub(super) next_video: i64,
    pub(super) next_audio: i64,
    /// Identities of all frames sent.
    pub(super) sent_video: Vec<u32>,
    ids: u32,
    pub(super) refused: Option<PipelineError>,
}

impl Show {
    pub(super) fn new(frames: (i64, i64), gop: i64) -> Self {
        Self::resumed(frames, gop, Resume::default(), Witness::new(PackageConfig::default()))
    }

    pub(super) fn resumed(frames: (i64, i64), gop: i64, resume: Resume, witness: Witness) -> Self {
        Self {
            packager: Packager::new(PackageConfig::default(), PipelineLimits::default(), resume),
            witness,
            now_ms: 0,
            clock_ms: 70_000,
            rounded: true,
            frames,
            gop,
            video: true,
            audio: Some(48_000),
            next_video: 0,
            next_audio: 0,
            sent_video: Vec::new(),
            ids: 0,
            refused: None,
        }
    }

    /// Announces the tracks and sends their configurations; sound at 48 kHz.
    pub(super) fn configured(mut self) -> Self {
        let (video, audio) = (self.video, self.audio.is_some());
        self.feed(Media::Declared { rendition: RENDITION, video, audio, bitrate_bps: None });
        if video {
            self.feed(Media::VideoConfig(RENDITION, picture(0)));
        }
        if audio {
            self.feed(Media::AudioConfig(RENDITION, sound(3)));
        }
        self
    }

    pub(super) fn now(&self) -> UnixTime {
        UnixTime::from_ms(EPOCH_MS + self.now_ms)
    }

    pub(super) fn feed(&mut self, media: Media) {
        let now = self.now();
        if self.refused.is_none() {
            self.refused = self.packager.feed(now, media).and_then(|()| self.packager.tick(now)).err();
        }
        self.watch();
    }

    fn watch(&mut self) {
        while let Some(output) = self.packager.poll() {
            self.witness.take(output);
        }
    }

    /// A timestamp `ticks` after the wall clock's zero.
    pub(super) fn stamp(&self, ticks: i64) -> MediaTime {
        let ticks = ticks + self.clock_ms * 90;
        MediaTime::from_ticks(if self.rounded { ticks / 90 * 90 } else { ticks })
    }

    pub(super) fn video_ticks(&self, frame: i64) -> i64 {
        frame * 90_000 * self.frames.1 / self.frames.0
    }

    pub(super) fn send_video(&mut self) {
        let frame = self.next_video;
        self.next_video += 1;
        self.send_picture(self.stamp(self.video_ticks(frame)), frame % self.gop == 0);
    }

    pub(super) fn send_picture(&mut self, dts: MediaTime, keyframe: bool) {
        self.ids += 1;
        let mut data = BytesMut::new();
        data.put_u32(self.ids);
        data.put_i64(dts.ticks());
        self.sent_video.push(self.ids);
        let (track, data) = (Track::Video, data.freeze());
        self.feed(Media::Unit(Unit { rendition: RENDITION, track, pts: dts, dts, keyframe, data }));
    }

    pub(super) fn send_audio(&mut self) {
        let rate = self.audio.expect("sound");
        let time = self.stamp(self.next_audio * 1024 * 90_000 / rate);
        self.next_audio += 1;
        let mut data = BytesMut::new();
        data.put_i64(time.ticks());
        let (track, data) = (Track::Audio, data.freeze());
        self.feed(Media::Unit(Unit { rendition: RENDITION, track, pts: time, dts: time, keyframe: true, data }));
    }

    /// Sends what is due in the next `ms`; each kind as long as its flag says.
    pub(super) fn play(&mut self, ms: i64, video: bool, audio: bool) {
        let end = self.now_ms + ms;
        loop {
            let video_ms = if self.video { self.video_ticks(self.next_video) / 90 } else { i64::MAX };
            let audio_ms = self.audio.map_or(i64::MAX, |rate| self.next_audio * 1024 * 1000 / rate);
            let due = video_ms.min(audio_ms);
            if due >= end {
                break;
            }
            self.now_ms = due.max(self.now_ms);
            match due == video_ms {
                true if video => self.send_video(),
                true => self.next_video += 1,
                false if audio => self.send_audio(),
                false => self.next_audio += 1,
            }
        }
        self.now_ms = end;
        let now = self.now();
        if self.refused.is_none() {
            self.refused = self.packager.tick(now).err();
        }
        self.watch();
    }

    pub(super) fn end(self) -> Self {
        assert_eq!(self.refused, None);
        self.departed()
    }

    /// Whether it was sent away or not.
    pub(super) fn departed(mut self) -> Self {
        self.packager.finish();
        self.watch();
        self
    }

    /// Identities of the frames that viewers got.
    pub(super) fn seen_video(&self) -> Vec<u32> {
        let frames = self.witness.renditions.values().flat_map(|seen| seen.track(Track::Video));
        frames.map(|sample| u32::from_be_bytes(*sample.data.first_chunk().expect("an identity"))).collect()
    }

    /// Furthest that the shifts from the publisher's clock to the timeline of two samples are from each other, ticks.
    pub(super) fn skew(&self) -> i64 {
        let rate = self.audio.unwrap_or(48_000);
        let shifts = self.witness.first().samples.iter().filter_map(|sample| {
            let data = match sample.track {
                Track::Video => sample.data.get(4..)?,
                Track::Audio if sample.data.len() == 8 => &sample.data,
                Track::Audio => return None, // silence
            };
            let told = i64::from_be_bytes(*data.first_chunk()?);
            Some(if sample.track == Track::Video { sample.pts } else { sample.pts * 90_000 / rate } - told)
        });
        let (least, most) =
            shifts.fold((i64::MAX, i64::MIN), |(least, most), shift| (least.min(shift), most.max(shift)));
        most - least
    }

    /// `CODECS` of the init segment in force.
    pub(super) fn codecs(&self) -> String {
        let snapshot = self.witness.first().window.snapshot();
        snapshot.latest_init().map(|init| init.codecs.clone()).unwrap_or_default()
    }

    /// How many ranges without discontinuity there were.
    pub(super) fn ranges(&self) -> usize {
        self.witness.first().samples.iter().map(|sample| sample.range).max().unwrap_or(0)
    }
}
