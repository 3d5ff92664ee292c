//! A publisher's timestamps and arrivals, with every playlist and box checked.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| skylark_media::fuzz::timeline(input));
