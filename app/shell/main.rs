//! Skylark Studio.

// No console window beside the Studio's own on Windows.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use clap::Parser;

/// Skylark Studio: live streaming that the streamer owns.
#[derive(Debug, Parser)]
#[command(name = "skylark", version)]
struct Arguments {}

fn main() -> anyhow::Result<()> {
    let Arguments {} = Arguments::parse();
    skylark_shell::start_log();
    skylark_shell::run()
}
