//! The graph with real GStreamer: what comes out of the encoders.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use skylark_protocol::studio::{
    Canvas, Collection, Color, Edit, Input, Pattern, RenditionSettings, SceneId, SourceStatus, Transition,
    TransitionKind, View,
};

use super::*;
use crate::encoded::{Outlet, Packet};

/// Keeps what comes.
#[derive(Default)]
struct Heap(Mutex<Vec<Packet>>);

impl Outlet for Heap {
    fn take(&self, packet: &Packet) {
        self.0.lock().unwrap().push(packet.clone());
    }
}

impl Heap {
    fn of(&self, track: Track) -> Vec<Packet> {
        self.0.lock().unwrap().iter().filter(|packet| packet.track == track).cloned().collect()
    }
}

const CANVAS: Canvas = Canvas { width: 640, height: 360, frame_rate: 30 };

fn collection() -> Collection {
    let mut all = Collection { canvas: CANVAS, ..Collection::default() };
    let tone = Input::Tone { frequency_hz: 660, level_db: -12 };
    for input in [Input::Test { pattern: Pattern::Ball }, Input::Color { color: Color([9, 9, 200, 255]) }, tone] {
        all = all.after(&Edit::AddSource { scene: SceneId(1), name: "one".into(), input, place: None }).unwrap();
    }
    let two = Edit::AddScene { name: "two".into() };
    all = all.after(&two).unwrap();
    let scene = all.scenes[1].id;
    let input = Input::Test { pattern: Pattern::Bars };
    all.after(&Edit::AddSource { scene, name: "bars".into(), input, place: None }).unwrap()
}

