//! Skylark Studio.

// No console window beside the Studio's own on Windows.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

fn main() -> anyhow::Result<()> {
    skylark_studio::run()
}
