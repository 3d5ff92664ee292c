//! Changes of a collection: pure, each one step of undo.

use serde::{Deserialize, Serialize};

use super::scene::{
    Canvas, Collection, Crop, Input, Item, ItemId, Rect, Scene, SceneId, Source, SourceId, Strip, Transition,
};

/// A change of a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// A new empty scene at the end of the list.
    AddScene {
        /// What people call it.
        name: String,
    },
    /// A copy of a scene, right after it.
    CopyScene {
        /// Which.
        scene: SceneId,
        /// What people call the copy.
        name: String,
    },
    /// Another name.
    RenameScene {
        /// Which.
        scene: SceneId,
        /// What people call it.
        name: String,
    },
    /// Removes a scene; the last one stays.
    RemoveScene {
        /// Which.
        scene: SceneId,
    },
    /// Moves a scene in the list.
    MoveScene {
        /// Which.
        scene: SceneId,
        /// Its index afterwards.
        to: usize,
    },
    /// A new source; one with a picture is placed on top of `scene`.
    AddSource {
        /// Where it is shown.
        scene: SceneId,
        /// What people call it.
        name: String,
        /// Where it comes from.
        input: Input,
        /// Where on the canvas; without, all of it.
        #[serde(default)]
        place: Option<Rect>,
    },
    /// Another name.
    RenameSource {
        /// Which.
        source: SourceId,
        /// What people call it.
        name: String,
    },
    /// Another device, file, text or colour.
    SetInput {
        /// Of which source.
        source: SourceId,
        /// Where it comes from; of the same kind as before.
        input: Input,
    },
    /// Removes a source from all scenes.
    RemoveSource {
        /// Which.
        source: SourceId,
    },
    /// Places a source that is there in a scene, on top.
    AddItem {
        /// Where.
        scene: SceneId,
        /// What.
        source: SourceId,
    },
    /// Removes an item; a source that is in no scene any more goes as well.
    RemoveItem {
        /// Which.
        item: ItemId,
    },
    /// Moves an item up or down.
    MoveItem {
        /// Which.
        item: ItemId,
        /// Its index afterwards; 0 is the lowest.
        to: usize,
    },
    /// Moves and scales an item.
    Place {
        /// Which.
        item: ItemId,
        /// Where on the canvas.
        place: Rect,
    },
    /// Cuts edges off.
    Crop {
        /// Which.
        item: ItemId,
        /// How much.
        crop: Crop,
        /// Where what is left of it is, if that changes as well.
        #[serde(default)]
        place: Option<Rect>,
    },
    /// Shows or hides an item.
    Show {
        /// Which.
        item: ItemId,
        /// Whether it is shown.
        is_visible: bool,
    },
    /// Makes an item more or less transparent.
    SetOpacity {
        /// Which.
        item: ItemId,
        /// 0 is invisible, 100 opaque.
        opacity_percent: u8,
    },
    /// Keeps an item where it is.
    Lock {
        /// Which.
        item: ItemId,
        /// Whether it stays.
        is_locked: bool,
    },
    /// Changes a strip of the mixer.
    SetStrip {
        /// Of which source.
        source: SourceId,
        /// How it is from now on.
        strip: Strip,
    },
    /// How scenes give way.
    SetTransition {
        /// How.
        transition: Transition,
    },
    /// Studio mode on (with the scene to prepare) or off.
    Prepare {
        /// Which scene; none: studio mode is off.
        scene: Option<SceneId>,
    },
    /// The scene that viewers see.
    Switch {
        /// Which.
        scene: SceneId,
    },
    /// Size and pace of the picture; items keep their places in proportion.
    SetCanvas {
        /// How it is from now on.
        canvas: Canvas,
    },
}

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The scene, source or item is gone.
    #[error("{0} is not there any more")]
    Gone(&'static str),
    /// A collection always has a scene.
    #[error("the last scene stays")]
    LastScene,
    /// A named limit.
    #[error("there are {0} already, which is the most")]
    Full(usize),
    /// A value out of range.
    #[error("{field} {reason}")]
    Invalid {
        /// Which value.
        field: &'static str,
        /// The end of a sentence.
        reason: &'static str,
    },
}

impl Edit {
    /// Whether it only says what is on air or in preparation: nothing that undo should bring back.
    #[must_use]
    pub fn is_navigation(&self) -> bool {
        matches!(self, Self::Prepare { .. } | Self::Switch { .. })
    }

