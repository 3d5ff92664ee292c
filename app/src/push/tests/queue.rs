use std::time::Instant;

use super::{
    super::queue::{MAX_BYTES, MAX_MEDIA, Queue},
    picture, sound,
};
use crate::encoded::Track;

/// Frames of two renditions with a keyframe every second, and sound, for so many pictures.
fn fill(queue: &mut Queue, pictures: std::ops::Range<u64>) {
    let now = Instant::now();
    for number in pictures {
        for rendition in 0..2 {
            queue.push(&picture(rendition, number, number.is_multiple_of(30), 1000), now);
        }
        queue.push(&sound(number * 3 / 2, 300), now);
    }
}

fn drain(queue: &mut Queue) -> Vec<(Track, u64, bool)> {
    let frames = std::iter::from_fn(|| queue.pop());
    frames.map(|frame| (frame.packet.track, frame.packet.pts_ns, frame.packet.is_keyframe)).collect()
}

#[test]
fn what_has_no_room_is_a_whole_span_of_all_tracks_up_to_a_keyframe() {
    let mut queue = Queue::new(2);
    fill(&mut queue, 0..240);
    let frames = drain(&mut queue);
    let first = |track| frames.iter().find(|(found, ..)| *found == track).copied().unwrap();
    let ((_, large, true), (_, small, true)) = (first(Track::Video(0)), first(Track::Video(1))) else {
        panic!("it begins with keyframes: {frames:?}");
    };
    assert_eq!(large, small);
    let at = first(Track::Audio).1;
    assert!((large..large + 30_000_000).contains(&at), "the sound begins with the picture: {at} {large}");
    let span = frames.last().unwrap().1 - large;
    assert!(u128::from(span) <= MAX_MEDIA.as_nanos() && span > 3_900_000_000, "{span}");
    let pictures = frames.iter().filter(|(track, ..)| *track != Track::Audio).count() as u64;
    assert_eq!(pictures + queue.dropped(), 480);
    assert!(!queue.take_wants_keyframe(), "there was one");
}

#[test]
fn bytes_are_limited_too() {
    let mut queue = Queue::new(1);
    let now = Instant::now();
    for number in 0..60 {
        queue.push(&picture(0, number, number.is_multiple_of(10), MAX_BYTES / 25), now);
    }
    let frames: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
    let bytes: usize = frames.iter().map(|frame| frame.packet.data.len()).sum();
    assert!(bytes <= MAX_BYTES && frames.len() >= 15, "{} frames of {bytes} bytes", frames.len());
    assert!(frames[0].packet.is_keyframe && frames.len() as u64 + queue.dropped() == 60);
}

#[test]
fn without_a_keyframe_everything_goes_and_one_is_asked_for() {
    let mut queue = Queue::new(1);
    let now = Instant::now();
    let long = MAX_MEDIA.as_secs() * 30 + 2;
    for number in 0..long {
        queue.push(&picture(0, number, number == 0, 1000), now);
    }
    assert!(queue.is_empty() && queue.take_wants_keyframe() && !queue.take_wants_keyframe());
    queue.push(&picture(0, long, false, 1000), now);
    assert!(queue.is_empty(), "nothing of it can be decoded");
    queue.push(&picture(0, long + 1, true, 1000), now);
    assert_eq!((drain(&mut queue).len(), queue.dropped()), (1, long + 1));
}

#[test]
fn a_new_connection_begins_with_keyframes_and_keeps_what_follows_them() {
    let mut queue = Queue::new(2);
    fill(&mut queue, 0..30);
    queue.begin_anew();
    assert_eq!(queue.dropped(), 0, "the first connection loses nothing");
    // Ten pictures were sent when the link broke.
    while queue.front().is_some_and(|frame| frame.packet.pts_ns < 333_000_000) {
        queue.pop();
    }
    fill(&mut queue, 30..50);
    queue.begin_anew();
    let frames = drain(&mut queue);
    assert_eq!(frames[0], (Track::Video(0), 1_000_000_000, true));
    assert!(frames.iter().all(|(_, pts_ns, _)| *pts_ns >= 1_000_000_000));
    let pictures = frames.iter().filter(|(track, ..)| *track != Track::Audio).count();
    assert_eq!((pictures, frames.len()), (40, 58), "twenty of each rendition, and the sound from then on");
    // All was sent: the next keyframe has to come from the encoders.
    queue.begin_anew();
    assert!(queue.take_wants_keyframe());
    fill(&mut queue, 50..61);
    assert_eq!(drain(&mut queue).iter().filter(|(track, ..)| *track != Track::Audio).count(), 2);
}

#[test]
fn tracks_of_others_are_left_to_them() {
    let mut queue = Queue::new(1);
    let mut recording = picture(0, 0, true, 10);
    recording.track = Track::Recording;
    queue.push(&recording, Instant::now());
    queue.push(&picture(1, 0, true, 10), Instant::now());
    assert!(queue.is_empty());
}
