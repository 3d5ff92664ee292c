//! The whole Studio in a folder of its own: what somebody does and what they get.

use std::time::Duration;

use skylark_protocol::studio::{Canvas, Color, Input, OutputSettings, Pattern, RenditionSettings};

use super::*;

struct Desk {
    studio: Arc<Studio>,
    folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders { data: folder.path().join("data"), videos: folder.path().join("videos") };
        std::fs::create_dir_all(&folders.videos).unwrap();
        let studio = Studio::open(folders).await.unwrap();
        Self { studio, folder }
    }

    async fn edit(&self, edit: Edit) -> Result<Outcome, Problem> {
        self.studio.run(Command::Edit { edit }).await
    }

    async fn add(&self, input: Input) {
        self.edit(Edit::AddSource { scene: SceneId(1), name: "one".into(), input, place: None }).await.unwrap();
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut snapshots = self.studio.snapshots();
        let waiting = snapshots.wait_for(|snapshot| is_so(snapshot));
        let found = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        let snapshot = found.unwrap_or_else(|_| panic!("waited in vain: {what}")).unwrap();
        Arc::clone(&snapshot)
    }
}

#[tokio::test]
async fn scenes_are_kept_and_a_wrong_change_is_told_and_changes_nothing() {
    let desk = Desk::new().await;
    desk.add(Input::Color { color: Color([1, 2, 3, 255]) }).await;
    let refused = desk.edit(Edit::RemoveScene { scene: SceneId(1) }).await.unwrap_err();
    assert_eq!(refused.message, "The last scene stays.");
    desk.studio.run(Command::Undo).await.unwrap();
    desk.studio.run(Command::Redo).await.unwrap();
    let snapshot = desk.until("the change can be undone", |snapshot| snapshot.can_undo && !snapshot.can_redo).await;
    desk.studio.close().await;
    let again = document::load(&desk.folder.path().join("data/scenes.json")).unwrap().unwrap();
    assert_eq!(again, snapshot.collection);
}

#[tokio::test]
async fn pictures_go_on_when_the_canvas_changes() {
    let desk = Desk::new().await;
    desk.add(Input::Test { pattern: Pattern::Ball }).await;
    let mut pictures = desk.studio.pictures(View::Program, 320);
    assert!(pictures.next().await.unwrap().starts_with(&[0xff, 0xd8]));
    let canvas = Canvas { width: 640, height: 480, frame_rate: 25 };
    desk.edit(Edit::SetCanvas { canvas }).await.unwrap();
    for _ in 0..5 {
        let next = tokio::time::timeout(Duration::from_secs(10), pictures.next()).await;
        next.expect("pictures of the new canvas").unwrap();
    }
    desk.studio.close().await;
}

#[tokio::test]
async fn studio_mode_prepares_the_scene_that_was_on_air() {
    let desk = Desk::new().await;
    desk.edit(Edit::AddScene { name: "two".into() }).await.unwrap();
    let two = desk.until("two scenes", |snapshot| snapshot.collection.scenes.len() == 2).await.collection.scenes[1].id;
    desk.edit(Edit::Prepare { scene: Some(two) }).await.unwrap();
    desk.studio.run(Command::Take { scene: two }).await.unwrap();
    desk.until("they have changed places", |snapshot| {
        snapshot.collection.program == two && snapshot.collection.preview == Some(SceneId(1))
    })
    .await;
    desk.studio.close().await;
}

#[tokio::test]
async fn what_is_recorded_is_a_whole_file_and_the_canvas_stays_meanwhile() {
    let desk = Desk::new().await;
    desk.edit(Edit::SetCanvas { canvas: Canvas { width: 320, height: 180, frame_rate: 30 } }).await.unwrap();
    desk.add(Input::Test { pattern: Pattern::Ball }).await;
    let rendition = RenditionSettings { width: 320, height: 180, frame_rate: 30, bitrate_bps: 300_000 };
    let output = OutputSettings { renditions: vec![rendition], ..OutputSettings::default() };
    desk.studio.run(Command::SetOutput { output }).await.unwrap();
    desk.studio.run(Command::StartRecording).await.unwrap();
    assert_eq!(desk.studio.run(Command::StartRecording).await.unwrap_err().code, "recording");
    desk.until("something is written", |snapshot| snapshot.recording.size_bytes > 20_000).await;
    let canvas = Canvas { width: 640, height: 360, frame_rate: 30 };
    assert_eq!(desk.edit(Edit::SetCanvas { canvas }).await.unwrap_err().code, "canvas-in-use");
    let Outcome::Saved { path } = desk.studio.run(Command::StopRecording).await.unwrap() else { panic!("no file") };
    assert!(std::fs::metadata(&path).unwrap().len() > 20_000, "{path}");
    desk.until("it is listed", |snapshot| snapshot.recording.finished.as_deref() == Some(&path)).await;
    assert!(desk.studio.run(Command::StopRecording).await.is_err());
    desk.studio.close().await;
}