    /// Which value it sets again and again while somebody drags: such edits in a row are one step of undo.
    #[must_use]
    pub fn continues(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Place { item, .. }, Self::Place { item: before, .. })
            | (Self::Crop { item, .. }, Self::Crop { item: before, .. })
            | (Self::SetOpacity { item, .. }, Self::SetOpacity { item: before, .. }) => item == before,
            (Self::SetStrip { source, .. }, Self::SetStrip { source: before, .. })
            | (Self::SetInput { source, .. }, Self::SetInput { source: before, .. }) => source == before,
            _ => false,
        }
    }
}

impl Collection {
    /// The collection after a change.
    ///
    /// # Errors
    /// What is wrong with the change; nothing is changed then.
    pub fn after(&self, edit: &Edit) -> Result<Self, Refused> {
        let mut next = self.clone();
        next.apply(edit)?;
        Ok(next)
    }

    fn apply(&mut self, edit: &Edit) -> Result<(), Refused> {
        match edit {
            Edit::AddScene { name } => {
                let scene = Scene { id: SceneId(self.new_id()), name: named(name)?, items: Vec::new() };
                self.insert_scene(self.scenes.len(), scene)
            }
            Edit::CopyScene { scene, name } => self.copy_scene(*scene, named(name)?),
            Edit::RenameScene { scene, name } => {
                self.scene_mut(*scene)?.name = named(name)?;
                Ok(())
            }
            Edit::RemoveScene { scene } => self.remove_scene(*scene),
            Edit::MoveScene { scene, to } => {
                let from = self.scenes.iter().position(|one| one.id == *scene).ok_or(Refused::Gone("the scene"))?;
                let moved = self.scenes.remove(from);
                self.scenes.insert((*to).min(self.scenes.len()), moved);
                Ok(())
            }
            Edit::AddSource { scene, name, input, place } => self.add_source(*scene, name, input, *place),
            Edit::RenameSource { source, name } => {
                self.source_mut(*source)?.name = named(name)?;
                Ok(())
            }
            Edit::SetInput { source, input } => {
                checked(input)?;
                let source = self.source_mut(*source)?;
                if std::mem::discriminant(&source.input) != std::mem::discriminant(input) {
                    return Err(Refused::Invalid { field: "the input", reason: "is of another kind" });
                }
                source.input = input.clone();
                Ok(())
            }
            Edit::RemoveSource { source } => {
                self.source_mut(*source)?;
                self.sources.retain(|one| one.id != *source);
                for scene in &mut self.scenes {
                    scene.items.retain(|item| item.source != *source);
                }
                Ok(())
            }
            Edit::AddItem { scene, source } => {
                if !self.source(*source).ok_or(Refused::Gone("the source"))?.input.has_picture() {
                    return Err(Refused::Invalid { field: "the source", reason: "has no picture" });
                }
                self.add_item(*scene, *source, None)
            }
            Edit::RemoveItem { item } => self.remove_item(*item),
            Edit::MoveItem { item, to } => {
                let items = self.items_with(*item)?;
                let from = items.iter().position(|one| one.id == *item).ok_or(Refused::Gone("the item"))?;
                let moved = items.remove(from);
                items.insert((*to).min(items.len()), moved);
                Ok(())
            }
            Edit::Place { item, place } => {
                let place = bounded(*place)?;
                self.item_mut(*item, |item| item.place = place)
            }
            Edit::Crop { item, crop, place } => {
                let place = place.map(bounded).transpose()?;
                self.item_mut(*item, |item| {
                    item.crop = *crop;
                    item.place = place.unwrap_or(item.place);
                })
            }
            Edit::Show { item, is_visible } => self.item_mut(*item, |item| item.is_visible = *is_visible),
            Edit::SetOpacity { item, opacity_percent } => {
                self.item_mut(*item, |item| item.opacity_percent = (*opacity_percent).min(100))
            }
            Edit::Lock { item, is_locked } => self.item_mut(*item, |item| item.is_locked = *is_locked),
            Edit::SetStrip { source, strip } => self.set_strip(*source, *strip),
            Edit::SetTransition { transition } => {
                let duration_ms = transition.duration_ms.min(Transition::MAX_DURATION_MS);
                self.transition = Transition { duration_ms, ..*transition };
                Ok(())
            }
            Edit::Prepare { scene } => {
                if let Some(scene) = scene {
                    self.scene_mut(*scene)?;
                }
                self.preview = *scene;
                Ok(())
            }
            Edit::Switch { scene } => {
                self.scene_mut(*scene)?;
                self.program = *scene;
                Ok(())
            }
            Edit::SetCanvas { canvas } => self.set_canvas(*canvas),
        }
    }

