use super::{super::Replay, *};

#[test]
fn the_last_seconds_are_saved_while_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let replay = Replay::new(Track::Video(0), Duration::from_secs(5));
    assert!(replay.save(folder.path(), "Replay").is_err(), "there is nothing yet");
    for turn in 0..3 {
        later(&SMALL, turn * 10 * NS_PER_S).for_each(|packet| replay.take(&packet));
    }
    assert_eq!(replay.held_s(), 5);
    let path = replay.save(folder.path(), "Goal: 1/2").unwrap();
    assert_eq!(path, folder.path().join("Goal- 1-2.mp4"));
    let probed = probe(&path, true);
    assert!((150..=180).contains(&probed.pictures) && probed.starts_apart_s < 0.025, "{probed:?}");
    assert!((probed.picture_s - probed.sound_s).abs() < 0.1, "{probed:?}");
    assert_plays(&path);
    SMALL[..30].iter().for_each(|packet| replay.take(packet));
    assert_ne!(replay.save(folder.path(), "Goal: 1/2").unwrap(), path, "nothing is written over");
}

#[test]
fn memory_is_limited() {
    let replay = Replay::within(Track::Video(0), Duration::from_secs(600), 1 << 20);
    for turn in 0..20 {
        later(&SMALL, turn * 10 * NS_PER_S).for_each(|packet| replay.take(&packet));
    }
    assert!((5..60).contains(&replay.held_s()), "{}", replay.held_s());
    HEAVY.iter().for_each(|packet| replay.take(packet));
    assert!(replay.held_s() < 60);
}
