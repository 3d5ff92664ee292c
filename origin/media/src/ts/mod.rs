//! MPEG transport streams (ISO/IEC 13818-1): bytes in, access units out.
//!
//! | module | what |
//! |---|---|
//! | [`demux`] | the demultiplexer: programs, their streams, and which rendition gets what |
//! | `sync` | finds 188-byte packets in a byte stream that may start or break anywhere |
//! | `psi` | sections: which programs there are (PAT) and what each is made of (PMT) |
//! | `pes` | packets of an elementary stream: continuity, time stamps, where an access unit ends |
//! | `video` | H.264 in Annex B → length-prefixed access units and parameter sets |
//! | `audio` | AAC in ADTS → single frames with exact time stamps |
//!
//! A program's picture is a rendition, numbered in the order of the PAT. A program without sound of its own gets the
//! sound of the first program that has one, so that a ladder need not carry it several times.

pub mod demux;

mod audio;
mod pes;
mod psi;
mod sync;
mod video;

#[cfg(test)]
mod muxer;
#[cfg(test)]
mod tests;

pub use demux::{Demuxer, TsError};
