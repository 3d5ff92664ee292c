//! The project's commands: `cargo xtask run`, `studio`, `bundle`, `test`, `bench`, `fuzz`, `picture`.

mod bench;
mod bundle;
mod fuzz;
mod progress;
mod run;
mod setup;
mod studio;
mod test;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
Skylark's commands. Run them as `cargo xtask <command>`.

  run    [--demo] [--release] [--data DIR] [--http ADDR] [--rtmp ADDR] [--srt ADDR]
         Install what is missing, build, and start an origin on loopback with its data in one folder.
         Prints the viewer page's URL and what to type into OBS. --demo pushes a test picture with sound.
  studio [ARGUMENT…]
         Install what is missing, build the Studio, and open it; `studio --help` says what it can do without a window.
  bundle [--debug] [--binaries FOLDER] [--output FOLDER]
         Build the Studio and the origin in release, and make a package of them for Debian 12: prints where it is.
         --binaries: package what was built before and lies there.
  test   [FILTER]
         Formatting, lints, licences, unit, end-to-end and browser tests; ends with `N passed, N failed`.
         With FILTER: only the end-to-end tests whose name contains it.
  bench  [--quick] [ROW…]
         Measure a release build against nginx and libsrt: one table.
  fuzz   [TARGET] [SECONDS]
         Fuzz one target, or each of them in turn, with cargo-fuzz on nightly Rust.
  picture
         Make docs/studio.png and docs/viewer.png: the Studio on air, and the viewer page that plays it.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    let outcome = match command.as_str() {
        "run" => run::Options::parse(&arguments).and_then(|options| run::run(&options)),
        "studio" => studio::studio(&arguments),
        "bundle" => bundle::Options::parse(&arguments).and_then(|options| bundle::bundle(&options)),
        "test" => test::test(arguments.first().map(String::as_str)),
        "bench" => bench::bench(&arguments),
        "fuzz" => fuzz::fuzz(&arguments),
        "picture" => bench::picture(),
        "" | "help" | "-h" | "--help" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        unknown => Err(anyhow::anyhow!("there is no command `{unknown}`\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
