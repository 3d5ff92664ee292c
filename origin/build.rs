//! Embeds the built viewer site, `ui/dist`, in the binary.
//!
//! A fresh clone has none yet: then a placeholder page is put there that says how to build it, so that the origin
//! compiles anywhere and cargo has a folder to watch.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// What the origin serves until the site is built.
const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Skylark</title>\
<p>This origin was built without its viewer site. Build it with <code>cargo xtask run</code>.</p></html>\n";

/// The pages that stand for the whole site until then.
const PAGES: [&str; 2] = ["index.html", "discover.html"];

fn main() -> io::Result<()> {
    let dist = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../ui/dist");
    fs::create_dir_all(&dist)?;
    for page in PAGES.map(|page| dist.join(page)) {
        if !page.exists() {
            fs::write(page, PLACEHOLDER)?;
        }
    }
    println!("cargo::rerun-if-changed={}", dist.display());
    fs::write(PathBuf::from(variable("OUT_DIR")?).join("site.rs"), table(&dist.canonicalize()?)?)
}

/// Rust source of a slice of `(path, Asset)`, sorted by path.
fn table(dist: &Path) -> io::Result<String> {
    let mut names = Vec::new();
    collect(dist, "", &mut names)?;
    names.sort();
    let mut source = "&[\n".to_owned();
    for name in names.iter().filter_map(|name| Some((name, content_type(name)?))) {
        let (name, content_type) = name;
        let include = |suffix: &str| format!("include_bytes!({:?})", dist.join(format!("{name}{suffix}")));
        let packed = |suffix: &str| {
            let smaller = size(dist, &format!("{name}{suffix}")).zip(size(dist, name)).is_some_and(|(a, b)| a < b);
            if smaller { format!("Some({})", include(suffix)) } else { "None".to_owned() }
        };
        let (bytes, brotli, gzip) = (include(""), packed(".br"), packed(".gz"));
        writeln!(
            source,
            "({name:?}, Asset {{ content_type: {content_type:?}, bytes: {bytes}, brotli: {brotli}, gzip: {gzip} }}),"
        )
        .map_err(io::Error::other)?;
    }
    source.push(']');
    Ok(source)
}

/// Paths of the files below `folder`, relative to where the walk began, with `/` between their parts.
fn collect(folder: &Path, prefix: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}

fn size(dist: &Path, name: &str) -> Option<u64> {
    Some(fs::metadata(dist.join(name)).ok()?.len())
}

/// Type of the files that a site consists of; others (compressed copies, the build's stamp) are no files of their own.
fn content_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
