//! Writes what it takes, and watches over it.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use skylark_protocol::studio::RecordingView;
use tokio::sync::{oneshot, watch};

use super::{RecordError, disk, fresh_path, writer::Writer};
use crate::encoded::{Outlet, Packet, Track};

/// Most that waits for a slow disk, bytes.
const MAX_WAITING: usize = 64 << 20;
/// How often the file is made sure of, and the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A disk that is behind is asked again after this.
const BREATH: Duration = Duration::from_millis(20);
/// With less room than this on the disk, and what the index takes, a recording is finished.
pub(super) const LEAST_FREE: u64 = 24 << 20;
/// What a frame takes in the index, bytes, at most.
const INDEX_PER_FRAME: u64 = 24;
/// With less time than this left at the bitrate so far, the streamer is told.
const WARN_BEFORE: Duration = Duration::from_secs(600);
/// A track that is so far behind the other has ended.
const TRACK_LOST_NS: u64 = 3_000_000_000;

/// Records a picture and the sound, until it is finished. Takes frames without waiting; a thread of its own writes them.
pub struct Recorder {
    shared: Arc<Shared>,
    picture: Track,
    reports: watch::Receiver<RecordingView>,
}

struct Shared {
    inbox: Mutex<Inbox>,
    came: Condvar,
    reporting: watch::Sender<RecordingView>,
}

#[derive(Default)]
struct Inbox {
    packets: VecDeque<Packet>,
    bytes: usize,
    /// Pictures that had no room.
    dropped: u64,
    /// The next ones are of no use without a keyframe.
    wants_keyframe: bool,
    is_finishing: bool,
    /// Who waits for the end.
    waiting: Vec<oneshot::Sender<Result<PathBuf, RecordError>>>,
    is_over: bool,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Begins to record this picture into `folder/name.mp4` (or `name (2).mp4`, where that is taken), from its next keyframe
    /// on. `since_ms`: now, Unix milliseconds.
    ///
    /// # Errors
    /// When the folder cannot be written to, or there is no room.
    pub fn start(folder: &Path, name: &str, picture: Track, since_ms: i64) -> Result<Arc<Self>, RecordError> {
        let io = |source| RecordError::Io { path: folder.into(), source };
        fs::create_dir_all(folder).map_err(io)?;
        // Permissions and read-only disks show now, not at the first keyframe.
        tempfile::tempfile_in(folder).map_err(io)?;
        let free_bytes = disk::free_bytes(folder);
        if let Some(free) = free_bytes.filter(|free| *free < 2 * LEAST_FREE) {
            return Err(RecordError::Full { path: folder.into(), free_mib: free >> 20 });
        }
        let view = RecordingView { since_ms: Some(since_ms), free_bytes, ..RecordingView::default() };
        let (reporting, reports) = watch::channel(view.clone());
        let shared = Arc::new(Shared { inbox: Mutex::default(), came: Condvar::new(), reporting });
        let scribe = Scribe {
            shared: Arc::clone(&shared),
            folder: folder.into(),
            name: name.to_owned(),
            picture,
            part: None,
            finished: None,
            error: None,
            is_stopped: false,
            is_warning: false,
            view,
        };
        thread::Builder::new().name("recording".into()).spawn(move || scribe.run()).map_err(io)?;
        Ok(Arc::new(Self { shared, picture, reports }))
    }

    /// How it goes, once a second.
    #[must_use]
    pub fn reports(&self) -> watch::Receiver<RecordingView> {
        self.reports.clone()
    }

    /// Writes what waits, finishes the file, and reads it back. The last file's path, where a change of the picture's format
    /// or a pause of its encoder made several.
    ///
    /// # Errors
    /// When nothing came, or the last file is not whole; it may still be worth keeping.
    pub async fn finish(&self) -> Result<PathBuf, RecordError> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut inbox = self.shared.inbox();
            inbox.is_finishing = true;
            inbox.waiting.push(sender);
            if inbox.is_over {
                inbox.waiting.clear();
            }
        }
        self.shared.came.notify_one();
        receiver.await.unwrap_or(Err(RecordError::Empty))
    }
}

#[cfg(test)]
impl Recorder {
    /// Bytes that wait to be written.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.shared.inbox().bytes
    }

    /// Pictures that had no room.
    pub(super) fn dropped(&self) -> u64 {
        self.shared.inbox().dropped
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.inbox().is_finishing = true;
        self.shared.came.notify_one();
    }
}

