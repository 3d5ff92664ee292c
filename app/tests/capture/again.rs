//! Tests that need another environment: they start themselves once more, in it.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

/// Says that a test is the one that was started by itself.
const INSIDE: &str = "SKYLARK_TEST_INSIDE";

/// A part of the fixtures.
pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/studio").join(name)
}

/// Whether the test runs in the environment that it needs. Otherwise it is run there, and has passed when this
/// returns. `wrapper` starts what is appended to it.
pub(crate) fn is_inside(wrapper: Option<PathBuf>, environment: &[(&str, &str)], removed: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let test = std::thread::current().name().expect("tests run on threads with their names").to_owned();
    let program = std::env::current_exe().unwrap();
    let mut command = wrapper.map_or_else(
        || Command::new(&program),
        |wrapper| {
            let mut command = Command::new(wrapper);
            command.arg(&program);
            command
        },
    );
    command.args(["--exact", &test, "--nocapture", "--test-threads=1"]).env(INSIDE, "1").stdin(Stdio::null());
    command.envs(environment.iter().copied());
    for name in removed {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "inside: {}\n{said}", output.status);
    false
}
