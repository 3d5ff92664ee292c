//! End-to-end tests with real clients: what the tests and the benchmarks are made of.
//!
//! | module | what it drives or measures |
//! |---|---|
//! | [`origin`] | the real server binary, in a folder and on ports of its own |
//! | [`publish`] | ffmpeg and GStreamer as publishers; [`obs`]: OBS Studio without a screen |
//! | [`clip`] | the test picture: every frame carries its number, every second a flash and a beep |
//! | [`encoders`] | clips as what leaves the Studio's encoders
//! | [`flv`] | clips joined so that their picture size changes in the middle |
//! | [`hls`] | a low-latency HLS client that checks every playlist and keeps the media |
//! | [`decode`] | reads frame numbers, flashes and beeps back from media |
//! | [`browser`] | Chromium on the viewer page; [`site`]: what people do there |
//! | [`lossy_proxy`] | a network that loses and delays datagrams; [`srt_receiver`]: our SRT receiver alone |
//! | [`cable`] | a whole way to the origin that can be pulled out; [`small_disk`]: a disk that is soon full |
//! | [`relay_client`] | a Nostr client; [`streamer`]: somebody with a key who has a stream; [`liar`]: a relay that makes things up |
//! | [`studio_window`] | the Studio's real window, with a keyring, a sound server, a screen and a camera of its own |
//! | [`other_program`] | another window on its screen, and somebody at the keyboard |
//! | [`studio_on_air`] | from its first start to a stream that somebody watches |
//! | [`npm`] | packages from npm, and programs that use them: [`signer`] is where keys are kept |
//! | [`keyring`] | a session with a real keychain; [`air`]: ffmpeg in the place of the Studio's encoders |
//! | [`bench`] | load for the benchmarks |

pub mod air;
pub mod bench;
pub mod browser;
pub mod cable;
pub mod clip;
pub mod decode;
pub mod encoders;
pub mod flv;
pub mod hls;
pub mod http;
pub mod keyring;
pub mod liar;
pub mod lossy_proxy;
pub mod npm;
pub mod obs;
pub mod origin;
pub mod other_program;
pub mod playlist;
pub mod publish;
pub mod relay_client;
pub mod signer;
pub mod site;
pub mod small_disk;
pub mod srt_receiver;
pub mod streamer;
pub mod studio_on_air;
pub mod studio_window;
#[cfg(test)]
mod tidy;
pub mod wait;
