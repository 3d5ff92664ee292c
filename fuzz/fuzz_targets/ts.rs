//! An MPEG transport stream in pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| skylark_media::fuzz::ts(input));