impl Outlet for Recorder {
    fn take(&self, packet: &Packet) {
        if packet.track != self.picture && packet.track != Track::Audio {
            return;
        }
        let is_picture = packet.track == self.picture;
        let mut inbox = self.shared.inbox();
        if inbox.is_finishing || inbox.is_over {
            return;
        }
        if is_picture && packet.is_keyframe && inbox.bytes < MAX_WAITING / 2 {
            inbox.wants_keyframe = false;
        }
        if inbox.wants_keyframe || inbox.bytes + packet.data.len() > MAX_WAITING {
            inbox.wants_keyframe = true;
            inbox.dropped += u64::from(is_picture);
            return;
        }
        inbox.bytes += packet.data.len();
        inbox.packets.push_back(packet.clone());
        drop(inbox);
        self.shared.came.notify_one();
    }
}

/// The thread behind a recorder.
struct Scribe {
    shared: Arc<Shared>,
    folder: PathBuf,
    name: String,
    picture: Track,
    part: Option<Part>,
    finished: Option<PathBuf>,
    error: Option<RecordError>,
    /// Nothing more is written: the disk is full or broken.
    is_stopped: bool,
    /// The view's problem is none yet.
    is_warning: bool,
    view: RecordingView,
}

/// A file that is written.
struct Part {
    writer: Writer,
    /// Parameter sets of its picture.
    format: Vec<Bytes>,
    began: Instant,
    first_ns: u64,
    picture_ns: u64,
    sound_ns: u64,
}

impl Scribe {
    fn run(mut self) {
        let mut look_at = Instant::now() + LOOK_EVERY;
        loop {
            let (packet, is_finishing) = self.next(look_at);
            let has_packet = packet.is_some();
            if let Some(packet) = packet
                && let Err(error) = self.write(&packet)
            {
                self.give_up(error);
            }
            if Instant::now() >= look_at {
                look_at = Instant::now() + LOOK_EVERY;
                self.look();
            }
            if is_finishing && !has_packet {
                break;
            }
        }
        self.finish_part();
        self.view.since_ms = None;
        self.show();
        let result = match (self.error.take(), self.finished.take()) {
            (Some(error), _) => Err(error),
            (None, Some(path)) => Ok(path),
            (None, None) => Err(RecordError::Empty),
        };
        let mut inbox = self.shared.inbox();
        inbox.is_over = true;
        let mut waiting = std::mem::take(&mut inbox.waiting);
        drop(inbox);
        // The first hears what it was; whoever else asked hears that it is over.
        if !waiting.is_empty() {
            _ = waiting.remove(0).send(result);
        }
    }

