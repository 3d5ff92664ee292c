//! CMAF packaging: where to cut ([`segmenter`]), boxes ([`fmp4`]), playlists ([`playlist`]) and
//! what players ask of them ([`directives`]).

pub mod directives;
pub mod fmp4;
pub mod playlist;
pub(crate) mod segmenter;
#[doc(hidden)]
pub mod validate;
