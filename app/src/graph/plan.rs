//! What the graph has to be for a collection: pure data, and the steps from one plan to the next.

use std::collections::BTreeMap;

use skylark_protocol::studio::{
    Canvas, Collection, Color, Crop, Input, Item, ItemId, Rect, SceneId, Source, SourceId, Strip, TransitionKind, View,
};

/// What the graph has to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The picture that all is drawn on.
    pub canvas: Canvas,
    /// Sources that are open: those that any scene shows, and those that are heard in all.
    pub sources: BTreeMap<SourceId, Source>,
    /// What the program is drawn of, the lowest first.
    pub program: Vec<Layer>,
    /// What the preview is drawn of; none without studio mode.
    pub preview: Option<Vec<Layer>>,
    /// What is heard: sources without a picture always, others while the program shows them.
    pub strips: BTreeMap<SourceId, HeardStrip>,
    /// The scene of the program, and how the next one comes.
    pub scene: Option<SceneId>,
    /// How long the next scene fades in, milliseconds; 0 is a cut.
    pub fade_ms: u32,
}

/// A picture at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// The item.
    pub item: ItemId,
    /// Whose picture.
    pub source: SourceId,
    /// Where on the canvas.
    pub place: Rect,
    /// What is cut off before.
    pub crop: Crop,
    /// 0 is invisible, 100 opaque.
    pub opacity_percent: u8,
    /// Something can be seen through parts of its picture.
    pub has_alpha: bool,
}

/// A strip of the mixer as it is to sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeardStrip {
    /// As it is set.
    pub strip: Strip,
    /// The program has it: neither muted nor out of the picture.
    pub is_on_air: bool,
}

impl Plan {
    /// The plan for a collection.
    #[must_use]
    pub fn of(collection: &Collection) -> Self {
        let shown =
            |id: SceneId| collection.scene(id).map(|scene| layers(collection, &scene.items)).unwrap_or_default();
        let program = shown(collection.program);
        let is_placed =
            |id: SourceId| collection.scenes.iter().any(|scene| scene.items.iter().any(|item| item.source == id));
        let is_open = |source: &&Source| !source.input.has_picture() || is_placed(source.id);
        let sources: BTreeMap<_, _> =
            collection.sources.iter().filter(is_open).map(|source| (source.id, source.clone())).collect();
        let heard = |source: &Source| {
            let strip = source.strip?;
            let is_present = !source.input.has_picture() || program.iter().any(|layer| layer.source == source.id);
            Some((source.id, HeardStrip { strip, is_on_air: is_present && !strip.is_muted }))
        };
        let transition = collection.transition;
        Self {
            canvas: collection.canvas,
            strips: sources.values().filter_map(heard).collect(),
            sources,
            preview: collection.preview.map(shown),
            program,
            scene: Some(collection.program),
            fade_ms: if transition.kind == TransitionKind::Fade { transition.duration_ms } else { 0 },
        }
    }

    /// The layers of a view.
    #[must_use]
    pub fn layers(&self, view: View) -> &[Layer] {
        match view {
            View::Program => &self.program,
            View::Preview => self.preview.as_deref().unwrap_or_default(),
        }
    }

    /// How much earlier than the picture the earliest strip is to be heard, milliseconds: by so much all else is late.
    #[must_use]
    pub fn lead_ms(&self) -> u32 {
        self.strips.values().map(|heard| heard.strip.offset_ms.min(0).unsigned_abs()).max().unwrap_or(0)
    }
}

fn layers(collection: &Collection, items: &[Item]) -> Vec<Layer> {
    let has_alpha = |id| match collection.source(id).map(|source| &source.input) {
        Some(Input::Text { .. } | Input::Clock { .. } | Input::Image { .. }) => true,
        Some(Input::Color { color: Color([_, _, _, opacity]) }) => *opacity < 255,
        _ => false,
    };
    let shown = items.iter().filter(|item| item.is_visible && item.opacity_percent > 0);
    shown
        .map(|item| Layer {
            item: item.id,
            source: item.source,
            place: item.place,
            crop: item.crop,
            opacity_percent: item.opacity_percent,
            has_alpha: has_alpha(item.source),
        })
        .collect()
}

/// A step from one plan to another. Steps are made in their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A source is needed no more.
    Close(SourceId),
    /// A source is needed.
    Open(Source),
    /// The same source, another device, file, text or colour.
    Change(Source),
    /// A strip sounds like this from now on.
    Mix(SourceId, HeardStrip),
    /// A view is drawn of these, the lowest first. What it was drawn of before goes little by little, if time is given.
    Draw {
        /// Which.
        view: View,
        /// Of what.
        layers: Vec<Layer>,
        /// How long what was drawn before takes to go, milliseconds.
        fade_ms: u32,
    },
    /// The preview is drawn no more.
    EndPreview,
}

