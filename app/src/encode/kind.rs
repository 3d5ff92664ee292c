//! The H.264 encoders that Skylark knows, the best first.

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::graph::GraphError;

/// An encoder, and how it is told what to do.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The GStreamer element.
    pub name: &'static str,
    /// What people know it as.
    pub title: &'static str,
    /// Properties for live streams: constant bitrate, no frame held back, no picture that needs a later one.
    settings: &'static [(&'static str, &'static str)],
    /// The property for its bitrate takes bits per second, not thousands.
    bitrate_in_bps: bool,
    /// The property that says how often keyframes come by themselves: never, as they are asked for.
    keyframe_property: Option<&'static str>,
}

/// Hardware first, x264 last: it works everywhere and costs the most.
pub const ENCODERS: &[Kind] = &[
    Kind {
        name: "nvh264enc",
        title: "NVIDIA NVENC",
        settings: &[("preset", "low-latency-hq"), ("rc-mode", "cbr"), ("zerolatency", "true"), ("bframes", "0")],
        bitrate_in_bps: false,
        keyframe_property: Some("gop-size"),
    },
    Kind {
        name: "vah264enc",
        title: "VA-API",
        settings: &[("rate-control", "cbr"), ("b-frames", "0"), ("target-usage", "6")],
        bitrate_in_bps: false,
        keyframe_property: Some("key-int-max"),
    },
    Kind {
        name: "vaapih264enc",
        title: "VA-API (older drivers)",
        settings: &[("rate-control", "cbr"), ("max-bframes", "0")],
        bitrate_in_bps: false,
        keyframe_property: Some("keyframe-period"),
    },
    Kind {
        name: "qsvh264enc",
        title: "Intel Quick Sync",
        settings: &[("rate-control", "cbr"), ("b-frames", "0"), ("low-latency", "true")],
        bitrate_in_bps: false,
        keyframe_property: Some("gop-size"),
    },
    Kind {
        name: "amfh264enc",
        title: "AMD AMF",
        settings: &[("rate-control", "cbr"), ("usage", "low-latency")],
        bitrate_in_bps: false,
        keyframe_property: Some("gop-size"),
    },
    Kind {
        name: "mfh264enc",
        title: "Media Foundation",
        settings: &[("rc-mode", "cbr"), ("low-latency", "true"), ("bframes", "0")],
        bitrate_in_bps: false,
        keyframe_property: Some("gop-size"),
    },
    Kind {
        name: "vtenc_h264_hw",
        title: "Apple VideoToolbox",
        settings: &[("realtime", "true"), ("allow-frame-reordering", "false")],
        bitrate_in_bps: false,
        keyframe_property: Some("max-keyframe-interval"),
    },
    Kind {
        name: "x264enc",
        title: "x264 (processor)",
        settings: &[
            ("speed-preset", "veryfast"),
            ("tune", "zerolatency"),
            ("pass", "cbr"),
            ("bframes", "0"),
            // No `nal-hrd`: with it, x264 never takes another bitrate.
            ("option-string", "scenecut=0:force-cfr=1"),
        ],
        bitrate_in_bps: false,
        keyframe_property: Some("key-int-max"),
    },
    Kind {
        name: "openh264enc",
        title: "OpenH264 (processor)",
        settings: &[
            ("rate-control", "bitrate"),
            ("complexity", "low"),
            ("usage-type", "camera"),
            ("scene-change-detection", "false"),
        ],
        bitrate_in_bps: true,
        keyframe_property: Some("gop-size"),
    },
];

/// Frames after which an encoder that was not asked for a keyframe makes one all the same.
const LONGEST_GOP: &str = "1200";

impl Kind {
    /// The encoder of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ENCODERS.iter().find(|kind| kind.name == name)
    }

    /// Makes one; `threads` are those of x264, which 0 leaves to itself.
    ///
    /// # Errors
    /// The plugin is not installed, or is one that Skylark does not know.
    pub(crate) fn make(&self, bitrate_bps: u32, threads: u32) -> Result<gst::Element, GraphError> {
        let element = crate::graph::wiring::make(self.name)?;
        let keyframes = self.keyframe_property.map(|property| (property, LONGEST_GOP));
        for (property, value) in self.settings.iter().copied().chain(keyframes) {
            // Versions of a plugin differ in what they know.
            if element.has_property(property) {
                element.set_property_from_str(property, value);
            }
        }
        if self.name == "x264enc" {
            element.set_property("threads", threads);
        }
        self.set_bitrate(&element, bitrate_bps);
        Ok(element)
    }

    /// Tells a running encoder another bitrate, bits per second.
    pub(crate) fn set_bitrate(&self, element: &gst::Element, bitrate_bps: u32) {
        let value = if self.bitrate_in_bps { bitrate_bps } else { (bitrate_bps / 1000).max(1) };
        element.set_property_from_str("bitrate", &value.to_string());
    }
}
