//! Prepares what `tauri::generate_context!` embeds.

use std::{fs, path::Path};

/// What the window shows until the site is built.
const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Skylark</title>\
<p>Skylark Studio was built without its interface. Open it with <code>cargo xtask studio</code>.</p></html>\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A fresh clone has no built interface, and must compile all the same.
    for page in ["ui/dist/index.html", "ui/dist/studio.html"].map(Path::new) {
        if !page.exists() {
            fs::create_dir_all("ui/dist")?;
            fs::write(page, PLACEHOLDER)?;
        }
    }
    println!("cargo::rerun-if-changed=ui/dist");
    println!("cargo::rerun-if-changed=app/capabilities");
    tauri_build::try_build(tauri_build::Attributes::new().capabilities_path_pattern("./app/capabilities/**/*"))?;
    Ok(())
}
