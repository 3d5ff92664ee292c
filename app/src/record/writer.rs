//! One MP4 file.
//!
//! While it grows it is a fragmented one, which any player opens wherever it was cut off; finished, it is rewritten into a
//! plain one in place. GStreamer's `mp4mux` does both.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSrc;

use super::{
    RecordError, check,
    fragment::{self, Front},
};
use crate::encoded::{Packet, Track};

/// A fragment holds so much, milliseconds: what a crash costs at most.
const FRAGMENT_MS: u32 = 500;
/// Rewriting takes the index alone; a slow disk may have a lot to write before.
const FINISH_PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);
/// Bytes that wait for the disk before it counts as slow.
const MAX_WAITING: u64 = 16 << 20;
/// Ticks per second of the picture's time stamps.
const PICTURE_TIMESCALE: u32 = 90_000;
/// Of the sound's: its sample rate.
const SOUND_TIMESCALE: u32 = 48_000;

/// A file that is written.
pub(super) struct Writer {
    pipeline: gst::Pipeline,
    picture: AppSrc,
    sound: AppSrc,
    path: PathBuf,
    file: File,
    front: Arc<Front>,
    /// What the file's clock calls zero.
    base_ns: u64,
    pictures: u64,
    sounds: u64,
    sound_ended: bool,
}

impl Writer {
    /// Makes the file; it begins with the keyframe that was decoded at `base_ns`.
    pub(super) fn begin(path: &Path, base_ns: u64) -> Result<Self, RecordError> {
        let failed = |reason: String| RecordError::Write { path: path.into(), reason };
        gst::init().map_err(|error| failed(error.to_string()))?;
        let made = gst::parse::launch(&format!(
            "appsrc name=picture format=time max-bytes=0 caps=video/x-h264,stream-format=byte-stream,alignment=au \
             ! h264parse ! mp4mux name=mux fragment-duration={FRAGMENT_MS} fragment-mode=first-moov-then-finalise \
             ! filesink name=file buffer-mode=unbuffered async=false \
             appsrc name=sound format=time max-bytes=0 caps=audio/mpeg,mpegversion=4,stream-format=adts ! aacparse ! mux."
        ));
        let pipeline = made.ok().and_then(|made| made.downcast::<gst::Pipeline>().ok());
        let pipeline = pipeline.ok_or_else(|| failed("GStreamer's mp4mux is not installed".into()))?;
        let source = |name| pipeline.by_name(name).and_then(|element| element.downcast::<AppSrc>().ok());
        let (Some(picture), Some(sound)) = (source("picture"), source("sound")) else {
            return Err(failed("GStreamer's appsrc is not installed".into()));
        };
        if let Some(file) = pipeline.by_name("file") {
            file.set_property("location", path.to_string_lossy().as_ref());
        }
        let mux = pipeline.by_name("mux");
        let front = mux.as_ref().map(fragment::complete_all).unwrap_or_default();
        for pad in mux.iter().flat_map(ElementExtManual::sink_pads) {
            let is_picture = pad.name().starts_with("video");
            pad.set_property("trak-timescale", if is_picture { PICTURE_TIMESCALE } else { SOUND_TIMESCALE });
        }
        let stop = |error: String| {
            _ = pipeline.set_state(gst::State::Null);
            failed(error)
        };
        if pipeline.set_state(gst::State::Playing).is_err() {
            return Err(stop(error_on(&pipeline).unwrap_or_else(|| "GStreamer cannot write it".into())));
        }
        let file = File::open(path).map_err(|error| stop(error.to_string()))?;
        let (pictures, sounds) = (0, 0);
        let path = path.into();
        Ok(Self { pipeline, picture, sound, path, file, front, base_ns, pictures, sounds, sound_ended: false })
    }

