//! Room on a disk.

use std::path::Path;

/// Bytes that this user may still write where a folder is; none where the system does not say.
#[cfg(unix)]
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Bytes that this user may still write where a folder is; none where the system does not say.
#[cfg(not(unix))]
pub(super) fn free_bytes(_folder: &Path) -> Option<u64> {
    // A full disk still shows as a write that fails, and the file is whole up to there.
    None
}
