//! The thread that writes media behind the viewers' backs: it alone touches the broadcasts' files.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::Receiver,
    },
};

use bytes::Bytes;
use skylark_media::RenditionId;
use tokio::sync::oneshot;

use super::{
    JOURNAL_FILE, JournalId,
    record::{PartRecord, Place, Record},
    segment_file,
};

/// A journal that grew beyond this is written anew with what is still in the window, bytes.
const MAX_JOURNAL: u64 = 1 << 20;
/// Name under which a journal is written anew.
const FRESH_JOURNAL_FILE: &str = "journal.new";

/// What the thread is asked to do. Commands of one journal are carried out in the order of asking.
#[derive(Debug)]
pub(super) enum Command {
    /// Makes a broadcast's folder and journal; both may exist from before a restart, and then the journal is replaced.
    Open { journal: JournalId, folder: PathBuf, records: Vec<Record> },
    /// Writes a part and its record; `data` is `None` when the queue was full.
    Part { journal: JournalId, record: PartRecord, data: Option<Bytes>, written: oneshot::Sender<()> },
    /// Writes another record.
    Note { journal: JournalId, record: Record },
    /// Forgets segments before `first_msn`.
    Evict { journal: JournalId, rendition: RenditionId, first_msn: u64 },
    /// Deletes the broadcast.
    Remove { journal: JournalId },
    /// Answers when everything asked for before is done.
    Flush { done: oneshot::Sender<()> },
}

/// Counters, shared with whoever asks.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Commands that wait.
    pub(super) queued: AtomicUsize,
    /// Bytes of media that wait.
    pub(super) queued_bytes: AtomicUsize,
    /// Bytes of media written.
    pub(super) written_bytes: AtomicU64,
    /// Parts that could not be written.
    pub(super) failed_parts: AtomicU64,
    /// Parts that were given up because the queue was full.
    pub(super) dropped_parts: AtomicU64,
}

/// Runs until all senders are gone.
pub(super) fn run(commands: &Receiver<Command>, counters: &Arc<Counters>) {
    let mut journals = HashMap::new();
    while let Ok(command) = commands.recv() {
        counters.queued.fetch_sub(1, Ordering::Relaxed);
        carry_out(command, &mut journals, counters);
    }
}

fn carry_out(command: Command, journals: &mut HashMap<JournalId, Journal>, counters: &Counters) {
    match command {
        Command::Open { journal, folder, records } => match Journal::create(folder, records) {
            Ok(opened) => {
                journals.insert(journal, opened);
            }
            Err(error) => tracing::error!(%error, "cannot keep a broadcast on disk: a restart will lose it"),
        },
        Command::Part { journal, record, data, written } => {
            let len = data.as_ref().map_or(0, Bytes::len);
            if let Some(journal) = journals.get_mut(&journal) {
                match journal.part(record, data) {
                    Ok(()) => counters.written_bytes.fetch_add(len as u64, Ordering::Relaxed),
                    Err(error) => {
                        journal.complain(&error);
                        counters.failed_parts.fetch_add(1, Ordering::Relaxed)
                    }
                };
            }
            counters.queued_bytes.fetch_sub(len, Ordering::Relaxed);
            // Whoever waited may have given up.
            _ = written.send(());
        }
        Command::Note { journal, record } => {
            if let Some(journal) = journals.get_mut(&journal)
                && let Err(error) = journal.note(record)
            {
                journal.complain(&error);
            }
        }
        Command::Evict { journal, rendition, first_msn } => {
            if let Some(journal) = journals.get_mut(&journal)
                && let Err(error) = journal.evict(rendition, first_msn)
            {
                journal.complain(&error);
            }
        }
        Command::Remove { journal } => {
            if let Some(journal) = journals.remove(&journal) {
                journal.remove();
            }
        }
        Command::Flush { done } => {
            for journal in journals.values_mut() {
                if let Err(error) = journal.sync() {
                    journal.complain(&error);
                }
            }
            _ = done.send(());
        }
    }
}

/// A broadcast's files.
#[derive(Debug)]
struct Journal {
    folder: PathBuf,
    file: File,
    len: u64,
    /// A record could not be written, and the file is gone; it comes back whole when the disk takes it.
    is_broken: bool,
    /// What is in the journal and still matters; older segments' records fall out at the front.
    records: VecDeque<Record>,
    segments: BTreeMap<RenditionId, Segment>,
    /// The last failure was logged; until something works again the next ones are not.
    complained: bool,
}

/// The segment of a rendition that is being written.
#[derive(Debug)]
struct Segment {
    msn: u64,
    file: File,
    len: u64,
}

