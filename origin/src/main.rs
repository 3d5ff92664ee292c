//! `skylark-origin`

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match skylark_origin::cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("skylark-origin: {error:#}");
            ExitCode::FAILURE
        }
    }
}
