//! Scenes: plain data, kept in a file, drawn by the Studio's graph.

use serde::{Deserialize, Serialize};

/// Names a scene within its collection; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SceneId(pub u32);

/// Names a source within its collection; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(pub u32);

/// Names a place of a source in a scene; never given twice within a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemId(pub u32);

/// All that is composed: the document that a Studio opens and saves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Format of the file: [`Collection::VERSION`].
    pub version: u32,
    /// The picture that all scenes are drawn on.
    pub canvas: Canvas,
    /// Everything that can be shown or heard.
    pub sources: Vec<Source>,
    /// Scenes, in the order of the list.
    pub scenes: Vec<Scene>,
    /// The scene that viewers see.
    pub program: SceneId,
    /// Studio mode: the scene that is being prepared. Without, edits are of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<SceneId>,
    /// How one scene gives way to the next.
    #[serde(default)]
    pub transition: Transition,
    /// The next id of a scene, source or item.
    pub next_id: u32,
}

/// Size and pace of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canvas {
    /// Pixels; even.
    pub width: u32,
    /// Pixels; even.
    pub height: u32,
    /// Frames per second.
    pub frame_rate: u32,
}

/// A picture made of sources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// Its id.
    pub id: SceneId,
    /// What people call it.
    pub name: String,
    /// What it shows, the lowest first.
    pub items: Vec<Item>,
}

/// A source at its place in a scene.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// What is shown.
    pub source: SourceId,
    /// Where on the canvas; it may reach beyond.
    pub place: Rect,
    /// What is cut off of the source before it is scaled.
    #[serde(default)]
    pub crop: Crop,
    /// Whether it is shown.
    pub is_visible: bool,
    /// 0 is invisible, 100 opaque.
    #[serde(default = "opaque")]
    pub opacity_percent: u8,
    /// Neither mouse nor arrow keys move it.
    #[serde(default)]
    pub is_locked: bool,
}

const fn opaque() -> u8 {
    100
}

/// Pixels of the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rect {
    /// Left edge.
    pub x: i32,
    /// Upper edge.
    pub y: i32,
    /// Width, at least 1.
    pub width: u32,
    /// Height, at least 1.
    pub height: u32,
}

/// Pixels of the source that are cut off at each side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// At the left.
    pub left: u32,
    /// At the top.
    pub top: u32,
    /// At the right.
    pub right: u32,
    /// At the bottom.
    pub bottom: u32,
}

/// Something that can be shown or heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// What people call it.
    pub name: String,
    /// Where it comes from.
    pub input: Input,
    /// Its strip in the mixer, if it can be heard. Sources without a picture are heard in every scene, those with one
    /// while the program shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strip: Option<Strip>,
}

/// Where a source's picture or sound comes from. An empty device is the system's default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// A camera.
    Camera {
        /// [`Device::id`](super::Device::id).
        device: String,
    },
    /// A whole screen, or a part of it.
    Screen {
        /// [`Device::id`](super::Device::id).
        device: String,
        /// Only this part, in pixels of the screen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        area: Option<Rect>,
        /// Whether the mouse pointer is shown.
        shows_pointer: bool,
    },
    /// The window of another program.
    Window {
        /// [`Device::id`](super::Device::id).
        device: String,
    },
    /// A microphone.
    Microphone {
        /// [`Device::id`](super::Device::id).
        device: String,
    },
    /// What this computer plays.
    DesktopSound {
        /// [`Device::id`](super::Device::id).
        device: String,
    },
    /// A film or a song.
    Media {
        /// The file.
        path: String,
        /// Begins again at its end.
        is_looped: bool,
    },
    /// A picture.
    Image {
        /// The file.
        path: String,
    },
    /// Words.
    Text {
        /// What is written; may have several lines.
        text: String,
        /// Height of the letters, pixels of the canvas.
        size: u32,
        /// Of the letters.
        color: Color,
    },
    /// The time of day.
    Clock {
        /// As of `strftime`: `%H:%M:%S`.
        format: String,
        /// Height of the letters, pixels of the canvas.
        size: u32,
        /// Of the letters.
        color: Color,
    },
    /// One colour.
    Color {
        /// Which.
        color: Color,
    },
    /// A test picture.
    Test {
        /// Which.
        pattern: Pattern,
    },
    /// A test tone.
    Tone {
        /// Its pitch.
        frequency_hz: u32,
        /// Its level below full scale, decibels; at most 0.
        level_db: i32,
    },
}

/// Red, green, blue, opacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Color(pub [u8; 4]);

