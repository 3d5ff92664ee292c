//! From compiled pieces to the files a browser loads.
//!
//! Everything but the page itself gets the hash of its content into its name, so that browsers may keep it for ever.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::{Workspace, inputs, run};

/// Programs of the site: one for viewers, one for streamers, one for the front page, one for live events of other servers,
/// one for the Studio's window, so that nobody loads what only others need.
pub(crate) const PROGRAMS: [&str; 5] = ["viewer", "dashboard", "discover", "event", "studio"];
/// The page of each program, in the order of [`PROGRAMS`].
const PAGES: [Page; 5] = [
    Page { file: "index.html", title: "Skylark", asks: None },
    Page { file: "dashboard.html", title: "Your streams · Skylark", asks: None },
    Page { file: "discover.html", title: "Skylark", asks: Some("/api/v1/discover") },
    Page { file: "event.html", title: "Skylark", asks: None },
    Page { file: "studio.html", title: "Skylark Studio", asks: None },
];
/// The sheet of all pages, and those that single pages load besides.
const SHEETS: [&str; 5] = ["viewer.css", "dashboard.css", "discover.css", "event.css", "studio.css"];
/// Modules with parts of nostr-tools, and where they begin.
const BUNDLES: [(&str, &str); 2] = [("identity.js", "identity/index.js"), ("outside.js", "js/outside.js")];
/// What no viewer's page needs at first: it is fetched when somebody watches, or signs in, or streams.
const LOADED_LATER: &[&str] = &[
    "hls",
    "identity",
    "outside",
    "dashboard",
    "boot-dashboard",
    "discover",
    "boot-discover",
    "event",
    "boot-event",
    "studio",
    "boot-studio",
    "backstage",
    "picture",
];
/// What pages differ in, beside their programs.
#[derive(Debug, Clone, Copy)]
struct Page {
    file: &'static str,
    title: &'static str,
    /// What its program asks the origin for at once.
    asks: Option<&'static str>,
}

/// Extensions worth a compressed copy.
const COMPRESSIBLE: &[&str] = &["html", "js", "css", "wasm", "svg", "json", "webmanifest"];

/// The finished site: path below `ui/dist` → content.
#[derive(Debug, Default)]
pub struct Site {
    files: BTreeMap<String, Vec<u8>>,
}

/// Puts the site together around the compiled programs, which lie in the folder `programs`.
///
/// # Errors
/// A tool failed, or a page names a file that does not exist.
pub fn assemble(workspace: &Workspace, programs: &Path) -> Result<Site> {
    let ui = workspace.ui();
    let work = workspace.cache.join(format!("web.{}", std::process::id()));
    fs::create_dir_all(&work).with_context(|| format!("creating {}", work.display()))?;
    let result = (|| {
        let mut assets = Assets::default();
        assets.add("hls.js", read(&ui.join("node_modules/hls.js/dist/hls.light.min.mjs"))?);
        for (name, entry) in BUNDLES {
            assets.add(name, node(workspace, &["js/bundle.mjs", entry], &work.join(name))?);
        }
        assets.add("engine.js", read(&ui.join("js/engine.js"))?);
        let font = "node_modules/@fontsource-variable/figtree/files/figtree-latin-wght-normal.woff2";
        assets.add("figtree.woff2", read(&ui.join(font))?);
        assets.add("account.js", read(&ui.join("js/account.js"))?);
        assets.add("picture.js", read(&ui.join("js/picture.js"))?);
        assets.add("backstage.js", read(&ui.join("js/backstage.js"))?);
        for sheet in SHEETS {
            assets.add(sheet, node(workspace, &["style/build.mjs", sheet], &work.join(sheet))?);
        }
        for (name, content) in folder(&ui.join("static"))? {
            assets.add(&name, content);
        }
        for program in PROGRAMS {
            let (glue, binary) = bind(&programs.join(format!("{program}.wasm")), program, &work)?;
            assets.add(&format!("{program}.wasm"), binary);
            assets.add(&format!("{program}.js"), glue);
        }
        let mut pages = Vec::new();
        let template = fs::read_to_string(ui.join("page.html")).context("reading ui/page.html")?;
        for (program, page) in PROGRAMS.into_iter().zip(PAGES) {
            let script = format!("boot-{program}.js");
            assets.add(&script, read(&ui.join("js").join(&script))?);
            pages.push((page.file, page.fill(&template, program).into_bytes()));
        }
        assets.finish(pages)
    })();
    fs::remove_dir_all(&work).ok();
    result
}

