//! A Nostr event, read as everything that it may be.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| skylark_protocol::fuzz::event(input));