fn plan() -> EncodingPlan {
    let rendition = |width, height, bitrate_bps| RenditionSettings { width, height, frame_rate: 30, bitrate_bps };
    EncodingPlan {
        encoder: "x264enc".into(),
        renditions: vec![rendition(640, 360, 700_000), rendition(320, 180, 300_000)],
        recording: None,
        audio_bitrate_bps: 128_000,
        keyframe_interval_ms: 1000,
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < patience, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn renditions_share_their_keyframes_and_no_frame_is_missing_over_scene_switches() {
    gstreamer::init().unwrap();
    let (outlets, heap) = (Arc::new(Outlets::default()), Arc::new(Heap::default()));
    let told = Told::default();
    let graph = Graph::start(CANVAS, Arc::clone(&outlets), told.clone()).unwrap();
    let one = collection();
    graph.apply(Plan::of(&one));
    let sources = told.sources.subscribe();
    until("all sources run", || {
        let states = sources.borrow();
        states.len() == 4 && states.iter().all(|state| state.status == SourceStatus::Running)
    })
    .await;
    outlets.add(Arc::clone(&heap) as Arc<dyn Outlet>);
    graph.begin_encoding(plan());
    until("a second is encoded", || heap.of(Track::Video(0)).len() > 30).await;
    let two = one.after(&Edit::Switch { scene: one.scenes[1].id }).unwrap();
    graph.apply(Plan::of(&two));
    until("another second is encoded", || heap.of(Track::Video(0)).len() > 75).await;
    graph.apply(Plan::of(&one));
    until("four seconds are encoded", || heap.of(Track::Video(0)).len() > 125).await;
    graph.stop_encoding();

    let keyframes = |track| -> Vec<u64> {
        heap.of(track).iter().filter(|packet| packet.is_keyframe).map(|packet| packet.pts_ns).collect()
    };
    let (first, second) = (keyframes(Track::Video(0)), keyframes(Track::Video(1)));
    let both = first.len().min(second.len());
    assert!(both >= 4 && first[..both] == second[..both], "{first:?} {second:?}");
    let times: Vec<_> = heap.of(Track::Video(0)).iter().map(|packet| packet.pts_ns).collect();
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 40_000_000).collect();
    assert!(gaps.is_empty(), "frames are missing: {gaps:?}");
    let sound = heap.of(Track::Audio);
    assert!(sound.len() > 150 && sound.iter().all(|packet| packet.data.starts_with(&[0xff, 0xf1])), "{}", sound.len());
    // The tone sounds for the first tenth of every second, at -12 dB.
    let meters = told.meters.subscribe();
    until("the tone is heard", || {
        let loud = meters.borrow();
        (loud.program.peak_db + 12.0).abs() < 0.5
            && loud.strips.iter().any(|(_, level)| (level.peak_db + 12.0).abs() < 0.5)
    })
    .await;
}

#[tokio::test]
async fn an_encoder_that_is_told_another_bitrate_makes_it() {
    gstreamer::init().unwrap();
    let (outlets, heap) = (Arc::new(Outlets::default()), Arc::new(Heap::default()));
    let graph = Graph::start(CANVAS, Arc::clone(&outlets), Told::default()).unwrap();
    let mut noise = Collection { canvas: CANVAS, ..Collection::default() };
    let input = Input::Test { pattern: Pattern::Snow };
    noise = noise.after(&Edit::AddSource { scene: SceneId(1), name: "snow".into(), input, place: None }).unwrap();
    graph.apply(Plan::of(&noise));
    outlets.add(Arc::clone(&heap) as Arc<dyn Outlet>);
    graph.begin_encoding(plan());
    // Bits per second of two seconds of pictures from one frame on.
    let rate = |from: usize| {
        let frames = heap.of(Track::Video(0));
        let size: usize = frames[from..from + 60].iter().map(|packet| packet.data.len()).sum();
        size as f64 * 8.0 / 2.0
    };
    until("three seconds are encoded", || heap.of(Track::Video(0)).len() > 95).await;
    graph.set_bitrate(Track::Video(0), 200_000);
    let told = heap.of(Track::Video(0)).len();
    until("three more are", || heap.of(Track::Video(0)).len() > told + 95).await;
    graph.set_bitrate(Track::Video(0), 700_000);
    let back = heap.of(Track::Video(0)).len();
    until("it is back for three", || heap.of(Track::Video(0)).len() > back + 95).await;
    let (before, low, after) = (rate(told - 62), rate(told + 30), rate(back + 30));
    assert!((500_000.0..900_000.0).contains(&before), "{before}");
    assert!((100_000.0..330_000.0).contains(&low), "{before} {low} {after}");
    assert!((500_000.0..900_000.0).contains(&after), "{before} {low} {after}");
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_and_the_picture_goes_on() {
    gstreamer::init().unwrap();
    let outlets = Arc::new(Outlets::default());
    let told = Told::default();
    let graph = Graph::start(CANVAS, outlets, told.clone()).unwrap();
    let film = Input::Media { path: "/nowhere/film.mp4".into(), is_looped: false };
    let edit = Edit::AddSource { scene: SceneId(1), name: "film".into(), input: film, place: None };
    graph.apply(Plan::of(&collection().after(&edit).unwrap()));
    let sources = told.sources.subscribe();
    until("the film is missing", || {
        sources
            .borrow()
            .iter()
            .any(|state| matches!(&state.status, SourceStatus::Missing { reason } if !reason.is_empty()))
    })
    .await;
    let latest = watch::Sender::new(None);
    let mut pictures = latest.subscribe();
    graph.look(View::Program, 320, latest);
    for _ in 0..10 {
        pictures.changed().await.unwrap();
    }
    let picture = pictures.borrow_and_update().clone().unwrap();
    assert!(picture.starts_with(&[0xff, 0xd8]), "a JPEG file");
}

#[tokio::test]
async fn one_sees_through_between_letters_and_black_is_black() {
    gstreamer::init().unwrap();
    let told = Told::default();
    let graph = Graph::start(CANVAS, Arc::default(), told.clone()).unwrap();
    let mut all = Collection { canvas: CANVAS, ..Collection::default() };
    let half = skylark_protocol::studio::Rect { x: 0, y: 0, width: 320, height: 360 };
    let words = Input::Text { text: ".".into(), size: 60, color: Color([255; 4]) };
    for (input, place) in [(Input::Color { color: Color([0, 0, 255, 255]) }, half), (words, CANVAS.whole())] {
        let place = Some(place);
        all = all.after(&Edit::AddSource { scene: SceneId(1), name: "one".into(), input, place }).unwrap();
    }
    graph.apply(Plan::of(&all));
    let sources = told.sources.subscribe();
    until("both run", || {
        let states = sources.borrow();
        states.len() == 2 && states.iter().all(|state| state.status == SourceStatus::Running)
    })
    .await;
    let latest = watch::Sender::new(None);
    let mut pictures = latest.subscribe();
    graph.look(View::Program, 640, latest);
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        pictures.changed().await.unwrap();
        let file = pictures.borrow_and_update().clone().unwrap();
        let picture = image::load_from_memory(&file).unwrap().to_rgb8();
        let (under, beside) = (picture.get_pixel(300, 10).0, picture.get_pixel(600, 10).0);
        let is_blue = under[0] < 20 && under[1] < 20 && under[2] > 235;
        if is_blue && beside.iter().all(|part| *part < 6) {
            break;
        }
        assert!(Instant::now() < patience, "blue and black are {under:?} and {beside:?}");
    }
}

#[tokio::test]
async fn a_scene_fades_as_a_whole() {
    gstreamer::init().unwrap();
    let told = Told::default();
    let graph = Graph::start(CANVAS, Arc::default(), told.clone()).unwrap();
    let mut one = Collection { canvas: CANVAS, ..Collection::default() };
    let transition = Transition { kind: TransitionKind::Fade, duration_ms: 1500 };
    one = one.after(&Edit::SetTransition { transition }).unwrap();
    one = one.after(&Edit::AddScene { name: "two".into() }).unwrap();
    let (first, second) = (one.scenes[0].id, one.scenes[1].id);
    let part = |x: i32, width: u32| Some(skylark_protocol::studio::Rect { x, y: 0, width, height: 360 });
    // Green above red, and nothing on the right.
    let colors = [(first, [255, 0, 0], part(0, 400)), (first, [0, 255, 0], part(0, 200)), (second, [0, 0, 255], None)];
    for (scene, [red, green, blue], place) in colors {
        let input = Input::Color { color: Color([red, green, blue, 255]) };
        one = one.after(&Edit::AddSource { scene, name: "color".into(), input, place }).unwrap();
    }
    graph.apply(Plan::of(&one));
    let sources = told.sources.subscribe();
    until("all run", || sources.borrow().iter().filter(|state| state.status == SourceStatus::Running).count() == 3)
        .await;
    let latest = watch::Sender::new(None);
    let mut pictures = latest.subscribe();
    graph.look(View::Program, 640, latest);
    pictures.changed().await.unwrap();
    graph.apply(Plan::of(&one.after(&Edit::Switch { scene: second }).unwrap()));
    let (mut mixed, patience) = (0, Instant::now() + Duration::from_secs(20));
    loop {
        pictures.changed().await.unwrap();
        let file = pictures.borrow_and_update().clone().unwrap();
        let picture = image::load_from_memory(&file).unwrap().to_rgb8();
        let [above, below, beside] = [100, 300, 560].map(|x| picture.get_pixel(x, 180).0);
        assert!(above[0] < 40, "red shows through green: {above:?}");
        // All of it has gone as far.
        let (gone, left) = (i16::from(beside[2]), [i16::from(above[1]), i16::from(below[0])]);
        assert!(left.iter().all(|left| (left + gone - 255).abs() < 40), "{above:?} {below:?} {beside:?}");
        mixed += u32::from((60..200).contains(&gone));
        if gone > 245 {
            break;
        }
        assert!(Instant::now() < patience, "it is not gone: {above:?} {below:?} {beside:?}");
    }
    assert!(mixed > 5, "it does not fade: {mixed} pictures in between");
}

#[test]
fn pictures_come_at_once_however_busy_the_machine_is_when_it_starts() {
    gstreamer::init().unwrap();
    // Threads that start at the same time take the processor from each other in the middle of it.
    let starts = || {
        for _ in 0..40 {
            let (latest, canvas) = (watch::Sender::new(None), Canvas { width: 64, height: 36, frame_rate: 30 });
            let mut pictures = latest.subscribe();
            let graph = Graph::start(canvas, Arc::default(), Told::default()).unwrap();
            graph.look(View::Program, 64, latest);
            let patience = Instant::now() + Duration::from_secs(3);
            while !pictures.has_changed().unwrap() {
                assert!(Instant::now() < patience, "there is no picture");
                std::thread::sleep(Duration::from_millis(5));
            }
            pictures.borrow_and_update();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(starts);
        }
    });
}

