//! The Studio without a window: a scene file in, a broadcast out, told in lines of text.

use std::{path::PathBuf, sync::Arc, time::Duration};

use skylark_protocol::{
    api::StreamDetails,
    studio::{BroadcastState, Command, Problem, View},
};

use crate::{
    document::{self, FileError},
    studio::{Folders, OpenError, Studio},
};

/// Names the variable with an SRT address to send to: an address carries a key, and arguments are for all to read.
pub const PUSH_URL: &str = "SKYLARK_PUSH_URL";
/// How often a report is printed.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Width of live pictures, pixels: what a window of 1280×720 asks for.
const WATCHED_WIDTH: u32 = 640;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Options {
    /// The collection of scenes.
    pub scene: PathBuf,
    /// Where identities and settings are.
    pub folders: Folders,
    /// Makes a stream with this title and goes live.
    pub live: Option<StreamDetails>,
    /// To this origin instead of the one that was chosen last; empty: the one built in.
    pub origin: Option<String>,
    /// Sends to this SRT address, and announces nothing.
    pub push_url: Option<String>,
    /// Records from the beginning.
    pub records: bool,
    /// Ends after so long.
    pub duration: Option<Duration>,
    /// Prints a line of JSON every second.
    pub reports: bool,
    /// Makes live pictures of the program as for a window, and looks at none: what they cost can be measured.
    pub watches: bool,
}

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
pub enum HeadlessError {
    /// The scene file cannot be read.
    #[error(transparent)]
    Scene(#[from] FileError),
    /// The Studio does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something that was asked for cannot be done.
    #[error("{}", .0.message)]
    Problem(Problem),
    /// The broadcast ended by itself.
    #[error("the broadcast ended by itself")]
    Ended,
}

impl From<Problem> for HeadlessError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Runs until `stop` is ready, the time is over, or the broadcast has ended. What is on air is ended properly.
///
/// # Errors
/// What is wrong, in words for whoever reads a terminal.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> Result<(), HeadlessError> {
    let collection = document::read(&options.scene)?;
    let studio = Studio::open_with(options.folders.clone(), collection).await?;
    let outcome = produce(&studio, &options, stop).await;
    if studio.is_on_air() {
        studio.run(Command::Stop).await?;
        say("ended");
    }
    studio.close().await;
    outcome
}

async fn produce(studio: &Arc<Studio>, options: &Options, stop: impl Future<Output = ()>) -> Result<(), HeadlessError> {
    // Trying encoders takes the processor from those that work, and what is tried first is chosen well.
    studio.encoders_tried().await;
    if let Some(url) = &options.push_url {
        studio.push_to(url)?;
        say("sending");
    }
    if let Some(details) = &options.live {
        match options.origin.as_deref() {
            Some("") => drop(studio.run(Command::UseBuiltInOrigin).await?),
            Some(address) => drop(studio.run(Command::UseOrigin { address: address.to_owned() }).await?),
            None => {}
        }
        studio.run(Command::GoLive { details: details.clone() }).await?;
    }
    if options.records {
        studio.run(Command::StartRecording).await?;
        say("recording");
    }
    let watching = async {
        if options.watches {
            let mut pictures = studio.pictures(View::Program, WATCHED_WIDTH);
            while pictures.next().await.is_some() {}
        }
        std::future::pending::<()>().await;
    };
    let over = async {
        match options.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop => Ok(()),
        () = over => Ok(()),
        () = report(studio), if options.reports => Ok(()),
        () = watching => Ok(()),
        ended = follow(studio, options.live.is_some()) => ended,
    }
}

/// Tells where the broadcast stands, whenever that changes.
async fn follow(studio: &Studio, is_live: bool) -> Result<(), HeadlessError> {
    let mut snapshots = studio.snapshots();
    let mut told = BroadcastState::Idle;
    let mut notices = Vec::new();
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let view = &snapshot.broadcast;
        if view.state != told {
            told = view.state;
            let page = view.page_url.as_deref().unwrap_or_default();
            say(&format!("{} {page}", state_name(told)));
        }
        for notice in snapshot.notices.iter().filter(|notice| !notices.contains(&notice.message)) {
            eprintln!("{}", notice.message);
        }
        notices = snapshot.notices.iter().map(|notice| notice.message.clone()).collect();
        if is_live && told == BroadcastState::Ended {
            return Err(HeadlessError::Ended);
        }
        if snapshots.changed().await.is_err() {
            return Ok(());
        }
    }
}

fn state_name(state: BroadcastState) -> &'static str {
    match state {
        BroadcastState::Idle => "idle",
        BroadcastState::Preflight => "checking",
        BroadcastState::Planned => "planned",
        BroadcastState::Live => "live",
        BroadcastState::Reconnecting => "reconnecting",
        BroadcastState::Ended => "ended",
    }
}

/// Prints how the encoders and sending do.
async fn report(studio: &Studio) {
    let (encoding, sent) = (studio.encoding(), studio.sent());
    let mut turns = tokio::time::interval(REPORT_INTERVAL);
    loop {
        turns.tick().await;
        let (encoding, sent) = (encoding.borrow().clone(), sent.borrow().clone());
        let tracks: Vec<_> = encoding
            .latencies
            .iter()
            .map(|(track, latency)| {
                serde_json::json!({
                    "track": format!("{track:?}"),
                    "p50_ms": latency.p50_ms,
                    "p95_ms": latency.p95_ms,
                    "max_ms": latency.max_ms,
                    "late_frames": latency.late_frames,
                    "dropped_frames": latency.dropped_frames,
                    "made_frames": latency.made_frames,
                })
            })
            .collect();
        let line = serde_json::json!({
            "frames": encoding.frames,
            "dropped_frames": encoding.dropped_frames,
            "sent_bps": sent.sent_bps,
            "is_connected": sent.is_connected,
            "queued_ms": sent.queued_ms,
            "problem": sent.problem,
            "tracks": tracks,
        });
        say(&line.to_string());
    }
}

/// A line for whoever started this.
fn say(line: &str) {
    use std::io::Write as _;
    // Nobody may read any more; that ends nothing.
    writeln!(std::io::stdout(), "{}", line.trim_end()).ok();
}