impl Page {
    fn fill(&self, template: &str, program: &str) -> String {
        let asks = |path| {
            format!("<link rel=\"preload\" href=\"{path}\" as=\"fetch\" type=\"application/json\" crossorigin>\n")
        };
        let sheet = format!("{program}.css");
        let own_sheet = match SHEETS.contains(&sheet.as_str()) && sheet != SHEETS[0] {
            true => format!("<link rel=\"stylesheet\" href=\"/assets/{sheet}\">\n"),
            false => String::new(),
        };
        let asked = self.asks.map(asks).unwrap_or_default();
        let filled = template.replace("{title}", self.title).replace("{program}", program);
        filled.replace("{asks}\n", &asked).replace("{own sheet}\n", &own_sheet)
    }
}

/// JavaScript glue and wasm for the web.
fn bind(wasm: &Path, name: &str, work: &Path) -> Result<(Vec<u8>, Vec<u8>)> {
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .out_name(name)
        .generate(work)
        .context("wasm-bindgen")?;
    Ok((read(&work.join(format!("{name}.js")))?, read(&work.join(format!("{name}_bg.wasm")))?))
}

/// What a build script of the site writes to `output`.
fn node(workspace: &Workspace, script: &[&str], output: &Path) -> Result<Vec<u8>> {
    run(Command::new("node").current_dir(workspace.ui()).args(script).arg(output))?;
    read(output)
}

/// Files under their hashed names, and what the plain names became.
#[derive(Default)]
struct Assets {
    files: BTreeMap<String, Vec<u8>>,
    renamed: BTreeMap<String, String>,
}

impl Assets {
    /// Adds a file; in text files, names of assets added before become their hashed names.
    fn add(&mut self, name: &str, content: Vec<u8>) {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let content = if matches!(extension, "js" | "css" | "webmanifest") { self.rewrite(content) } else { content };
        let mut hash = inputs::hex(&Sha256::digest(&content));
        hash.truncate(10);
        let hashed = format!("{stem}.{hash}.{extension}");
        self.files.insert(format!("assets/{hashed}"), content);
        self.renamed.insert(name.to_owned(), hashed);
    }

    /// Replaces `"/assets/NAME"` and the `./NAME` of imports in text by the hashed name. Other mentions stay: the glue
    /// also names its modules towards the wasm.
    fn rewrite(&self, content: Vec<u8>) -> Vec<u8> {
        let Ok(mut text) = String::from_utf8(content.clone()) else { return content };
        for (name, hashed) in &self.renamed {
            for (before, after) in
                [("(/assets/", ')'), ("\"/assets/", '"'), ("from \"./", '"'), ("from './", '\''), ("import(\"./", '"')]
            {
                text = text.replace(&format!("{before}{name}{after}"), &format!("{before}{hashed}{after}"));
            }
        }
        text.into_bytes()
    }

    fn finish(mut self, pages: Vec<(&str, Vec<u8>)>) -> Result<Site> {
        for (name, page) in pages {
            let page = self.rewrite(page);
            let text = String::from_utf8_lossy(&page);
            for reference in text.split("\"/assets/").skip(1).filter_map(|rest| rest.split('"').next()) {
                let is_there = self.files.contains_key(&format!("assets/{reference}"));
                ensure!(is_there, "{name} names {reference}, which nobody made");
            }
            self.files.insert(name.to_owned(), page);
        }
        Ok(Site { files: self.files })
    }
}

