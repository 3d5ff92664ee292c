use std::{fs, path::PathBuf};

use super::{super::check, *};

const HOUR_S: u64 = 3600;

/// Names of the files in a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|path| (path.to_string_lossy().len(), path.clone()));
    files
}

/// Names of the boxes that a file is made of.
fn boxes(mut rest: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let Some((size, name)) = rest.first_chunk::<8>().map(|header| header.split_at(4)) {
        names.push(String::from_utf8(name.to_vec()).unwrap());
        let size = match u32::from_be_bytes(size.try_into().unwrap()) as usize {
            1 => u64::from_be_bytes(rest[8..16].try_into().unwrap()) as usize,
            size => size,
        };
        rest = &rest[size..];
    }
    names
}

#[tokio::test]
async fn a_finished_recording_is_a_plain_file_with_every_frame() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = start(folder.path());
    // Before the first keyframe there is nothing to keep.
    give(&recorder, SMALL[1..40].iter().filter(|packet| !packet.is_keyframe).cloned());
    give(&recorder, later(&SMALL, 5 * NS_PER_S));
    let path = recorder.finish().await.unwrap();
    assert_eq!(path, folder.path().join("Evening.mp4"));
    let (pictures, sounds) = counted(&SMALL);
    for counts in [false, true] {
        let probed = probe(&path, counts);
        assert_eq!((probed.pictures, probed.sounds), (pictures, sounds), "{probed:?}");
        assert!((probed.picture_s - 10.0).abs() < 0.01 && probed.starts_apart_s < 0.005, "{probed:?}");
    }
    assert_plays(&path);
    assert_eq!(boxes(&fs::read(&path).unwrap()), ["ftyp", "free", "mdat", "moov"], "it is not fragmented any more");
    let view = recorder.reports().borrow().clone();
    assert_eq!((view.finished.as_deref(), view.path, view.problem), (path.to_str(), None, None));
    assert!(matches!(recorder.finish().await, Err(crate::record::RecordError::Empty)), "it is over");
}

#[tokio::test]
async fn what_is_not_whole_is_found_by_reading_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = start(folder.path());
    give(&recorder, SMALL.iter().cloned());
    let path = recorder.finish().await.unwrap();
    assert_eq!(check::read_back(&path).unwrap().pictures, 300);
    let whole = fs::read(&path).unwrap();
    let index = whole.windows(4).rposition(|name| name == b"moov").unwrap();
    fs::write(&path, &whole[..index + 400]).unwrap();
    assert!(check::read_back(&path).is_err(), "half an index");
    fs::write(&path, &whole[..index - 4]).unwrap();
    assert_eq!(check::read_back(&path), Err("it has no index".into()));
    let mut damaged = whole.clone();
    damaged[44..20_000].fill(0);
    fs::write(&path, &damaged).unwrap();
    assert!(check::read_back(&path).is_err(), "a keyframe that is none");
}

#[tokio::test]
async fn another_format_begins_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = start(folder.path());
    give(&recorder, SMALL.iter().cloned());
    give(&recorder, later(&HEAVY, 10 * NS_PER_S));
    recorder.finish().await.unwrap();
    let files = files(folder.path());
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["Evening.mp4", "Evening (2).mp4"]);
    for (path, pictures) in files.iter().zip([300, 60]) {
        assert_eq!(probe(path, true).pictures, pictures);
        assert_plays(path);
    }
}

#[tokio::test]
async fn an_encoder_that_dies_costs_what_it_does_not_give_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = start(folder.path());
    let mut reports = recorder.reports();
    give(&recorder, SMALL.iter().cloned());
    // The picture stops, the sound goes on; then there is another encoder.
    give(&recorder, later(&SMALL, 10 * NS_PER_S).filter(|packet| packet.track == Track::Audio));
    let told = view(&mut reports, "it is told", |view| view.problem.is_some()).await;
    assert!(told.problem.unwrap().contains("no picture"));
    give(&recorder, later(&SMALL, 20 * NS_PER_S));
    recorder.finish().await.unwrap();
    let files = files(folder.path());
    assert_eq!(files.len(), 2);
    for path in &files {
        assert_eq!(probe(path, true).pictures, 300);
        assert_plays(path);
    }
    assert!(probe(&files[0], true).sound_s > 12.0, "the sound of three seconds without a picture is kept");
}

#[tokio::test]
async fn sound_that_stops_does_not_stop_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = start(folder.path());
    give(&recorder, SMALL.iter().cloned());
    give(&recorder, later(&SMALL, 10 * NS_PER_S).filter(|packet| packet.track != Track::Audio));
    let path = recorder.finish().await.unwrap();
    assert_eq!((probe(&path, true).pictures, probe(&path, true).sounds), (600, counted(&SMALL).1));
    assert!(recorder.reports().borrow().problem.as_ref().unwrap().contains("no sound"));
    // And without any from the beginning.
    let recorder = start(folder.path());
    give(&recorder, SMALL.iter().filter(|packet| packet.track != Track::Audio).cloned());
    assert_eq!(check::read_back(&recorder.finish().await.unwrap()).unwrap().pictures, 300);
}

#[tokio::test]
async fn what_a_slow_disk_cannot_take_is_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = start(folder.path());
    let mut reports = recorder.reports();
    // As fast as memory is, far faster than it can be written: two hundred times three megabytes.
    for turn in 0..200 {
        for packet in later(&HEAVY, turn * 2 * NS_PER_S) {
            recorder.take(&packet);
        }
    }
    let told = view(&mut reports, "it is told", |view| view.problem.is_some()).await;
    let told = told.problem.unwrap();
    assert!(told.contains("too slow"), "{told}");
    recorder.finish().await.unwrap();
    let kept: u64 = files(folder.path()).iter().map(|path| check::read_back(path).unwrap().pictures).sum();
    assert_eq!(kept + recorder.dropped(), 200 * 60, "every frame is in a file or counted");
    for path in files(folder.path()) {
        assert_plays(&path);
    }
}

#[tokio::test]
async fn an_hour_stays_in_sync_and_of_the_right_size() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = start(folder.path());
    let (mut bytes, mut sounds) = (0, 0);
    let mut sound_ns = 0;
    for turn in 0..HOUR_S / 10 {
        // The sound's frames do not fit into ten seconds: its clock goes on by itself.
        let mut turn: Vec<Packet> = later(&SMALL, turn * 10 * NS_PER_S).collect();
        for packet in turn.iter_mut().filter(|packet| packet.track == Track::Audio) {
            (packet.pts_ns, packet.dts_ns) = (sound_ns, sound_ns);
            sounds += 1;
            sound_ns = sounds * 1024 * NS_PER_S / 48_000;
        }
        bytes += turn.iter().map(|packet| packet.data.len() as u64).sum::<u64>();
        give(&recorder, turn);
    }
    let path = recorder.finish().await.unwrap();
    let probed = probe(&path, true);
    assert_eq!((probed.pictures, probed.sounds), (HOUR_S * RATE, sounds));
    assert!((probed.picture_s - HOUR_S as f64).abs() < 0.02, "{probed:?}");
    assert!((probed.sound_s - sound_ns as f64 / NS_PER_S as f64).abs() < 0.02, "{probed:?}");
    assert!(probed.starts_apart_s < 0.005, "{probed:?}");
    let size = fs::metadata(&path).unwrap().len();
    assert!((bytes..bytes + bytes / 20).contains(&size), "{size} bytes for {bytes} of media");
}
