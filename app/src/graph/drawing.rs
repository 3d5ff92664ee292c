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
use skylark_protocol::studio::{Canvas, ItemId, SourceId};

use super::{
    GraphError,
    plan::Layer,
    source::{OpenSource, PictureSize},
    wiring::{Branch, filter, leaky_queue, make},
};
use crate::encode::{Captures, Picture};

/// How long the next scene is waited for when a source of it is slow; then it comes without.
const FIRST_PICTURE_PATIENCE: Duration = Duration::from_millis(700);
/// Layers that go are drawn above those that come.
const LEAVING_ORDER: u32 = 1000;
/// The scene that goes, in one, is drawn above its layers.
const WHOLE_ORDER: u32 = 2 * LEAVING_ORDER;
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
    captures: Arc<Captures>,
    layers: BTreeMap<ItemId, DrawnLayer>,
    leaving: Vec<DrawnLayer>,
    fade: Option<Fade>,
}

struct DrawnLayer {
    layer: Layer,
    hanging: Hanging,
    size: Arc<PictureSize>,
    /// It comes with its whole scene: until then nobody sees it.
    is_waiting: bool,
}

/// A picture on its way into the compositor.
struct Hanging {
    branch: Branch,
    pad: gst::Pad,
    tee: gst::Element,
    has_picture: Arc<AtomicBool>,
}

impl Hanging {
    fn has_picture(&self) -> bool {
        self.has_picture.load(Ordering::Acquire)
    }
}

/// What was drawn before goes.
struct Fade {
    /// All that is needed has its pictures, or is waited for no more.
    begun: Option<Instant>,
    asked: Instant,
    duration: Duration,
    before: Option<Before>,
}

