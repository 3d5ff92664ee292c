//! Taste as a test: file length, forbidden imports, rooms that ARCHITECTURE.md does not know.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use anyhow::{Context as _, Result};

/// A file longer than this does more than one thing.
const MAX_LINES: usize = 500;
/// `ARCHITECTURE.md` is a bird's-eye view.
const MAX_ARCHITECTURE_LINES: usize = 150;
/// Crates without IO and clock, and the words that would bring them in.
const PURE: [(&str, &[&str]); 2] = [
    (
        "origin/media/src",
        &["tokio", "async fn", "std::net", "std::fs", "std::thread", "Instant::now", "SystemTime::now", "unsafe "],
    ),
    ("protocol/src", &["tokio", "std::net", "std::fs", "std::thread", "Instant", "SystemTime", "unsafe "]),
];
/// Folders whose modules ARCHITECTURE.md has to name.
const ROOMS: [&str; 8] =
    ["origin/media/src", "origin/src", "protocol/src", "ui/src", "tests/src", "xtask/src", "xtask/web/src", "app/src"];
/// Folders of this repository in which code stands.
const CODE: [&str; 7] = ["app", "fuzz", "origin", "protocol", "tests", "ui", "xtask"];

/// The folder of the workspace in which cargo runs this: clones may share what they build.
fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Path::new(&package).parent().expect("the tests are a folder of the workspace").to_path_buf()
    });
    &ROOT
}

/// Every Rust file below a folder.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(files) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn files_do_one_thing() -> Result<()> {
    let mut long = Vec::new();
    for file in CODE.into_iter().map(|folder| rust_files(&root().join(folder))).collect::<Result<Vec<_>>>()?.concat() {
        let lines = fs::read_to_string(&file)?.lines().count();
        if lines > MAX_LINES {
            long.push(format!("{}: {lines} lines", relative(&file)));
        }
    }
    assert!(long.is_empty(), "split these by responsibility (over {MAX_LINES} lines):\n{}", long.join("\n"));
    Ok(())
}

#[test]
fn pure_crates_have_no_io_and_no_clock() -> Result<()> {
    let mut found = Vec::new();
    for (folder, forbidden) in PURE {
        for file in rust_files(&root().join(folder))? {
            for (index, line) in fs::read_to_string(&file)?.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                found.extend(
                    forbidden
                        .iter()
                        .filter(|word| code.contains(*word))
                        .map(|word| format!("{}:{}: {word}", relative(&file), index + 1)),
                );
            }
        }
    }
    assert!(found.is_empty(), "bytes and time go in, values come out:\n{}", found.join("\n"));
    Ok(())
}

#[test]
fn the_architecture_page_names_every_room() -> Result<()> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    assert!(page.lines().count() <= MAX_ARCHITECTURE_LINES, "ARCHITECTURE.md has over {MAX_ARCHITECTURE_LINES} lines");
    let mut missing = Vec::new();
    for folder in ROOMS {
        let Ok(entries) = fs::read_dir(root().join(folder)) else { continue };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            let is_room = path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
            let is_door = ["lib", "main", "mod", "tests", "bin"].contains(&name.as_str());
            if is_room && !is_door && !names(&page, &name) {
                missing.push(format!("{folder}/{name}"));
            }
        }
    }
    missing.sort();
    missing.dedup();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name {}", missing.join(", "));
    Ok(())
}

/// The page has this word.
fn names(page: &str, word: &str) -> bool {
    page.split(|character: char| !character.is_ascii_alphanumeric() && character != '_').any(|found| found == word)
}
