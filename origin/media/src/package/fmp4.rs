//! Fragmented MP4 (ISO/IEC 14496-12, CMAF ISO/IEC 23000-19): init segments with `mp4-atom`, parts written directly.
//!
//! A part is one `moof` and one `mdat` with picture and sound, allocated once at its exact size: this is where the
//! bytes of a stream are copied, and the only place.

use bytes::{BufMut as _, Bytes};
use mp4_atom::{
    Audio, Avc1, Avcc, Codec, Dinf, Dref, Encode as _, Esds, FixedPoint, FourCC, Ftyp, Hdlr, Mdhd, Mdia, Minf, Moov,
    Mp4a, Mvex, Mvhd, Smhd, Stbl, Stco, Stsc, Stsd, Stsz, Stts, Tkhd, Trak, Trex, Url, Visual, Vmhd,
    esds::{DecoderConfig, DecoderSpecific, EsDescriptor, SLConfig},
};

use super::segmenter::{AudioSample, VideoSample};
use crate::{
    codec::{AudioConfig, VideoConfig},
    time::{MediaTime, TICKS_PER_SECOND},
};

/// Track ids; the timescales are 90 kHz and the sample rate.
const VIDEO_TRACK: u32 = 1;
const AUDIO_TRACK: u32 = 2;

/// `sample_depends_on` = 2: can be decoded alone.
const SYNC_SAMPLE: u32 = 0x0200_0000;
/// `sample_depends_on` = 1, `sample_is_non_sync_sample`.
const NON_SYNC_SAMPLE: u32 = 0x0101_0000;

const TFHD_DEFAULT_DURATION: u32 = 0x8;
const TFHD_DEFAULT_FLAGS: u32 = 0x20;
const TFHD_BASE_IS_MOOF: u32 = 0x2_0000;
const TRUN_DATA_OFFSET: u32 = 0x1;
const TRUN_FIRST_FLAGS: u32 = 0x4;
const TRUN_DURATIONS: u32 = 0x100;
const TRUN_SIZES: u32 = 0x200;
const TRUN_FLAGS: u32 = 0x400;
const TRUN_COMPOSITION: u32 = 0x800;

const BOX_HEADER: usize = 8;
/// `mfhd`, and `tfdt` with 64 bits.
const MFHD: usize = 16;
const TFDT: usize = 20;

/// An init segment cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no init segment for {what}: {reason}")]
pub struct InitError {
    /// Of which track.
    what: &'static str,
    reason: String,
}

/// Writes `ftyp` and `moov` for the tracks there are.
///
/// # Errors
/// When a configuration cannot be expressed.
pub fn init_segment(video: Option<&VideoConfig>, audio: Option<&AudioConfig>) -> Result<Bytes, InitError> {
    let failed = |what| move |error: mp4_atom::Error| InitError { what, reason: error.to_string() };
    let mut moov = Moov {
        mvhd: Mvhd {
            timescale: TICKS_PER_SECOND as u32,
            next_track_id: AUDIO_TRACK + 1,
            rate: 1.into(),
            ..Mvhd::default()
        },
        mvex: Some(Mvex::default()),
        ..Moov::default()
    };
    let trex = moov.mvex.get_or_insert_default();
    if let Some(config) = video {
        moov.trak.push(video_track(config)?);
        trex.trex.push(track_defaults(VIDEO_TRACK, 0, NON_SYNC_SAMPLE));
    }
    if let Some(config) = audio {
        moov.trak.push(audio_track(config));
        trex.trex.push(track_defaults(AUDIO_TRACK, config.frame_samples, SYNC_SAMPLE));
    }
    let brands = [b"iso6", b"cmfc", b"mp41"];
    let ftyp = Ftyp {
        major_brand: FourCC::new(b"iso6"),
        minor_version: 0,
        compatible_brands: brands.into_iter().map(FourCC::new).collect(),
    };
    let mut data = Vec::with_capacity(2048);
    ftyp.encode(&mut data).map_err(failed("ftyp"))?;
    moov.encode(&mut data).map_err(failed("moov"))?;
    Ok(data.into())
}

fn track_defaults(track_id: u32, duration: u32, flags: u32) -> Trex {
    Trex {
        track_id,
        default_sample_description_index: 1,
        default_sample_duration: duration,
        default_sample_size: 0,
        default_sample_flags: flags,
    }
}

