//! What a client says to the relay: events, filters and nonsense.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| skylark_origin::relay::fuzz_message(input));
