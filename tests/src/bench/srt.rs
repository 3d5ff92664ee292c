//! The rows about SRT over a bad network.

use std::time::Duration;

use anyhow::Result;

use super::{
    Row, Verdict,
    srt_loss::{Case, Outcome, Receiver, run},
};
use crate::clip::Clip;

/// Loss each way, round-trip time and latency in milliseconds, and whether nothing at all may be lost.
const CASES: [(f64, u64, u64, bool); 3] = [(0.02, 40, 200, true), (0.05, 40, 400, true), (0.05, 40, 200, false)];

/// Every case with our receiver and libsrt's, on the same seeds.
///
/// # Errors
/// When a sender or receiver does not work.
pub async fn measure(quick: bool) -> Result<Vec<Row>> {
    let (seconds, seeds) = if quick { (20, 3) } else { (60, 10) };
    let clip = Clip { seconds, ..Clip::default() }.transport_stream()?;
    let length = Duration::from_secs(u64::from(seconds));
    let mut rows = Vec::new();
    for (loss, round_trip_ms, latency_ms, whole) in CASES {
        let case =
            Case { loss, round_trip: Duration::from_millis(round_trip_ms), latency: Duration::from_millis(latency_ms) };
        let ours = missing(&run(clip.path(), length, case, Receiver::Skylark, 0..seeds).await?);
        let theirs = missing(&run(clip.path(), length, case, Receiver::Libsrt, 0..seeds).await?);
        let (goal, verdict) = if whole {
            ("must 0".to_owned(), Verdict::at_most(ours as f64, 0.0, None))
        } else {
            ("must be fewer than libsrt's".to_owned(), Verdict::at_most(ours as f64, theirs as f64 - 1.0, None))
        };
        rows.push(Row {
            what: format!(
                "SRT, {:.0} % loss both ways, RTT {round_trip_ms} ms, latency {latency_ms} ms: packets lost on {seeds} seeds × {seconds} s",
                loss * 100.0
            ),
            ours: ours.to_string(),
            reference: format!("libsrt {theirs}"),
            ratio: None,
            goal,
            verdict,
        });
    }
    Ok(rows)
}

/// Transport packets that never came, before the last second.
fn missing(outcomes: &[Outcome]) -> usize {
    outcomes.iter().map(|outcome| outcome.missing).sum()
}
