//! What OBS is told to send when it asks for several qualities of one picture ("Multitrack Video", OBS 30.2 and later, where
//! it is started with `--config-url`): a ladder below the picture that the streamer has set up, by Enhanced RTMP.
//!
//! Question and answer are those of OBS's go-live API, `GoLiveApi::PostData` and `GoLiveApi::Config` in its sources.

use serde::Deserialize;
use serde_json::{Value, json};
use skylark_protocol::studio::RenditionSettings;

/// Most qualities of one stream.
const MAX_TRACKS: usize = 4;
/// A quality below another is at most so high, percent of it: closer ones are not worth encoding.
const STEP_PERCENT: u32 = 90;
/// More frames per second than this are halved below the first quality.
const FULL_RATE_FPS: u32 = 40;
/// What a picture may measure, pixels, and how fast it may be: enough for all that OBS can do.
const SIDES: std::ops::RangeInclusive<u32> = 16..=16_384;
const MAX_FPS: u32 = 1_000;
const MAX_DENOMINATOR: u32 = 1_000_000;
/// Least for a picture, bits per second.
const LEAST_BPS: u32 = 300_000;
/// Of the sound, kilobits per second.
const SOUND_KBPS: u32 = 160;
/// The maker's PCI number.
const NVIDIA: u32 = 0x10de;
/// Pictures that its drivers, old ones too, encode at once.
const NVENC_SESSIONS: usize = 3;
/// The version of the API that an older OBS does not name.
const SCHEMA: &str = "2024-06-04";

