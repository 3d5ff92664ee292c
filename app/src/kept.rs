//! Small files that are read whole and replaced whole: what a Studio remembers, never a secret.

use std::{fs, io::Write as _, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use skylark_protocol::studio::Problem;

/// Largest file that is read, bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What the file holds; none when there is no file.
///
/// # Errors
/// It cannot be read.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Problem> {
    let wrong = |reason: String| {
        let message = format!("{} cannot be read: {reason}. Mend it or move it away.", path.display());
        Problem::new("not-readable", message)
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
        Ok(file) if file.len() > MAX_BYTES => return Err(wrong(format!("it is larger than {MAX_BYTES} bytes"))),
        Ok(_) => {}
    }
    let text = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_slice(&text).map(Some).map_err(|error| wrong(error.to_string()))
}

/// Replaces the file.
///
/// # Errors
/// The disk says no; then the file is as it was.
pub(crate) fn write(path: &Path, content: &impl Serialize) -> Result<(), Problem> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(content)?)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(|error: std::io::Error| {
        Problem::new("not-kept", format!("{} could not be written: {error}", path.display()))
    })
}

/// Removes the file. One that is not there is as good as removed.
///
/// # Errors
/// The disk says no.
pub(crate) fn remove(path: &Path) -> Result<(), Problem> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Problem::new("not-kept", format!("{} could not be removed: {error}", path.display())))
        }
        _ => Ok(()),
    }
}
