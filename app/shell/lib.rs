//! Skylark Studio's window. Everything that it does is done by the `skylark-studio` crate; here it is carried there and back.
//!
//! | module | does |
//! |---|---|
//! | `commands` | what the page may call |
//! | `pictures` | live pictures, as fast as the page draws them |
//! | `hotkeys` | keys that work while another program has the keyboard |

mod commands;
mod hotkeys;
mod pictures;

use std::{sync::Arc, time::Instant};

use anyhow::{Context as _, Result};
use skylark_protocol::studio::{BroadcastState, Problem, Snapshot};
use skylark_studio::studio::{Folders, Studio};
use tauri::{AppHandle, Manager as _, RunEvent, WindowEvent, async_runtime};
use tokio::sync::{Notify, watch};
use tracing_subscriber::EnvFilter;

/// The Studio once it is open, or why it cannot be.
type Opening = Option<Result<Arc<Studio>, Problem>>;

/// What the window shares with its commands.
struct Backstage {
    studio: watch::Receiver<Opening>,
    pictures: pictures::Watches,
    hotkeys: hotkeys::Hotkeys,
    /// Somebody wants to close the window although something would be lost.
    close_asked: Notify,
    /// Counts how often the page was loaded: only the newest is told anything.
    page: watch::Sender<u32>,
    /// When the program did.
    started: Instant,
}

impl Backstage {
    /// The Studio, as soon as it is open.
    async fn studio(&self) -> Result<Arc<Studio>, Problem> {
        let mut opening = self.studio.clone();
        let opened = opening.wait_for(Option::is_some).await.ok().and_then(|opened| opened.clone());
        opened.unwrap_or_else(|| Err(Problem::new("closing", "The Studio is closing.")))
    }

    /// The Studio, if it is open.
    fn studio_now(&self) -> Option<Arc<Studio>> {
        self.studio.borrow().as_ref().and_then(|opened| opened.as_ref().ok().cloned())
    }
}

/// Writes what goes wrong to standard error; `RUST_LOG` says how much.
pub fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,skylark_studio=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// Opens the window; returns when it is closed.
///
/// # Errors
/// The system has no web view or no display.
pub fn run() -> Result<()> {
    let folders = Folders::of_this_user()?;
    let (opened, studio) = watch::channel(None);
    let backstage = Backstage {
        studio,
        pictures: pictures::Watches::default(),
        hotkeys: hotkeys::Hotkeys::default(),
        close_asked: Notify::new(),
        page: watch::Sender::new(0),
        started: Instant::now(),
    };
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_single_instance::init(|app, _, _| show(app)))
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_global_shortcut::Builder::new().with_handler(hotkeys::pressed).build())
        .manage(backstage)
        .invoke_handler(tauri::generate_handler![
            commands::run,
            commands::ready,
            commands::watch,
            commands::watch_pictures,
            commands::acknowledge,
            commands::end_pictures,
            commands::hold_hotkeys,
            commands::choose,
            commands::save,
            commands::quit,
        ])
        .setup(move |app| {
            async_runtime::spawn(hotkeys::follow(app.handle().clone()));
            // Beside the window, which is there at once.
            async_runtime::spawn(async move {
                let studio = Studio::open(folders).await;
                opened.send_replace(Some(studio.map_err(|error| Problem::new("not-opened", error.to_string()))));
                // Kept until the window is closed.
                opened.closed().await;
            });
            Ok(())
        })
        .build(tauri::generate_context!())
        .context("cannot open the Studio's window")?;
    app.run(|app, event| match event {
        RunEvent::WindowEvent { event: WindowEvent::CloseRequested { api, .. }, .. } if would_lose(app) => {
            api.prevent_close();
            app.state::<Backstage>().close_asked.notify_one();
        }
        RunEvent::Exit => {
            if let Some(studio) = app.state::<Backstage>().studio_now() {
                async_runtime::block_on(studio.close());
            }
        }
        _ => {}
    });
    Ok(())
}

/// Brings the window to the front.
fn show(app: &AppHandle) {
    if let Some(window) = app.get_webview_window("main") {
        // A window manager may refuse; then it stays where it is.
        let _ = window.unminimize();
        let _ = window.set_focus();
    }
}

/// Whether closing the window would end something that others see or that is being kept.
fn would_lose(app: &AppHandle) -> bool {
    let studio = app.state::<Backstage>().studio_now();
    studio.is_some_and(|studio| is_busy(&studio.snapshots().borrow()))
}

fn is_busy(snapshot: &Snapshot) -> bool {
    let is_on_air = matches!(
        snapshot.broadcast.state,
        BroadcastState::Planned | BroadcastState::Live | BroadcastState::Reconnecting
    );
    is_on_air || snapshot.recording.path.is_some()
}
