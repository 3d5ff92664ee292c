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

/// How much earlier than it is due a film is handed on: no frame of the canvas waits for the film's next one.
const EARLY: gst::ClockTime = gst::ClockTime::from_mseconds(50);

/// Makes a pipeline, on the thread that runs it, and what has to live as long; or says why there is none.
pub(super) type Build = Box<dyn FnOnce() -> Result<(gst::Pipeline, Kept), String> + Send>;

/// What is dropped after the pipeline has stopped.
pub(super) type Kept = Option<Box<dyn Send>>;

/// A pipeline that runs until this is dropped.
pub(super) struct Bridge {
    #[expect(dead_code, reason = "dropped to stop it")]
    worker: Worker,
}

impl Bridge {
    /// Runs a pipeline on the production's clock; its sinks are those of [`feeding`]. `what` is how the sentence begins
    /// that says why it ended.
    pub(super) fn start(
        build: Build,
        feed: Feed,
        reporter: Reporter,
        what: &'static str,
    ) -> Result<Self, CaptureError> {
        let worker = Worker::start("capture bridge", move |stop| {
            let ended = build().and_then(|(pipeline, _kept)| {
                let ended = run(&pipeline, &feed, &reporter, stop);
                stopped(&pipeline);
                ended
            });
            if let Err(reason) = ended {
                reporter.lost(&format!("{what}: {reason}"));
            }
        })?;
        Ok(Self { worker })
    }
}

fn run(pipeline: &gst::Pipeline, feed: &Feed, reporter: &Reporter, stop: &Stop) -> Result<(), String> {
    if !begin(pipeline, std::slice::from_ref(feed), stop) {
        return Ok(());
    }
    let bus = pipeline.bus().ok_or("a pipeline has messages")?;
    let failed = || reason(bus.pop_filtered(&[gst::MessageType::Error]).as_ref());
    pipeline.set_state(gst::State::Playing).map_err(|_error| failed())?;
    while !stop.is_asked() && !reporter.is_lost() {
        let Some(message) = bus.timed_pop(LISTENING) else { continue };
        match message.view() {
            gst::MessageView::Error(_) => return Err(reason(Some(&message))),
            gst::MessageView::Eos(_) => return Err("it has ended".into()),
            _ => {}
        }
    }
    Ok(())
}

/// Waits for the production to run. Then a pipeline's running time begins, and what it feeds is shifted to the
/// production's. False: it is to stop.
pub(super) fn begin(pipeline: &gst::Pipeline, feeds: &[Feed], stop: &Stop) -> bool {
    let Some(first) = feeds.first() else { return false };
    let (clock, base) = loop {
        if first.wait(stop).is_none() {
            return false;
        }
        if let Some(known) = first.time_base() {
            break known;
        }
    };
    // What is captured at a steady pace keeps step with the canvas, and no frame waits for it.
    let offset = first.frame_before(clock.time().saturating_sub(base));
    pipeline.use_clock(Some(&clock));
    pipeline.set_start_time(gst::ClockTime::NONE);
    pipeline.set_base_time(base + offset);
    for feed in feeds {
        feed.shift(i64::try_from(offset.nseconds()).unwrap_or(0));
    }
    true
}

/// Stops a pipeline for good.
pub(super) fn stopped(pipeline: &gst::Pipeline) {
    if let Err(error) = pipeline.set_state(gst::State::Null) {
        tracing::warn!(%error, "a source's pipeline cannot be stopped");
    }
}

/// What an error says.
pub(super) fn reason(message: Option<&gst::Message>) -> String {
    match message.map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => error.error().message().to_owned(),
        _ => "it does not start".into(),
    }
}

/// A sink that hands on what it gets; `is_paced`: a little before it is due, not when it comes.
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
                    let sample = if is_paced { by_running_time(&sample).ok_or(gst::FlowError::Error)? } else { sample };
                    if feed.push_sample(&sample) { Ok(gst::FlowSuccess::Ok) } else { Err(gst::FlowError::Eos) }
                })
                .build(),
        )
        .build();
    if is_paced {
        sink.set_ts_offset(-EARLY.nseconds().cast_signed());
    }
    sink.set_caps(caps);
    sink
}

/// The same sample with a timestamp that does not begin again when a file does. The pixels are shared.
fn by_running_time(sample: &gst::Sample) -> Option<gst::Sample> {
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let mut buffer = sample.buffer()?.copy();
    let at = segment.to_running_time(buffer.pts()?)?;
    buffer.get_mut()?.set_pts(at);
    Some(gst::Sample::builder().buffer(&buffer).caps(sample.caps_owned().as_ref()?).build())
}
