//! The collection of scenes: its file, undo and redo.
//!
//! The file is replaced as a whole, by renaming, and the one before stays beside it: a Studio that cannot read its
//! collection opens the last good copy.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use skylark_protocol::studio::{Collection, Edit, Refused};

/// Most steps that can be taken back.
pub const MAX_UNDO: usize = 200;
/// Edits of the same value that follow each other this fast are one step.
const STROKE: Duration = Duration::from_secs(1);
/// Largest collection file that is read, bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Why a collection cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The disk says no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no collection.
    #[error("{path}: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A collection that can be changed, taken back, and kept.
#[derive(Debug)]
pub struct Document {
    now: Arc<Collection>,
    undo: Vec<Arc<Collection>>,
    redo: Vec<Arc<Collection>>,
    last: Option<(Edit, Instant)>,
}

impl Document {
    /// Begins with a collection.
    #[must_use]
    pub fn new(collection: Collection) -> Self {
        Self { now: Arc::new(collection), undo: Vec::new(), redo: Vec::new(), last: None }
    }

    /// How it is now.
    #[must_use]
    pub fn collection(&self) -> &Arc<Collection> {
        &self.now
    }

    /// There is something to take back.
    #[must_use]
    pub fn can_undo(&self) -> bool {
        !self.undo.is_empty()
    }

    /// There is something to make again.
    #[must_use]
    pub fn can_redo(&self) -> bool {
        !self.redo.is_empty()
    }

    /// Makes a change. Changes of the same value in a row are one step.
    ///
    /// # Errors
    /// What is wrong with it; nothing has changed then.
    pub fn edit(&mut self, edit: Edit, now: Instant) -> Result<(), Refused> {
        let next = Arc::new(self.now.after(&edit)?);
        if edit.is_navigation() {
            self.now = next;
            return Ok(());
        }
        let goes_on = self.last.as_ref().is_some_and(|(before, at)| edit.continues(before) && now < *at + STROKE);
        let before = std::mem::replace(&mut self.now, next);
        if !goes_on {
            if self.undo.len() == MAX_UNDO {
                self.undo.remove(0);
            }
            self.undo.push(before);
        }
        self.redo.clear();
        self.last = Some((edit, now));
        Ok(())
    }

    /// Takes the last change back; what is on air stays on air.
    pub fn undo(&mut self) {
        if let Some(before) = self.undo.pop() {
            let before = self.keeping_what_is_on_air(&before);
            self.redo.push(std::mem::replace(&mut self.now, before));
            self.last = None;
        }
    }

    /// Makes the change again that was taken back last.
    pub fn redo(&mut self) {
        if let Some(after) = self.redo.pop() {
            let after = self.keeping_what_is_on_air(&after);
            self.undo.push(std::mem::replace(&mut self.now, after));
            self.last = None;
        }
    }

    /// Another state of the collection with today's program and preview, where it has those scenes. Ids are never given
    /// twice, not even after an undo.
    fn keeping_what_is_on_air(&self, other: &Collection) -> Arc<Collection> {
        let mut other = other.clone();
        if other.scene(self.now.program).is_some() {
            other.program = self.now.program;
        }
        other.preview = self.now.preview.filter(|scene| other.scene(*scene).is_some());
        other.next_id = other.next_id.max(self.now.next_id);
        Arc::new(other)
    }
}

/// Reads a collection; when it is damaged, the copy from before. None: there is no file yet.
///
/// # Errors
/// There are files, and none can be read.
pub fn load(path: &Path) -> Result<Option<Collection>, FileError> {
    match read(path) {
        Ok(collection) => Ok(Some(collection)),
        Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => match read(&copy_of(path)) {
            Ok(collection) => Ok(Some(collection)),
            Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        },
        Err(error) => {
            tracing::warn!(%error, "the collection cannot be read; opening the last good copy");
            read(&copy_of(path)).map(Some).map_err(|_| error)
        }
    }
}

