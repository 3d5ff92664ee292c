//! The running graph: what a plan asks for, in GStreamer. It has a thread of its own; what others want of it are orders.
//!
//! | module | does |
//! |---|---|
//! | [`plan`] | what the graph has to be for a collection, and the steps there; pure |
//! | [`loudness`] | levels of sound; pure |
//! | `production` | the pipeline, and the thread that changes it |
//! | `source` | open sources, their placeholders and retries |
//! | `drawing` | a compositor and its layers; fades |
//! | `keyframes` | when they are due |
//! | `strip` | a source's sound on its way to the mix |
//! | `monitor` | the same on its way to the streamer's ears |
//! | `picture` | pictures for the window |
//! | `wiring` | operations on a running pipeline |

mod drawing;
mod keyframes;
pub mod loudness;
mod monitor;
mod picture;
pub mod plan;
mod production;
mod source;
mod strip;
#[cfg(test)]
mod tests;
pub(crate) mod wiring;

use std::{
    sync::{
        Arc,
        mpsc::{self, Sender},
    },
    thread::JoinHandle,
};

use bytes::Bytes;
use gstreamer as gst;
use skylark_protocol::studio::{Canvas, Meters, SourceId, SourceState, View};
use tokio::sync::watch;

pub(crate) use keyframes::Keyframes;
pub use plan::Plan;

use crate::{
    encode::{EncodingPlan, Latency},
    encoded::{Outlets, Track},
};

/// What the graph cannot do.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// A GStreamer plugin is not installed.
    #[error("GStreamer's {0} is not installed")]
    Missing(String),
    /// Elements do not fit together.
    #[error("{0}")]
    Link(#[from] gst::PadLinkError),
    /// GStreamer says no.
    #[error("{0}")]
    Gstreamer(#[from] gst::glib::BoolError),
    /// An element does not start.
    #[error("{0}")]
    State(#[from] gst::StateChangeError),
    /// The graph's thread is gone.
    #[error("the Studio's graph has stopped")]
    Stopped,
}

/// What the graph's thread is asked to do.
enum Order {
    Apply(Box<Plan>),
    Encode(EncodingPlan),
    StopEncoding,
    SetBitrate(Track, u32),
    AskKeyframe,
    Look(View, u32, watch::Sender<Option<Bytes>>),
    Running {
        source: SourceId,
        opening: u64,
    },
    Lost {
        source: SourceId,
        opening: u64,
        reason: String,
    },
    /// Devices came or went: what is away is tried again now.
    TryAgain,
    /// The device that monitored strips are heard on.
    Listen(String),
    Stop,
}

/// What the encoders do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EncodingState {
    /// They run.
    pub is_running: bool,
    /// Frames that the first rendition's encoder made.
    pub frames: u64,
    /// Frames that any encoder was given and had no time for.
    pub dropped_frames: u64,
    /// Of each track's encoder.
    pub latencies: Vec<(Track, Latency)>,
    /// Why an encoder stopped, a sentence's end.
    pub failure: Option<String>,
}

/// Where a graph tells how it is. One that follows another tells the same people.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// How the sources are.
    pub sources: watch::Sender<Vec<SourceState>>,
    /// How loud it is, about 20 times a second.
    pub meters: watch::Sender<Meters>,
    /// What the encoders do, about twice a second.
    pub encoding: watch::Sender<EncodingState>,
    /// Why the streamer does not hear what is monitored.
    pub deafness: watch::Sender<Option<String>>,
}

/// A running graph. Dropping it stops it.
pub struct Graph {
    canvas: Canvas,
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Graph {
    /// Starts an empty graph for a canvas. Encoded packets go to `outlets`.
    ///
    /// # Errors
    /// A plugin that nothing works without is missing.
    pub fn start(canvas: Canvas, outlets: Arc<Outlets>, told: Told) -> Result<Self, GraphError> {
        let (orders, inbox) = mpsc::channel();
        let production = production::Production::new(canvas, outlets, orders.clone(), told)?;
        let thread = std::thread::Builder::new().name("graph".into()).spawn(move || production.run(&inbox));
        let thread = thread.map_err(|_| GraphError::Stopped)?;
        Ok(Self { canvas, orders, thread: Some(thread) })
    }

    /// Becomes what the plan asks for. A plan of another canvas takes another graph.
    pub fn apply(&self, plan: Plan) {
        self.order(Order::Apply(Box::new(plan)));
    }

    /// The picture that all is drawn on.
    pub fn canvas(&self) -> Canvas {
        self.canvas
    }

    /// Begins to encode, or encodes something else from now on. When that fails, [`EncodingState::failure`] says why.
    pub fn begin_encoding(&self, plan: EncodingPlan) {
        self.order(Order::Encode(plan));
    }

    /// Encodes no more.
    pub fn stop_encoding(&self) {
        self.order(Order::StopEncoding);
    }

    /// Another bitrate for a track, bits per second.
    pub fn set_bitrate(&self, track: Track, bitrate_bps: u32) {
        self.order(Order::SetBitrate(track, bitrate_bps));
    }

    /// The next frame of all renditions becomes a keyframe.
    pub fn ask_keyframe(&self) {
        self.order(Order::AskKeyframe);
    }

    /// Pictures of a view, JPEG files `width` pixels wide, the newest only, as long as `latest` has receivers.
    pub fn look(&self, view: View, width: u32, latest: watch::Sender<Option<Bytes>>) {
        self.order(Order::Look(view, width, latest));
    }

    /// Monitored strips are heard on this device from now on; empty: where this computer plays by itself.
    pub fn listen_on(&self, device: &str) {
        self.order(Order::Listen(device.to_owned()));
    }

    /// What is away is tried again now.
    pub fn try_again(&self) {
        self.order(Order::TryAgain);
    }

    fn order(&self, order: Order) {
        // A graph that has stopped takes no orders, and says so where it is asked for an answer.
        self.orders.send(order).ok();
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        self.order(Order::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the graph's thread panicked");
        }
    }
}
