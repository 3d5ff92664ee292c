//! What is found at a start: broadcasts that had not ended when the server did.

use std::{collections::BTreeMap, fs, io, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use skylark_media::{
    MediaTime, RenditionId, UnixTime,
    pipeline::{Init, Part},
    window::{Position, WindowConfig},
};
use skylark_protocol::StreamId;

use super::{
    JOURNAL_FILE, Journal, Store, record,
    record::{Head, PartRecord, Record},
    segment_file, writer,
};

/// A broadcast whose last part is older is not brought back.
pub const MAX_AGE: Duration = Duration::from_secs(600);
/// Largest journal that is read, bytes.
const MAX_JOURNAL: u64 = 64 << 20;
/// Largest segment file that is read, bytes.
const MAX_SEGMENT: u64 = 1 << 30;

/// A broadcast as it was when the server ended.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) stream: StreamId,
    pub(crate) broadcast: String,
    pub(crate) started_at: UnixTime,
    pub(crate) config: WindowConfig,
    pub(crate) renditions: BTreeMap<RenditionId, RecoveredRendition>,
    records: Vec<Record>,
}

/// A rendition of it.
#[derive(Debug, Default)]
pub(crate) struct RecoveredRendition {
    /// Init segments by their numbers.
    pub(crate) inits: BTreeMap<u32, Arc<Init>>,
    /// Parts whose bytes are there, in order, without a gap, the first one at the start of a segment.
    pub(crate) parts: Vec<(Position, Part)>,
    /// Where the last part that was ever announced stood: numbers up to here are taken.
    pub(crate) last: Option<Position>,
    /// The last segment is complete.
    pub(crate) segment_ended: bool,
    /// End of what was announced, on the broadcast's timeline.
    pub(crate) end: MediaTime,
}

impl Store {
    /// Finds the broadcasts that had not ended, and deletes what is left of the others. Reads files: not for an async
    /// task.
    #[must_use]
    pub(crate) fn recover(&self, now: UnixTime) -> Vec<Recovered> {
        let Some(disk) = &self.disk else { return Vec::new() };
        let mut found: BTreeMap<StreamId, Recovered> = BTreeMap::new();
        for (stream, stream_folder) in folders(&disk.folder) {
            let Ok(stream) = stream.parse::<StreamId>() else { continue };
            for (broadcast, folder) in folders(&stream_folder) {
                let outcome = recover(&folder, stream.clone(), broadcast, now);
                let recovered = match outcome {
                    Ok(recovered) => recovered,
                    Err(reason) => {
                        tracing::info!(folder = %folder.display(), %reason, "a broadcast is not brought back");
                        writer::remove_broadcast(&folder);
                        continue;
                    }
                };
                let older = match found.get(&recovered.stream) {
                    Some(other) if other.started_at >= recovered.started_at => Some(recovered),
                    _ => found.insert(recovered.stream.clone(), recovered),
                };
                if let Some(older) = older {
                    writer::remove_broadcast(&stream_folder.join(&older.broadcast));
                }
            }
        }
        found.into_values().collect()
    }

    /// Goes on keeping a broadcast that was recovered.
    #[must_use]
    pub(crate) fn resume(&self, recovered: &mut Recovered) -> Journal {
        self.journal(&recovered.stream, &recovered.broadcast, std::mem::take(&mut recovered.records))
    }

    /// Deletes a broadcast that was recovered and is not wanted.
    pub(crate) fn discard(&self, mut recovered: Recovered) {
        self.resume(&mut recovered).remove();
    }
}

/// Folders in a folder, with their names.
fn folders(folder: &Path) -> Vec<(String, std::path::PathBuf)> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "cannot look for broadcasts");
            return Vec::new();
        }
    };
    let entries = entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path()))).collect()
}

/// Why a broadcast does not come back.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("its journal cannot be read: {0}")]
    Journal(io::Error),
    #[error("its journal is damaged from the start")]
    Damaged,
    #[error("it had ended")]
    Ended,
    #[error("nothing of it was announced")]
    Empty,
    #[error("it was left {} s ago", .0.as_secs())]
    Old(Duration),
}

