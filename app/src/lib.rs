//! Skylark Studio without its window: capture, compose, encode, sign and push. The shell (`app/shell`) and
//! `skylark --headless` only carry commands in and pictures out.
//!
//! | room | does |
//! |---|---|
//! | [`studio`] | the whole: commands in, snapshots, meters and pictures out |
//! | [`headless`] | the whole without a window |
//! | [`identity`] | who streams: keychain, remote signers, profiles |
//! | [`broadcast`] | from the check before going live to the summary after it |
//! | [`origin`] | the origin: its address, its API, the one on this machine |
//! | [`capture`] | where pictures and sound come from |
//! | [`graph`] | the running graph: sources, compositor, mixer, pictures |
//! | [`encode`] | encoders: found, tried, set up; the ladder |
//! | [`document`] | the collection of scenes: its file, undo and redo |
//! | [`encoded`] | encoded frames, and who takes them |
//! | [`push`] | over SRT to the origin; the bitrate follows the link |
//! | [`record`] | files on this computer: the recording, the replay buffer |

pub mod broadcast;
pub mod capture;
mod clock;
pub mod document;
pub mod encode;
pub mod encoded;
pub mod graph;
pub mod headless;
pub mod identity;
mod kept;
pub mod origin;
pub mod push;
pub mod record;
pub mod studio;