impl Site {
    /// Replaces the content of `dist` by this site and its compressed copies.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, dist: &Path) -> Result<()> {
        fs::remove_dir_all(dist).ok();
        for (name, content) in &self.files {
            let path = dist.join(name);
            let folder = path.parent().context("a file lies in a folder")?;
            fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
            write(&path, content)?;
            if COMPRESSIBLE.iter().any(|extension| name.ends_with(&format!(".{extension}"))) {
                write(&dist.join(format!("{name}.br")), &brotli(content)?)?;
                write(&dist.join(format!("{name}.gz")), &gzip(content)?)?;
            }
        }
        Ok(())
    }

    /// Sizes, one line per file that matters, and the sum that the page's size limit speaks of.
    #[must_use]
    pub fn report(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut sum = 0;
        for (name, content) in &self.files {
            let size = brotli(content).map_or(content.len(), |packed| packed.len());
            let is_later =
                |script: &&str| name.starts_with(&format!("assets/{script}.")) || *name == format!("{script}.html");
            if !LOADED_LATER.iter().any(is_later) {
                sum += size;
            }
            lines.push(format!("{name:40} {:>8} B, {size:>7} B with brotli", content.len()));
        }
        lines.push(format!("first load: {:.1} KB with brotli", sum as f64 / 1000.0));
        lines
    }
}

fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let mut packed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    brotli::BrotliCompress(&mut &content[..], &mut packed, &parameters).context("brotli")?;
    Ok(packed)
}

fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).and_then(|()| encoder.finish()).context("gzip")
}

fn folder(path: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
        let entry = entry?;
        files.push((entry.file_name().to_string_lossy().into_owned(), read(&entry.path())?));
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    fs::write(path, content).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_hash_of_the_content_and_references_follow() {
        let mut assets = Assets::default();
        assets.add("a.js", b"export const a = 1;".to_vec());
        let first = assets.renamed["a.js"].clone();
        assets.add("b.js", br#"import { a } from "./a.js"; use("./a.js");"#.to_vec());
        let b = assets.renamed["b.js"].clone();
        let expected = format!(r#"import {{ a }} from "./{first}"; use("./a.js");"#);
        assert_eq!(String::from_utf8_lossy(&assets.files[&format!("assets/{b}")]), expected);

        let page = br#"<script type="module" src="/assets/b.js"></script>"#.to_vec();
        let site = assets.finish(vec![("index.html", page)]).unwrap();
        assert!(String::from_utf8_lossy(&site.files["index.html"]).contains(&format!("/assets/{b}")));

        let mut changed = Assets::default();
        changed.add("a.js", b"export const a = 2;".to_vec());
        assert_ne!(changed.renamed["a.js"], first);
    }

    #[test]
    fn pages_differ_in_their_program_title_and_sheet() {
        let template = "<title>{title}</title>\n{asks}\n/assets/viewer.css\n{own sheet}\n/assets/boot-{program}.js\n";
        let [viewer, _, discover, ..] = PAGES;
        let expected = "<title>Skylark</title>\n/assets/viewer.css\n/assets/boot-viewer.js\n";
        assert_eq!(viewer.fill(template, "viewer"), expected);
        let filled = discover.fill(template, "discover");
        assert!(filled.contains("/assets/discover.css") && filled.contains("\"/api/v1/discover\""), "{filled}");
        assert!(!filled.contains('{'), "{filled}");
    }

    #[test]
    fn a_page_that_names_a_missing_file_is_refused() {
        let page = br#"<script src="/assets/gone.js"></script>"#.to_vec();
        let error = Assets::default().finish(vec![("index.html", page)]).unwrap_err();
        assert!(error.to_string().contains("gone.js"), "{error}");
    }

    #[test]
    fn writing_replaces_what_was_there_and_adds_compressed_copies() {
        let folder = tempfile::tempdir().unwrap();
        let dist = folder.path().join("dist");
        fs::create_dir_all(dist.join("assets")).unwrap();
        fs::write(dist.join("assets/old.js"), "old").unwrap();
        let mut site = Site::default();
        site.files.insert("index.html".to_owned(), b"<!doctype html>".repeat(20));
        site.write(&dist).unwrap();
        assert!(!dist.join("assets/old.js").exists());
        assert!(dist.join("index.html.br").metadata().unwrap().len() < 100);
        assert!(dist.join("index.html.gz").metadata().unwrap().len() < 100);
    }
}