fn recover(folder: &Path, stream: StreamId, broadcast: String, now: UnixTime) -> Result<Recovered, Lost> {
    let bytes = read_file(&folder.join(JOURNAL_FILE), MAX_JOURNAL).map_err(Lost::Journal)?;
    let records = record::read(&bytes);
    let Some(Record::Head(Head { started_at, config })) = records.first() else { return Err(Lost::Damaged) };
    let (started_at, config) = (*started_at, *config);
    if records.contains(&Record::End) {
        return Err(Lost::Ended);
    }
    let last_part = records.iter().rev().find_map(|record| match record {
        Record::Part(part) => Some(part.program_date_time),
        _ => None,
    });
    let age = now.since(last_part.ok_or(Lost::Empty)?);
    if age > MAX_AGE {
        return Err(Lost::Old(age));
    }
    let mut renditions: BTreeMap<RenditionId, RecoveredRendition> = BTreeMap::new();
    let mut listed: BTreeMap<RenditionId, Vec<PartRecord>> = BTreeMap::new();
    for record in &records {
        match record {
            Record::Init { rendition, number, init } => {
                let inits = &mut renditions.entry(*rendition).or_default().inits;
                inits.insert(*number, Arc::new(init.clone()));
            }
            Record::Part(part) => {
                let rendition = renditions.entry(part.rendition).or_default();
                rendition.last = Some(part.position);
                rendition.segment_ended = false;
                rendition.end = rendition.end.max(part.start + part.duration);
                listed.entry(part.rendition).or_default().push(*part);
            }
            Record::SegmentEnd { rendition, .. } => renditions.entry(*rendition).or_default().segment_ended = true,
            Record::Head(_) | Record::End => {}
        }
    }
    for (id, parts) in listed {
        if let Some(rendition) = renditions.get_mut(&id) {
            rendition.parts = read_parts(folder, &rendition.inits, &parts);
        }
    }
    let records = kept_records(records, &renditions);
    Ok(Recovered { stream, broadcast, started_at, config, renditions, records })
}

/// The longest run of parts up to the last one whose bytes are there and whose numbers follow each other.
fn read_parts(folder: &Path, inits: &BTreeMap<u32, Arc<Init>>, listed: &[PartRecord]) -> Vec<(Position, Part)> {
    let mut run: Vec<(Position, Part)> = Vec::new();
    let mut segment: Option<(u64, Option<Bytes>)> = None;
    for record in listed {
        let position = record.position;
        if segment.as_ref().is_none_or(|(msn, _)| *msn != position.msn) {
            let path = folder.join(segment_file(record.rendition, position.msn));
            segment = Some((position.msn, read_file(&path, MAX_SEGMENT).map(Bytes::from).ok()));
        }
        let bytes = segment.as_ref().and_then(|(_, bytes)| bytes.as_ref());
        let data = bytes.and_then(|bytes| slice(bytes, record)).filter(|_| inits.contains_key(&position.init));
        let follows = match run.last() {
            None => position.part == 0,
            Some((last, _)) if position.msn == last.msn => position.part == last.part.saturating_add(1),
            Some((last, _)) => position.msn == last.msn.saturating_add(1) && position.part == 0,
        };
        match data {
            Some(data) if follows => run.push((position, part(record, data))),
            Some(data) => {
                run.clear();
                if position.part == 0 {
                    run.push((position, part(record, data)));
                }
            }
            None => run.clear(),
        }
    }
    run
}

fn part(record: &PartRecord, data: Bytes) -> Part {
    Part {
        data,
        start: record.start,
        duration: record.duration,
        independent: record.independent,
        program_date_time: record.program_date_time,
    }
}

/// A part's bytes, if they are what was written.
fn slice(segment: &Bytes, record: &PartRecord) -> Option<Bytes> {
    let place = record.place?;
    let start = usize::try_from(place.offset).ok()?;
    let end = start.checked_add(usize::try_from(place.len).ok()?)?;
    let bytes = segment.get(start..end)?;
    (crc32fast::hash(bytes) == place.crc).then(|| segment.slice(start..end))
}

/// The records that the journal goes on with: those of parts that are still there, and the last one of each rendition,
/// whose numbers are taken.
fn kept_records(records: Vec<Record>, renditions: &BTreeMap<RenditionId, RecoveredRendition>) -> Vec<Record> {
    let first = |rendition: &RecoveredRendition| rendition.parts.first().map_or(u64::MAX, |(position, _)| position.msn);
    let keep = |record: &Record| match record {
        Record::Part(part) => renditions
            .get(&part.rendition)
            .is_some_and(|rendition| part.position.msn >= first(rendition) || rendition.last == Some(part.position)),
        Record::SegmentEnd { rendition, msn } => {
            renditions.get(rendition).is_some_and(|rendition| *msn >= first(rendition))
        }
        Record::Head(_) | Record::Init { .. } | Record::End => true,
    };
    records.into_iter().filter(keep).collect()
}

fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    fs::read(path)
}
