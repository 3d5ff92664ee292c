//! Limits of the process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A core dump would hold stream keys and passphrases of sessions in progress in clear, on a disk that others may read.
pub fn forbid_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "cannot forbid core dumps");
    }
}

/// Every viewer and publisher is a file descriptor: takes as many as the system gives.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => tracing::debug!(files = limit.maximum, "file limit raised"),
        Err(error) => tracing::warn!(%error, files = limit.current, "cannot raise the file limit"),
    }
}