impl Journal {
    fn create(folder: PathBuf, records: Vec<Record>) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let records = VecDeque::from(records);
        let (file, len) = write_journal(&folder, &records)?;
        Ok(Self { folder, file, len, is_broken: false, records, segments: BTreeMap::new(), complained: false })
    }

    fn part(&mut self, mut record: PartRecord, data: Option<Bytes>) -> io::Result<()> {
        let outcome = match data {
            Some(data) => {
                self.append(record.rendition, record.position.msn, &data).map(|place| record.place = Some(place))
            }
            None => Ok(()),
        };
        // Whatever became of the bytes, the numbers are taken.
        self.note(Record::Part(record))?;
        outcome
    }

    fn append(&mut self, rendition: RenditionId, msn: u64, data: &[u8]) -> io::Result<Place> {
        if self.segments.get(&rendition).is_none_or(|segment| segment.msn != msn) {
            let path = self.folder.join(segment_file(rendition, msn));
            let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
            self.segments.insert(rendition, Segment { msn, file, len: 0 });
        }
        let Some(segment) = self.segments.get_mut(&rendition) else { return Err(io::ErrorKind::NotFound.into()) };
        let offset = segment.len;
        if let Err(error) = segment.file.write_all(data) {
            // Some of it may have been written: what follows goes into a place of its own.
            segment.len = segment.file.metadata().map(|metadata| metadata.len())?;
            return Err(error);
        }
        segment.len += data.len() as u64;
        self.complained = false;
        let len = u32::try_from(data.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        Ok(Place { offset, len, crc: crc32fast::hash(data) })
    }

    fn note(&mut self, record: Record) -> io::Result<()> {
        let mut bytes = Vec::new();
        record.write(&mut bytes);
        self.records.push_back(record);
        if !self.is_broken {
            if let Err(error) = self.file.write_all(&bytes) {
                // Numbers that it lacks would be given again after a restart, to other media: better a new broadcast.
                self.is_broken = true;
                fs::remove_file(self.folder.join(JOURNAL_FILE))?;
                return Err(error);
            }
            self.len += bytes.len() as u64;
        }
        if self.is_broken || self.len > MAX_JOURNAL {
            (self.file, self.len) = write_journal(&self.folder, &self.records)?;
            self.is_broken = false;
        }
        Ok(())
    }

    fn evict(&mut self, rendition: RenditionId, first_msn: u64) -> io::Result<()> {
        let mut evicted = Vec::new();
        let mut oldest_init = u32::MAX;
        self.records.retain(|record| match record {
            Record::Part(part) if part.rendition == rendition => {
                let keep = part.position.msn >= first_msn;
                if keep {
                    oldest_init = oldest_init.min(part.position.init);
                } else if evicted.last() != Some(&part.position.msn) {
                    evicted.push(part.position.msn);
                }
                keep
            }
            Record::SegmentEnd { rendition: of, msn } => *of != rendition || *msn >= first_msn,
            _ => true,
        });
        if oldest_init < u32::MAX {
            self.records.retain(
                |record| !matches!(record, Record::Init { rendition: of, number, .. } if *of == rendition && *number < oldest_init),
            );
        }
        for msn in evicted {
            match fs::remove_file(self.folder.join(segment_file(rendition, msn))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        for segment in self.segments.values() {
            segment.file.sync_data()?;
        }
        self.file.sync_data()
    }

    fn remove(self) {
        remove_broadcast(&self.folder);
    }

    fn complain(&mut self, error: &io::Error) {
        if !self.complained {
            tracing::warn!(%error, folder = %self.folder.display(), "cannot write media to disk: a restart will lose it");
            self.complained = true;
        }
    }
}

/// Writes a journal beside the one that is there and puts it in its place, so that there is a whole one at any time.
fn write_journal(folder: &Path, records: &VecDeque<Record>) -> io::Result<(File, u64)> {
    let mut bytes = Vec::new();
    records.iter().for_each(|record| record.write(&mut bytes));
    let fresh = folder.join(FRESH_JOURNAL_FILE);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Appending, so that after a failed write the next record goes where the file was cut to.
    let mut file = OpenOptions::new().append(true).create_new(true).open(&fresh)?;
    file.write_all(&bytes)?;
    fs::rename(&fresh, folder.join(JOURNAL_FILE))?;
    Ok((file, bytes.len() as u64))
}

/// Deletes a broadcast's folder, and its stream's if that was the last.
pub(super) fn remove_broadcast(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, folder = %folder.display(), "cannot delete a broadcast's media");
    }
    if let Some(stream) = folder.parent() {
        // Fails while there are others, which is right.
        _ = fs::remove_dir(stream);
    }
}