    fn new_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        id
    }

    fn scene_mut(&mut self, id: SceneId) -> Result<&mut Scene, Refused> {
        self.scenes.iter_mut().find(|scene| scene.id == id).ok_or(Refused::Gone("the scene"))
    }

    fn source_mut(&mut self, id: SourceId) -> Result<&mut Source, Refused> {
        self.sources.iter_mut().find(|source| source.id == id).ok_or(Refused::Gone("the source"))
    }

    /// The items of the scene that has this one.
    fn items_with(&mut self, id: ItemId) -> Result<&mut Vec<Item>, Refused> {
        let scene = self.scenes.iter_mut().find(|scene| scene.items.iter().any(|item| item.id == id));
        scene.map(|scene| &mut scene.items).ok_or(Refused::Gone("the item"))
    }

    fn item_mut(&mut self, id: ItemId, change: impl FnOnce(&mut Item)) -> Result<(), Refused> {
        let items = self.items_with(id)?;
        items.iter_mut().find(|item| item.id == id).map(change).ok_or(Refused::Gone("the item"))
    }

    fn insert_scene(&mut self, at: usize, scene: Scene) -> Result<(), Refused> {
        if self.scenes.len() >= Self::MAX_SCENES {
            return Err(Refused::Full(Self::MAX_SCENES));
        }
        self.scenes.insert(at, scene);
        Ok(())
    }

    fn copy_scene(&mut self, scene: SceneId, name: String) -> Result<(), Refused> {
        let at = self.scenes.iter().position(|one| one.id == scene).ok_or(Refused::Gone("the scene"))?;
        let mut copy = Scene { id: SceneId(self.new_id()), name, ..self.scenes[at].clone() };
        for item in &mut copy.items {
            item.id = ItemId(self.new_id());
        }
        self.insert_scene(at + 1, copy)
    }

    fn remove_scene(&mut self, scene: SceneId) -> Result<(), Refused> {
        let at = self.scenes.iter().position(|one| one.id == scene).ok_or(Refused::Gone("the scene"))?;
        if self.scenes.len() == 1 {
            return Err(Refused::LastScene);
        }
        self.scenes.remove(at);
        let neighbour = self.scenes[at.min(self.scenes.len() - 1)].id;
        if self.program == scene {
            self.program = neighbour;
        }
        if self.preview == Some(scene) {
            self.preview = Some(neighbour);
        }
        self.drop_unplaced();
        Ok(())
    }

    fn add_source(&mut self, scene: SceneId, name: &str, input: &Input, place: Option<Rect>) -> Result<(), Refused> {
        if self.sources.len() >= Self::MAX_SOURCES {
            return Err(Refused::Full(Self::MAX_SOURCES));
        }
        checked(input)?;
        let id = SourceId(self.new_id());
        let strip = input.has_sound().then(Strip::default);
        self.sources.push(Source { id, name: named(name)?, input: input.clone(), strip });
        if input.has_picture() { self.add_item(scene, id, place) } else { Ok(()) }
    }

    fn add_item(&mut self, scene: SceneId, source: SourceId, place: Option<Rect>) -> Result<(), Refused> {
        let id = ItemId(self.new_id());
        let place = place.map_or(Ok(self.canvas.whole()), bounded)?;
        let items = &mut self.scene_mut(scene)?.items;
        if items.len() >= Self::MAX_ITEMS {
            return Err(Refused::Full(Self::MAX_ITEMS));
        }
        let crop = Crop::default();
        items.push(Item { id, source, place, crop, is_visible: true, opacity_percent: 100, is_locked: false });
        Ok(())
    }

    fn remove_item(&mut self, item: ItemId) -> Result<(), Refused> {
        self.items_with(item)?.retain(|one| one.id != item);
        self.drop_unplaced();
        Ok(())
    }

    /// Sources with a picture that no scene shows are gone for people, so they go.
    fn drop_unplaced(&mut self) {
        let scenes = &self.scenes;
        let is_placed = |source: &Source| scenes.iter().any(|scene| scene.items.iter().any(|i| i.source == source.id));
        self.sources.retain(|source| !source.input.has_picture() || is_placed(source));
    }

    fn set_strip(&mut self, source: SourceId, strip: Strip) -> Result<(), Refused> {
        let source = self.source_mut(source)?;
        if source.strip.is_none() {
            return Err(Refused::Invalid { field: "the source", reason: "cannot be heard" });
        }
        if !strip.gain_db.is_finite() {
            return Err(Refused::Invalid { field: "the gain", reason: "is not a number" });
        }
        let gain_db = strip.gain_db.clamp(Strip::MIN_GAIN_DB, Strip::MAX_GAIN_DB);
        let offset_ms = strip.offset_ms.clamp(-Strip::MAX_OFFSET_MS, Strip::MAX_OFFSET_MS);
        source.strip = Some(Strip { gain_db, offset_ms, ..strip });
        Ok(())
    }

    fn set_canvas(&mut self, canvas: Canvas) -> Result<(), Refused> {
        let is_sane = |side: u32| (16..=7680).contains(&side) && side.is_multiple_of(2);
        if !is_sane(canvas.width) || !is_sane(canvas.height) {
            return Err(Refused::Invalid { field: "the canvas", reason: "has sides of 16 to 7680 pixels, even ones" });
        }
        if !(1..=120).contains(&canvas.frame_rate) {
            return Err(Refused::Invalid { field: "the frame rate", reason: "is 1 to 120" });
        }
        let before = self.canvas;
        let scaled = |value: i64, to: u32, from: u32| value * i64::from(to) / i64::from(from.max(1));
        for item in self.scenes.iter_mut().flat_map(|scene| &mut scene.items) {
            let Rect { x, y, width, height } = item.place;
            let across = |value: i64| scaled(value, canvas.width, before.width);
            let down = |value: i64| scaled(value, canvas.height, before.height);
            item.place = bounded(Rect {
                x: i32::try_from(across(x.into())).unwrap_or(0),
                y: i32::try_from(down(y.into())).unwrap_or(0),
                width: u32::try_from(across(width.into())).unwrap_or(1).max(1),
                height: u32::try_from(down(height.into())).unwrap_or(1).max(1),
            })?;
        }
        self.canvas = canvas;
        Ok(())
    }
}

