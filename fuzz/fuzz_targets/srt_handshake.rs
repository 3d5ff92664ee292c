//! SRT handshake datagrams and stream ids.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| skylark_media::fuzz::srt_handshake(input));
