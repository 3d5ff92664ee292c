//! What the built site depends on, as one hash.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Files and folders, relative to the workspace root, whose content decides the result.
const INPUTS: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "protocol",
    "ui/Cargo.toml",
    "ui/identity",
    "ui/js",
    "ui/package-lock.json",
    "ui/page.html",
    "ui/src",
    "ui/static",
    "ui/style",
    "xtask/web",
];

/// Hash over the paths and contents of all inputs under `root`, in hexadecimal.
///
/// # Errors
/// An input cannot be read.
pub fn hash(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    for input in INPUTS {
        collect(&root.join(input), &mut files)?;
    }
    files.sort();
    let mut hasher = Sha256::new();
    for file in files {
        let content = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy();
        for part in [name.as_bytes(), &content] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    Ok(hex(&hasher.finalize()))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let context = || format!("reading {}", path.display());
    if fs::metadata(path).with_context(context)?.is_dir() {
        for entry in fs::read_dir(path).with_context(context)? {
            collect(&entry.with_context(context)?.path(), files)?;
        }
    } else {
        files.push(path.to_owned());
    }
    Ok(())
}

/// Bytes as lowercase hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for input in INPUTS {
            let path = folder.path().join(input);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if path.extension().is_some() {
                fs::write(path, input).unwrap();
            } else {
                fs::create_dir_all(path).unwrap();
            }
        }
        folder
    }

    #[test]
    fn a_changed_moved_or_new_file_changes_the_hash() {
        let folder = workspace();
        let root = folder.path();
        let mut seen = vec![hash(root).unwrap()];
        assert_eq!(seen[0], hash(root).unwrap(), "the same files give the same hash");

        fs::write(root.join("ui/src/a.rs"), "fn a() {}").unwrap();
        seen.push(hash(root).unwrap());
        fs::write(root.join("ui/src/a.rs"), "fn b() {}").unwrap();
        seen.push(hash(root).unwrap());
        fs::rename(root.join("ui/src/a.rs"), root.join("ui/src/b.rs")).unwrap();
        seen.push(hash(root).unwrap());

        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}