/// A name as it is kept.
fn named(name: &str) -> Result<String, Refused> {
    let name = crate::text::line(name, Collection::MAX_NAME_CHARS).trim().to_owned();
    if name.is_empty() { Err(Refused::Invalid { field: "the name", reason: "is empty" }) } else { Ok(name) }
}

/// Farthest a place may lie from the canvas, and its longest side: GStreamer counts them in 32 bits and scales for real.
const MAX_REACH: u32 = 16_384;

fn bounded(place: Rect) -> Result<Rect, Refused> {
    let reach = MAX_REACH.cast_signed();
    let is_near = |at: i32| (-reach..=reach).contains(&at);
    let is_sane = |side: u32| (1..=MAX_REACH).contains(&side);
    if is_near(place.x) && is_near(place.y) && is_sane(place.width) && is_sane(place.height) {
        Ok(place)
    } else {
        Err(Refused::Invalid { field: "the place", reason: "is too far away, empty or too large" })
    }
}

fn checked(input: &Input) -> Result<(), Refused> {
    match input {
        Input::Text { text, size, .. } => {
            if text.chars().count() > Collection::MAX_TEXT_CHARS {
                return Err(Refused::Invalid { field: "the text", reason: "is longer than 1000 characters" });
            }
            letters(*size)
        }
        Input::Clock { format, size, .. } => {
            if format.is_empty() || format.chars().count() > 40 {
                return Err(Refused::Invalid { field: "the format", reason: "has 1 to 40 characters" });
            }
            letters(*size)
        }
        Input::Tone { frequency_hz, level_db } => {
            if !(20..=20_000).contains(frequency_hz) {
                return Err(Refused::Invalid { field: "the pitch", reason: "is 20 to 20000 Hz" });
            }
            if *level_db > 0 || *level_db < -90 {
                return Err(Refused::Invalid { field: "the level", reason: "is -90 to 0 dB" });
            }
            Ok(())
        }
        Input::Media { path, .. } | Input::Image { path } if path.is_empty() => {
            Err(Refused::Invalid { field: "the file", reason: "is not chosen" })
        }
        _ => Ok(()),
    }
}

fn letters(size: u32) -> Result<(), Refused> {
    if (4..=1000).contains(&size) {
        Ok(())
    } else {
        Err(Refused::Invalid { field: "the size", reason: "is 4 to 1000 pixels" })
    }
}
