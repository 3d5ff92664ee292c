//! The origin's command line.
fn main() {}
