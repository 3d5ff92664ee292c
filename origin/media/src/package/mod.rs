//! CMAF packaging: where to cut ([`segmenter`]), boxes ([`fmp4`]), playlists ([`playlist`]).

pub mod fmp4;
pub mod playlist;
pub(crate) mod segmenter;
#[doc(hidden)]
pub mod validate;