/// The scene that goes, drawn by itself: faded layer by layer, those below would show through those above.
struct Before {
    drawing: Box<Drawing>,
    /// It as a layer above all others, as soon as it is whole.
    whole: Option<Hanging>,
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
            .property("emit-signals", true)
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
        let captures = Arc::new(Captures::at(canvas.frame_rate));
        let composed = Arc::clone(&captures);
        compositor.connect("samples-selected", false, move |arguments| {
            if let Some(Ok(pts_ns)) = arguments.get(2).map(|pts| pts.get::<u64>()) {
                composed.composed(pts_ns);
            }
            None
        });
        let (layers, leaving) = (BTreeMap::new(), Vec::new());
        Ok(Self { size, canvas, compositor, blending, convert, caps, tee, captures, layers, leaving, fade: None })
    }

    /// Where the picture comes out.
    pub(super) fn tee(&self) -> &gst::Element {
        &self.tee
    }

    /// For encoders.
    pub(super) fn picture(&self) -> Picture<'_> {
        Picture { tee: &self.tee, canvas: self.canvas, captures: &self.captures }
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
        sources: &BTreeMap<SourceId, OpenSource>,
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
            drawn.hanging.pad.set_property("zorder", order);
            self.layers.insert(layer.item, drawn);
        }
        self.leaving = before.into_values().collect();
        for drawn in &self.leaving {
            let pad = &drawn.hanging.pad;
            pad.set_property("zorder", LEAVING_ORDER + pad.property::<u32>("zorder"));
        }
        if !self.leaving.is_empty() && (is_new || !fade.is_zero()) {
            let before = if fade.is_zero() { None } else { self.draw_before(pipeline, sources, now) };
            self.fade = Some(Fade { begun: None, asked: now, duration: fade, before });
        } else {
            self.show();
        }
        self.place();
        self.advance(pipeline, now);
    }

    /// Goes on with a fade. True while there is more to come.
    pub(super) fn advance(&mut self, pipeline: &gst::Pipeline, now: Instant) -> bool {
        let Some(mut fade) = self.fade.take() else {
            self.finish_fade(pipeline);
            return false;
        };
        if fade.begun.is_none() && (self.is_ready(pipeline, &mut fade) || now >= fade.asked + FIRST_PICTURE_PATIENCE) {
            fade.begun = Some(now);
            // From here on, the whole stands for them.
            if fade.before.as_ref().is_some_and(|before| before.whole.is_some()) {
                self.remove_leaving(pipeline);
            }
            self.show();
        }
        let gone = match fade.begun {
            None => 0.0,
            Some(_) if fade.duration.is_zero() => 1.0,
            Some(begun) => (now - begun).as_secs_f64() / fade.duration.as_secs_f64(),
        };
        if let Some(whole) = fade.before.as_ref().and_then(|before| before.whole.as_ref()) {
            whole.pad.set_property("alpha", (1.0 - gone).max(0.0));
        }
        self.fade = Some(fade);
        if gone >= 1.0 {
            self.finish_fade(pipeline);
            return false;
        }
        true
    }

    /// What waited is seen from now on.
    fn show(&mut self) {
        for drawn in self.layers.values_mut().filter(|drawn| drawn.is_waiting) {
            drawn.is_waiting = false;
            drawn.hanging.pad.set_property("alpha", opacity(&drawn.layer));
        }
    }

    /// Whether everything has the picture that a fade begins with.
    fn is_ready(&self, pipeline: &gst::Pipeline, fade: &mut Fade) -> bool {
        let has_all = |drawing: &Self| drawing.layers.values().all(|drawn| drawn.hanging.has_picture());
        let is_whole = fade.before.as_mut().is_none_or(|before| {
            if before.whole.is_none() && has_all(&before.drawing) {
                before.whole = self.show_whole(pipeline, &before.drawing);
            }
            before.whole.as_ref().is_some_and(Hanging::has_picture)
        });
        is_whole && has_all(self)
    }

    /// Draws what goes once more, by itself.
    fn draw_before(
        &self,
        pipeline: &gst::Pipeline,
        sources: &BTreeMap<SourceId, OpenSource>,
        now: Instant,
    ) -> Option<Before> {
        let mut leaving: Vec<_> =
            self.leaving.iter().map(|drawn| (drawn.hanging.pad.property::<u32>("zorder"), drawn.layer)).collect();
        leaving.sort_by_key(|(order, _)| *order);
        let layers: Vec<_> = leaving.into_iter().map(|(_, layer)| layer).collect();
        match Self::new(pipeline, self.canvas, self.size) {
            Ok(mut drawing) => {
                drawing.draw(pipeline, sources, &layers, Duration::ZERO, now);
                Some(Before { drawing: Box::new(drawing), whole: None })
            }
            Err(error) => {
                tracing::warn!(%error, "a scene cannot fade");
                None
            }
        }
    }

    /// Another drawing, above all layers.
    fn show_whole(&self, pipeline: &gst::Pipeline, drawing: &Self) -> Option<Hanging> {
        let hanging = self.hang(pipeline, &drawing.tee);
        let hanging = hanging.inspect_err(|error| tracing::warn!(%error, "a scene cannot fade")).ok()?;
        hanging.pad.set_property("width", i32::try_from(self.size.width).unwrap_or(i32::MAX));
        hanging.pad.set_property("height", i32::try_from(self.size.height).unwrap_or(i32::MAX));
        hanging.pad.set_property("zorder", WHOLE_ORDER);
        Some(hanging)
    }

    /// The size of a source's picture became known: crops may have to be smaller.
    pub(super) fn refit(&self) {
        self.place();
    }

    /// Takes the whole picture out of the pipeline.
    pub(super) fn close(mut self, pipeline: &gst::Pipeline) {
        self.finish_fade(pipeline);
        for drawn in std::mem::take(&mut self.layers).into_values() {
            self.take_off(pipeline, drawn.hanging);
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
        self.show();
        if let Some(Before { drawing, whole }) = self.fade.take().and_then(|fade| fade.before) {
            if let Some(whole) = whole {
                self.take_off(pipeline, whole);
            }
            drawing.close(pipeline);
        }
        self.remove_leaving(pipeline);
    }

    fn remove_leaving(&mut self, pipeline: &gst::Pipeline) {
        for drawn in std::mem::take(&mut self.leaving) {
            self.take_off(pipeline, drawn.hanging);
        }
    }

    fn add(&self, pipeline: &gst::Pipeline, source: &OpenSource, layer: &Layer) -> Result<DrawnLayer, GraphError> {
        let tee = source.picture().ok_or_else(|| GraphError::Missing("a picture of the source".into()))?;
        let hanging = self.hang(pipeline, tee)?;
        if let Some(queue) = hanging.branch.element(0).and_then(|queue| queue.static_pad("sink")) {
            source.show_last_picture_to(&queue);
        }
        Ok(DrawnLayer { layer: *layer, hanging, size: Arc::clone(source.size()), is_waiting: true })
    }

    /// Brings what comes out of a tee into the compositor.
    fn hang(&self, pipeline: &gst::Pipeline, tee: &gst::Element) -> Result<Hanging, GraphError> {
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
        let captures = Arc::clone(&self.captures);
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let captured = info.buffer().and_then(|buffer| running_time(pad, buffer.pts()?));
            let now = pad.parent_element().and_then(|compositor| compositor.current_running_time());
            if let (Some(captured), Some(now)) = (captured, now) {
                captures.came(captured.nseconds(), now.nseconds());
            }
            gst::PadProbeReturn::Ok
        });
        let compositor_pad = pad.clone();
        let branch = Branch::hang(pipeline, tee, vec![queue, crop], |last| {
            let end = last.static_pad("src").ok_or_else(|| GraphError::Missing("a source pad".into()))?;
            end.link(&compositor_pad)?;
            Ok(())
        });
        match branch {
            Ok(branch) => Ok(Hanging { branch, pad, tee: tee.clone(), has_picture }),
            Err(error) => {
                self.compositor.release_request_pad(&pad);
                Err(error)
            }
        }
    }

    fn take_off(&self, pipeline: &gst::Pipeline, hanging: Hanging) {
        let Hanging { branch, pad, tee, .. } = hanging;
        branch.take_off(pipeline, &tee, || self.compositor.release_request_pad(&pad));
    }

    /// Puts every layer where it belongs.
    fn place(&self) {
        let across = f64::from(self.size.width) / f64::from(self.canvas.width);
        let down = f64::from(self.size.height) / f64::from(self.canvas.height);
        let scaled = |value: f64, by: f64| (value * by).round() as i32;
        for drawn in self.layers.values() {
            let (place, pad) = (drawn.layer.place, &drawn.hanging.pad);
            pad.set_property("xpos", scaled(place.x.into(), across));
            pad.set_property("ypos", scaled(place.y.into(), down));
            pad.set_property("width", scaled(place.width.into(), across).max(1));
            pad.set_property("height", scaled(place.height.into(), down).max(1));
            pad.set_property("alpha", if drawn.is_waiting { 0.0 } else { opacity(&drawn.layer) });
            if let Some(crop) = drawn.hanging.branch.element(1) {
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

fn running_time(pad: &gst::Pad, pts: gst::ClockTime) -> Option<gst::ClockTime> {
    let event = pad.sticky_event::<gst::event::Segment>(0)?;
    event.segment().downcast_ref::<gst::ClockTime>()?.to_running_time(pts)
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