/// Reads a collection file.
///
/// # Errors
/// It cannot be read, or is no collection.
pub fn read(path: &Path) -> Result<Collection, FileError> {
    let io = |source| FileError::Io { path: path.into(), source };
    let format = |reason: String| FileError::Format { path: path.into(), reason };
    if fs::metadata(path).map_err(io)?.len() > MAX_FILE_BYTES {
        return Err(format(format!("is larger than {MAX_FILE_BYTES} bytes")));
    }
    let text = fs::read_to_string(path).map_err(io)?;
    let collection: Collection = serde_json::from_str(&text).map_err(|error| format(error.to_string()))?;
    if collection.version != Collection::VERSION {
        return Err(format(format!("is of version {}; this Studio knows {}", collection.version, Collection::VERSION)));
    }
    if collection.scene(collection.program).is_none() {
        return Err(format(format!("has no scene {}, which is to be the program", collection.program.0)));
    }
    Ok(collection)
}

/// Replaces the file by this collection; what was in it becomes the last good copy.
///
/// # Errors
/// The disk says no; then the file is as it was.
pub fn save(path: &Path, collection: &Collection) -> Result<(), FileError> {
    let io = |source| FileError::Io { path: path.into(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(io)?;
    let text = serde_json::to_vec_pretty(collection).map_err(|error| io(error.into()))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(&text).and_then(|()| file.as_file().sync_all()).map_err(io)?;
    // Only what can be read is worth a copy.
    if read(path).is_ok() {
        fs::rename(path, copy_of(path)).map_err(io)?;
    }
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

fn copy_of(path: &Path) -> PathBuf {
    path.with_extension("last.json")
}

#[cfg(test)]
mod tests {
    use skylark_protocol::studio::{Input, ItemId, Rect, SceneId};

    use super::*;

    fn bars() -> Edit {
        let input = Input::Test { pattern: skylark_protocol::studio::Pattern::Bars };
        Edit::AddSource { scene: SceneId(1), name: "Bars".into(), input, place: None }
    }

    fn moved_to(item: ItemId, x: i32) -> Edit {
        Edit::Place { item, place: Rect { x, y: 0, width: 10, height: 10 } }
    }

    #[test]
    fn a_drag_is_one_step_and_what_is_on_air_is_none() {
        let start = Instant::now();
        let mut document = Document::new(Collection::default());
        document.edit(bars(), start).unwrap();
        let item = document.collection().scenes[0].items[0].id;
        for step in 0..10 {
            document.edit(moved_to(item, step), start + Duration::from_millis(u64::try_from(step).unwrap())).unwrap();
        }
        document.edit(Edit::AddScene { name: "Break".into() }, start).unwrap();
        let second = document.collection().scenes[1].id;
        document.edit(Edit::Switch { scene: second }, start).unwrap();
        document.undo();
        assert_eq!(document.collection().scenes.len(), 1);
        document.redo();
        assert_eq!(document.collection().scenes.len(), 2);
        document.undo();
        document.undo();
        assert_eq!(document.collection().scenes[0].items[0].place.width, 1280, "the whole drag is taken back");
        document.undo();
        assert!(document.collection().scenes[0].items.is_empty() && !document.can_undo());
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let mut document = Document::new(Collection::default());
        let before = Arc::clone(document.collection());
        assert_eq!(document.edit(Edit::RemoveScene { scene: SceneId(1) }, Instant::now()), Err(Refused::LastScene));
        assert!(document.edit(moved_to(ItemId(99), 0), Instant::now()).is_err());
        assert_eq!((&before, document.can_undo()), (document.collection(), false));
    }

    #[test]
    fn a_damaged_file_gives_way_to_the_last_good_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scenes.json");
        assert!(load(&path).unwrap().is_none());
        let first = Collection::default();
        save(&path, &first).unwrap();
        let second = first.after(&bars()).unwrap();
        save(&path, &second).unwrap();
        assert_eq!(load(&path).unwrap().unwrap(), second);
        fs::write(&path, "{ half").unwrap();
        assert_eq!(load(&path).unwrap().unwrap(), first);
        // Saving over a damaged file keeps the good copy.
        save(&path, &second).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(load(&path).unwrap().unwrap(), first);
    }
}
