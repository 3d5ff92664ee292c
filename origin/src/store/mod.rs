//! Where a broadcast's media is kept besides RAM: on disk, written behind, so that a restarted server carries on.
//!
//! In `live/{stream}/{broadcast}/` of the data folder: a journal (what happened, in the order of events) and a file per
//! segment. One thread writes; nobody waits for it longer than [`ACK_PATIENCE`]. Nothing is synced to the medium: what
//! was written survives the death of the process, and mostly that of the system.
//!
//! | module | what |
//! |---|---|
//! | `reader` | segments for late viewers |
//! | `record` | the journal's records |
//! | `writer` | the thread |
//! | [`recovery`] | what is found at a start |

mod reader;
mod record;
pub mod recovery;
mod writer;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use skylark_media::{
    RenditionId, UnixTime,
    pipeline::{Init, Part},
    window::{Position, WindowConfig},
};
use skylark_protocol::StreamId;
use tokio::sync::oneshot;

use self::{
    reader::Reader,
    record::{Head, PartRecord, Record},
    writer::{Command, Counters},
};

/// How long a part waits for the disk before it is announced all the same.
pub const ACK_PATIENCE: Duration = Duration::from_millis(20);
/// Default of [`StoreConfig::queue_bytes`].
pub const QUEUE_BYTES: usize = 64 << 20;
/// Commands that may wait. One is small, but not nothing.
const MAX_QUEUED: usize = 65_536;
/// Name of a broadcast's journal.
const JOURNAL_FILE: &str = "journal";
/// Folder of the live media in the data folder.
const LIVE_FOLDER: &str = "live";

/// How media is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreConfig {
    /// Media that may wait to be written, bytes. What is beyond does not reach the disk; viewers get it all the same.
    pub queue_bytes: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { queue_bytes: QUEUE_BYTES }
    }
}

/// What the store did and does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Media that waits to be written, bytes.
    pub queued_bytes: u64,
    /// Media written, bytes.
    pub written_bytes: u64,
    /// Parts that the disk did not take.
    pub failed_parts: u64,
    /// Parts that were given up because too much was waiting.
    pub dropped_parts: u64,
}

/// Where media is kept; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Store {
    disk: Option<Arc<Disk>>,
}

#[derive(Debug)]
struct Disk {
    folder: PathBuf,
    config: StoreConfig,
    commands: mpsc::Sender<Command>,
    counters: Arc<Counters>,
    next_journal: AtomicU64,
    reader: Reader,
}

/// One journal among those that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct JournalId(u64);

impl Store {
    /// Keeps nothing beyond the windows in RAM.
    #[must_use]
    pub fn memory() -> Self {
        Self::default()
    }

    /// Keeps media in a data folder that exists.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn open(data: &Path, config: StoreConfig) -> io::Result<Self> {
        let folder = data.join(LIVE_FOLDER);
        fs::create_dir_all(&folder)?;
        let (commands, queue) = mpsc::channel();
        let counters = Arc::new(Counters::default());
        let shared = Arc::clone(&counters);
        thread::Builder::new().name("store".into()).spawn(move || writer::run(&queue, &shared))?;
        let disk = Disk { folder, config, commands, counters, next_journal: AtomicU64::new(0), reader: Reader::new() };
        Ok(Self { disk: Some(Arc::new(disk)) })
    }

    /// Begins to keep a broadcast.
    #[must_use]
    pub(crate) fn begin(
        &self,
        stream: &StreamId,
        broadcast: &str,
        started_at: UnixTime,
        config: WindowConfig,
    ) -> Journal {
        self.journal(stream, broadcast, vec![Record::Head(Head { started_at, config })])
    }

    fn journal(&self, stream: &StreamId, broadcast: &str, records: Vec<Record>) -> Journal {
        let Some(disk) = &self.disk else { return Journal { disk: None } };
        let journal = JournalId(disk.next_journal.fetch_add(1, Ordering::Relaxed));
        let folder = disk.folder.join(stream.as_str()).join(broadcast);
        disk.order(Command::Open { journal, folder, records });
        Journal { disk: Some((Arc::clone(disk), journal)) }
    }

    /// A complete segment that has left its window, if all of its `bytes` are there.
    pub(crate) async fn segment(
        &self,
        stream: &StreamId,
        broadcast: &str,
        rendition: RenditionId,
        msn: u64,
        bytes: u64,
    ) -> Option<Bytes> {
        let disk = self.disk.as_ref()?;
        let file = disk.folder.join(stream.as_str()).join(broadcast).join(segment_file(rendition, msn));
        disk.reader.read(&file, bytes).await
    }

    /// Waits until everything handed over so far is on its medium.
    pub async fn flush(&self) {
        let Some(disk) = &self.disk else { return };
        let (done, wait) = oneshot::channel();
        disk.order(Command::Flush { done });
        _ = wait.await;
    }

    /// What it did and does.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let Some(disk) = &self.disk else { return StoreStats::default() };
        let counters = &disk.counters;
        StoreStats {
            queued_bytes: counters.queued_bytes.load(Ordering::Relaxed) as u64,
            written_bytes: counters.written_bytes.load(Ordering::Relaxed),
            failed_parts: counters.failed_parts.load(Ordering::Relaxed),
            dropped_parts: counters.dropped_parts.load(Ordering::Relaxed),
        }
    }
}