/// What OBS says of itself. What it leaves out is as it is with most. It cannot be printed: the key is in it.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Question {
    schema_version: Option<String>,
    /// The stream key.
    pub authentication: String,
    client: Client,
    capabilities: Capabilities,
    preferences: Preferences,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Client {
    supported_codecs: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Capabilities {
    gpu: Option<Vec<Gpu>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Gpu {
    model: String,
    vendor_id: u32,
}

impl Gpu {
    /// All of this family encode, several pictures at once, under one name in all versions of OBS.
    fn has_nvenc(&self) -> bool {
        self.vendor_id == NVIDIA && self.model.contains("RTX")
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Preferences {
    /// Kilobits per second.
    maximum_aggregate_bitrate: Option<u32>,
    maximum_video_tracks: Option<usize>,
    #[serde(flatten)]
    canvas: Canvas,
    /// Newer versions have several, and these instead of the one.
    canvases: Vec<Canvas>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Canvas {
    width: u32,
    height: u32,
    framerate: FrameRate,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct FrameRate {
    numerator: u32,
    denominator: u32,
}

impl Default for FrameRate {
    fn default() -> Self {
        Self { numerator: 30, denominator: 1 }
    }
}

impl FrameRate {
    fn per_second(self) -> u32 {
        self.numerator.checked_div(self.denominator).unwrap_or_default()
    }
}

/// One quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rung {
    width: u32,
    height: u32,
    /// Every so-manieth frame of the canvas.
    divisor: u32,
    bitrate_bps: u32,
}

/// What OBS is to send, and to which address; `{stream_key}` in it stands for the key.
///
/// # Errors
/// Words for the streamer: what OBS has set up cannot be sent.
pub fn configure(question: &Question, url_template: &str) -> Result<Value, String> {
    let codecs = &question.client.supported_codecs;
    if !codecs.is_empty() && !codecs.iter().any(|codec| codec == "h264") {
        return Err("This server takes H.264 only, and OBS has no encoder for it.".into());
    }
    let canvas = *question.preferences.canvases.first().unwrap_or(&question.preferences.canvas);
    let is_possible = [canvas.width, canvas.height].iter().all(|side| SIDES.contains(side))
        && (1..=MAX_FPS).contains(&canvas.framerate.per_second())
        && canvas.framerate.denominator <= MAX_DENOMINATOR;
    if !is_possible {
        return Err("OBS does not say how large its picture is, or how fast.".into());
    }
    let gpus = question.capabilities.gpu.as_deref().unwrap_or_default();
    let has_nvenc = gpus.first().is_some_and(Gpu::has_nvenc);
    let most = if has_nvenc { NVENC_SESSIONS } else { MAX_TRACKS };
    let rungs = ladder(&question.preferences, canvas, most).into_iter();
    let encoders: Vec<_> = rungs.map(|rung| encoder(rung, canvas.framerate, has_nvenc)).collect();
    Ok(json!({
        "meta": meta(question),
        "status": { "result": "success" },
        "ingest_endpoints": [{ "protocol": "RTMP", "url_template": url_template }],
        "encoder_configurations": encoders,
        "audio_configurations": {
            "live": [{ "codec": "aac", "track_id": 1, "channels": 2, "settings": { "bitrate": SOUND_KBPS } }],
        },
    }))
}

/// The answer that makes OBS show these words, and not begin.
#[must_use]
pub fn refuse(question: &Question, words: &str) -> Value {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    json!({
        "meta": meta(question),
        "status": { "result": "error", "html_en_us": words },
        "ingest_endpoints": [],
        "encoder_configurations": [],
        "audio_configurations": { "live": [] },
    })
}

fn meta(question: &Question) -> Value {
    let schema = question.schema_version.as_deref().unwrap_or(SCHEMA);
    json!({ "service": "Skylark", "schema_version": schema, "config_id": "skylark" })
}

/// The picture itself first, then smaller ones; as many as there is bandwidth for.
fn ladder(preferences: &Preferences, canvas: Canvas, most: usize) -> Vec<Rung> {
    let is_fast = canvas.framerate.per_second() > FULL_RATE_FPS;
    let first = Rung {
        width: canvas.width,
        height: canvas.height,
        divisor: 1,
        bitrate_bps: bitrate_bps(canvas.height, is_fast),
    };
    let mut rungs = vec![first];
    for preset in RenditionSettings::PRESETS.iter().filter(|preset| preset.frame_rate <= FULL_RATE_FPS) {
        let above = rungs.last().map_or(0, |rung| rung.height);
        if preset.height * 100 <= above * STEP_PERCENT {
            // Encoders take even sizes.
            let width = (canvas.width * preset.height / canvas.height).max(2) & !1;
            let divisor = if is_fast { 2 } else { 1 };
            rungs.push(Rung { width, height: preset.height, divisor, bitrate_bps: preset.bitrate_bps });
        }
    }
    rungs.truncate(preferences.maximum_video_tracks.unwrap_or(most).clamp(1, most));
    if let Some(most_kbps) = preferences.maximum_aggregate_bitrate {
        let most_bps = most_kbps.saturating_sub(SOUND_KBPS).saturating_mul(1000);
        let sum_bps = |rungs: &[Rung]| rungs.iter().map(|rung| rung.bitrate_bps).sum::<u32>();
        // The smallest quality helps whoever cannot watch at all: those in the middle go first.
        while rungs.len() > 1 && sum_bps(&rungs) > most_bps {
            rungs.remove(1);
        }
        if let [only] = rungs.as_mut_slice() {
            only.bitrate_bps = only.bitrate_bps.min(most_bps).max(LEAST_BPS);
        }
    }
    rungs
}

/// As the Studio's own presets have it for a picture as high as this.
fn bitrate_bps(height: u32, is_fast: bool) -> u32 {
    let all = RenditionSettings::PRESETS;
    let of_rate = |preset: &&RenditionSettings| (preset.frame_rate > FULL_RATE_FPS) == is_fast;
    let fits = |preset: &&RenditionSettings| preset.height <= height;
    let found = all.iter().filter(of_rate).find(fits).or_else(|| all.iter().find(fits)).or_else(|| all.last());
    found.map_or(LEAST_BPS, |preset| preset.bitrate_bps)
}

fn encoder(rung: Rung, full: FrameRate, has_nvenc: bool) -> Value {
    let bitrate_kbps = rung.bitrate_bps / 1000;
    let (name, mut settings) = if has_nvenc {
        ("jim_nvenc", json!({ "preset2": "p4", "tune": "ll", "multipass": "disabled" }))
    } else {
        ("obs_x264", json!({ "preset": "veryfast", "tune": "zerolatency", "x264opts": "scenecut=0" }))
    };
    let shared = [
        ("rate_control", json!("CBR")),
        ("bitrate", json!(bitrate_kbps)),
        // The same in all, so that players can change from one to another.
        ("keyint_sec", json!(2)),
        ("bf", json!(0)),
        ("profile", json!("high")),
    ];
    for (key, value) in shared {
        settings[key] = value;
    }
    json!({
        "type": name,
        "width": rung.width,
        "height": rung.height,
        "framerate": { "numerator": full.numerator, "denominator": full.denominator * rung.divisor },
        "gpu_scale_type": "OBS_SCALE_BICUBIC",
        "settings": settings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As OBS 31 asks.
    fn question(preferences: Value) -> Question {
        serde_json::from_value(json!({
            "service": "IVS",
            "schema_version": "2025-01-25",
            "authentication": "secret",
            "client": { "name": "obs-studio", "version": "31.0.3", "supported_codecs": ["h264", "h265", "av1"] },
            "capabilities": {
                "cpu": { "physical_cores": 8, "logical_cores": 16, "speed": 3600, "name": "CPU" },
                "memory": { "total": 1, "free": 1 },
                "gpu": [{ "model": "GPU", "vendor_id": 4098, "device_id": 1 }],
            },
            "preferences": preferences,
        }))
        .unwrap()
    }

    fn sizes(answer: &Value) -> Vec<(u64, u64, u64, u64)> {
        let number = |value: &Value| value.as_u64().unwrap();
        answer["encoder_configurations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let rate = number(&one["framerate"]["numerator"]) / number(&one["framerate"]["denominator"]);
                (number(&one["width"]), number(&one["height"]), rate, number(&one["settings"]["bitrate"]))
            })
            .collect()
    }

    fn canvas(width: u32, height: u32, fps: u32) -> Value {
        json!({ "width": width, "height": height, "framerate": { "numerator": fps, "denominator": 1 } })
    }

    #[test]
    fn the_picture_itself_comes_first_and_three_smaller_ones_follow() {
        let answer = configure(&question(canvas(1920, 1080, 60)), "rtmp://h:1935/live/{stream_key}").unwrap();
        let ladder = [(1920, 1080, 60, 6000), (1280, 720, 30, 2500), (852, 480, 30, 1200), (640, 360, 30, 700)];
        assert_eq!(sizes(&answer), ladder);
        assert_eq!(answer["ingest_endpoints"][0]["url_template"], "rtmp://h:1935/live/{stream_key}");
        assert_eq!(answer["encoder_configurations"][0]["type"], "obs_x264");
        assert_eq!(answer["meta"]["schema_version"], "2025-01-25");
        let several = json!({ "canvases": [canvas(1280, 720, 30)] });
        let answer = configure(&question(several), "").unwrap();
        assert_eq!(sizes(&answer), [(1280, 720, 30, 2500), (852, 480, 30, 1200), (640, 360, 30, 700)]);
    }

    #[test]
    fn limits_of_the_streamer_hold() {
        let limited = |most_kbps: u32, tracks: Option<u32>| {
            let mut preferences = canvas(1920, 1080, 30);
            preferences["maximum_aggregate_bitrate"] = json!(most_kbps);
            preferences["maximum_video_tracks"] = json!(tracks);
            sizes(&configure(&question(preferences), "").unwrap())
        };
        assert_eq!(limited(6_000, None), [(1920, 1080, 30, 4500), (640, 360, 30, 700)]);
        assert_eq!(limited(3_000, None), [(1920, 1080, 30, 2840)]);
        assert_eq!(limited(0, None), [(1920, 1080, 30, 300)]);
        assert_eq!(limited(u32::MAX, Some(2)).len(), 2);
        assert_eq!(limited(u32::MAX, Some(0)).len(), 1);
    }

    #[test]
    fn hardware_that_all_versions_know_is_used() {
        let mut question = question(canvas(1920, 1080, 30));
        let mut encoder = |model: &str| {
            question.capabilities.gpu = Some(vec![Gpu { model: model.into(), vendor_id: NVIDIA }]);
            let encoders = configure(&question, "").unwrap()["encoder_configurations"].clone();
            (encoders[1]["type"].as_str().unwrap().to_owned(), encoders.as_array().unwrap().len())
        };
        assert_eq!(encoder("NVIDIA GeForce RTX 3060"), ("jim_nvenc".to_owned(), 3));
        assert_eq!(encoder("NVIDIA GeForce GT 1030"), ("obs_x264".to_owned(), 4));
    }

    #[test]
    fn what_cannot_be_sent_is_said_in_words() {
        assert!(configure(&question(canvas(0, 720, 30)), "").unwrap_err().contains("how large"));
        assert!(configure(&question(canvas(1280, 720, 0)), "").unwrap_err().contains("how large"));
        let mut modern = question(canvas(1280, 720, 30));
        modern.client.supported_codecs = vec!["av1".into()];
        assert!(configure(&modern, "").unwrap_err().contains("H.264"));
        assert_eq!(refuse(&modern, "a <b>")["status"], json!({ "result": "error", "html_en_us": "a &lt;b>" }));
    }
}
