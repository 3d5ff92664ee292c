//! What leaves the Studio: renditions and files.

use serde::{Deserialize, Serialize};

/// How the picture is encoded and sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutputSettings {
    /// Name of the encoder ([`EncoderState::name`]); empty: the best one that works here.
    pub encoder: String,
    /// From the best to the least, one to [`OutputSettings::MAX_RENDITIONS`]; empty: as many as this machine holds.
    pub renditions: Vec<RenditionSettings>,
    /// Of the sound, bits per second.
    pub audio_bitrate_bps: u32,
    /// Between two keyframes, milliseconds.
    pub keyframe_interval_ms: u32,
    /// The bitrate follows the link.
    pub is_adaptive: bool,
    /// Where the streamer hears what is monitored: a device's id; empty: where this computer plays by itself.
    pub monitor: String,
    /// Files on this computer.
    pub recording: RecordingSettings,
}

impl OutputSettings {
    /// Most renditions of one push.
    pub const MAX_RENDITIONS: usize = 4;
}

impl Default for OutputSettings {
    fn default() -> Self {
        Self {
            encoder: String::new(),
            renditions: Vec::new(),
            audio_bitrate_bps: 128_000,
            keyframe_interval_ms: 2000,
            is_adaptive: true,
            monitor: String::new(),
            recording: RecordingSettings::default(),
        }
    }
}

/// One size of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenditionSettings {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Frames per second; of the first rendition, or a whole part of it.
    pub frame_rate: u32,
    /// Of the picture, bits per second.
    pub bitrate_bps: u32,
}

impl RenditionSettings {
    /// 1080p60, 1080p30, 720p60, 720p30, 480p30 and 360p30, as streaming sites ask for them.
    pub const PRESETS: [Self; 6] = [
        Self { width: 1920, height: 1080, frame_rate: 60, bitrate_bps: 6_000_000 },
        Self { width: 1920, height: 1080, frame_rate: 30, bitrate_bps: 4_500_000 },
        Self { width: 1280, height: 720, frame_rate: 60, bitrate_bps: 4_000_000 },
        Self { width: 1280, height: 720, frame_rate: 30, bitrate_bps: 2_500_000 },
        Self { width: 854, height: 480, frame_rate: 30, bitrate_bps: 1_200_000 },
        Self { width: 640, height: 360, frame_rate: 30, bitrate_bps: 700_000 },
    ];
}

/// Files on this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordingSettings {
    /// Where; empty: the folder for videos.
    pub folder: String,
    /// Begins and ends with the broadcast.
    pub with_broadcast: bool,
    /// Of the picture, bits per second, encoded for the file alone; 0: what is sent.
    pub bitrate_bps: u32,
    /// How much the replay buffer holds, seconds; 0: none.
    pub replay_s: u32,
}

impl Default for RecordingSettings {
    fn default() -> Self {
        Self { folder: String::new(), with_broadcast: true, bitrate_bps: 0, replay_s: 0 }
    }
}

/// An encoder as it was found and tried at start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderState {
    /// Its stable name: `x264enc`.
    pub name: String,
    /// What people know it as: `NVIDIA NVENC`.
    pub title: String,
    /// It encoded a test picture here.
    pub works: bool,
    /// Frames of 1280×720 per second that it encoded in the test.
    pub speed_fps: f64,
    /// Why it does not work.
    pub reason: Option<String>,
}

/// The file that is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingView {
    /// Where, while it is written.
    pub path: Option<String>,
    /// Since when, Unix milliseconds.
    pub since_ms: Option<i64>,
    /// Its size, bytes.
    pub size_bytes: u64,
    /// Room left on the disk, bytes.
    pub free_bytes: Option<u64>,
    /// What went wrong, a sentence.
    pub problem: Option<String>,
    /// The last finished file, read back and found whole.
    pub finished: Option<String>,
    /// What the replay buffer holds, seconds.
    pub replay_s: u32,
}
