//! A viewer's request as it comes from the socket: head, path, delivery directives, conditions and ranges.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| skylark_origin::serve::fuzz_viewer_request(input));
