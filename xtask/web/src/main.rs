//! `cargo run -p xtask-web -- build`: the viewer site, from sources to `ui/dist`.

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["build"] => xtask_web::build(&xtask_web::Workspace::locate()?),
        _ => bail!("usage: xtask-web build"),
    }
}
