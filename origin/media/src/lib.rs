//! The media core of the origin: ingest protocols, timeline, CMAF packaging and LL-HLS playlists.
//!
//! Sans-IO: bytes and time go in, values come out. No async, clock, socket or file is used here; whoever owns those
//! calls `feed` with what arrived and the time, and then `poll` until it answers `None`.
//!
//! | module | specification |
//! |---|---|
//! | [`rtmp`] | Adobe RTMP 1.0, AMF0, Enhanced RTMP v1 |
//! | [`flv`] | Adobe FLV 10.1 annex E |
//! | [`ts`] | ISO/IEC 13818-1 |
//! | [`srt`] | draft-sharabayko-srt-01 |
//! | [`codec`] | ISO/IEC 14496-3, -10, -15; RFC 6381 |
//! | [`package`] | ISO/IEC 14496-12, 23000-19 (CMAF); draft-pantos-hls-rfc8216bis |

pub mod codec;
pub mod flv;
#[doc(hidden)]
pub mod fuzz;
pub mod package;
pub mod pipeline;
pub mod rtmp;
pub mod srt;
pub mod time;
pub mod timeline;
pub mod ts;
pub mod unit;
pub mod window;

pub use pipeline::{Output, Pipeline};
pub use time::{MediaTime, UnixTime};
pub use unit::{Media, RenditionId, Track, Unit};
