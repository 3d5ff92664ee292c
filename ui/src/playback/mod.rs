//! What the player decides: values in, commands out. No browser in here, so all of it is tested on the host.
//!
//! | module | decides |
//! |---|---|
//! | [`session`] | when to load, start, hold and give up; [`language`]: what it hears and says |
//! | [`view`] | what the viewer is shown meanwhile |
//! | [`latency`] | where to start and how fast to play to stay close to the live edge without stalling |
//! | [`recovery`] | what to try after an error, and when |
//! | [`clock`] | the origin's time, from its answers |

pub mod clock;
pub mod language;
pub mod latency;
pub mod recovery;
pub mod session;
pub mod view;

pub use language::{Command, Event};
pub use session::Session;
pub use view::{Reason, State, View};

/// The `<video>` and what the playlist says, at one moment. Positions are media time in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Media {
    /// Milliseconds on a clock that never goes back.
    pub now_ms: f64,
    /// The playhead.
    pub position_s: f64,
    /// Start of the buffered range that reaches furthest.
    pub buffered_start_s: f64,
    /// Its end.
    pub buffered_end_s: f64,
    /// End of what the playlist lists; 0 while unknown.
    pub edge_s: f64,
    /// Target duration of a part (of a segment, where there are no parts); 0 while unknown.
    pub stride_s: f64,
    /// The playhead is on its way to another position.
    pub seeking: bool,
    /// The browser plays HLS itself: buffer and edge are unknown.
    pub native: bool,
}

impl Media {
    /// Seconds that can be played without another byte.
    #[must_use]
    pub fn ahead_s(&self) -> f64 {
        (self.buffered_end_s - self.position_s).max(0.0)
    }
}
