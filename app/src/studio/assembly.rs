//! Puts the snapshot together whenever a part of it changes.

use std::{sync::Arc, time::Duration};

use skylark_protocol::studio::{Device, Hotkey, Notice, Severity, Snapshot};
use tokio::sync::watch;

use super::stage::Stage;
use crate::{broadcast::Broadcast, identity::Identities};

/// What changes faster than this is told together.
const PACE: Duration = Duration::from_millis(30);
/// The replay buffer's length and the encoders are looked at this often.
const LOOK: Duration = Duration::from_millis(500);

/// What a snapshot is put together of.
pub(super) struct Parts {
    pub(super) stage: Arc<Stage>,
    pub(super) identities: Arc<Identities>,
    pub(super) broadcast: Arc<Broadcast>,
    pub(super) devices: watch::Receiver<Vec<Device>>,
    pub(super) hotkeys: watch::Receiver<Vec<Hotkey>>,
    /// What was found when the Studio opened.
    pub(super) own: Vec<Notice>,
}

/// Follows all parts until the Studio is gone.
pub(super) async fn follow(parts: Parts, snapshot: watch::Sender<Arc<Snapshot>>) {
    let Parts { stage, identities, broadcast, mut devices, mut hotkeys, own } = parts;
    let (mut sources, encoding) = (stage.told().sources.subscribe(), stage.told().encoding.subscribe());
    let mut deafness = stage.told().deafness.subscribe();
    let mut encoders = stage.encoders();
    let mut recording = stage.recording();
    let mut problems = stage.problems();
    let mut identity = identities.view();
    let mut view = broadcast.view();
    let mut origin = broadcast.origin();
    let mut notices = broadcast.notices();
    let mut recorded = None;
    let mut looks = tokio::time::interval(LOOK);
    loop {
        let failure = encoding.borrow().failure.clone();
        let failing = failure.map(|failure| (Severity::Failure, super::sentence(&failure)));
        stage.complain("encoder-failed", failing);
        let deaf = deafness.borrow_and_update().clone().map(|reason| {
            let words = "What you monitor cannot be heard here";
            (
                Severity::Warning,
                format!("{words}: {}. Choose another device in the settings.", reason.trim_end_matches('.')),
            )
        });
        stage.complain("monitor-failed", deaf);
        let unrecorded = recording.borrow().problem.clone();
        stage.complain("recording", unrecorded.map(|problem| (Severity::Warning, problem)));
        snapshot.send_if_modified(|snapshot| {
            let mut next = Snapshot::clone(snapshot);
            next.sources.clone_from(&sources.borrow_and_update());
            next.devices.clone_from(&devices.borrow_and_update());
            next.encoders.clone_from(&encoders.borrow_and_update());
            next.output = stage.settings().as_ref().clone();
            next.identity = identity.borrow_and_update().clone();
            let to = origin.borrow_and_update().clone();
            (next.origin, next.origin_is_built_in) = (to.address, to.is_built_in);
            next.broadcast = view.borrow_and_update().clone();
            next.hotkeys.clone_from(&hotkeys.borrow_and_update());
            next.recording = recording.borrow_and_update().clone();
            next.recording.replay_s = stage.replay_s();
            next.notices.clone_from(&own);
            next.notices.extend(problems.borrow_and_update().iter().cloned());
            next.notices.extend(notices.borrow_and_update().iter().cloned());
            let is_new = next != **snapshot;
            *snapshot = Arc::new(next);
            is_new
        });
        let finished = recording.borrow().finished.clone();
        if finished != recorded {
            recorded.clone_from(&finished);
            broadcast.recorded(finished);
        }
        let gone = tokio::select! {
            changed = sources.changed() => changed.is_err(),
            changed = deafness.changed() => changed.is_err(),
            changed = devices.changed() => changed.is_err(),
            changed = hotkeys.changed() => changed.is_err(),
            changed = encoders.changed() => changed.is_err(),
            changed = recording.changed() => changed.is_err(),
            changed = problems.changed() => changed.is_err(),
            changed = identity.changed() => changed.is_err(),
            changed = view.changed() => changed.is_err(),
            changed = origin.changed() => changed.is_err(),
            changed = notices.changed() => changed.is_err(),
            _ = looks.tick() => false,
        };
        tokio::time::sleep(if gone { LOOK } else { PACE }).await;
    }
}
