//! What a viewer is shown.

/// States that a viewer can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing to see yet.
    Offline,
    /// On its way to the first picture.
    Loading,
    /// Moving.
    Playing,
    /// Stopped by the viewer.
    Paused,
    /// Interrupted; goes on by itself.
    Reconnecting,
    /// Its host takes a break.
    Intermission,
    /// Only for those whom the host has let in, which this viewer is not.
    Private,
    /// Over.
    Ended,
    /// Cannot be played.
    Failed,
}

impl State {
    /// The word for it in the page's `data-state`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Loading => "loading",
            Self::Playing => "playing",
            Self::Paused => "paused",
            Self::Reconnecting => "reconnecting",
            Self::Intermission => "intermission",
            Self::Private => "private",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }
}

/// Why the state is what it is, where there are several reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The origin does not know the stream.
    UnknownStream,
    /// The origin cannot be reached.
    Network,
    /// The publisher is gone for a moment.
    Publisher,
    /// The browser lacks what it takes.
    Unsupported,
    /// The decoder fails again and again.
    Broken,
}

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// The state.
    pub state: State,
    /// The reason, where the state alone does not say it.
    pub reason: Option<Reason>,
    /// The picture is the newest there is.
    pub at_live_edge: bool,
    /// How often the picture stopped for lack of data since it first moved.
    pub waits: u32,
}
