//! Films and songs from files. A pipeline of its own decodes at the production's pace; picture and sound go by one
//! clock in it, and stay together however often the file begins again.

use std::path::Path;

use gstreamer::{self as gst, glib, prelude::*};
use gstreamer_app as gst_app;
use skylark_protocol::studio::Input;

use super::{
    CaptureError, Live, Opening,
    bridge::{begin, feeding, reason, stopped},
    element,
    feed::{Feed, Reporter, sound_caps},
    worker::{Stop, Worker},
};

/// Sound is handed over so much before it is due: no mixer waits for it.
const SOUND_AHEAD_NS: i64 = -100_000_000;
/// A file that takes longer to open is none.
const OPENING: gst::ClockTime = gst::ClockTime::from_seconds(10);
/// How often messages are looked at without one having come.
const LISTENING: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// A file that plays.
struct Media {
    #[expect(dead_code, reason = "dropped to stop it")]
    worker: Worker,
}

impl Live for Media {
    fn update(&mut self, _input: &Input) -> bool {
        false
    }
}

/// Opens a film or a song.
pub(super) fn open(opening: Opening, input: &Input) -> Result<Box<dyn Live>, CaptureError> {
    let Input::Media { path, is_looped } = input else { return Err(CaptureError::Unsupported("this as a film")) };
    let pictures = Feed::pictures(&opening)?;
    let sound = Feed::sound(&opening, gst::ClockTime::ZERO)?;
    for name in ["uridecodebin", "audioconvert", "audioresample"] {
        element(name)?;
    }
    let (path, is_looped, reporter) = (path.clone(), *is_looped, opening.reporter);
    let worker = Worker::start("capture media", move |stop| {
        if let Err(why) = play(&path, is_looped, &pictures, &sound, &reporter, stop) {
            reporter.lost(&format!("{path} cannot be played: {why}"));
        }
    })?;
    Ok(Box::new(Media { worker }))
}

fn play(
    path: &str,
    is_looped: bool,
    pictures: &Feed,
    sound: &Feed,
    reporter: &Reporter,
    stop: &Stop,
) -> Result<(), String> {
    let file = std::fs::canonicalize(path).map_err(|error| error.to_string())?;
    let pipeline = pipeline(&file, pictures, sound).map_err(|error| error.to_string())?;
    let result = run(&pipeline, is_looped, pictures, sound, reporter, stop);
    stopped(&pipeline);
    result
}

fn pipeline(file: &Path, pictures: &Feed, sound: &Feed) -> Result<gst::Pipeline, CaptureError> {
    let pipeline = gst::Pipeline::new();
    let uri = glib::filename_to_uri(file, None).map_err(|_error| glib::bool_error!("its name cannot be an address"))?;
    // Pictures have to be in memory that everybody can read.
    let decoder = gst::ElementFactory::make("uridecodebin")
        .property("uri", uri.as_str())
        .property("force-sw-decoders", true)
        .build()?;
    pipeline.add(&decoder)?;
    let weak = pipeline.downgrade();
    let (pictures, sound) = (pictures.clone(), sound.clone());
    decoder.connect_pad_added(move |_decoder, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let kind = caps.structure(0).map(|structure| structure.name().to_owned()).unwrap_or_default();
        let joined = match kind.as_str() {
            "video/x-raw" => join(&pipeline, pad, "video", || Ok(vec![feeding(&pictures, None, true).upcast()])),
            "audio/x-raw" => join(&pipeline, pad, "audio", || sound_chain(&sound)),
            _ => Ok(()),
        };
        if let Err(error) = joined {
            tracing::warn!(%error, "a stream of a media file is left out");
        }
    });
    Ok(pipeline)
}

fn sound_chain(feed: &Feed) -> Result<Vec<gst::Element>, CaptureError> {
    let sink: gst_app::AppSink = feeding(feed, Some(&sound_caps()), true);
    sink.set_ts_offset(SOUND_AHEAD_NS);
    Ok(vec![element("audioconvert")?, element("audioresample")?, sink.upcast()])
}

/// Links the first stream of a kind to where it goes. Others of the kind, such as other languages, go nowhere.
fn join(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    kind: &str,
    chain: impl FnOnce() -> Result<Vec<gst::Element>, CaptureError>,
) -> Result<(), CaptureError> {
    if pipeline.by_name(kind).is_some() {
        return Ok(());
    }
    let queue = gst::ElementFactory::make("queue").name(kind).build()?;
    let mut elements = vec![queue.clone()];
    elements.extend(chain()?);
    pipeline.add_many(&elements)?;
    gst::Element::link_many(&elements)?;
    for element in &elements {
        element.sync_state_with_parent()?;
    }
    let target = queue.static_pad("sink").ok_or_else(|| glib::bool_error!("a queue without a sink pad"))?;
    pad.link(&target).map_err(|_error| glib::bool_error!("a stream cannot be linked"))?;
    Ok(())
}

fn run(
    pipeline: &gst::Pipeline,
    is_looped: bool,
    pictures: &Feed,
    sound: &Feed,
    reporter: &Reporter,
    stop: &Stop,
) -> Result<(), String> {
    let bus = pipeline.bus().ok_or("a pipeline has messages")?;
    let failed = || reason(bus.pop_filtered(&[gst::MessageType::Error]).as_ref());
    pipeline.set_state(gst::State::Paused).map_err(|_error| failed())?;
    let opened = bus.timed_pop_filtered(OPENING, &[gst::MessageType::AsyncDone, gst::MessageType::Error]);
    match opened {
        Some(message) if message.type_() == gst::MessageType::AsyncDone => {}
        message => return Err(reason(message.as_ref())),
    }
    if pipeline.by_name("video").is_none() && pipeline.by_name("audio").is_none() {
        return Err("there is neither picture nor sound in it".into());
    }
    if is_looped {
        // A segment that ends says so instead of ending the stream, and the next follows without a gap.
        again(pipeline, gst::SeekFlags::FLUSH | gst::SeekFlags::SEGMENT)?;
        let settled = bus.timed_pop_filtered(OPENING, &[gst::MessageType::AsyncDone, gst::MessageType::Error]);
        if settled.as_ref().is_none_or(|message| message.type_() == gst::MessageType::Error) {
            return Err(reason(settled.as_ref()));
        }
    }
    if !begin(pipeline, &[pictures.clone(), sound.clone()], stop) {
        return Ok(());
    }
    pipeline.set_state(gst::State::Playing).map_err(|_error| failed())?;
    while !stop.is_asked() && !reporter.is_lost() {
        let Some(message) = bus.timed_pop(LISTENING) else { continue };
        match message.view() {
            gst::MessageView::Error(_) => return Err(reason(Some(&message))),
            gst::MessageView::SegmentDone(_) => again(pipeline, gst::SeekFlags::SEGMENT)?,
            _ => {}
        }
    }
    Ok(())
}

/// From the beginning.
fn again(pipeline: &gst::Pipeline, flags: gst::SeekFlags) -> Result<(), String> {
    pipeline
        .seek(1.0, flags, gst::SeekType::Set, gst::ClockTime::ZERO, gst::SeekType::None, gst::ClockTime::NONE)
        .map_err(|_error| "it cannot begin again".into())
}
