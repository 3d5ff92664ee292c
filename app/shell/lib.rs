//! Skylark Studio: the window. Capture, scenes and going live are rooms of their own beside it.

use anyhow::{Context as _, Result};

/// Opens the window; returns when it is closed.
///
/// # Errors
/// The system has no web view or no display.
pub fn run() -> Result<()> {
    tauri::Builder::default().run(tauri::generate_context!()).context("cannot open the Studio's window")
}
