//! What the page may call: each carries one thing to the Studio or back.

use std::time::Duration;

use skylark_protocol::studio::{Command, Outcome, Problem, Update, View};
use skylark_studio::studio::Studio;
use tauri::{
    AppHandle, State,
    ipc::{Channel, InvokeResponseBody},
};
use tauri_plugin_dialog::DialogExt as _;
use tokio::sync::oneshot;

use crate::Backstage;

/// The page is told no more often than this: what changes faster is drawn together.
const PACE: Duration = Duration::from_millis(16);
/// Longest text that is saved, bytes: an encrypted key has less than 200.
const MAX_TEXT_BYTES: usize = 4096;

/// Does something.
#[tauri::command]
pub(crate) async fn run(backstage: State<'_, Backstage>, command: Command) -> Result<Outcome, Problem> {
    backstage.studio().await?.run(command).await
}

/// Tells the page everything that it shows, the newest of each kind, until it is loaded again.
#[tauri::command]
pub(crate) async fn watch(backstage: State<'_, Backstage>, channel: Channel<Update>) -> Result<(), Problem> {
    let studio = backstage.studio().await?;
    backstage.page.send_modify(|page| *page = page.wrapping_add(1));
    backstage.pictures.end_all();
    backstage.hotkeys.let_go();
    let mut page = backstage.page.subscribe();
    let (mut snapshots, mut meters) = (studio.snapshots(), studio.meters());
    drop(studio);
    snapshots.mark_changed();
    loop {
        let update = tokio::select! {
            changed = snapshots.changed() => match changed {
                Ok(()) => Update::Snapshot(Box::new(snapshots.borrow_and_update().as_ref().clone())),
                Err(_) => return Ok(()),
            },
            changed = meters.changed() => match changed {
                Ok(()) => Update::Meters(meters.borrow_and_update().clone()),
                Err(_) => return Ok(()),
            },
            () = backstage.close_asked.notified() => Update::CloseAsked,
            _ = page.changed() => return Ok(()),
        };
        if channel.send(update).is_err() {
            return Ok(());
        }
        tokio::time::sleep(PACE).await;
    }
}

/// The page shows the Studio, and takes clicks.
#[tauri::command]
pub(crate) fn ready(backstage: State<'_, Backstage>) {
    tracing::info!(after_ms = backstage.started.elapsed().as_millis(), "the window is usable");
}

/// Sends pictures of a view, about `width` pixels wide; answers the number by which they are acknowledged and ended.
#[tauri::command]
pub(crate) async fn watch_pictures(
    backstage: State<'_, Backstage>,
    view: View,
    width: u32,
    channel: Channel<InvokeResponseBody>,
) -> Result<u32, Problem> {
    let studio = backstage.studio().await?;
    Ok(backstage.pictures.begin(pictures(&studio, view, width), channel))
}

fn pictures(studio: &Studio, view: View, width: u32) -> skylark_studio::studio::Pictures {
    studio.pictures(view, width.clamp(160, 1920))
}

/// One more picture was drawn.
#[tauri::command]
pub(crate) fn acknowledge(backstage: State<'_, Backstage>, id: u32) {
    backstage.pictures.acknowledge(id);
}

/// No more pictures.
#[tauri::command]
pub(crate) fn end_pictures(backstage: State<'_, Backstage>, id: u32) {
    backstage.pictures.end(id);
}

/// Keys do nothing while one is chosen: the window is told of all of them then.
#[tauri::command]
pub(crate) async fn hold_hotkeys(backstage: State<'_, Backstage>, is_held: bool) -> Result<(), Problem> {
    backstage.hotkeys.hold(is_held).await;
    Ok(())
}

/// Lets a person choose a `media` or `image` file or a `folder`; its path.
#[tauri::command]
pub(crate) async fn choose(app: AppHandle, kind: String) -> Option<String> {
    let (chosen, answer) = oneshot::channel();
    let dialog = app.dialog().file();
    let tell = move |path: Option<tauri_plugin_dialog::FilePath>| {
        // The page may be gone by then.
        let _ = chosen.send(path);
    };
    match kind.as_str() {
        "folder" => dialog.set_title("Choose a folder").pick_folder(tell),
        "image" => dialog
            .set_title("Choose a picture")
            .add_filter("Pictures", &["png", "jpg", "jpeg", "webp", "gif", "bmp", "svg"])
            .pick_file(tell),
        _ => dialog.set_title("Choose a film or a song").pick_file(tell),
    }
    let path = answer.await.ok().flatten()?.into_path().ok()?;
    Some(path.to_string_lossy().into_owned())
}

/// Lets a person choose where a text is kept, under this name at first; its path, or nothing when they do not.
#[tauri::command]
pub(crate) async fn save(app: AppHandle, name: String, text: String) -> Result<Option<String>, Problem> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Problem::new("too-long", format!("A text of more than {MAX_TEXT_BYTES} bytes is not saved.")));
    }
    let (chosen, answer) = oneshot::channel();
    app.dialog().file().set_title("Save the backup").set_file_name(name).save_file(move |path| {
        // The page may be gone by then.
        let _ = chosen.send(path);
    });
    let Some(path) = answer.await.ok().flatten().and_then(|path| path.into_path().ok()) else { return Ok(None) };
    let written = tokio::fs::write(&path, text).await;
    let failed = |error| Problem::new("not-saved", format!("{} could not be written: {error}.", path.display()));
    written.map_err(failed)?;
    Ok(Some(path.to_string_lossy().into_owned()))
}

/// Closes the window, whatever is on air.
#[tauri::command]
pub(crate) fn quit(app: AppHandle) {
    app.exit(0);
}
