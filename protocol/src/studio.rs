//! The Studio: what its window shows and asks for. The work is in the `skylark-studio` crate; the window draws
//! [`Snapshot`]s and sends [`Command`]s.

mod broadcast;
mod command;
mod edit;
mod hotkey;
mod identity;
mod output;
mod picture;
mod scene;
mod view;

pub use broadcast::{BroadcastState, BroadcastView, Check, CheckOutcome, Preflight, Resumable, Summary};
pub use command::{Command, Outcome, Problem, Typed};
pub use edit::{Edit, Refused};
pub use hotkey::{Hotkey, HotkeyAction};
pub use identity::{IdentityCard, IdentityKind, IdentityView, KeychainState};
pub use output::{EncoderState, OutputSettings, RecordingSettings, RecordingView, RenditionSettings};
pub use picture::Picture;
pub use scene::{
    Canvas, Collection, Color, Crop, Input, Item, ItemId, Pattern, Rect, Scene, SceneId, Source, SourceId, Strip,
    Transition, TransitionKind,
};
pub use view::{
    Device, DeviceKind, Level, Meters, Notice, Severity, Snapshot, SourceState, SourceStatus, Update, View,
};
