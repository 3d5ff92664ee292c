//! Pipelines of our own beside the production's: what goes wrong in them stays in them.

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;

use super::{
    CaptureError,
    feed::{Feed, Reporter},
    worker::{Stop, Worker},
};

/// How often a pipeline's messages are looked at without one having come.
const LISTENING: gst::ClockTime = gst::ClockTime::from_mseconds(250);

/// What a pipeline's end or error means.
pub(super) type OnMessage = Box<dyn FnMut(&gst::Message) -> Option<String> + Send>;

/// A pipeline that runs until this is dropped.
pub(super) struct Bridge {
    #[expect(dead_code, reason = "dropped to stop it")]
    worker: Worker,
}

impl Bridge {
    /// Runs a pipeline on the production's clock. Its sinks feed as they are told by [`feeding`]. What `on_message`
    /// returns is why the source is lost.
    pub(super) fn start(
        pipeline: gst::Pipeline,
        feeds: Vec<Feed>,
        reporter: Reporter,
        on_message: OnMessage,
    ) -> Result<Self, CaptureError> {
        let worker = Worker::start("capture bridge", move |stop| {
            if let Err(reason) = run(&pipeline, &feeds, on_message, stop) {
                reporter.lost(&reason);
            }
            if let Err(error) = pipeline.set_state(gst::State::Null) {
                tracing::warn!(%error, "a source's pipeline cannot be stopped");
            }
        })?;
        Ok(Self { worker })
    }
}

fn run(pipeline: &gst::Pipeline, feeds: &[Feed], mut on_message: OnMessage, stop: &Stop) -> Result<(), String> {
    let Some(first) = feeds.first() else { return Ok(()) };
    if first.wait(stop).is_none() {
        return Ok(());
    }
    let Some((clock, base)) = first.time_base() else { return Ok(()) };
    // Its own running time begins now; what it makes is shifted to the production's.
    let now = clock.time();
    pipeline.use_clock(Some(&clock));
    pipeline.set_start_time(gst::ClockTime::NONE);
    pipeline.set_base_time(now);
    let offset = now.saturating_sub(base);
    for feed in feeds {
        feed.shift(i64::try_from(offset.nseconds()).unwrap_or(0));
    }
    let bus = pipeline.bus().ok_or("a pipeline has messages")?;
    let failed = |bus: &gst::Bus| reason(bus.pop_filtered(&[gst::MessageType::Error]).as_ref());
    pipeline.set_state(gst::State::Playing).map_err(|_error| failed(&bus))?;
    while !stop.is_asked() {
        let Some(message) = bus.timed_pop(LISTENING) else { continue };
        if message.type_() == gst::MessageType::Error {
            return Err(reason(Some(&message)));
        }
        if let Some(reason) = on_message(&message) {
            return Err(reason);
        }
    }
    Ok(())
}

fn reason(message: Option<&gst::Message>) -> String {
    match message.map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => error.error().message().to_owned(),
        _ => "it cannot be started".into(),
    }
}

/// A sink that hands on what it gets; `is_paced`: when it is due, not when it comes.
pub(super) fn feeding(feed: &Feed, caps: Option<&gst::Caps>, is_paced: bool) -> gst_app::AppSink {
    let feed = feed.clone();
    let sink = gst_app::AppSink::builder()
        .sync(is_paced)
        .max_buffers(2)
        .enable_last_sample(false)
        .qos(false)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_error| gst::FlowError::Eos)?;
                    if feed.push_sample(&sample) { Ok(gst::FlowSuccess::Ok) } else { Err(gst::FlowError::Eos) }
                })
                .build(),
        )
        .build();
    sink.set_caps(caps);
    sink
}
