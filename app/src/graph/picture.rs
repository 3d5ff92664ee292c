//! Pictures of a view for the window: small JPEG files, made only while somebody looks.

use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use skylark_protocol::studio::Canvas;
use tokio::sync::watch;

use super::{
    GraphError,
    wiring::{Branch, filter, leaky_queue, make},
};

/// Of JPEG files: good enough to judge focus by.
const QUALITY: i32 = 80;
/// Nobody looks at more in a window, frames per second.
const MAX_FRAME_RATE: i32 = 30;

/// Makes pictures of one view.
pub(super) struct PictureBranch {
    branch: Branch,
    tee: gst::Element,
    width: u32,
    latest: watch::Sender<Option<Bytes>>,
}

impl PictureBranch {
    /// Hangs from the tee of a drawing of this size; pictures are `width` pixels wide at most.
    ///
    /// # Errors
    /// A plugin is missing.
    pub(super) fn hang(
        pipeline: &gst::Pipeline,
        tee: &gst::Element,
        size: Canvas,
        width: u32,
        latest: watch::Sender<Option<Bytes>>,
    ) -> Result<Self, GraphError> {
        let rate = make("videorate")?;
        rate.set_property("drop-only", true);
        rate.set_property("max-rate", MAX_FRAME_RATE);
        let asked = width;
        let width = width.clamp(64, size.width.max(64)) & !1;
        let height = (width * size.height / size.width).max(2) & !1;
        let small = gst::Caps::builder("video/x-raw")
            .field("width", width.cast_signed())
            .field("height", height.cast_signed())
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .field("format", "I420")
            .build();
        // As JPEG has it: full range, or black is grey.
        let full_range =
            gst::Caps::builder("video/x-raw").field("format", "I420").field("colorimetry", "1:4:0:0").build();
        // Scaled first and converted then: `videoconvertscale` does both in one, and takes two to three times as long.
        let (scale, convert) = (make("videoscale")?, make("videoconvert")?);
        // Nearest neighbour would shimmer, more than bilinear would cost more than it shows.
        scale.set_property_from_str("method", "bilinear");
        convert.set_property_from_str("dither", "none");
        let encoder = make("jpegenc")?;
        encoder.set_property("quality", QUALITY);
        let sink = gst_app::AppSink::builder().sync(false).async_(false).max_buffers(1).drop(true).build();
        let sender = latest.clone();
        sink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    if let Some(map) =
                        sample.buffer_owned().and_then(|buffer| buffer.into_mapped_buffer_readable().ok())
                    {
                        sender.send_replace(Some(Bytes::from_owner(map)));
                    }
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        );
        let (small, full_range) = (filter(&small)?, filter(&full_range)?);
        let queue = leaky_queue(1, Duration::ZERO)?;
        let elements = vec![queue, rate, scale, small, convert, full_range, encoder, sink.upcast()];
        let branch = Branch::hang(pipeline, tee, elements, |_| Ok(()))?;
        Ok(Self { branch, tee: tee.clone(), width: asked, latest })
    }

    /// Nobody looks any more.
    pub(super) fn is_unwatched(&self) -> bool {
        self.latest.receiver_count() == 0
    }

    /// How wide the pictures were asked to be, pixels.
    pub(super) fn width(&self) -> u32 {
        self.width
    }

    /// The branch is to hang from another tee: those who look stay.
    pub(super) fn take_off(self, pipeline: &gst::Pipeline) -> watch::Sender<Option<Bytes>> {
        self.branch.take_off(pipeline, &self.tee, || {});
        self.latest
    }
}
