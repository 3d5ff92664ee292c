//! The benchmarks: what each row measures, and the table they make.

use std::{fmt::Write as _, time::Duration};

pub mod api;
pub mod audience;
pub mod chat;
pub mod clock;
pub mod discovery;
pub mod ingest;
pub mod latency;
pub mod nginx;
pub mod process;
pub mod relay;
pub mod serving;
pub mod srt;
pub mod srt_loss;
pub mod studio;
pub mod viewers;

use crate::clip::Clip;

/// What one publisher sends: 720p30 with sound, 2.6 Mbit/s.
const STREAM: Clip =
    Clip { width: 1280, height: 720, frame_rate: 30, gop: 60, b_frames: 2, seconds: 120, bitrate_bps: 2_570_000 };

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// Skylark's figure.
    pub ours: String,
    /// The figure of whom it is compared with, in the same run.
    pub reference: String,
    /// Ours through theirs.
    pub ratio: Option<f64>,
    /// What was wanted.
    pub goal: String,
    /// Whether it was reached.
    pub verdict: Verdict,
}

/// Whether a goal was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Not what it must be.
    Short,
    /// What it must be.
    Reached,
    /// What it should be at best.
    Aim,
}

impl Verdict {
    /// The smaller the better.
    #[must_use]
    pub fn at_most(value: f64, must: f64, aim: Option<f64>) -> Self {
        match aim {
            Some(aim) if value <= aim => Self::Aim,
            _ if value <= must => Self::Reached,
            _ => Self::Short,
        }
    }

    /// The larger the better.
    #[must_use]
    pub fn at_least(value: f64, must: f64, aim: Option<f64>) -> Self {
        Self::at_most(-value, -must, aim.map(|aim| -aim))
    }

    /// Both must hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if other == Self::Short { other } else { self }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Short => "SHORT",
            Self::Reached => "reached",
            Self::Aim => "aim reached",
        }
    }
}

/// Sorts, and answers a quantile.
fn quantile_ms(times: &mut [Duration], quantile: f64) -> f64 {
    times.sort_unstable();
    let index = (times.len().saturating_sub(1) as f64 * quantile).round() as usize;
    times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}

/// The rows as a Markdown table.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from("| what | Skylark | beside | ratio | goal | |\n|---|---|---|---|---|---|\n");
    for row in rows {
        let ratio = row.ratio.map(|ratio| format!("{ratio:.2}×")).unwrap_or_default();
        let Row { what, ours, reference, goal, verdict, .. } = row;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {what} | {ours} | {reference} | {ratio} | {goal} | {} |", verdict.word());
    }
    text
}
