//! Turns the compiled UI into the files that a browser loads.
fn main() {}
