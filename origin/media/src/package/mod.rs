//! CMAF packaging: where to cut ([`segmenter`]), boxes ([`fmp4`]), playlists ([`playlist`]).

pub mod playlist;
