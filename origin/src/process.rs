//! Limits and memory of the process.

use std::{ffi::OsString, os::unix::process::CommandExt as _, process::Command};

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

/// Where glibc reads how its allocator shall work: only when a program begins.
const TUNABLES: &str = "GLIBC_TUNABLES";
/// What is as large as a part gets pages of its own, but no more pieces than leave the kernel's limit of mappings
/// (65,530) to everything else.
const MEDIA_APART: &str = "glibc.malloc.mmap_threshold=65536:glibc.malloc.mmap_max=16384";

/// Has glibc give back each part's memory as soon as the part is let go of. In its heap, parts of all sizes that stay for
/// half a minute between frames that come and go leave gaps of a tenth of the whole. Only the environment that a program
/// begins with can say so (without unsafe code), so this one begins once more, as the same process.
pub fn keep_media_apart() {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        return;
    }
    let given = std::env::var_os(TUNABLES).unwrap_or_default();
    if given.to_string_lossy().contains("glibc.malloc.mmap_threshold") {
        return;
    }
    let mut tunables = given;
    if !tunables.is_empty() {
        tunables.push(":");
    }
    tunables.push(OsString::from(MEDIA_APART));
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // Returns only when it failed, and then this process works as it is.
    let error = again.args(arguments).env(TUNABLES, tunables).exec();
    tracing::debug!(%error, "memory of media is not kept apart");
}