/// The steps from one plan to another of the same canvas.
#[must_use]
pub fn steps(from: &Plan, to: &Plan) -> Vec<Step> {
    let mut steps = Vec::new();
    let is_other_kind = |a: &Source, b: &Source| std::mem::discriminant(&a.input) != std::mem::discriminant(&b.input);
    let mut draw = Vec::new();
    let is_cut_to = from.scene.is_some() && from.scene != to.scene;
    if from.program != to.program {
        let fade_ms = if is_cut_to { to.fade_ms } else { 0 };
        draw.push(Step::Draw { view: View::Program, layers: to.program.clone(), fade_ms });
    }
    match (&from.preview, &to.preview) {
        (Some(_), None) => draw.push(Step::EndPreview),
        (before, Some(after)) if before.as_ref() != Some(after) => {
            draw.push(Step::Draw { view: View::Preview, layers: after.clone(), fade_ms: 0 });
        }
        _ => {}
    }
    let mut close = Vec::new();
    for (id, before) in &from.sources {
        match to.sources.get(id) {
            None => close.push(Step::Close(*id)),
            Some(after) if is_other_kind(before, after) => {
                steps.push(Step::Close(*id));
                steps.push(Step::Open(after.clone()));
            }
            Some(after) if after.input != before.input => steps.push(Step::Change(after.clone())),
            Some(_) => {}
        }
    }
    steps.extend(
        to.sources
            .iter()
            .filter(|(id, _)| !from.sources.contains_key(id))
            .map(|(_, source)| Step::Open(source.clone())),
    );
    let remixed = to.strips.iter().filter(|(id, strip)| from.strips.get(id) != Some(strip));
    steps.extend(remixed.map(|(id, strip)| Step::Mix(*id, *strip)));
    // What is drawn no more is let go of before its source is.
    steps.extend(draw);
    steps.extend(close);
    steps
}

#[cfg(test)]
mod tests {
    use skylark_protocol::studio::{Edit, Pattern};

    use super::*;

    fn add(collection: &Collection, scene: SceneId, input: Input) -> Collection {
        collection.after(&Edit::AddSource { scene, name: "one".into(), input, place: None }).unwrap()
    }

    fn evening() -> Collection {
        let one = SceneId(1);
        let mut all = add(&Collection::default(), one, Input::Test { pattern: Pattern::Bars });
        all = add(&all, one, Input::Color { color: Color([1, 2, 3, 255]) });
        add(&all, one, Input::Microphone { device: String::new() })
    }

    #[test]
    fn a_plan_from_nothing_opens_mixes_and_draws() {
        let plan = Plan::of(&evening());
        let all = steps(&Plan::default(), &plan);
        let opened = all.iter().filter(|step| matches!(step, Step::Open(_))).count();
        assert_eq!((opened, all.len()), (3, 5), "{all:?}");
        assert!(matches!(&all[3], Step::Mix(_, heard) if heard.is_on_air));
        assert!(
            matches!(&all[4], Step::Draw { layers, fade_ms: 0, .. } if layers.len() == 2),
            "the first scene is just there"
        );
        assert!(steps(&plan, &plan).is_empty());
    }

    #[test]
    fn another_scene_fades_in_and_its_sources_are_open_before() {
        let evening = evening();
        let two = evening.after(&Edit::AddScene { name: "Break".into() }).unwrap();
        let scene = two.scenes[1].id;
        let two = add(&two, scene, Input::Test { pattern: Pattern::Ball });
        let before = Plan::of(&two);
        assert_eq!(before.sources.len(), 4, "sources of other scenes are open, so that a cut is at once");
        let after = Plan::of(&two.after(&Edit::Switch { scene }).unwrap());
        let all = steps(&before, &after);
        assert!(matches!(all.as_slice(), [Step::Draw { view: View::Program, fade_ms: 300, .. }]), "{all:?}");
    }

    #[test]
    fn what_is_moved_is_drawn_anew_without_a_fade_and_what_is_gone_is_closed_last() {
        let evening = evening();
        let plan = Plan::of(&evening);
        let item = evening.scenes[0].items[1].id;
        let place = Rect { x: 5, y: 5, width: 50, height: 50 };
        let moved = evening.after(&Edit::Place { item, place }).unwrap();
        let all = steps(&plan, &Plan::of(&moved));
        assert!(matches!(all.as_slice(), [Step::Draw { fade_ms: 0, .. }]), "{all:?}");
        let gone = evening.after(&Edit::RemoveItem { item }).unwrap();
        let all = steps(&plan, &Plan::of(&gone));
        assert!(matches!(all.as_slice(), [Step::Draw { .. }, Step::Close(_)]), "{all:?}");
    }

    #[test]
    fn sound_with_a_picture_is_heard_while_it_is_shown() {
        let film = Input::Media { path: "film.mp4".into(), is_looped: true };
        let with_film = add(&Collection::default(), SceneId(1), film);
        let heard = |collection: &Collection| Plan::of(collection).strips.values().next().map(|heard| heard.is_on_air);
        assert_eq!(heard(&with_film), Some(true));
        let item = with_film.scenes[0].items[0].id;
        let hidden = with_film.after(&Edit::Show { item, is_visible: false }).unwrap();
        assert_eq!(heard(&hidden), Some(false));
    }

    #[test]
    fn a_strip_that_is_to_be_early_makes_all_else_late() {
        let evening = evening();
        let microphone = evening.sources[2].id;
        let strip = Strip { offset_ms: -120, ..Strip::default() };
        let early = evening.after(&Edit::SetStrip { source: microphone, strip }).unwrap();
        assert_eq!((Plan::of(&evening).lead_ms(), Plan::of(&early).lead_ms()), (0, 120));
    }
}
