//! One composed picture: a compositor and the layers that it is drawn of.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use skylark_protocol::studio::{Canvas, ItemId};

use super::{
    GraphError,
    plan::Layer,
    source::{OpenSource, PictureSize},
    wiring::{Branch, filter, leaky_queue, make},
};

/// How long the next scene is waited for when a source of it is slow; then it comes without.
const FIRST_PICTURE_PATIENCE: Duration = Duration::from_millis(700);
/// Layers that go are drawn above those that come.
const LEAVING_ORDER: u32 = 1000;
/// How far behind the clock a layer may be before it is drawn as it was, nanoseconds.
const LATENCY_NS: u64 = 20_000_000;

/// What encoders take: the compositor drops the alpha of single pixels when it blends in it.
const OPAQUE: gst_video::VideoFormat = gst_video::VideoFormat::I420;
/// Keeps it.
const WITH_ALPHA: gst_video::VideoFormat = gst_video::VideoFormat::Ayuv;

/// One composed picture.
pub(super) struct Drawing {
    /// What the canvas measures here: the preview is smaller than the program.
    size: Canvas,
    canvas: Canvas,
    compositor: gst::Element,
    /// What the compositor blends in: a format with alpha costs more, so it is one only while a layer has some.
    blending: gst::Element,
    convert: gst::Element,
    caps: gst::Element,
    tee: gst::Element,
    layers: BTreeMap<ItemId, DrawnLayer>,
    leaving: Vec<DrawnLayer>,
    fade: Option<Fade>,
}

struct DrawnLayer {
    layer: Layer,
    branch: Branch,
    pad: gst::Pad,
    tee: gst::Element,
    size: Arc<PictureSize>,
    has_picture: Arc<AtomicBool>,
}

/// What was drawn before goes.
struct Fade {
    /// The new layers have their pictures, or are waited for no more.
    begun: Option<Instant>,
    asked: Instant,
    duration: Duration,
}

impl Drawing {
    /// An empty picture of `size` for a canvas, running in the pipeline.
    ///
    /// # Errors
    /// A plugin is missing.
    pub(super) fn new(pipeline: &gst::Pipeline, canvas: Canvas, size: Canvas) -> Result<Self, GraphError> {
        let compositor = gst::ElementFactory::make("compositor")
            .property("force-live", true)
            .property("latency", LATENCY_NS)
            .property("ignore-inactive-pads", true)
            .property_from_str("background", "black")
            .build()
            .map_err(|_| GraphError::Missing("compositor".into()))?;
        let blending = filter(&format(size, OPAQUE))?;
        let convert = make("videoconvert")?;
        let caps = filter(&format(size, OPAQUE))?;
        let tee = make("tee")?;
        tee.set_property("allow-not-linked", true);
        let elements = [&compositor, &blending, &convert, &caps, &tee];
        pipeline.add_many(elements)?;
        gst::Element::link_many(elements)?;
        for element in elements.into_iter().rev() {
            element.sync_state_with_parent()?;
        }
        let (layers, leaving) = (BTreeMap::new(), Vec::new());
        Ok(Self { size, canvas, compositor, blending, convert, caps, tee, layers, leaving, fade: None })
    }

    /// Where the picture comes out.
    pub(super) fn tee(&self) -> &gst::Element {
        &self.tee
    }

    /// What it measures.
    pub(super) fn size(&self) -> Canvas {
        self.size
    }

    /// The pad that the picture goes through before it is shared.
    pub(super) fn pad(&self) -> Option<gst::Pad> {
        self.caps.static_pad("src")
    }

    /// What is drawn from now on. Layers that were there already only change; new scenes come when they have pictures.
    pub(super) fn draw(
        &mut self,
        pipeline: &gst::Pipeline,
        sources: &BTreeMap<skylark_protocol::studio::SourceId, OpenSource>,
        layers: &[Layer],
        fade: Duration,
        now: Instant,
    ) {
        self.finish_fade(pipeline);
        let had_alpha = self.layers.values().any(|drawn| drawn.layer.has_alpha);
        let has_alpha = had_alpha || layers.iter().any(|layer| layer.has_alpha);
        self.blend_in(if has_alpha { WITH_ALPHA } else { OPAQUE });
        let mut before = std::mem::take(&mut self.layers);
        let mut is_new = false;
        for (order, layer) in (0u32..).zip(layers) {
            let kept = before.remove(&layer.item).filter(|drawn| drawn.layer.source == layer.source);
            let drawn = match kept {
                Some(mut drawn) => {
                    drawn.layer = *layer;
                    drawn
                }
                None => {
                    let Some(source) = sources.get(&layer.source) else { continue };
                    match self.add(pipeline, source, layer) {
                        Ok(drawn) => {
                            is_new = true;
                            drawn
                        }
                        Err(error) => {
                            tracing::warn!(item = layer.item.0, %error, "an item cannot be drawn");
                            continue;
                        }
                    }
                }
            };
            drawn.pad.set_property("zorder", order);
            self.layers.insert(layer.item, drawn);
        }
        self.leaving = before.into_values().collect();
        for drawn in &self.leaving {
            drawn.pad.set_property("zorder", LEAVING_ORDER + drawn.pad.property::<u32>("zorder"));
        }
        let waits = is_new && !self.leaving.is_empty();
        if waits || !(fade.is_zero() || self.leaving.is_empty()) {
            self.fade = Some(Fade { begun: None, asked: now, duration: fade });
        }
        self.place();
        self.advance(pipeline, now);
    }

