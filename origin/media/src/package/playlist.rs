//! HLS playlists (draft-pantos-hls-rfc8216bis), rendered from a [`Snapshot`]: no waiting, no look-up elsewhere.

use crate::{pipeline::Init, window::Snapshot};

/// Where another rendition of the same broadcast stands (`EXT-X-RENDITION-REPORT`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenditionReport {
    /// Its media playlist, relative to the one that carries the report, such as `../1/index.m3u8`.
    pub uri: String,
    /// Media sequence number of its last segment, complete or not.
    pub last_msn: u64,
    /// Number of that segment's last part.
    pub last_part: u32,
}

/// A rendition in a multivariant playlist.
#[derive(Debug, Clone)]
pub struct Variant<'a> {
    /// Its media playlist, relative to the multivariant one.
    pub uri: String,
    /// The init segment in force: codecs, resolution, frame rate.
    pub init: &'a Init,
    /// `BANDWIDTH`, bits per second.
    pub bandwidth_bps: u64,
    /// `AVERAGE-BANDWIDTH`, bits per second.
    pub average_bandwidth_bps: Option<u64>,
}

/// Renders a media playlist. With `skip` it is a delta update where something can be skipped, the whole playlist
/// otherwise ([`Snapshot::can_skip`] tells).
#[must_use]
pub fn media_playlist(_snapshot: &Snapshot, _skip: bool, _reports: &[RenditionReport]) -> String {
    todo!()
}

/// Renders a multivariant playlist, in the order given.
#[must_use]
pub fn multivariant(_variants: &[Variant<'_>]) -> String {
    todo!()
}
