//! Output settings and their file.

use std::{fs, io::Write as _, path::Path};

use skylark_protocol::studio::{OutputSettings, Problem};

/// Reads the settings; those of a new Studio, with the reason, when they are damaged.
pub(super) fn load(path: &Path) -> (OutputSettings, Option<String>) {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (OutputSettings::default(), None),
        Err(error) => return (OutputSettings::default(), Some(unreadable(path, &error.to_string()))),
    };
    match serde_json::from_str(&text) {
        Ok(settings) => (settings, None),
        Err(error) => (OutputSettings::default(), Some(unreadable(path, &error.to_string()))),
    }
}

fn unreadable(path: &Path, reason: &str) -> String {
    format!("The settings in {} cannot be read, so they are those of a new Studio: {reason}", path.display())
}

/// Replaces the settings file.
///
/// # Errors
/// The disk says no.
pub(super) fn save(path: &Path, settings: &OutputSettings) -> Result<(), Problem> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(settings)?)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(|error: std::io::Error| {
        Problem::new("not-kept", format!("The settings could not be kept in {}: {error}", path.display()))
    })
}
