//! What an RTMP client may send, from its handshake on.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| skylark_media::fuzz::rtmp_session(input));
