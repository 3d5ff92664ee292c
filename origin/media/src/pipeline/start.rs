//! What waits until a rendition can start: with which tracks, and at which keyframe.

use std::{collections::VecDeque, time::Duration};

use crate::{
    time::{MediaTime, UnixTime},
    unit::{Track, Unit},
};

/// How long the first keyframe waits for sound that nobody announced, or did not come.
const SOUND_WAIT: Duration = Duration::from_millis(700);
/// How long sound waits for a picture that nobody announced …
const PICTURE_WAIT: Duration = Duration::from_millis(700);
/// … and for one that was announced.
const DECLARED_PICTURE_WAIT: Duration = Duration::from_secs(3);
/// Sound that is kept for the keyframe it may belong to: frames.
const MAX_SOUND: usize = 512;
/// Pictures that are kept while sound is waited for: frames, and bytes of all that waits.
const MAX_PICTURES: usize = 1024;
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What is known of the tracks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// `(video, audio)` as the publisher announced.
    pub(super) declared: Option<(bool, bool)>,
    pub(super) video_config: bool,
    pub(super) audio_config: bool,
}

/// What to start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) video: bool,
    pub(super) audio: bool,
}

/// Units that arrived before a rendition could start.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    since: Option<UnixTime>,
    /// When the first picture came that is not decodable alone, as long as none that is did.
    keyframe_missed: Option<UnixTime>,
    keyframe: bool,
    bytes: usize,
    units: VecDeque<(Unit, UnixTime)>,
}

impl Waiting {
    /// Something of this rendition arrived.
    pub(super) fn begin(&mut self, now: UnixTime) {
        self.since.get_or_insert(now);
    }

    /// Keeps a unit; answers how many had to be left out.
    pub(super) fn push(&mut self, unit: Unit, now: UnixTime) -> u64 {
        self.begin(now);
        if unit.track == Track::Video && !self.keyframe {
            if !unit.keyframe {
                self.keyframe_missed.get_or_insert(now);
                return 1;
            }
            (self.keyframe, self.keyframe_missed) = (true, None);
        }
        self.bytes += unit.data.len();
        self.units.push_back((unit, now));
        let most = if self.keyframe { MAX_PICTURES + MAX_SOUND } else { MAX_SOUND };
        let mut dropped = 0;
        while self.units.len() > most || self.bytes > MAX_BYTES {
            dropped += self.drop_first();
        }
        dropped
    }

    fn drop_first(&mut self) -> u64 {
        let Some((unit, _)) = self.units.pop_front() else {
            return 0;
        };
        self.bytes -= unit.data.len();
        if unit.track == Track::Video {
            // What follows cannot be decoded without it.
            self.skip_to_next_keyframe() + 1
        } else {
            1
        }
    }

    /// Leaves out the first keyframe and what depends on it.
    pub(super) fn skip_keyframe(&mut self) -> u64 {
        let Some(first) = self.units.iter().position(|(unit, _)| unit.track == Track::Video) else {
            return 0;
        };
        self.units.remove(first);
        self.skip_to_next_keyframe() + 1
    }

    fn skip_to_next_keyframe(&mut self) -> u64 {
        let before = self.units.len();
        let mut found = false;
        self.units.retain(|(unit, _)| {
            found |= unit.track == Track::Video && unit.keyframe;
            unit.track == Track::Audio || found
        });
        self.keyframe = found;
        self.bytes = self.units.iter().map(|(unit, _)| unit.data.len()).sum();
        (before - self.units.len()) as u64
    }

    /// How long pictures have come without a keyframe.
    pub(super) fn without_keyframe(&self, now: UnixTime) -> Duration {
        self.keyframe_missed.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// Whether to start now, and with what.
    pub(super) fn ready(&self, now: UnixTime, known: Known) -> Option<Ready> {
        let waited = now.since(self.since?);
        if self.keyframe && known.video_config {
            let no_sound = matches!(known.declared, Some((_, false)));
            let start = known.audio_config || no_sound || waited >= SOUND_WAIT;
            return start.then_some(Ready { video: true, audio: known.audio_config });
        }
        if !known.audio_config || self.units.is_empty() || self.keyframe || self.keyframe_missed.is_some() {
            return None;
        }
        let patience = match known.declared {
            Some((false, _)) => Duration::ZERO,
            Some((true, _)) => DECLARED_PICTURE_WAIT,
            None if known.video_config => DECLARED_PICTURE_WAIT,
            None => PICTURE_WAIT,
        };
        (waited >= patience).then_some(Ready { video: false, audio: true })
    }

    /// Timestamp and arrival of what the rendition starts with.
    pub(super) fn first(&self, ready: Ready) -> Option<(MediaTime, UnixTime)> {
        let leads = if ready.video { Track::Video } else { Track::Audio };
        self.units.iter().find(|(unit, _)| unit.track == leads).map(|(unit, now)| (unit.dts, *now))
    }

    /// Everything that waits, in the order in which it arrived.
    pub(super) fn take(&mut self) -> VecDeque<(Unit, UnixTime)> {
        std::mem::take(self).units
    }
}
