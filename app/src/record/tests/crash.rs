use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    time::Instant,
};

use super::*;

/// Tells the child where to record.
const FOLDER: &str = "SKYLARK_TEST_RECORD_INTO";

/// Not a test of its own: what the other one kills.
#[test]
#[ignore = "is run, and killed, by a_killed_studio_leaves_all_but_the_last_second"]
fn records_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { panic!("{FOLDER} is not set") };
    let recorder = start(&folder);
    let began = Instant::now();
    for packet in (0..).flat_map(|turn| later(&SMALL, turn * 10 * NS_PER_S)) {
        thread::sleep((began + Duration::from_nanos(packet.dts_ns)).saturating_duration_since(Instant::now()));
        recorder.take(&packet);
        if packet.track != Track::Audio {
            println!("\ngiven {}", packet.pts_ns + packet.duration_ns);
        }
    }
}

#[test]
fn a_killed_studio_leaves_all_but_the_last_second() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "record::tests::crash::records_until_it_is_killed", "--ignored", "--nocapture"]);
    let mut child = command.env(FOLDER, folder.path()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let given = lines.filter_map(|line| line.unwrap().strip_prefix("given ").and_then(|ns| ns.parse::<u64>().ok()));
    let mut given = given.skip_while(|ns| *ns < 7_300_000_000);
    let given_s = given.next().expect("it records") as f64 / NS_PER_S as f64;
    // SIGKILL: nothing in it hears of it.
    child.kill().unwrap();
    child.wait().unwrap();
    let path = folder.path().join("Evening.mp4");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-i"]).arg(&path).args(["-f", "framecrc", "-"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let of = |stream: &str| text.lines().filter(|line| line.starts_with(stream)).count() as f64;
    let kept_s = of("0,") / RATE as f64;
    assert!(kept_s > given_s - 1.0 && kept_s <= given_s, "{kept_s} of {given_s} s of picture");
    let sound_s = of("1,") * 1024.0 / 48_000.0;
    assert!(sound_s > given_s - 1.0, "{sound_s} of {given_s} s of sound");
    // Another player's reader: GStreamer's.
    let described = format!("filesrc location={} ! qtdemux name=file file.video_0 ! fakesink name=end", path.display());
    let pipeline = gst::parse::launch(&described).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let ended = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(20), &kinds);
    let played = pipeline.query_position::<gst::ClockTime>();
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(ended.is_some_and(|message| message.type_() == gst::MessageType::Eos), "it plays to its end");
    assert!(played.is_some_and(|played| played.nseconds() as f64 > (given_s - 1.1) * NS_PER_S as f64), "{played:?}");
}

/// Frames of one size, as an encoder with a constant bitrate makes of a still picture, and silence.
#[test]
fn equal_frames_play_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = start(folder.path());
    let largest = |is_picture: bool| {
        let of = SMALL.iter().filter(|packet| (packet.track != Track::Audio) == is_picture && !packet.is_keyframe);
        of.map(|packet| packet.data.len()).max().unwrap_or(0)
    };
    let picture_size = largest(true) + 6;
    // Every eighth is larger.
    let equal = SMALL.iter().enumerate().map(|(index, packet)| match packet.track {
        Track::Audio => packet.clone(),
        _ => Packet { data: filled(&packet.data, picture_size + usize::from(index % 8 == 0)), ..packet.clone() },
    });
    let equal: Vec<_> = equal.collect();
    for packet in &equal {
        recorder.take(packet);
    }
    let path = folder.path().join("Evening.mp4");
    let copy = folder.path().join("crash.mp4");
    let began = Instant::now();
    while std::fs::metadata(&path).map_or(0, |file| file.len()) < size_until(&equal, 8) {
        assert!(began.elapsed() < Duration::from_secs(20), "it is not written");
        thread::sleep(Duration::from_millis(20));
    }
    std::fs::copy(&path, &copy).unwrap();
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-i"]).arg(&copy).args(["-map", "0:v", "-f", "framecrc", "-"]);
    let text = String::from_utf8(command.stdin(Stdio::null()).output().unwrap().stdout).unwrap();
    let kept = text.lines().filter(|line| line.starts_with("0,")).count();
    assert!(kept as u64 >= 7 * RATE, "{kept} pictures can be played");
}

/// A picture with filler data behind it, so that it is of this size.
fn filled(data: &Bytes, size: usize) -> Bytes {
    const FILLER: [u8; 5] = [0, 0, 0, 1, 12];
    let Some(rest) = size.checked_sub(data.len() + FILLER.len() + 1) else { return data.clone() };
    [data.as_ref(), &FILLER, &vec![0xFF; rest], &[0x80]].concat().into()
}
