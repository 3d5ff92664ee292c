//! Microphone and desktop sound, with a sound system of the test's own.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use skylark_protocol::studio::{DeviceKind, Input};
use skylark_studio::capture::devices;

use crate::{
    again::{fixture, is_inside},
    stage::{Stage, Told, loudness_of},
};

fn has_sound() -> bool {
    is_inside(Some(fixture("with-audio.sh")), &[], &["DISPLAY"])
}

/// A program that plays a tone until it is dropped.
struct Player(Child);

impl Player {
    fn tone(frequency_hz: u32) -> Self {
        let mut player = Command::new("gst-launch-1.0");
        player.args(["-q", "audiotestsrc", &format!("freq={frequency_hz}"), "volume=0.5", "!", "pulsesink"]);
        Self(player.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Listens until the tone is there, then judges a second of it.
fn judge(input: Input) {
    let stage = Stage::new(input);
    let _player = Player::tone(660);
    stage.wait_for_tone(660.0);
    assert_eq!(stage.told(), Told::Running(0, 0));
    // The sound server adapts its blocks to the player that joined, which moves its time once.
    for _ in 0..100 {
        stage.sound();
    }
    let (_, samples) = stage.hear(1.0);
    // By tenths of a second: while a clock is still learned, the pitch may be a thousandth off.
    for tenth in samples[..48_000].chunks(4800) {
        let loudness = loudness_of(tenth, 660.0);
        assert!((0.48..0.52).contains(&loudness), "{loudness} at 660 Hz");
        assert!(loudness_of(tenth, 440.0) < 0.02 && loudness_of(tenth, 1000.0) < 0.02);
    }
    let mut ages: Vec<f64> = (0..50).map(|_| stage.sound().age_ms()).collect();
    ages.sort_by(f64::total_cmp);
    // The machine may have a hiccup meanwhile.
    assert!(ages[44] < 80.0, "sound comes so long after it was captured, ms: {ages:.0?}");
}

#[test]
fn a_microphone_is_heard_as_it_is() {
    if !has_sound() {
        return;
    }
    assert!(devices().iter().any(|device| device.kind == DeviceKind::Microphone && device.id == "default"));
    judge(Input::Microphone { device: String::new() });
}

#[test]
fn a_microphone_named_by_its_id_is_heard() {
    if has_sound() {
        judge(Input::Microphone { device: "default".into() });
    }
}

#[test]
fn what_the_computer_plays_is_heard_as_it_is() {
    if !has_sound() {
        return;
    }
    let sinks: Vec<_> = devices().into_iter().filter(|device| device.kind == DeviceKind::DesktopSound).collect();
    assert_eq!(sinks.iter().map(|sink| sink.id.as_str()).collect::<Vec<_>>(), ["ss.monitor"]);
    judge(Input::DesktopSound { device: String::new() });
    judge(Input::DesktopSound { device: sinks[0].id.clone() });
}

#[test]
fn a_microphone_that_goes_away_is_lost_within_two_seconds() {
    if !has_sound() {
        return;
    }
    for input in [Input::Microphone { device: String::new() }, Input::DesktopSound { device: String::new() }] {
        let stage = Stage::new(input.clone());
        stage.sound();
        assert_eq!(stage.told(), Told::Running(0, 0));
        let server = std::env::var("PULSE_PID").unwrap();
        // It hangs first: nothing is closed, nothing comes.
        assert!(Command::new("kill").args(["-STOP", &server]).status().unwrap().success());
        let stopped = Instant::now();
        let told = stage.told();
        assert!(matches!(told, Told::Lost(_)), "{input:?}: {told:?}");
        assert!(stopped.elapsed() < Duration::from_secs(2), "{:?} until it was noticed", stopped.elapsed());
        let dropped = Instant::now();
        drop(stage);
        assert!(dropped.elapsed() < Duration::from_millis(500), "dropping it took {:?}", dropped.elapsed());
        assert!(Command::new("kill").args(["-CONT", &server]).status().unwrap().success());
    }
}

#[test]
fn without_sound_system_and_display_there_are_no_devices_and_reasons_why() {
    let empty = tempfile::tempdir().unwrap();
    let nowhere = empty.path().to_string_lossy().into_owned();
    let environment = [("PULSE_SERVER", "unix:/nowhere"), ("HOME", nowhere.as_str()), ("XDG_RUNTIME_DIR", &nowhere)];
    if !is_inside(None, &environment, &["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"]) {
        return;
    }
    gstreamer::init().unwrap();
    let begun = Instant::now();
    let found = devices();
    assert!(begun.elapsed() < Duration::from_secs(3), "looking took {:?}", begun.elapsed());
    assert_eq!(found.iter().filter(|device| device.kind != DeviceKind::Camera).collect::<Vec<_>>(), Vec::<&_>::new());
    for input in [
        Input::Microphone { device: String::new() },
        Input::DesktopSound { device: String::new() },
        Input::Screen { device: String::new(), area: None, shows_pointer: true },
    ] {
        let told = Stage::new(input.clone()).told();
        let Told::Lost(reason) = told else { panic!("{input:?} is not there: {told:?}") };
        assert!(reason.len() > 15, "{input:?}: {reason:?} is no sentence");
    }
}
