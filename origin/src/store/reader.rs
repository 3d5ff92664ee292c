//! Segments read back from disk for late viewers: one copy of each in memory, however many want it.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Semaphore;

/// Segments that are read at a time.
const MAX_READS: usize = 8;
/// A disk that takes longer is not waited for.
const READ_LIMIT: Duration = Duration::from_secs(5);
/// Segments that are looked after before those that nobody holds are forgotten.
const MAX_COPIES: usize = 256;

/// A segment's copy, if anybody still has it. Whoever holds the lock reads it for all.
type Copy = Arc<tokio::sync::Mutex<Weak<Vec<u8>>>>;

/// Reads for everybody.
#[derive(Debug)]
pub(super) struct Reader {
    copies: Mutex<HashMap<PathBuf, Copy>>,
    reads: Arc<Semaphore>,
}

/// What is sent keeps the copy alive.
struct Held(Arc<Vec<u8>>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { copies: Mutex::default(), reads: Arc::new(Semaphore::new(MAX_READS)) }
    }

    /// A file of `bytes`. Another length: the disk did not take all of its parts, and it is as if it were not there.
    pub(super) async fn read(&self, file: &Path, bytes: u64) -> Option<Bytes> {
        let copy = self.copy(file);
        let read = async {
            let mut copy = copy.lock().await;
            if let Some(held) = copy.upgrade() {
                return Ok(Some(held));
            }
            let permit = Arc::clone(&self.reads).acquire_owned().await.map_err(io::Error::other)?;
            let path = file.to_owned();
            let read = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                (fs::metadata(&path)?.len() == bytes).then(|| fs::read(&path)).transpose()
            });
            let held = read.await.map_err(io::Error::other)??.map(Arc::new);
            *copy = held.as_ref().map(Arc::downgrade).unwrap_or_default();
            Ok::<_, io::Error>(held)
        };
        match tokio::time::timeout(READ_LIMIT, read).await {
            Ok(Ok(held)) => held.map(|held| Bytes::from_owner(Held(held))),
            Ok(Err(error)) => {
                tracing::debug!(%error, file = %file.display(), "cannot read a segment that left its window");
                None
            }
            Err(_) => {
                tracing::warn!(file = %file.display(), "the disk takes too long to read a segment");
                None
            }
        }
    }

    fn copy(&self, file: &Path) -> Copy {
        // The map is whole after every statement: a panic elsewhere does not spoil it.
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(copy) = copies.get(file) {
            return Arc::clone(copy);
        }
        if copies.len() >= MAX_COPIES {
            copies.retain(|_, copy| Arc::strong_count(copy) > 1 || copy.try_lock().is_ok_and(|c| c.strong_count() > 0));
        }
        Arc::clone(copies.entry(file.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_want_a_segment_share_one_copy() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("7.m4s");
        fs::write(&file, [7; 5000]).unwrap();
        let reader = Reader::new();
        let (first, second) = tokio::join!(reader.read(&file, 5000), reader.read(&file, 5000));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(first.as_ptr(), second.as_ptr());
        drop(first);
        fs::remove_file(&file).unwrap();
        let third = reader.read(&file, 5000).await.unwrap();
        assert_eq!(third.as_ptr(), second.as_ptr(), "who still reads it shares it with whoever comes");
        drop((second, third));
        assert!(reader.read(&file, 5000).await.is_none(), "nobody holds it any more");
    }

    #[tokio::test]
    async fn copies_that_nobody_holds_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let reader = Reader::new();
        for number in 0..2 * MAX_COPIES {
            let file = folder.path().join(number.to_string());
            fs::write(&file, b"media").unwrap();
            assert!(reader.read(&file, 5).await.is_some());
            assert!(reader.read(&file, 6).await.is_none(), "it is not whole");
        }
        assert!(reader.copies.lock().unwrap().len() <= MAX_COPIES);
    }
}
