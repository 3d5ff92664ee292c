//! Media files.

use skylark_protocol::studio::Input;

use crate::stage::{Came, PATIENCE, Stage, Told};

/// Two seconds of grey that becomes white with each second, for a fifth of it, while a tone sounds.
fn film(folder: &std::path::Path, name: &str, codecs: &[&str]) -> String {
    let path = folder.join(name).to_string_lossy().into_owned();
    let picture = "color=c=gray:s=320x180:r=30:d=2,drawbox=c=white:t=fill:enable='lt(mod(t,1),0.2)'";
    let sound = "aevalsrc=exprs='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.2)':s=44100:c=mono:d=2";
    let mut arguments = vec!["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-t", "2"];
    arguments.extend(codecs);
    arguments.push(&path);
    crate::ffmpeg(&arguments);
    path
}

fn is_white(came: &Came) -> bool {
    came.bytes()[1000] > 200
}

/// Where something begins, seconds of running time.
fn flashes(stage: &Stage, seconds: u64) -> (Vec<f64>, Vec<f64>) {
    let first = stage.picture();
    let end = first.at + gstreamer::ClockTime::from_seconds(seconds);
    let (mut pictures, mut sounds) = (vec![first], Vec::new());
    while pictures.last().unwrap().at < end {
        pictures.push(stage.picture());
    }
    while let Ok(sound) = stage.sounds.recv_timeout(PATIENCE) {
        let is_last = sound.at >= end;
        sounds.push(sound);
        if is_last {
            break;
        }
    }
    let seconds_of = |came: &Came| came.at.nseconds() as f64 / 1e9;
    for pair in pictures.windows(2) {
        let step_ms = (pair[1].at.nseconds() as f64 - pair[0].at.nseconds() as f64) / 1e6;
        assert!((20.0..47.0).contains(&step_ms), "{step_ms:.1} ms from picture to picture");
    }
    let seen = pictures.windows(2).filter(|pair| !is_white(&pair[0]) && is_white(&pair[1]));
    let seen = seen.map(|pair| seconds_of(&pair[1])).collect();
    let (mut heard, mut quiet, mut due_s) = (Vec::new(), 0, None);
    for sound in &sounds {
        let begin_s = seconds_of(sound);
        let bytes = sound.bytes();
        if let Some(due_s) = due_s {
            let off_ms: f64 = (begin_s - due_s) * 1000.0;
            assert!(off_ms.abs() < 40.0, "{off_ms:.1} ms of sound are missing");
        }
        for (index, pair) in bytes.as_chunks::<8>().0.iter().enumerate() {
            let left = f32::from_le_bytes(pair[..4].try_into().unwrap());
            if left.abs() < 0.05 {
                quiet += 1;
            } else {
                if quiet > 4800 {
                    heard.push(begin_s + index as f64 / 48_000.0);
                }
                quiet = 0;
            }
        }
        due_s = Some(begin_s + (bytes.len() / 8) as f64 / 48_000.0);
    }
    (seen, heard)
}

#[test]
fn a_film_begins_again_without_a_gap_and_its_sound_stays_with_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    for (name, codecs) in [
        ("film.mp4", ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"]),
        ("film.webm", ["-c:v", "libvpx", "-pix_fmt", "yuv420p", "-c:a", "libopus"]),
    ] {
        let path = film(folder.path(), name, &codecs);
        let stage = Stage::new(Input::Media { path, is_looped: true });
        let (seen, heard) = flashes(&stage, 7);
        assert!(stage.heard().contains(&Told::Running(320, 180)));
        assert!(seen.len() >= 6, "{name}: flashes at {seen:.2?}");
        for pair in seen.windows(2) {
            assert!((pair[1] - pair[0] - 1.0).abs() < 0.045, "{name}: flashes at {seen:.3?}");
        }
        let nearest = |flash: &f64| heard.iter().map(|beep| beep - flash).min_by(|a, b| a.abs().total_cmp(&b.abs()));
        // The first and last may be cut.
        for flash in &seen[1..seen.len() - 1] {
            let skew_ms = nearest(flash).unwrap() * 1000.0;
            assert!(skew_ms.abs() < 45.0, "{name}: sound is {skew_ms:.0} ms late; {seen:.2?}, {heard:.2?}");
        }
    }
}

#[test]
fn a_film_that_ends_stays_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = film(folder.path(), "film.mp4", &["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"]);
    let stage = Stage::new(Input::Media { path, is_looped: false });
    for _ in 0..60 {
        stage.picture();
    }
    assert!(stage.pictures.recv_timeout(std::time::Duration::from_millis(700)).is_err(), "it has ended");
    assert!(!stage.heard().iter().any(|told| matches!(told, Told::Lost(_))));
}

#[test]
fn what_cannot_be_played_is_lost_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let words = folder.path().join("words.mp4");
    std::fs::write(&words, "these are words\n".repeat(100)).unwrap();
    let broken = folder.path().join("broken.mp4");
    std::fs::write(&broken, [0x5a; 4096]).unwrap();
    for path in [words, broken, "/nowhere/at/all.mp4".into()] {
        let path = path.to_string_lossy().into_owned();
        let stage = Stage::new(Input::Media { path: path.clone(), is_looped: true });
        let Told::Lost(reason) = stage.told() else { panic!("{path} cannot be played") };
        assert!(reason.contains(&path), "{reason}");
    }
}