    /// Goes on with a fade. True while there is more to come.
    pub(super) fn advance(&mut self, pipeline: &gst::Pipeline, now: Instant) -> bool {
        let Some(fade) = &mut self.fade else {
            self.finish_fade(pipeline);
            return false;
        };
        let begun = match fade.begun {
            Some(begun) => begun,
            None => {
                let is_ready = self.layers.values().all(|drawn| drawn.has_picture.load(Ordering::Acquire));
                if !is_ready && now < fade.asked + FIRST_PICTURE_PATIENCE {
                    return true;
                }
                *fade.begun.insert(now)
            }
        };
        let gone =
            if fade.duration.is_zero() { 1.0 } else { (now - begun).as_secs_f64() / fade.duration.as_secs_f64() };
        if gone >= 1.0 {
            self.finish_fade(pipeline);
            return false;
        }
        for drawn in &self.leaving {
            drawn.pad.set_property("alpha", opacity(&drawn.layer) * (1.0 - gone));
        }
        true
    }

    /// The size of a source's picture became known: crops may have to be smaller.
    pub(super) fn refit(&self) {
        self.place();
    }

    /// Takes the whole picture out of the pipeline.
    pub(super) fn close(mut self, pipeline: &gst::Pipeline) {
        self.finish_fade(pipeline);
        for drawn in std::mem::take(&mut self.layers).into_values() {
            self.remove(pipeline, drawn);
        }
        super::wiring::discard(pipeline, &[self.compositor, self.blending, self.convert, self.caps, self.tee]);
    }

    fn blend_in(&self, pixels: gst_video::VideoFormat) {
        let format = format(self.size, pixels);
        if self.blending.property::<gst::Caps>("caps") != format {
            self.blending.set_property("caps", format);
        }
    }

    fn finish_fade(&mut self, pipeline: &gst::Pipeline) {
        self.fade = None;
        for drawn in std::mem::take(&mut self.leaving) {
            self.remove(pipeline, drawn);
        }
    }

    fn add(&self, pipeline: &gst::Pipeline, source: &OpenSource, layer: &Layer) -> Result<DrawnLayer, GraphError> {
        let tee = source.picture().ok_or_else(|| GraphError::Missing("a picture of the source".into()))?;
        // Two, so that a picture is ready while the one before is drawn.
        let queue = leaky_queue(2, Duration::ZERO)?;
        let crop = make("videocrop")?;
        let pad =
            self.compositor.request_pad_simple("sink_%u").ok_or(GraphError::Missing("a compositor pad".into()))?;
        let has_picture = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&has_picture);
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            seen.store(true, Ordering::Release);
            gst::PadProbeReturn::Remove
        });
        let compositor_pad = pad.clone();
        let branch = Branch::hang(pipeline, tee, vec![queue, crop], |last| {
            let end = last.static_pad("src").ok_or_else(|| GraphError::Missing("a source pad".into()))?;
            end.link(&compositor_pad)?;
            Ok(())
        });
        match branch {
            Ok(branch) => {
                if let Some(queue) = branch.element(0).and_then(|queue| queue.static_pad("sink")) {
                    source.show_last_picture_to(&queue);
                }
                let size = Arc::clone(source.size());
                Ok(DrawnLayer { layer: *layer, branch, pad, tee: tee.clone(), size, has_picture })
            }
            Err(error) => {
                self.compositor.release_request_pad(&pad);
                Err(error)
            }
        }
    }

    fn remove(&self, pipeline: &gst::Pipeline, drawn: DrawnLayer) {
        drawn.branch.take_off(pipeline, &drawn.tee, || self.compositor.release_request_pad(&drawn.pad));
    }

    /// Puts every layer where it belongs.
    fn place(&self) {
        let across = f64::from(self.size.width) / f64::from(self.canvas.width);
        let down = f64::from(self.size.height) / f64::from(self.canvas.height);
        let scaled = |value: f64, by: f64| (value * by).round() as i32;
        for drawn in self.layers.values() {
            let place = drawn.layer.place;
            drawn.pad.set_property("xpos", scaled(place.x.into(), across));
            drawn.pad.set_property("ypos", scaled(place.y.into(), down));
            drawn.pad.set_property("width", scaled(place.width.into(), across).max(1));
            drawn.pad.set_property("height", scaled(place.height.into(), down).max(1));
            drawn.pad.set_property("alpha", opacity(&drawn.layer));
            if let Some(crop) = drawn.branch.element(1) {
                let cut = drawn.size.clamp(drawn.layer.crop);
                for (side, pixels) in
                    [("left", cut.left), ("top", cut.top), ("right", cut.right), ("bottom", cut.bottom)]
                {
                    crop.set_property(side, i32::try_from(pixels).unwrap_or(i32::MAX));
                }
            }
        }
    }
}

/// The format of a whole picture.
fn format(size: Canvas, pixels: gst_video::VideoFormat) -> gst::Caps {
    gst_video::VideoCapsBuilder::new()
        .format(pixels)
        .width(i32::try_from(size.width).unwrap_or(i32::MAX))
        .height(i32::try_from(size.height).unwrap_or(i32::MAX))
        .framerate(gst::Fraction::new(i32::try_from(size.frame_rate).unwrap_or(30), 1))
        .pixel_aspect_ratio(gst::Fraction::new(1, 1))
        .field("colorimetry", "bt709")
        .build()
}

fn opacity(layer: &Layer) -> f64 {
    f64::from(layer.opacity_percent) / 100.0
}
