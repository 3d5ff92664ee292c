//! What things are called.

use skylark_protocol::studio::{BroadcastState, CheckOutcome, DeviceKind, Input, RenditionSettings, Severity};

/// What people call a kind of source.
pub(super) fn kind(input: &Input) -> &'static str {
    match input {
        Input::Camera { .. } => "Camera",
        Input::Screen { .. } => "Screen",
        Input::Window { .. } => "Window",
        Input::Microphone { .. } => "Microphone",
        Input::DesktopSound { .. } => "Desktop sound",
        Input::Media { .. } => "Media file",
        Input::Image { .. } => "Image",
        Input::Text { .. } => "Text",
        Input::Clock { .. } => "Clock",
        Input::Color { .. } => "Colour",
        Input::Test { .. } => "Test picture",
        Input::Tone { .. } => "Test tone",
    }
}

/// The device that an input names, and of which kind it is.
pub(super) fn device(input: &Input) -> Option<(DeviceKind, &str)> {
    match input {
        Input::Camera { device } => Some((DeviceKind::Camera, device)),
        Input::Screen { device, .. } => Some((DeviceKind::Screen, device)),
        Input::Window { device } => Some((DeviceKind::Window, device)),
        Input::Microphone { device } => Some((DeviceKind::Microphone, device)),
        Input::DesktopSound { device } => Some((DeviceKind::DesktopSound, device)),
        _ => None,
    }
}

/// The input of a device.
pub(super) fn of_device(kind: DeviceKind, device: String) -> Input {
    match kind {
        DeviceKind::Camera => Input::Camera { device },
        DeviceKind::Screen => Input::Screen { device, area: None, shows_pointer: true },
        DeviceKind::Window => Input::Window { device },
        DeviceKind::Microphone => Input::Microphone { device },
        // What one listens on is captured as what plays there.
        DeviceKind::DesktopSound | DeviceKind::Listening => Input::DesktopSound { device },
    }
}

/// The same input with another device.
pub(super) fn with_device(input: &Input, device: String) -> Input {
    match input {
        Input::Screen { shows_pointer, .. } => Input::Screen { device, area: None, shows_pointer: *shows_pointer },
        other => match self::device(other) {
            Some((kind, _)) => of_device(kind, device),
            None => other.clone(),
        },
    }
}

/// The badge's name of a state, and its words.
pub(super) fn state(state: BroadcastState) -> (&'static str, &'static str) {
    match state {
        BroadcastState::Idle => ("idle", "Off air"),
        BroadcastState::Preflight => ("preflight", "Checking…"),
        BroadcastState::Planned => ("planned", "Connecting…"),
        BroadcastState::Live => ("live", "Live"),
        BroadcastState::Reconnecting => ("reconnecting", "Reconnecting…"),
        BroadcastState::Ended => ("ended", "Ended"),
    }
}

/// Viewers have something, or wait for it.
pub(super) fn is_on_air(state: BroadcastState) -> bool {
    matches!(state, BroadcastState::Planned | BroadcastState::Live | BroadcastState::Reconnecting)
}

/// The name of an outcome for style and tests, and what a screen reader says.
pub(super) fn outcome(outcome: CheckOutcome) -> (&'static str, &'static str) {
    match outcome {
        CheckOutcome::Running => ("running", "being checked"),
        CheckOutcome::Good => ("good", "good"),
        CheckOutcome::Doubtful => ("doubtful", "could be better"),
        CheckOutcome::Bad => ("bad", "has to be mended"),
    }
}

/// A sentence inside of another one: with a small letter, unless it begins with a name.
pub(super) fn inside(sentence: &str) -> String {
    match sentence.strip_prefix("The ") {
        Some(rest) => format!("the {rest}"),
        None => sentence.to_owned(),
    }
}

/// The name of a severity for style and tests.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Failure => "failure",
    }
}

/// "2.5 Mbit/s", "740 kbit/s"
pub(super) fn bitrate(bps: u64) -> String {
    match bps {
        0 => "–".to_owned(),
        1..1_000_000 => format!("{} kbit/s", bps / 1000),
        _ => format!("{:.1} Mbit/s", bps as f64 / 1e6),
    }
}

/// "1.2 GB"
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..1_000_000 => format!("{} kB", count / 1000),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

/// "1080p60"
pub(super) fn rendition(rendition: &RenditionSettings) -> String {
    format!("{}p{}", rendition.height, rendition.frame_rate)
}

/// "−12.5 dB"
pub(super) fn decibels(db: f32) -> String {
    let text = format!("{:.1} dB", db.abs());
    if db <= -0.05 { format!("−{text}") } else { text }
}

/// `name`, or `name 2`, `name 3`, … where that is taken.
pub(super) fn free_name<'a>(name: &str, taken: impl Iterator<Item = &'a str> + Clone) -> String {
    let is_free = |name: &str| !taken.clone().any(|one| one == name);
    let numbered = (2..).map(|number| format!("{name} {number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| is_free(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        assert_eq!([0, 740_000, 2_500_000].map(bitrate), ["–", "740 kbit/s", "2.5 Mbit/s"]);
        assert_eq!([12_000, 5_200_000, 31_400_000_000].map(bytes), ["12 kB", "5.2 MB", "31.4 GB"]);
        assert_eq!([0.0, -12.54, 3.0, -0.01].map(decibels), ["0.0 dB", "−12.5 dB", "3.0 dB", "0.0 dB"]);
        assert_eq!(rendition(&RenditionSettings::PRESETS[0]), "1080p60");
    }

    #[test]
    fn names_are_not_given_twice() {
        assert_eq!(free_name("Scene", ["Intro"].into_iter()), "Scene");
        assert_eq!(free_name("Scene", ["Scene", "Scene 2"].into_iter()), "Scene 3");
    }
}
