//! Recordings of pictures and sound that GStreamer has encoded, read by ffmpeg.

mod crash;
mod disk;
mod recording;
mod replay;

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, LazyLock},
    thread,
    time::Duration,
};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;
use skylark_protocol::studio::RecordingView;
use tokio::sync::watch;

use super::Recorder;
use crate::encoded::{Outlet as _, Packet, Track};

/// Pictures per second.
const RATE: u64 = 30;
const NS_PER_S: u64 = 1_000_000_000;

/// Ten seconds of 320×180 with a keyframe each second.
static SMALL: LazyLock<Vec<Packet>> = LazyLock::new(|| encode(10, 320, 180, 400));
/// Two seconds that are hard to encode: some 3 MiB.
static HEAVY: LazyLock<Vec<Packet>> = LazyLock::new(|| encode(2, 640, 360, 12_000));

/// Pictures and sound as the Studio's encoders give them.
fn encode(seconds: u64, width: u32, height: u32, kbps: u32) -> Vec<Packet> {
    gst::init().unwrap();
    let (pictures, sounds) = (seconds * RATE, seconds * 48_000 / 1024);
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc num-buffers={pictures} pattern=snow ! video/x-raw,width={width},height={height},framerate={RATE}/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={RATE} bitrate={kbps} \
         ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=picture sync=false \
         audiotestsrc num-buffers={sounds} samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2 ! avenc_aac \
         ! aacparse ! audio/mpeg,stream-format=adts ! appsink name=sound sync=false"
    ));
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    let sinks = ["picture", "sound"].map(|name| pipeline.by_name(name).unwrap().downcast::<AppSink>().unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    let [pictures, sounds] = sinks.map(|sink| {
        thread::spawn(move || {
            std::iter::from_fn(|| sink.pull_sample().ok()?.buffer_owned()).collect::<Vec<gst::Buffer>>()
        })
    });
    let (pictures, sounds) = (pictures.join().unwrap(), sounds.join().unwrap());
    pipeline.set_state(gst::State::Null).unwrap();
    let packets = |buffers: Vec<gst::Buffer>, track, duration_ns: u64| {
        (0..).zip(buffers).map(move |(number, buffer): (u64, gst::Buffer)| Packet {
            track,
            pts_ns: number * duration_ns,
            dts_ns: number * duration_ns,
            duration_ns,
            is_keyframe: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            data: Bytes::copy_from_slice(&buffer.map_readable().unwrap()),
        })
    };
    let mut all: Vec<_> = packets(pictures, Track::Video(0), NS_PER_S / RATE)
        .chain(packets(sounds, Track::Audio, 1024 * NS_PER_S / 48_000))
        .collect();
    all.sort_by_key(|packet| packet.dts_ns);
    all
}

/// The same frames, later.
fn later(packets: &[Packet], by_ns: u64) -> impl Iterator<Item = Packet> {
    packets.iter().map(move |packet| Packet {
        pts_ns: packet.pts_ns + by_ns,
        dts_ns: packet.dts_ns + by_ns,
        ..packet.clone()
    })
}

/// Gives frames without end, no faster than they are written.
fn give(recorder: &Recorder, packets: impl IntoIterator<Item = Packet>) {
    for packet in packets {
        while recorder.waiting_bytes() > 8 << 20 {
            thread::sleep(Duration::from_millis(2));
        }
        recorder.take(&packet);
    }
}

fn start(folder: &Path) -> Arc<Recorder> {
    Recorder::start(folder, "Evening", Track::Video(0), 0).unwrap()
}

/// Bytes of all that is shown before so many seconds.
fn size_until(packets: &[Packet], seconds: u64) -> u64 {
    packets.iter().filter(|packet| packet.pts_ns < seconds * NS_PER_S).map(|packet| packet.data.len() as u64).sum()
}

async fn view(
    reports: &mut watch::Receiver<RecordingView>,
    what: &str,
    is_it: impl FnMut(&RecordingView) -> bool,
) -> RecordingView {
    let found = tokio::time::timeout(Duration::from_secs(20), reports.wait_for(is_it)).await;
    let found = found.unwrap_or_else(|_| panic!("no report in time: {what}")).unwrap();
    found.clone()
}

/// What ffprobe finds in a file.
#[derive(Debug)]
struct Probed {
    pictures: u64,
    sounds: u64,
    picture_s: f64,
    sound_s: f64,
    starts_apart_s: f64,
}

/// Asks ffprobe; `counts`: by reading everything, not by the index.
fn probe(path: &Path, counts: bool) -> Probed {
    let frames = if counts { "nb_read_packets" } else { "nb_frames" };
    let ask = |stream: &str, entry: &str| {
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-of", "default=nk=1:nw=1"]).args(counts.then_some("-count_packets"));
        command.args(["-select_streams", stream, "-show_entries", &format!("stream={entry}")]);
        let output = command.arg(path).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        text.trim()
            .parse::<f64>()
            .unwrap_or_else(|_| panic!("{}: {entry} of {stream}: {text:?} {said}", path.display()))
    };
    Probed {
        pictures: ask("v", frames) as u64,
        sounds: ask("a", frames) as u64,
        picture_s: ask("v", "duration"),
        sound_s: ask("a", "duration"),
        starts_apart_s: (ask("v", "start_time") - ask("a", "start_time")).abs(),
    }
}

/// ffmpeg decodes everything without a complaint.
fn assert_plays(path: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-i"]).arg(path).args(["-f", "null", "-"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{}: {said}", path.display());
}

/// Frames of the picture, and of the sound from the first picture on.
fn counted(packets: &[Packet]) -> (u64, u64) {
    let of = |is_picture: bool| packets.iter().filter(|packet| (packet.track != Track::Audio) == is_picture).count();
    (of(true) as u64, of(false) as u64)
}
