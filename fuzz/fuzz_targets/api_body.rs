//! The body of a request to the API, as strangers send it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| skylark_protocol::api::fuzz_body(input));