/// Takes nothing as long as it is closed, and holds up who gives.
#[derive(Default)]
struct Gate {
    is_closed: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn close(&self, is_closed: bool) {
        *self.is_closed.lock().unwrap() = is_closed;
        self.changed.notify_all();
    }
}

impl Outlet for Gate {
    fn take(&self, _: &Packet) {
        drop(self.changed.wait_while(self.is_closed.lock().unwrap(), |is_closed| *is_closed).unwrap());
    }
}

#[tokio::test]
async fn an_encoder_that_is_stuck_is_told_and_so_is_its_end() {
    gstreamer::init().unwrap();
    let (outlets, told) = (Arc::new(Outlets::default()), Told::default());
    let graph = Graph::start(CANVAS, Arc::clone(&outlets), told.clone()).unwrap();
    graph.apply(Plan::of(&collection()));
    let gate = Arc::new(Gate::default());
    outlets.add(Arc::clone(&gate) as Arc<dyn Outlet>);
    graph.begin_encoding(plan());
    let encoding = told.encoding.subscribe();
    until("frames are encoded", || encoding.borrow().frames > 5).await;
    assert_eq!(encoding.borrow().failure, None);
    gate.close(true);
    let closed = Instant::now();
    until("it is told", || encoding.borrow().failure.as_ref().is_some_and(|reason| reason.contains("no frames"))).await;
    assert!(closed.elapsed() < Duration::from_secs(2), "{:?}", closed.elapsed());
    gate.close(false);
    until("it goes on", || encoding.borrow().failure.is_none()).await;
}