/// A test picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Colour bars.
    Bars,
    /// A ball that moves.
    Ball,
    /// Noise: the hardest picture to encode.
    Snow,
    /// The number of the frame as black and white boxes, and a flash with each second's beep of a [`Input::Tone`].
    Counter,
}

/// A source's strip in the mixer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Strip {
    /// Louder or softer, decibels, [`Strip::MIN_GAIN_DB`] to [`Strip::MAX_GAIN_DB`].
    pub gain_db: f32,
    /// Not heard.
    pub is_muted: bool,
    /// How much later it is heard (or, negative, earlier), milliseconds, up to [`Strip::MAX_OFFSET_MS`].
    pub offset_ms: i32,
    /// The streamer hears it too.
    pub is_monitored: bool,
    /// Steady noise is taken out.
    pub noise_suppression: bool,
    /// Loud and soft come closer.
    pub compressor: bool,
    /// Nothing is louder than 1 dB below full scale.
    pub limiter: bool,
}

impl Default for Strip {
    fn default() -> Self {
        Self {
            gain_db: 0.0,
            is_muted: false,
            offset_ms: 0,
            is_monitored: false,
            noise_suppression: false,
            compressor: false,
            limiter: true,
        }
    }
}

impl Strip {
    /// The softest gain, decibels: below it people mute.
    pub const MIN_GAIN_DB: f32 = -60.0;
    /// The loudest gain, decibels.
    pub const MAX_GAIN_DB: f32 = 20.0;
    /// The longest offset, milliseconds.
    pub const MAX_OFFSET_MS: i32 = 2000;
}

/// How one scene gives way to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// At once, or little by little.
    pub kind: TransitionKind,
    /// How long a fade takes, milliseconds, up to [`Transition::MAX_DURATION_MS`].
    pub duration_ms: u32,
}

impl Transition {
    /// The longest fade, milliseconds.
    pub const MAX_DURATION_MS: u32 = 5000;
}

impl Default for Transition {
    fn default() -> Self {
        Self { kind: TransitionKind::Fade, duration_ms: 300 }
    }
}

/// How one scene gives way to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// From one frame to the next.
    Cut,
    /// Little by little.
    Fade,
}

impl Input {
    /// Whether there is something to see.
    #[must_use]
    pub fn has_picture(&self) -> bool {
        !matches!(self, Self::Microphone { .. } | Self::DesktopSound { .. } | Self::Tone { .. })
    }

    /// Whether there is something to hear.
    #[must_use]
    pub fn has_sound(&self) -> bool {
        !self.has_picture() || matches!(self, Self::Media { .. })
    }
}

impl Default for Canvas {
    fn default() -> Self {
        Self { width: 1280, height: 720, frame_rate: 30 }
    }
}

impl Canvas {
    /// All of it.
    #[must_use]
    pub fn whole(self) -> Rect {
        Rect { x: 0, y: 0, width: self.width, height: self.height }
    }
}

impl Default for Collection {
    /// One empty scene.
    fn default() -> Self {
        let id = SceneId(1);
        Self {
            version: Self::VERSION,
            canvas: Canvas::default(),
            sources: Vec::new(),
            scenes: vec![Scene { id, name: "Scene".into(), items: Vec::new() }],
            program: id,
            preview: None,
            transition: Transition::default(),
            next_id: 2,
        }
    }
}

impl Collection {
    /// The format that is written today.
    pub const VERSION: u32 = 1;
    /// Most scenes.
    pub const MAX_SCENES: usize = 50;
    /// Most sources.
    pub const MAX_SOURCES: usize = 100;
    /// Most items of a scene.
    pub const MAX_ITEMS: usize = 50;
    /// Longest name, characters.
    pub const MAX_NAME_CHARS: usize = 60;
    /// Longest text of a text source, characters.
    pub const MAX_TEXT_CHARS: usize = 1000;

    /// A scene.
    #[must_use]
    pub fn scene(&self, id: SceneId) -> Option<&Scene> {
        self.scenes.iter().find(|scene| scene.id == id)
    }

    /// A source.
    #[must_use]
    pub fn source(&self, id: SourceId) -> Option<&Source> {
        self.sources.iter().find(|source| source.id == id)
    }

    /// An item, and the scene that it is in.
    #[must_use]
    pub fn item(&self, id: ItemId) -> Option<(&Scene, &Item)> {
        self.scenes.iter().find_map(|scene| Some((scene, scene.items.iter().find(|item| item.id == id)?)))
    }

    /// The scene that edits are of: the one in preparation, or the program.
    #[must_use]
    pub fn edited(&self) -> SceneId {
        self.preview.unwrap_or(self.program)
    }
}
