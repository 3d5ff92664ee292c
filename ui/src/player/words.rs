//! What hls.js says of itself, as `ui/js/engine.js` writes it.

use crate::playback::recovery::Failure;

/// A rendition, for the quality menu.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rendition {
    pub(super) height: u32,
    pub(super) frame_rate: f64,
    pub(super) bitrate_bps: u64,
}

/// "height frame-rate bitrate", as the engine writes it.
pub(super) fn rendition(line: &str) -> Option<Rendition> {
    let mut words = line.split(' ');
    Some(Rendition {
        height: words.next()?.parse().ok()?,
        frame_rate: words.next()?.parse::<u32>().map_or(0.0, f64::from),
        bitrate_bps: words.next()?.parse().unwrap_or(0),
    })
}

/// "kind details status", as the engine writes it.
pub(super) fn failure(text: &str) -> Failure {
    match text.split(' ').next() {
        Some("network") => Failure::Network,
        Some("media") => Failure::Media,
        Some("unsupported") => Failure::Unsupported,
        _ => Failure::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_words_are_understood() {
        assert_eq!(rendition("720 30 2600000").unwrap().height, 720);
        assert_eq!(rendition("720 undefined 2600000").unwrap().frame_rate, 0.0);
        assert!(rendition("undefined 30 1").is_none());
        assert_eq!(failure("network fragLoadError 404"), Failure::Network);
        assert_eq!(failure("unsupported no-media-source 0"), Failure::Unsupported);
    }
}
