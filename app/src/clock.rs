//! Unix time, and what tells two requests of one moment apart.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// Unix time, milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Unix time, seconds.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Text that no other call gives.
pub(crate) fn nonce() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut random = [0; 8];
    if getrandom::fill(&mut random).is_err() {
        tracing::warn!("the system has no randomness");
    }
    format!("{:016x}-{}", u64::from_ne_bytes(random), COUNT.fetch_add(1, Ordering::Relaxed))
}
