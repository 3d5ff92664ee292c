//! The data folder.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

/// One server works on a data folder at a time.
const LOCK_FILE: &str = "skylark.lock";

/// The data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made, or is not writable.
    #[error("cannot use the data folder {path}: {source}", path = path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server works on it.
    #[error("another server is running on the data folder {path}", path = path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
}

/// Makes the folder if it is not there, for this user alone.
///
/// # Errors
/// When it cannot be made.
pub fn create(path: &Path) -> Result<(), FolderError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| FolderError::Unusable { path: path.to_owned(), source })
}

/// The right to be the only server on a folder, until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "holds the lock")] File);

/// Takes the folder for this process.
///
/// # Errors
/// When another server has it, or it cannot be written to.
pub fn lock(path: &Path) -> Result<Lock, FolderError> {
    let unusable = |source| FolderError::Unusable { path: path.to_owned(), source };
    let file =
        fs::OpenOptions::new().write(true).create(true).truncate(false).open(path.join(LOCK_FILE)).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(FolderError::Taken { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}
