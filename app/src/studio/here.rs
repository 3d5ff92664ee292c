//! What is looked at on this machine before going live.

use std::time::Duration;

use skylark_protocol::studio::{Check, CheckOutcome, Collection, EncoderState, Input, SourceState, SourceStatus};
use tokio::{sync::watch, time::Instant};

use super::stage::Stage;

/// How long a microphone is listened to.
const LISTEN: Duration = Duration::from_millis(1500);
/// Softer than this is silence, decibels below full scale.
const SILENCE_DB: f32 = -60.0;
/// How long the encoders' trial is waited for.
const TRIAL_PATIENCE: Duration = Duration::from_secs(30);
/// Less room than this on the disk is doubtful, bytes: a quarter of an hour of 1080p60.
const LITTLE_ROOM: u64 = 1 << 30;
/// The part of an encoder's speed that a broadcast may take before it is doubtful.
const COMFORTABLE: f64 = 0.6;

/// Looks at the encoder, the picture, the microphone and the disk.
pub(super) async fn look(stage: std::sync::Arc<Stage>, collection: std::sync::Arc<Collection>) -> Vec<Check> {
    let microphone = microphone(&collection, stage.told().meters.subscribe()).await;
    let encoder = encoder(&stage, &collection).await;
    let picture = picture(&collection, &stage.told().sources.borrow());
    vec![encoder, picture, microphone, disk(&stage)]
}

fn check(code: &str, title: &str, outcome: CheckOutcome, message: String) -> Check {
    Check { code: code.into(), title: title.into(), outcome, message }
}

/// The encoders of this computer, once all have been tried; none when that takes too long.
pub(super) async fn encoders_tried(stage: &Stage) -> Vec<EncoderState> {
    let mut encoders = stage.encoders();
    let tried = tokio::time::timeout(TRIAL_PATIENCE, encoders.wait_for(|all| !all.is_empty())).await;
    tried.ok().and_then(|told| told.ok().map(|all| all.clone())).unwrap_or_default()
}

async fn encoder(stage: &Stage, collection: &Collection) -> Check {
    let said = |outcome, message| check("encoder", "Encoder", outcome, message);
    let states = encoders_tried(stage).await;
    if states.is_empty() {
        return said(CheckOutcome::Doubtful, "The encoders of this computer could not be tried in time.".into());
    }
    let plan = match stage.encoding_plan(collection.canvas) {
        Ok(plan) => plan,
        Err(problem) => return said(CheckOutcome::Bad, problem.message),
    };
    let Some(state) = states.iter().find(|state| state.name == plan.encoder) else {
        return said(CheckOutcome::Bad, "The chosen encoder is not here.".into());
    };
    let pixels = |width: u32, height: u32, rate: u32| f64::from(width) * f64::from(height) * f64::from(rate);
    let all = plan.renditions.iter().chain(&plan.recording);
    let needed_fps: f64 =
        all.map(|one| pixels(one.width, one.height, one.frame_rate)).sum::<f64>() / pixels(1280, 720, 1);
    let share = needed_fps / state.speed_fps.max(0.1);
    let names: Vec<_> = plan.renditions.iter().map(|one| format!("{}p{}", one.height, one.frame_rate)).collect();
    let words = format!(
        "{} makes {} in {:.0} % of the time there is.",
        state.title,
        names.join(", "),
        (share * 100.0).max(1.0)
    );
    if share <= COMFORTABLE {
        said(CheckOutcome::Good, words)
    } else if share <= 1.0 {
        said(CheckOutcome::Doubtful, format!("{words} Choose a smaller picture if frames are lost."))
    } else {
        said(CheckOutcome::Bad, format!("{words} Choose a smaller picture or fewer renditions."))
    }
}

fn picture(collection: &Collection, states: &[SourceState]) -> Check {
    let said = |outcome, message| check("picture", "Picture", outcome, message);
    let items = collection.scene(collection.program).map(|scene| scene.items.as_slice()).unwrap_or_default();
    let mut shown = items.iter().filter(|item| item.is_visible).peekable();
    if shown.peek().is_none() {
        return said(CheckOutcome::Doubtful, "The scene on air is empty: viewers would see black.".into());
    }
    let missing = shown.find_map(|item| {
        let state = states.iter().find(|state| state.source == item.source)?;
        let SourceStatus::Missing { reason } = &state.status else { return None };
        Some(format!("{}: {reason}", collection.source(item.source)?.name))
    });
    match missing {
        Some(words) => said(CheckOutcome::Doubtful, words),
        None => said(CheckOutcome::Good, "Every source of the scene delivers.".into()),
    }
}

async fn microphone(collection: &Collection, mut meters: watch::Receiver<skylark_protocol::studio::Meters>) -> Check {
    let said = |outcome, message| check("microphone", "Microphone", outcome, message);
    let is_microphone = |input: &Input| matches!(input, Input::Microphone { .. });
    let heard: Vec<_> = collection
        .sources
        .iter()
        .filter(|source| is_microphone(&source.input) && source.strip.is_some_and(|strip| !strip.is_muted))
        .map(|source| source.id)
        .collect();
    if heard.is_empty() {
        return said(CheckOutcome::Doubtful, "No microphone is in the mixer, or all are muted.".into());
    }
    let until = Instant::now() + LISTEN;
    let mut loudest = f32::MIN;
    while let Ok(Ok(())) = tokio::time::timeout_at(until, meters.changed()).await {
        let levels = meters.borrow_and_update();
        let own = levels.strips.iter().filter(|(source, _)| heard.contains(source));
        loudest = own.map(|(_, level)| level.peak_db).fold(loudest, f32::max);
    }
    if loudest < SILENCE_DB {
        let words = "The microphone is silent. Say something; if this stays, look whether it is switched off.";
        said(CheckOutcome::Doubtful, words.into())
    } else {
        said(CheckOutcome::Good, format!("The microphone is heard, at up to {loudest:.0} dB."))
    }
}

fn disk(stage: &Stage) -> Check {
    let said = |outcome, message| check("disk", "Disk", outcome, message);
    if !stage.settings().recording.with_broadcast {
        return said(CheckOutcome::Good, "Nothing is recorded.".into());
    }
    let folder = stage.recordings();
    match rustix::fs::statvfs(folder.as_path()) {
        Ok(room) => {
            let free = room.f_bavail * room.f_frsize;
            let words = format!("{:.1} GB are free in {}.", free as f64 / 1e9, folder.display());
            let outcome = if free < LITTLE_ROOM { CheckOutcome::Doubtful } else { CheckOutcome::Good };
            said(outcome, words)
        }
        Err(error) => said(CheckOutcome::Doubtful, format!("{} cannot be written to: {error}.", folder.display())),
    }
}
