//! Audio, video and data tag bodies.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| skylark_media::fuzz::flv(input));