    /// The next packet, waiting for it until then; whether the end has been asked for.
    fn next(&self, until: Instant) -> (Option<Packet>, bool) {
        let mut inbox = self.shared.inbox();
        while inbox.packets.is_empty() && !inbox.is_finishing {
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            let waited = self.shared.came.wait_timeout(inbox, left);
            inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let packet = inbox.packets.pop_front();
        inbox.bytes -= packet.as_ref().map_or(0, |packet| packet.data.len());
        (packet, inbox.is_finishing)
    }

    fn write(&mut self, packet: &Packet) -> Result<(), RecordError> {
        if self.is_stopped {
            return Ok(());
        }
        let is_picture = packet.track == self.picture;
        if is_picture && self.must_begin(packet) {
            self.finish_part();
            self.begin_part(packet)?;
        }
        let Some(part) = &mut self.part else { return Ok(()) };
        if !is_picture && packet.pts_ns < part.first_ns {
            return Ok(());
        }
        if is_picture {
            part.picture_ns = packet.pts_ns;
        } else {
            part.sound_ns = packet.pts_ns;
        }
        if part.sound_ns > part.picture_ns + TRACK_LOST_NS {
            self.tell("The encoder gives no picture: the recording goes on in another file when there is one.");
            self.finish_part();
            return Ok(());
        }
        if part.picture_ns > part.sound_ns + TRACK_LOST_NS && !part.writer.has_sound_ended() {
            part.writer.end_sound();
            self.tell("The encoder gives no sound: the recording goes on without.");
        }
        let Some(part) = &mut self.part else { return Ok(()) };
        part.writer.give(packet)?;
        while part.writer.is_behind() {
            part.writer.check()?;
            thread::sleep(BREATH);
        }
        Ok(())
    }

    /// Whether a picture cannot be part of the file that is written.
    fn must_begin(&self, packet: &Packet) -> bool {
        let Some(part) = &self.part else { return packet.is_keyframe };
        if !packet.is_keyframe {
            return false;
        }
        let is_sound_back = part.writer.has_sound_ended() && part.sound_ns + TRACK_LOST_NS > packet.pts_ns;
        let has_jumped = packet.pts_ns < part.picture_ns || packet.pts_ns > part.picture_ns + TRACK_LOST_NS;
        has_jumped || is_sound_back || parameter_sets(&packet.data) != part.format
    }

    fn begin_part(&mut self, packet: &Packet) -> Result<(), RecordError> {
        let path = fresh_path(&self.folder, &self.name);
        let writer = Writer::begin(&path, packet.dts_ns)?;
        self.view.path = Some(path.to_string_lossy().into_owned());
        self.part = Some(Part {
            writer,
            format: parameter_sets(&packet.data),
            began: Instant::now(),
            first_ns: packet.pts_ns,
            picture_ns: packet.pts_ns,
            sound_ns: packet.pts_ns,
        });
        self.show();
        Ok(())
    }

    /// Once a second: what is written is on the disk, and the disk has room.
    fn look(&mut self) {
        let dropped = self.shared.inbox().dropped;
        if dropped > 0 {
            self.tell(&format!("The disk is too slow: {dropped} frames are missing in the recording."));
        }
        let Some(part) = &self.part else { return self.show() };
        let flushed = part.writer.check().and_then(|()| part.writer.flush());
        match flushed {
            Ok(size_bytes) => self.view.size_bytes = size_bytes,
            Err(error) => return self.give_up(error),
        }
        let (pictures, sounds) = part.writer.given();
        let per_s = self.view.size_bytes as f64 / part.began.elapsed().as_secs_f64().max(1.0);
        self.view.free_bytes = disk::free_bytes(&self.folder);
        if let Some(free) = self.view.free_bytes {
            let index = (pictures + sounds) * INDEX_PER_FRAME;
            // What comes until the next look, twice, has to have room as well.
            if free < LEAST_FREE + index + 2 * per_s as u64 {
                self.tell("The disk is full: the recording was finished, and goes on when you start it again.");
                self.is_stopped = true;
                self.view.since_ms = None;
                self.finish_part();
            } else if (free as f64) < per_s * WARN_BEFORE.as_secs_f64() {
                let left_s = (free - LEAST_FREE.min(free)) as f64 / per_s.max(1.0);
                self.warn(&format!("The disk has room for {:.0} more minutes of recording.", left_s / 60.0));
            } else if std::mem::take(&mut self.is_warning) {
                self.view.problem = None;
            }
        }
        self.show();
    }

    /// Finishes the file that is written, if there is one.
    fn finish_part(&mut self) {
        let Some(part) = self.part.take() else { return };
        self.view.path = None;
        if part.writer.given().0 == 0 {
            return part.writer.discard();
        }
        match part.writer.finish() {
            Ok(path) => {
                self.view.finished = Some(path.to_string_lossy().into_owned());
                self.view.size_bytes = fs::metadata(&path).map_or(self.view.size_bytes, |file| file.len());
                self.finished = Some(path);
            }
            Err(error) => self.give_up(error),
        }
        self.show();
    }

    /// Nothing more can be written; what is there can be played.
    fn give_up(&mut self, error: RecordError) {
        tracing::warn!(%error, "the recording");
        self.tell(&format!("The recording has stopped: {error}. What was written so far can be played."));
        self.is_stopped = true;
        (self.part, self.view.path, self.view.since_ms) = (None, None, None);
        self.error = Some(error);
        self.show();
    }

    /// Something that may become a problem; does not hide one.
    fn warn(&mut self, warning: &str) {
        if self.view.problem.is_none() || self.is_warning {
            self.tell(warning);
            self.is_warning = true;
        }
    }

    fn tell(&mut self, problem: &str) {
        self.is_warning = false;
        if self.view.problem.as_deref() != Some(problem) {
            tracing::warn!(problem, "recording");
        }
        self.view.problem = Some(problem.to_owned());
    }

    fn show(&self) {
        self.shared.reporting.send_replace(self.view.clone());
    }
}

/// SPS and PPS of an access unit in byte-stream format: they differ when the format does.
fn parameter_sets(data: &Bytes) -> Vec<Bytes> {
    let mut starts: Vec<usize> =
        data.windows(3).enumerate().filter(|(_, three)| *three == [0, 0, 1]).map(|(at, _)| at + 3).collect();
    // What comes after the first slice is the picture itself.
    if let Some(slice) = starts.iter().position(|at| data.get(*at).is_some_and(|byte| matches!(byte & 0x1F, 1..=5))) {
        starts.truncate(slice + 1);
    }
    let unit = |pair: &[usize]| data.slice(pair[0]..pair[1] - 3);
    let is_set = |unit: &Bytes| unit.first().is_some_and(|byte| matches!(byte & 0x1F, 7 | 8));
    starts.windows(2).map(unit).filter(is_set).map(|unit| trimmed(&unit)).collect()
}

/// Without zeros at its end, which belong to the next start code.
fn trimmed(unit: &Bytes) -> Bytes {
    let length = unit.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    unit.slice(..length)
}
