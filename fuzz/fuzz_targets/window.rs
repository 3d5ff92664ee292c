//! Operations on the live window, with its invariants checked after each.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| skylark_media::fuzz::window(input));
