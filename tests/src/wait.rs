//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(50);

/// Asks `probe` until it answers something, at most for `patience`.
///
/// # Errors
/// When it never did: "`what` within … s".
pub async fn until<T>(what: &str, patience: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = probe().await {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            bail!("waited {:.1} s in vain for this: {what}", patience.as_secs_f64());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