fn video_track(config: &VideoConfig) -> Result<Trak, InitError> {
    let failed = |reason: String| InitError { what: "video", reason };
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| failed(format!("{pixels} pixels")));
    let (width, height) = (side(config.width)?, side(config.height)?);
    // Box header and body, as the crate reads whole boxes.
    let mut record = Vec::with_capacity(config.avcc.len() + BOX_HEADER);
    record.put_u32((config.avcc.len() + BOX_HEADER) as u32);
    record.put_slice(b"avcC");
    record.put_slice(&config.avcc);
    let avcc = <Avcc as mp4_atom::Decode>::decode(&mut record.as_slice()).map_err(|error| failed(error.to_string()))?;
    let entry = Avc1 {
        visual: Visual {
            data_reference_index: 1,
            width,
            height,
            horizresolution: 72.into(),
            vertresolution: 72.into(),
            frame_count: 1,
            compressor: "".into(),
            depth: 24,
        },
        avcc,
        btrt: None,
        colr: None,
        pasp: None,
        taic: None,
        fiel: None,
        spatial: Default::default(),
    };
    let mut track = track(VIDEO_TRACK, TICKS_PER_SECOND as u32, b"vide", entry.into());
    (track.tkhd.width, track.tkhd.height) = (width.into(), height.into());
    track.mdia.minf.vmhd = Some(Vmhd::default());
    Ok(track)
}

fn audio_track(config: &AudioConfig) -> Trak {
    const MPEG4_AUDIO: u8 = 0x40;
    const AUDIO_STREAM: u8 = 5;
    let decoder = DecoderConfig {
        object_type_indication: MPEG4_AUDIO,
        stream_type: AUDIO_STREAM,
        dec_specific: Some(DecoderSpecific { raw: config.asc.to_vec(), ..DecoderSpecific::default() }),
        ..DecoderConfig::default()
    };
    let descriptor = EsDescriptor { es_id: 0, dec_config: decoder, sl_config: SLConfig {}, ..EsDescriptor::default() };
    let entry = Mp4a {
        audio: Audio {
            data_reference_index: 1,
            channel_count: config.channels.into(),
            sample_size: 16,
            // 16.16: higher rates do not fit and are told by the configuration alone.
            sample_rate: FixedPoint::from(u16::try_from(config.sample_rate).unwrap_or(0)),
        },
        esds: Esds { es_desc: descriptor },
        btrt: None,
        taic: None,
    };
    let mut track = track(AUDIO_TRACK, config.sample_rate, b"soun", entry.into());
    track.tkhd.volume = 1.into();
    track.tkhd.alternate_group = 1;
    track.mdia.minf.smhd = Some(Smhd::default());
    track
}

fn track(track_id: u32, timescale: u32, handler: &[u8; 4], entry: Codec) -> Trak {
    let table = Stbl {
        stsd: Stsd { codecs: vec![entry] },
        stts: Stts::default(),
        stsc: Stsc::default(),
        stsz: Stsz::default(),
        stco: Some(Stco::default()),
        ..Stbl::default()
    };
    let dref = Dref { entries: vec![Url::default().into()] };
    Trak {
        tkhd: Tkhd { track_id, enabled: true, in_movie: true, ..Tkhd::default() },
        mdia: Mdia {
            mdhd: Mdhd { timescale, language: "und".to_owned(), ..Mdhd::default() },
            hdlr: Hdlr { handler: FourCC::new(handler), name: String::new() },
            minf: Minf { dinf: Dinf { dref }, stbl: table, ..Minf::default() },
        },
        ..Trak::default()
    }
}

/// The samples of a part.
#[derive(Debug)]
pub(crate) struct Fragment<'a> {
    /// `mfhd` sequence number.
    pub(crate) sequence: u32,
    /// Pictures in decoding order; `None` if the init segment has no such track.
    pub(crate) video: Option<&'a [VideoSample]>,
    /// Where video would start, if there is none in this part.
    pub(crate) start: MediaTime,
    /// Sound; `None` if the init segment has no such track.
    pub(crate) audio: Option<&'a [AudioSample]>,
}

impl Fragment<'_> {
    /// Writes `moof` and `mdat`. A track without samples is left out, unless both have none: players take a `moof`
    /// without any track for an error.
    pub(crate) fn write(&self) -> Bytes {
        let audio = self.audio.filter(|samples| !samples.is_empty());
        let video = self.video.filter(|samples| !samples.is_empty() || audio.is_none()).map(VideoRun::new);
        let video_bytes = self.video.unwrap_or_default().iter().map(|sample| sample.data.len()).sum::<usize>();
        let audio_bytes = audio.unwrap_or_default().iter().map(|sample| sample.data.len()).sum::<usize>();
        let moof = BOX_HEADER
            + MFHD
            + video.as_ref().map_or(0, VideoRun::traf_size)
            + audio.map_or(0, |samples| audio_traf_size(samples.len()));
        let mdat = BOX_HEADER + video_bytes + audio_bytes;
        let mut out = Vec::with_capacity(moof + mdat);
        open_box(&mut out, moof, b"moof");
        open_box(&mut out, MFHD, b"mfhd");
        out.put_u32(0);
        out.put_u32(self.sequence);
        if let Some(run) = &video {
            run.write(&mut out, self.start, moof + BOX_HEADER);
        }
        if let Some(samples) = audio {
            write_audio_traf(&mut out, samples, moof + BOX_HEADER + video_bytes);
        }
        open_box(&mut out, mdat, b"mdat");
        for sample in self.video.unwrap_or_default() {
            out.put_slice(&sample.data);
        }
        for sample in audio.unwrap_or_default() {
            out.put_slice(&sample.data);
        }
        debug_assert_eq!(out.len(), moof + mdat, "sizes were computed before");
        out.into()
    }
}

