//! Small operations on a running pipeline that have to be made in the right order.

use std::{sync::mpsc, time::Duration};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::GraphError;

/// How long a branch may take to stand still while it is taken off.
const STILL_PATIENCE: Duration = Duration::from_millis(500);

/// Makes an element.
///
/// # Errors
/// The plugin that has it is not installed.
pub(crate) fn make(factory: &str) -> Result<gst::Element, GraphError> {
    gst::ElementFactory::make(factory).build().map_err(|_| GraphError::Missing(factory.to_owned()))
}

/// A filter for one format.
///
/// # Errors
/// GStreamer's core elements are not installed.
pub(crate) fn filter(caps: &gst::Caps) -> Result<gst::Element, GraphError> {
    let filter = make("capsfilter")?;
    filter.set_property("caps", caps);
    Ok(filter)
}

/// A queue that rather loses the oldest than holds its feeder up.
///
/// # Errors
/// GStreamer's core elements are not installed.
pub(crate) fn leaky_queue(max_buffers: u32, max_time: Duration) -> Result<gst::Element, GraphError> {
    let queue = make("queue")?;
    queue.set_property_from_str("leaky", "downstream");
    queue.set_property("max-size-buffers", max_buffers);
    queue.set_property("max-size-bytes", 0u32);
    queue.set_property("max-size-time", u64::try_from(max_time.as_nanos()).unwrap_or(u64::MAX));
    queue.set_property("silent", true);
    Ok(queue)
}

/// A chain of elements that hangs from a tee of a running pipeline.
#[derive(Debug)]
pub(crate) struct Branch {
    tee_pad: gst::Pad,
    elements: Vec<gst::Element>,
}

impl Branch {
    /// Adds `elements` to the pipeline as a chain and hangs it from the tee. Where the chain is to be linked on at its far
    /// end, `finish` does so before anything flows.
    ///
    /// # Errors
    /// The elements do not fit together; nothing is left in the pipeline then.
    pub(crate) fn hang(
        pipeline: &gst::Pipeline,
        tee: &gst::Element,
        elements: Vec<gst::Element>,
        finish: impl FnOnce(&gst::Element) -> Result<(), GraphError>,
    ) -> Result<Self, GraphError> {
        let built = (|| {
            pipeline.add_many(&elements)?;
            gst::Element::link_many(&elements)?;
            let (Some(first), Some(last)) = (elements.first(), elements.last()) else {
                return Err(GraphError::Missing("an element".into()));
            };
            finish(last)?;
            // From the far end on, so that none is given data before it can take it.
            for element in elements.iter().rev() {
                element.sync_state_with_parent()?;
            }
            let tee_pad =
                tee.request_pad_simple("src_%u").ok_or_else(|| GraphError::Missing("a pad of the tee".into()))?;
            let sink = first.static_pad("sink").ok_or_else(|| GraphError::Missing("a sink pad".into()))?;
            tee_pad.link(&sink)?;
            Ok(tee_pad)
        })();
        match built {
            Ok(tee_pad) => Ok(Self { tee_pad, elements }),
            Err(error) => {
                discard(pipeline, &elements);
                Err(error)
            }
        }
    }

    /// The element at an index of the chain.
    pub(crate) fn element(&self, index: usize) -> Option<&gst::Element> {
        self.elements.get(index)
    }

    /// Whether an object is, or is in, one of the elements.
    pub(crate) fn has(&self, object: &gst::Object) -> bool {
        self.elements
            .iter()
            .any(|element| element.upcast_ref::<gst::Object>() == object || object.has_as_ancestor(element))
    }

    /// Takes the chain off: `release` lets go of what it was linked to at its far end.
    pub(crate) fn take_off(self, pipeline: &gst::Pipeline, tee: &gst::Element, release: impl FnOnce()) {
        unlink_when_still(&self.tee_pad);
        tee.release_request_pad(&self.tee_pad);
        release();
        discard(pipeline, &self.elements);
    }
}

/// Unlinks a source pad between two buffers, so that its feeder does not fail with `not-linked` halfway.
pub(crate) fn unlink_when_still(pad: &gst::Pad) {
    let Some(peer) = pad.peer() else { return };
    let (sender, still) = mpsc::channel();
    let probe = pad.add_probe(gst::PadProbeType::IDLE, move |pad, _| {
        pad.unlink(&peer).ok();
        sender.send(()).ok();
        gst::PadProbeReturn::Remove
    });
    // Without an id the probe has run already.
    if probe.is_some() && still.recv_timeout(STILL_PATIENCE).is_err() {
        tracing::warn!(pad = %pad.name(), "a branch did not stand still; it is taken off all the same");
        if let Some(peer) = pad.peer() {
            pad.unlink(&peer).ok();
        }
    }
}

/// Stops elements and takes them out of the pipeline.
pub(crate) fn discard(pipeline: &gst::Pipeline, elements: &[gst::Element]) {
    for element in elements {
        element.set_locked_state(true);
        if let Err(error) = element.set_state(gst::State::Null) {
            tracing::warn!(element = %element.name(), %error, "an element does not stop");
        }
        if element.parent().is_some() {
            pipeline.remove(element).ok();
        }
    }
}