impl Disk {
    /// Puts a command into the queue, if there is a place; false if not.
    fn order(&self, command: Command) -> bool {
        if self.counters.queued.fetch_add(1, Ordering::Relaxed) < MAX_QUEUED && self.commands.send(command).is_ok() {
            return true;
        }
        self.counters.queued.fetch_sub(1, Ordering::Relaxed);
        false
    }
}

/// A broadcast's way to the disk. Of all it is told, only [`Journal::part`] waits, and not for long.
#[derive(Debug)]
pub(crate) struct Journal {
    disk: Option<(Arc<Disk>, JournalId)>,
}

impl Journal {
    /// The init segment in force from now on.
    pub(crate) fn init(&self, rendition: RenditionId, number: u32, init: &Init) {
        self.note(Record::Init { rendition, number, init: init.clone() });
    }

    /// Keeps a part; returns when it is written, or not soon enough.
    pub(crate) async fn part(&self, rendition: RenditionId, position: Position, part: &Part) {
        let Some((disk, journal)) = &self.disk else { return };
        let record = PartRecord {
            rendition,
            position,
            start: part.start,
            duration: part.duration,
            independent: part.independent,
            program_date_time: part.program_date_time,
            place: None,
        };
        let len = part.data.len();
        let waiting = disk.counters.queued_bytes.fetch_add(len, Ordering::Relaxed);
        let data = if waiting.saturating_add(len) <= disk.config.queue_bytes {
            Some(part.data.clone())
        } else {
            disk.counters.queued_bytes.fetch_sub(len, Ordering::Relaxed);
            disk.counters.dropped_parts.fetch_add(1, Ordering::Relaxed);
            None
        };
        let kept = data.is_some();
        let (written, wait) = oneshot::channel();
        let ordered = disk.order(Command::Part { journal: *journal, record, data, written });
        if !ordered {
            disk.counters.dropped_parts.fetch_add(u64::from(kept), Ordering::Relaxed);
            disk.counters.queued_bytes.fetch_sub(if kept { len } else { 0 }, Ordering::Relaxed);
        } else if kept && tokio::time::timeout(ACK_PATIENCE, wait).await.is_err() {
            tracing::debug!("the disk is slow: a part was announced before it was written");
        }
    }

    /// A segment is complete.
    pub(crate) fn segment_end(&self, rendition: RenditionId, msn: u64) {
        self.note(Record::SegmentEnd { rendition, msn });
    }

    /// Segments before `first_msn` are not in the window any more.
    pub(crate) fn evict(&self, rendition: RenditionId, first_msn: u64) {
        if let Some((disk, journal)) = &self.disk {
            disk.order(Command::Evict { journal: *journal, rendition, first_msn });
        }
    }

    /// The broadcast is over: a restart does not bring it back.
    pub(crate) fn end(&self) {
        self.note(Record::End);
    }

    /// Deletes what was kept.
    pub(crate) fn remove(&self) {
        if let Some((disk, journal)) = &self.disk {
            disk.order(Command::Remove { journal: *journal });
        }
    }

    fn note(&self, record: Record) {
        if let Some((disk, journal)) = &self.disk {
            disk.order(Command::Note { journal: *journal, record });
        }
    }
}

/// Name of a segment's file.
fn segment_file(rendition: RenditionId, msn: u64) -> String {
    format!("{}-{msn}.m4s", rendition.0)
}
