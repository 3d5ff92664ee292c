//! `srt_loss CLIP.ts SECONDS SEEDS [skylark|libsrt]...`: the loss cases, as a table.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use e2e::bench::srt_loss::{Case, Receiver, run};

const CASES: [(f64, u64, u64); 3] = [(0.02, 40, 200), (0.05, 40, 400), (0.05, 40, 200)];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let clip = PathBuf::from(arguments.next().context("CLIP is missing")?);
    let length = Duration::from_secs_f64(arguments.next().context("SECONDS is missing")?.parse()?);
    let seeds: u64 = arguments.next().context("SEEDS is missing")?.parse()?;
    let chosen: Vec<String> = arguments.collect();
    for (loss, round_trip_ms, latency_ms) in CASES {
        let case =
            Case { loss, round_trip: Duration::from_millis(round_trip_ms), latency: Duration::from_millis(latency_ms) };
        for (name, receiver) in [("skylark", Receiver::Skylark), ("libsrt", Receiver::Libsrt)] {
            if !chosen.is_empty() && !chosen.iter().any(|chosen| chosen == name) {
                continue;
            }
            let outcomes = run(&clip, length, case, receiver, 0..seeds).await?;
            let missing: Vec<usize> = outcomes.iter().map(|outcome| outcome.missing).collect();
            let tail = outcomes.iter().map(|outcome| outcome.tail).max().unwrap_or(0);
            println!(
                "{:>3.0} % loss, RTT {round_trip_ms} ms, latency {latency_ms} ms, {name:>8}: \
                 {} of {} transport packets missing {missing:?}, at most {tail} in the last second",
                loss * 100.0,
                missing.iter().sum::<usize>(),
                outcomes.iter().map(|outcome| outcome.sent).sum::<usize>(),
            );
        }
    }
    Ok(())
}
