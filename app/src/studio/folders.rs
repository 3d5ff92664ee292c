//! Where things are kept.

use std::path::PathBuf;

use super::OpenError;

/// Where a Studio keeps what it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Scenes, settings, identities (without keys), what is on air.
    pub data: PathBuf,
    /// Recordings and replays, unless the settings say otherwise.
    pub videos: PathBuf,
}

impl Folders {
    /// The system's: `~/.local/share/skylark` and the folder for videos, or what they are elsewhere.
    ///
    /// # Errors
    /// There is no home.
    pub fn of_this_user() -> Result<Self, OpenError> {
        let data = dirs::data_dir().ok_or(OpenError::Homeless)?.join("skylark");
        let videos = dirs::video_dir().or_else(dirs::home_dir).ok_or(OpenError::Homeless)?;
        Ok(Self { data, videos })
    }

    pub(crate) fn collection(&self) -> PathBuf {
        self.data.join("scenes.json")
    }

    pub(crate) fn hotkeys(&self) -> PathBuf {
        self.data.join("hotkeys.json")
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.data.join("settings.json")
    }
}
