//! Where a broadcast's media is kept besides RAM: on disk, written behind, so that a restarted origin carries on.

/// Where media is kept; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Store {}

impl Store {
    /// Keeps nothing beyond the windows in RAM.
    #[must_use]
    pub fn memory() -> Self {
        Self {}
    }
}