/// How the samples of a picture are written: what they share is written once.
struct VideoRun<'a> {
    samples: &'a [VideoSample],
    durations: bool,
    composition: bool,
    flags: bool,
}

impl<'a> VideoRun<'a> {
    fn new(samples: &'a [VideoSample]) -> Self {
        let first = samples.first().map_or(0, |sample| sample.duration.ticks());
        Self {
            samples,
            durations: samples.iter().any(|sample| sample.duration.ticks() != first),
            composition: samples.iter().any(|sample| sample.composition != MediaTime::ZERO),
            flags: samples.iter().skip(1).any(|sample| sample.keyframe),
        }
    }

    fn sample_size(&self) -> usize {
        4 * (1 + usize::from(self.durations) + usize::from(self.flags) + usize::from(self.composition))
    }

    fn tfhd_size(&self) -> usize {
        20 + if self.durations { 0 } else { 4 }
    }

    fn trun_size(&self) -> usize {
        20 + if self.flags { 0 } else { 4 } + self.samples.len() * self.sample_size()
    }

    fn traf_size(&self) -> usize {
        BOX_HEADER + self.tfhd_size() + TFDT + self.trun_size()
    }

    fn write(&self, out: &mut Vec<u8>, start: MediaTime, data_offset: usize) {
        let first = self.samples.first();
        open_box(out, self.traf_size(), b"traf");
        open_box(out, self.tfhd_size(), b"tfhd");
        let duration = if self.durations { 0 } else { TFHD_DEFAULT_DURATION };
        out.put_u32(TFHD_BASE_IS_MOOF | TFHD_DEFAULT_FLAGS | duration);
        out.put_u32(VIDEO_TRACK);
        if !self.durations {
            out.put_u32(first.map_or(0, |sample| ticks_u32(sample.duration)));
        }
        out.put_u32(NON_SYNC_SAMPLE);
        write_tfdt(out, first.map_or(start, |sample| sample.dts).ticks());
        open_box(out, self.trun_size(), b"trun");
        out.put_u32(self.trun_flags());
        out.put_u32(self.samples.len() as u32);
        out.put_u32(data_offset as u32);
        if !self.flags {
            out.put_u32(sample_flags(first.is_some_and(|sample| sample.keyframe)));
        }
        for sample in self.samples {
            if self.durations {
                out.put_u32(ticks_u32(sample.duration));
            }
            out.put_u32(sample.data.len() as u32);
            if self.flags {
                out.put_u32(sample_flags(sample.keyframe));
            }
            if self.composition {
                out.put_i32(sample.composition.ticks().clamp(i32::MIN.into(), i32::MAX.into()) as i32);
            }
        }
    }

    /// Version 1: composition offsets may be negative.
    fn trun_flags(&self) -> u32 {
        const VERSION_1: u32 = 1 << 24;
        VERSION_1
            | TRUN_DATA_OFFSET
            | TRUN_SIZES
            | if self.flags { TRUN_FLAGS } else { TRUN_FIRST_FLAGS }
            | if self.durations { TRUN_DURATIONS } else { 0 }
            | if self.composition { TRUN_COMPOSITION } else { 0 }
    }
}

fn audio_traf_size(samples: usize) -> usize {
    BOX_HEADER + 16 + TFDT + audio_trun_size(samples)
}

fn audio_trun_size(samples: usize) -> usize {
    20 + 4 * samples
}

/// Duration and flags of every sample are the init segment's.
fn write_audio_traf(out: &mut Vec<u8>, samples: &[AudioSample], data_offset: usize) {
    open_box(out, audio_traf_size(samples.len()), b"traf");
    open_box(out, 16, b"tfhd");
    out.put_u32(TFHD_BASE_IS_MOOF);
    out.put_u32(AUDIO_TRACK);
    write_tfdt(out, samples.first().map_or(0, |sample| sample.position));
    open_box(out, audio_trun_size(samples.len()), b"trun");
    out.put_u32(TRUN_DATA_OFFSET | TRUN_SIZES);
    out.put_u32(samples.len() as u32);
    out.put_u32(data_offset as u32);
    for sample in samples {
        out.put_u32(sample.data.len() as u32);
    }
}

fn write_tfdt(out: &mut Vec<u8>, time: i64) {
    const VERSION_1: u32 = 1 << 24;
    open_box(out, TFDT, b"tfdt");
    out.put_u32(VERSION_1);
    out.put_u64(u64::try_from(time).unwrap_or(0));
}

fn open_box(out: &mut Vec<u8>, size: usize, kind: &[u8; 4]) {
    out.put_u32(size as u32);
    out.put_slice(kind);
}

fn sample_flags(keyframe: bool) -> u32 {
    if keyframe { SYNC_SAMPLE } else { NON_SYNC_SAMPLE }
}

fn ticks_u32(time: MediaTime) -> u32 {
    u32::try_from(time.ticks()).unwrap_or(0)
}
