use std::{fs::File, io::Write as _, path::PathBuf};

use super::{
    super::{RecordError, Recorder, check},
    *,
};

/// A disk of its own, small and in memory. Needs root, as the container that tests run in has it.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn of_mib(size: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size}m"), "tmpfs"]).arg(folder.path());
        assert!(command.status().unwrap().success(), "a disk that is full takes a small one: run this as root");
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("--lazy").arg(self.path()).status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.path().display());
        }
    }
}

/// About ten megabytes a second, until the recorder says that it has a problem.
fn record_until_told(recorder: &Arc<Recorder>) -> String {
    let reports = recorder.reports();
    for turn in 0..200 {
        for packet in later(&HEAVY, turn * 2 * NS_PER_S) {
            recorder.take(&packet);
            thread::sleep(Duration::from_millis(2));
        }
        let problem = reports.borrow().problem.clone();
        if let Some(problem) = problem.filter(|problem| !problem.contains("more minutes")) {
            return problem;
        }
    }
    panic!("it never says that the disk is full: {:?}", reports.borrow());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_finished_before_the_disk_is_full() {
    let disk = SmallDisk::of_mib(120);
    let recorder = start(disk.path());
    let mut reports = recorder.reports();
    let recording = Arc::clone(&recorder);
    let told = tokio::task::spawn_blocking(move || record_until_told(&recording));
    let warned = view(&mut reports, "a warning", |view| view.problem.is_some()).await;
    assert!(warned.problem.as_ref().unwrap().contains("more minutes"), "{warned:?}");
    let told = told.await.unwrap();
    assert!(told.contains("The disk is full"), "{told}");
    let finished =
        PathBuf::from(view(&mut reports, "it is finished", |view| view.finished.is_some()).await.finished.unwrap());
    assert!(check::read_back(&finished).unwrap().pictures > 60);
    assert_plays(&finished);
    assert_eq!(recorder.finish().await.unwrap(), finished);
    let again = Recorder::start(disk.path(), "Evening", Track::Video(0), 0);
    assert!(matches!(again, Err(RecordError::Full { .. })), "there is no room for another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_others_fill_is_told_at_once_and_what_was_recorded_plays() {
    let disk = SmallDisk::of_mib(120);
    let recorder = start(disk.path());
    let mut reports = recorder.reports();
    let recording = Arc::clone(&recorder);
    let told = tokio::task::spawn_blocking(move || record_until_told(&recording));
    let path = view(&mut reports, "it has begun", |view| view.size_bytes > 4 << 20).await.path.unwrap();
    let mut other = File::create(disk.path().join("other")).unwrap();
    let filled = std::time::Instant::now();
    while other.write_all(&[0; 1 << 16]).is_ok() {}
    let told = told.await.unwrap();
    assert!(filled.elapsed() < Duration::from_secs(2), "it was told after {:?}", filled.elapsed());
    assert!(told.contains("full"), "{told}");
    _ = recorder.finish().await;
    let pictures = pictures_that_play(Path::new(&path));
    assert!(pictures > 60, "{pictures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_whose_index_has_no_room_plays_all_the_same() {
    for left_kib in (0..64).step_by(4) {
        let disk = SmallDisk::of_mib(64);
        let recorder = start(disk.path());
        for packet in SMALL.iter() {
            recorder.take(packet);
        }
        let size = size_until(&SMALL, 8);
        let written = view(&mut recorder.reports(), "it is written", |view| view.size_bytes > size).await;
        let mut other = File::create(disk.path().join("other")).unwrap();
        while other.write_all(&[0; 4096]).is_ok() {}
        other.set_len(other.metadata().unwrap().len() - left_kib * 1024).unwrap();
        let finished = recorder.finish().await;
        let pictures = pictures_that_play(Path::new(&written.path.unwrap()));
        assert!(pictures > 200, "{left_kib} KiB were left: {pictures} pictures can be played; {finished:?}");
    }
}

fn pictures_that_play(film: &Path) -> u64 {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "quiet", "-count_packets", "-select_streams", "v", "-of", "default=nk=1:nw=1"]);
    let output = command.args(["-show_entries", "stream=nb_read_packets"]).arg(film).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap_or(0)
}
