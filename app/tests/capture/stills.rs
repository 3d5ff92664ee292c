//! Colours, words, the clock, pictures.

use skylark_protocol::studio::{Color, Input};

use crate::stage::{Stage, Told};

const RED: Color = Color([255, 0, 0, 255]);

#[test]
fn a_colour_is_exactly_that_colour_and_is_changed_in_its_stride() {
    let mut stage = Stage::new(Input::Color { color: Color([200, 100, 50, 255]) });
    assert_eq!(stage.picture().pixel(3, 4)[..3], [50, 100, 200]);
    assert_eq!(stage.told(), Told::Running(640, 360));
    assert!(stage.capture.as_mut().unwrap().update(&Input::Color { color: Color([0, 0, 255, 128]) }));
    let changed = stage.picture_like("of the new colour", |came| came.pixel(3, 4) == [255, 0, 0, 128]);
    assert!(changed.format().has_alpha(), "half of it is seen through");
    assert!(!stage.capture.as_mut().unwrap().update(&Input::Image { path: "/nowhere".into() }));
}

#[test]
fn a_still_costs_a_few_pictures_a_second_and_none_is_late() {
    let stage = Stage::new(Input::Color { color: RED });
    let came: Vec<_> = (0..12).map(|_| stage.picture()).collect();
    for pair in came.windows(2) {
        let step_ms = (pair[1].at - pair[0].at).mseconds();
        assert!((100..=250).contains(&step_ms), "{step_ms} ms from one to the next");
        // The next is there before the one before is over.
        assert!(pair[1].age_ms() < 20.0, "{:.1} ms late", pair[1].age_ms());
    }
}

#[test]
fn words_are_drawn_in_their_colour_on_nothing() {
    let mut stage = Stage::new(Input::Text { text: "II & <b>".into(), size: 80, color: RED });
    let one = stage.picture();
    let (width, height) = (one.format().width(), one.format().height());
    assert!((50..=140).contains(&height), "one line of 80 pixels is {height} high");
    assert_eq!(one.pixel(width as usize - 1, 0)[3], 0, "nothing is drawn in the corner");
    let ink = one.bytes().as_chunks::<4>().0.iter().filter(|pixel| pixel[3] == 255).copied().collect::<Vec<_>>();
    assert!(ink.len() > 500, "{} pixels of ink", ink.len());
    assert!(ink.iter().all(|pixel| *pixel == [0, 0, 255, 255]), "ink is red");
    let text = "II & <b>\nII & <b>".to_owned();
    assert!(stage.capture.as_mut().unwrap().update(&Input::Text { text, size: 80, color: RED }));
    let two = stage.picture_like("of two lines", |came| came.format().height() > height * 3 / 2);
    assert_eq!(two.format().width(), width, "lines are as wide as they were");
}

#[test]
fn the_clock_changes_with_the_second() {
    let stage = Stage::new(Input::Clock { format: "%H:%M:%S".into(), size: 40, color: RED });
    let first = stage.picture();
    let other = stage.picture_like("of another second", |came| came.bytes() != first.bytes());
    let third = stage.picture_like("of a third second", |came| came.bytes() != other.bytes());
    let step_s = (third.at - other.at).mseconds() as f64 / 1000.0;
    assert!((0.6..=1.4).contains(&step_s), "{step_s} s from one second to the next");
    assert!(third.format().width() >= first.format().width(), "a clock does not dance");
}

#[test]
fn an_image_keeps_its_alpha_and_its_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("corner.png").to_string_lossy().into_owned();
    // 40 × 30, half-transparent green, opaque blue in the upper left corner.
    let filter = "color=s=40x30,format=rgba,geq=r=0:g='if(lt(X,10)*lt(Y,10),0,255)':b='if(lt(X,10)*lt(Y,10),255,0)':a='if(lt(X,10)*lt(Y,10),255,128)'";
    crate::ffmpeg(&["-f", "lavfi", "-i", filter, "-frames:v", "1", &path]);
    let stage = Stage::new(Input::Image { path });
    let came = stage.picture();
    assert_eq!(stage.told(), Told::Running(40, 30));
    assert_eq!(came.pixel(2, 2), [255, 0, 0, 255]);
    let [blue, green, red, alpha] = came.pixel(30, 20);
    assert_eq!([blue, green, red], [0, 255, 0]);
    assert!((126..=129).contains(&alpha), "alpha is {alpha}");
}

#[test]
fn an_opaque_photo_has_no_alpha_and_is_no_larger_than_the_canvas() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.jpg").to_string_lossy().into_owned();
    crate::ffmpeg(&["-f", "lavfi", "-i", "testsrc2=s=4000x3000", "-frames:v", "1", &path]);
    let stage = Stage::new(Input::Image { path });
    let came = stage.picture();
    assert!(!came.format().has_alpha());
    assert_eq!(stage.told(), Told::Running(480, 360));
}

#[test]
fn what_is_no_image_is_lost_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.png");
    std::fs::write(&path, "these are words").unwrap();
    for path in [path.to_string_lossy().into_owned(), "/nowhere/at/all.png".to_owned()] {
        let stage = Stage::new(Input::Image { path: path.clone() });
        let Told::Lost(reason) = stage.told() else { panic!("it cannot be shown") };
        assert!(reason.contains(&path), "{reason}");
    }
}
