//! A camera that is not there but for this process: nokhwa and its V4L2 binding, no kernel driver.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use gstreamer_video::VideoFormat;
use skylark_protocol::studio::{DeviceKind, Input};
use skylark_studio::capture::devices;

use crate::{
    again::{fixture, is_inside},
    stage::{PATIENCE, Stage, Told},
};

/// What a camera does now.
fn tell(what: &str) {
    fs::write(std::env::var("FAKECAM_CONTROL").unwrap(), what).unwrap();
}

fn build(folder: &Path) -> PathBuf {
    let library = folder.join("libfakecam.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(fixture("fakecam.c")).arg("-ldl");
    assert!(compiler.status().unwrap().success(), "a C compiler builds the camera");
    library
}

/// Whether the test has a camera; otherwise it is run with one.
fn has_a_camera(more: &[(&str, &str)]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    if std::env::var_os("FAKECAM_CONTROL").is_some() {
        return true;
    }
    let library = build(folder.path()).to_string_lossy().into_owned();
    let control = folder.path().join("control").to_string_lossy().into_owned();
    let mut environment = vec![("LD_PRELOAD", library.as_str()), ("FAKECAM_CONTROL", &control)];
    environment.extend(more);
    is_inside(None, &environment, &[])
}

fn camera() -> Input {
    Input::Camera { device: "Fake Camera".into() }
}

#[test]
fn a_camera_films_in_its_own_format_at_its_pace() {
    if !has_a_camera(&[]) {
        return;
    }
    assert!(devices().iter().any(|device| device.kind == DeviceKind::Camera && device.id == "Fake Camera"));
    let stage = Stage::new(camera());
    let came: Vec<_> = (0..60).map(|_| stage.picture()).collect();
    assert_eq!(stage.told(), Told::Running(640, 360));
    for one in &came {
        assert_eq!(one.format().format(), VideoFormat::Yuy2, "nothing is converted");
        assert_eq!(one.bytes()[..4], [81, 90, 81, 240], "red, as it was filmed");
        assert!((0.0..34.0).contains(&one.age_ms()), "{:.1} ms old", one.age_ms());
    }
    let took_s = (came[59].at - came[0].at).mseconds() as f64 / 1000.0;
    assert!((1.9..2.2).contains(&took_s), "60 pictures took {took_s} s");
    // Bars move by 8 with each picture.
    let moved = |one: &crate::stage::Came| one.bytes()[640];
    assert!(came.windows(2).all(|pair| moved(&pair[1]).wrapping_sub(moved(&pair[0])) == 8), "a picture is missing");
}

#[test]
fn a_camera_that_films_jpeg_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blue.jpg").to_string_lossy().into_owned();
    if std::env::var_os("FAKECAM_JPEG").is_none() {
        crate::ffmpeg(&[
            "-f",
            "lavfi",
            "-i",
            "color=c=blue:s=640x360",
            "-pix_fmt",
            "yuvj422p",
            "-frames:v",
            "1",
            &path,
        ]);
    }
    if !has_a_camera(&[("FAKECAM_JPEG", &path)]) {
        return;
    }
    let stage = Stage::new(camera());
    let came: Vec<_> = (0..20).map(|_| stage.picture()).collect();
    assert_eq!(stage.told(), Told::Running(640, 360));
    for one in &came {
        assert!((-1.0..50.0).contains(&one.age_ms()), "{:.1} ms old", one.age_ms());
        assert!((25..=45).contains(&one.bytes()[0]), "blue is dark: {}", one.bytes()[0]);
    }
}

#[test]
fn a_pulled_camera_is_lost_within_two_seconds_and_comes_back() {
    if !has_a_camera(&[]) {
        return;
    }
    let stage = Stage::new(camera());
    stage.picture();
    assert_eq!(stage.told(), Told::Running(640, 360));
    tell("gone");
    let pulled = Instant::now();
    let Told::Lost(reason) = stage.told() else { panic!("it is gone") };
    assert!(pulled.elapsed() < Duration::from_secs(2), "{:?} until it was noticed", pulled.elapsed());
    assert!(reason.contains("camera"), "{reason}");
    assert!(devices().iter().all(|device| device.kind != DeviceKind::Camera));
    drop(stage);
    let Told::Lost(reason) = Stage::new(camera()).told() else { panic!("it is gone") };
    assert!(reason.contains("no camera"), "{reason}");
    tell("run");
    let back = Stage::new(camera());
    back.picture();
    assert_eq!(back.told(), Told::Running(640, 360));
}

#[test]
fn a_camera_whose_driver_hangs_is_lost_within_two_seconds_and_nobody_waits_for_it() {
    if !has_a_camera(&[]) {
        return;
    }
    let stage = Stage::new(camera());
    for _ in 0..10 {
        stage.picture();
    }
    assert_eq!(stage.told(), Told::Running(640, 360));
    tell("freeze");
    let frozen = Instant::now();
    let Told::Lost(reason) = stage.told() else { panic!("it is frozen") };
    assert!(frozen.elapsed() < Duration::from_secs(2), "{:?} until it was noticed", frozen.elapsed());
    assert!(reason.contains("stopped"), "{reason}");
    let dropped = Instant::now();
    drop(stage);
    assert!(dropped.elapsed() < Duration::from_millis(500), "dropping it took {:?}", dropped.elapsed());
    // While the driver hangs it is not asked again.
    let Told::Lost(reason) = Stage::new(camera()).told() else { panic!("its thread hangs") };
    assert!(reason.contains("does not answer"), "{reason}");
    tell("run");
    let begun = Instant::now();
    loop {
        let again = Stage::new(camera());
        if again.told() == Told::Running(640, 360) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "it runs again, and is still refused");
    }
}