    /// Takes a frame; sound from before the first picture is left out.
    pub(super) fn give(&mut self, packet: &Packet) -> Result<(), RecordError> {
        let since = |ns: u64| ns.checked_sub(self.base_ns).map(gst::ClockTime::from_nseconds);
        let (Some(pts), Some(dts)) = (since(packet.pts_ns), since(packet.dts_ns)) else { return Ok(()) };
        let mut buffer = gst::Buffer::from_slice(packet.data.clone());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(pts);
            buffer.set_dts(dts);
            buffer.set_duration(gst::ClockTime::from_nseconds(packet.duration_ns));
            if !packet.is_keyframe {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        let (source, count) = match packet.track {
            Track::Audio if self.sound_ended => return Ok(()),
            Track::Audio => (&self.sound, &mut self.sounds),
            _ => (&self.picture, &mut self.pictures),
        };
        if source.push_buffer(buffer).is_err() {
            return Err(self.failure());
        }
        *count += 1;
        Ok(())
    }

    /// No sound will come any more: the picture goes on without.
    pub(super) fn end_sound(&mut self) {
        if !std::mem::replace(&mut self.sound_ended, true) {
            _ = self.sound.end_of_stream();
        }
    }

    pub(super) fn has_sound_ended(&self) -> bool {
        self.sound_ended
    }

    /// More waits for the disk than should; not if it is sound that is waited for.
    pub(super) fn is_behind(&self) -> bool {
        let (picture, sound) = (self.picture.current_level_bytes(), self.sound.current_level_bytes());
        picture + sound > MAX_WAITING && picture > 0 && (sound > 0 || self.sound_ended)
    }

    /// Why it cannot go on, if so.
    pub(super) fn check(&self) -> Result<(), RecordError> {
        match error_on(&self.pipeline) {
            Some(reason) => Err(RecordError::Write { path: self.path.clone(), reason }),
            None => Ok(()),
        }
    }

    /// Makes sure that what is written is on the disk; its size, bytes.
    pub(super) fn flush(&self) -> Result<u64, RecordError> {
        let io = |source| RecordError::Io { path: self.path.clone(), source };
        self.file.sync_data().map_err(io)?;
        Ok(self.file.metadata().map_err(io)?.len())
    }

    /// Frames that it was given: of the picture, of the sound.
    pub(super) fn given(&self) -> (u64, u64) {
        (self.pictures, self.sounds)
    }

    /// Writes what waits, makes a plain MP4 of it, and reads it back.
    pub(super) fn finish(self) -> Result<PathBuf, RecordError> {
        _ = self.picture.end_of_stream();
        _ = self.sound.end_of_stream();
        let ended = self
            .pipeline
            .bus()
            .and_then(|bus| bus.timed_pop_filtered(FINISH_PATIENCE, &[gst::MessageType::Eos, gst::MessageType::Error]));
        let reason = match ended.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => None,
            Some(gst::MessageView::Error(error)) => Some(in_words(error)),
            _ => Some("the disk takes too long".to_owned()),
        };
        _ = self.pipeline.set_state(gst::State::Null);
        if let Some(reason) = reason {
            return Err(RecordError::Write { path: self.path.clone(), reason });
        }
        // First all that is new is on the disk, then what the front says of it.
        self.flush()?;
        self.front.write(&self.path).map_err(|source| RecordError::Io { path: self.path.clone(), source })?;
        self.flush()?;
        let not_whole = |reason| RecordError::NotWhole { path: self.path.clone(), reason };
        let found = check::read_back(&self.path).map_err(not_whole)?;
        if (found.pictures, found.sounds) != self.given() {
            return Err(not_whole(format!(
                "{} of {} pictures and {} of {} frames of sound are in it",
                found.pictures, self.pictures, found.sounds, self.sounds
            )));
        }
        Ok(self.path.clone())
    }

    /// Lets go of a file with nothing in it.
    pub(super) fn discard(self) {
        _ = self.pipeline.set_state(gst::State::Null);
        _ = fs::remove_file(&self.path);
    }

    fn failure(&self) -> RecordError {
        let reason = error_on(&self.pipeline).unwrap_or_else(|| "GStreamer does not take more".into());
        RecordError::Write { path: self.path.clone(), reason }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The first error that a pipeline has reported.
fn error_on(pipeline: &gst::Pipeline) -> Option<String> {
    let message = pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
    match message.view() {
        gst::MessageView::Error(error) => Some(in_words(error)),
        _ => None,
    }
}

fn in_words(error: &gst::message::Error) -> String {
    if error.error().matches(gst::ResourceError::NoSpaceLeft) {
        return "the disk is full".into();
    }
    error.error().to_string()
}
