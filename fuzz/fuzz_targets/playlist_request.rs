//! Queries of media playlists.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| skylark_media::fuzz::playlist_request(input));
