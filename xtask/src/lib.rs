//! What `cargo xtask` shares with the end-to-end tests: child processes that never outlive their parent, and the cache.

use std::path::PathBuf;

pub mod child;

/// Where things that are dear to make are kept between runs and clones: `$XDG_CACHE_HOME/skylark`, else
/// `~/.cache/skylark`. `None` when there is no home.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = given.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    Some(base.join("skylark"))
}
