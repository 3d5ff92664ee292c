//! The pictures: program, and in studio mode the scene in preparation. What is edited can be taken hold of.

use leptos::{
    ev::{KeyboardEvent, PointerEvent},
    html,
    prelude::*,
};
use skylark_protocol::studio::{Command, Edit, Item, ItemId, Rect, TransitionKind};
use wasm_bindgen::{JsCast as _, prelude::Closure};

use super::{
    Trouble,
    backstage::{Backstage, ask, measure, pixel_ratio, watch_pictures},
    geometry::{Grip, Keys, Magnets, Shape, dragged, item_at},
    shapes,
};
use crate::brand::Icon;

/// How near something snaps, pixels of the page.
const REACH_PX: f64 = 7.0;
/// A press that moves less is a click, pixels of the page.
const CLICK_PX: f64 = 3.0;
/// Pictures are asked for in these widths, so that a window that is dragged larger does not ask for each.
const WIDTHS: [u32; 4] = [480, 640, 960, 1280];

/// Both pictures, or the one.
#[component]
pub(super) fn Stage() -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    let is_studio = stage.part(|now| now.collection.preview.is_some());
    let name = move |is_program: bool| {
        stage.collection.with(|now| {
            let id = if is_program { now.program } else { now.edited() };
            now.scene(id).map(|scene| scene.name.clone())
        })
    };
    view! {
        <section class="stage-area" class:studio-mode=move || is_studio.get() aria-label="Picture">
            {move || match is_studio.get() {
                false => view! {
                    <div class="monitor"><Picture view="program"><Overlay trouble/></Picture></div>
                }
                .into_any(),
                true => view! {
                    <div class="monitor">
                        <p class="monitor-name"><b>"Preview"</b><bdi>{move || name(false)}</bdi></p>
                        <Picture view="preview"><Overlay trouble/></Picture>
                    </div>
                    <Taking trouble/>
                    <div class="monitor program">
                        <p class="monitor-name"><b>"Program"</b><bdi>{move || name(true)}</bdi></p>
                        <Picture view="program"/>
                    </div>
                }
                .into_any(),
            }}
            <Trouble trouble/>
        </section>
    }
}

/// Between the pictures: how the one becomes the other.
#[component]
fn Taking(trouble: RwSignal<Option<String>>) -> impl IntoView {
    let stage = Backstage::get();
    let take = move |_| {
        let scene = stage.collection.with_untracked(|now| now.edited());
        stage.act(trouble, Command::Take { scene });
    };
    view! {
        <div class="taking">
            <button type="button" id="take" class="button primary" title="Bring the preview on air" on:click=take>
                <Icon path=shapes::ARROW/>"Take"
            </button>
            <TransitionChoice trouble/>
        </div>
    }
}

/// Cut or fade, and for how long.
#[component]
pub(super) fn TransitionChoice(trouble: RwSignal<Option<String>>) -> impl IntoView {
    let stage = Backstage::get();
    let transition = stage.part(|now| now.collection.transition);
    let set = move |change: &dyn Fn(&mut skylark_protocol::studio::Transition)| {
        let mut transition = transition.get_untracked();
        change(&mut transition);
        stage.edit(trouble, Edit::SetTransition { transition });
    };
    let is_fade = move || transition.get().kind == TransitionKind::Fade;
    view! {
        <div class="transition">
            <label class="line-field">
                <span>"Transition"</span>
                <select
                    id="transition"
                    prop:value=move || if is_fade() { "fade" } else { "cut" }
                    on:change=move |event| {
                        let is_cut = event_target_value(&event) == "cut";
                        set(&|transition| transition.kind = if is_cut { TransitionKind::Cut } else { TransitionKind::Fade });
                    }
                >
                    <option value="cut">"Cut"</option>
                    <option value="fade">"Fade"</option>
                </select>
            </label>
            <label class="line-field" class:invisible=move || !is_fade()>
                <span>"Milliseconds"</span>
                <input
                    type="number"
                    min="50"
                    max="5000"
                    step="50"
                    prop:value=move || transition.get().duration_ms.to_string()
                    on:change=move |event| {
                        if let Ok(duration_ms) = event_target_value(&event).parse() {
                            set(&|transition| transition.duration_ms = duration_ms);
                        }
                    }
                />
            </label>
        </div>
    }
}

/// One live picture, as large as there is room, with what lies over it.
#[component]
pub(super) fn Picture(view: &'static str, #[prop(optional)] children: Option<Children>) -> impl IntoView {
    let stage = Backstage::get();
    let canvas_size = stage.part(|now| now.collection.canvas);
    let canvas = NodeRef::<html::Canvas>::new();
    let width = RwSignal::new(0_u32);
    let ends = StoredValue::new_local(Vec::<js_sys::Function>::new());
    let end = move |function: &js_sys::Function| _ = function.call0(&wasm_bindgen::JsValue::NULL);
    canvas.on_load(move |element| {
        let hear = Closure::<dyn Fn(f64, f64)>::new(move |shown: f64, _: f64| {
            let wanted = shown * pixel_ratio();
            let fitting = WIDTHS.into_iter().find(|width| f64::from(*width) >= wanted * 0.9).unwrap_or(WIDTHS[3]);
            if width.try_get_untracked().is_some_and(|now| now != fitting && shown > 0.0) {
                width.set(fitting);
            }
        });
        let stop = measure(&element, hear.as_ref().unchecked_ref());
        ends.update_value(|ends| ends.push(stop));
        // Freed with the window; there are a few of them.
        hear.forget();
    });
    let watching = StoredValue::new_local(None::<js_sys::Function>);
    Effect::new(move || {
        let (Some(canvas), width) = (canvas.get(), width.get()) else { return };
        if let Some(before) = watching.try_update_value(Option::take).flatten() {
            end(&before);
        }
        if width > 0 {
            watching.set_value(Some(watch_pictures(view, width, &canvas)));
        }
    });
    on_cleanup(move || {
        if let Some(last) = watching.try_update_value(Option::take).flatten() {
            end(&last);
        }
        ends.try_update_value(|ends| ends.drain(..).for_each(|stop| end(&stop)));
    });
    let aspect = move || {
        let size = canvas_size.get();
        format!("{:.5}", f64::from(size.width) / f64::from(size.height.max(1)))
    };
    view! {
        <div class="picture-room" style=("--aspect", aspect)>
            <div class="picture">
                <canvas node_ref=canvas class="picture-canvas" data-view=view width="640" height="360" role="img" aria-label=if view == "program" { "What viewers see" } else { "The scene in preparation" }></canvas>
                {children.map(|over| over())}
            </div>
        </div>
    }
}

/// A drag under way.
#[derive(Clone)]
struct Drag {
    item: ItemId,
    grip: Grip,
    /// Where the mouse took hold, pixels of the page.
    from: (f64, f64),
    start: Shape,
    /// Pixels of the canvas per pixel of the page.
    scale: f64,
    magnets: Magnets,
    source: Option<(u32, u32)>,
    has_moved: bool,
    /// What a click without moving selects.
    hit: Option<ItemId>,
}

/// Where edits of a drag stand: one is asked for at a time, the newest next.
#[derive(Clone, Copy)]
struct Dragging {
    stage: Backstage,
    trouble: RwSignal<Option<String>>,
    drag: StoredValue<Option<Drag>>,
    /// What is drawn meanwhile.
    shape: RwSignal<Option<(ItemId, Shape)>>,
    is_asking: StoredValue<bool>,
    wanted: StoredValue<Option<(ItemId, Shape)>>,
}

impl Dragging {
    fn send(self, item: ItemId, shape: Shape) {
        self.wanted.set_value(Some((item, shape)));
        if self.is_asking.get_value() {
            return;
        }
        self.is_asking.set_value(true);
        leptos::task::spawn_local(async move {
            while let Some((item, shape)) = self.wanted.try_update_value(Option::take).flatten() {
                let before = self.stage.collection.with_untracked(|now| now.item(item).map(|(_, item)| item.crop));
                let edit = match before {
                    Some(crop) if crop == shape.crop => Edit::Place { item, place: shape.place },
                    _ => Edit::Crop { item, crop: shape.crop, place: Some(shape.place) },
                };
                let answer = ask(&Command::Edit { edit }).await;
                self.trouble.try_set(answer.err().map(|problem| problem.message));
            }
            self.is_asking.try_set_value(false);
            // The snapshot with the last edit is on its way.
            let settle = move || {
                if self.drag.try_with_value(Option::is_none) == Some(true)
                    && self.is_asking.try_get_value() == Some(false)
                {
                    self.shape.try_set(None);
                }
            };
            set_timeout(settle, std::time::Duration::from_millis(80));
        });
    }

    fn begin(self, event: &PointerEvent, overlay: &web_sys::Element) {
        let rect = overlay.get_bounding_client_rect();
        let canvas = self.stage.collection.with_untracked(|now| now.canvas);
        let scale = f64::from(canvas.width) / rect.width().max(1.0);
        let from = (f64::from(event.client_x()), f64::from(event.client_y()));
        let point = (((from.0 - rect.left()) * scale) as i32, ((from.1 - rect.top()) * scale) as i32);
        let items = self
            .stage
            .collection
            .with_untracked(|now| now.scene(now.edited()).map(|scene| scene.items.clone()).unwrap_or_default());
        let hit = item_at(&items, point);
        let selected = untrack(|| self.stage.selection()).map(|(item, _)| item).filter(|item| !item.is_locked);
        let grip = grip_of(event);
        let taken = match (&grip, &selected) {
            (Grip::Edge(..), Some(selected)) => Some(selected),
            (Grip::Inside, Some(selected)) if item_at(std::slice::from_ref(selected), point).is_some() => {
                Some(selected)
            }
            _ => hit,
        };
        let Some(item) = taken else {
            return self.stage.selected.set(None);
        };
        let others: Vec<Rect> =
            items.iter().filter(|other| other.id != item.id && other.is_visible).map(|other| other.place).collect();
        self.drag.set_value(Some(Drag {
            item: item.id,
            grip,
            from,
            start: Shape::of(item),
            scale,
            magnets: Magnets::new(canvas, &others, (REACH_PX * scale).round() as i32),
            source: untrack(|| self.stage.size_of(item)),
            has_moved: false,
            hit: hit.map(|hit| hit.id).or(Some(item.id)),
        }));
        self.stage.selected.set(Some(item.id));
    }

    fn pull(self, event: &PointerEvent) {
        let Some(mut drag) = self.drag.get_value() else { return };
        let by = (f64::from(event.client_x()) - drag.from.0, f64::from(event.client_y()) - drag.from.1);
        if !drag.has_moved && by.0.abs().max(by.1.abs()) < CLICK_PX {
            return;
        }
        drag.has_moved = true;
        let keys = Keys { is_free: event.shift_key(), crops: event.alt_key(), is_exact: event.ctrl_key() };
        let pixels = ((by.0 * drag.scale).round() as i32, (by.1 * drag.scale).round() as i32);
        let shape = dragged(drag.start, drag.grip, pixels, keys, &drag.magnets, drag.source);
        let item = drag.item;
        self.drag.set_value(Some(drag));
        self.shape.set(Some((item, shape)));
        self.send(item, shape);
    }

    fn end(self) {
        let Some(drag) = self.drag.try_update_value(Option::take).flatten() else { return };
        if !drag.has_moved && drag.grip == Grip::Inside {
            self.stage.selected.set(drag.hit);
        }
    }
}

/// What of the overlay is under the mouse.
fn grip_of(event: &PointerEvent) -> Grip {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let at = target.and_then(|target| target.get_attribute("data-grip")?.parse::<usize>().ok());
    at.and_then(|at| Grip::HANDLES.get(at)).map_or(Grip::Inside, |(h, v)| Grip::Edge(*h, *v))
}

/// Over the picture that is edited: the selected item's frame and handles.
#[component]
fn Overlay(trouble: RwSignal<Option<String>>) -> impl IntoView {
    let stage = Backstage::get();
    let overlay = NodeRef::<html::Div>::new();
    let dragging = Dragging {
        stage,
        trouble,
        drag: StoredValue::new(None),
        shape: RwSignal::new(None),
        is_asking: StoredValue::new(false),
        wanted: StoredValue::new(None),
    };
    let pressed = move |event: PointerEvent| {
        let Some(overlay) = overlay.get_untracked() else { return };
        if event.button() == 0 {
            overlay.focus().ok();
            // Without, the drag only ends at the picture's edge.
            overlay.set_pointer_capture(event.pointer_id()).ok();
            event.prevent_default();
            dragging.begin(&event, &overlay);
        }
    };
    let frame = move || {
        let (item, _) = stage.selection()?;
        let place = dragging.shape.get().filter(|(id, _)| *id == item.id).map_or(item.place, |(_, shape)| shape.place);
        Some((item, place))
    };
    let is_empty =
        move || stage.collection.with(|now| now.scene(now.edited()).is_none_or(|scene| scene.items.is_empty()));
    view! {
        <div
            class="overlay"
            id="overlay"
            node_ref=overlay
            tabindex="0"
            role="application"
            aria-label="Edit the picture: click selects, arrow keys move, Delete removes"
            on:pointerdown=pressed
            on:pointermove=move |event| dragging.pull(&event)
            on:pointerup=move |_| dragging.end()
            on:pointercancel=move |_| dragging.end()
            on:keydown=move |event| keyed(&event, stage, trouble)
        >
            <Show when=is_empty><p class="overlay-empty">"Add a source to this scene: it appears here."</p></Show>
            {move || frame().map(|(item, place)| view! { <Frame item place/> })}
        </div>
    }
}

/// The selected item's frame.
#[component]
fn Frame(item: Item, place: Rect) -> impl IntoView {
    let stage = Backstage::get();
    let canvas = stage.collection.with_untracked(|now| now.canvas);
    let across = |value: f64| format!("{:.3}%", value * 100.0 / f64::from(canvas.width));
    let down = |value: f64| format!("{:.3}%", value * 100.0 / f64::from(canvas.height));
    let handles = (!item.is_locked).then(|| {
        let handles = Grip::HANDLES.into_iter().enumerate();
        handles
            .map(|(at, (h, v))| view! { <i class="handle" data-grip=at.to_string() data-h=h.to_string() data-v=v.to_string()></i> })
            .collect_view()
    });
    view! {
        <div
            class="frame"
            class:locked=item.is_locked
            class:dim=!item.is_visible
            style:left=across(place.x.into())
            style:top=down(place.y.into())
            style:width=across(place.width.into())
            style:height=down(place.height.into())
        >
            <span class="frame-size">{format!("{} × {}", place.width, place.height)}</span>
            {handles}
        </div>
    }
}

/// Arrow keys move the selected item by a pixel, with shift by ten.
fn keyed(event: &KeyboardEvent, stage: Backstage, trouble: RwSignal<Option<String>>) {
    let Some((item, _)) = untrack(|| stage.selection()) else { return };
    let step = if event.shift_key() { 10 } else { 1 };
    let (dx, dy) = match event.key().as_str() {
        "ArrowLeft" => (-step, 0),
        "ArrowRight" => (step, 0),
        "ArrowUp" => (0, -step),
        "ArrowDown" => (0, step),
        "Delete" | "Backspace" => {
            event.prevent_default();
            return stage.edit(trouble, Edit::RemoveItem { item: item.id });
        }
        "Escape" => return stage.selected.set(None),
        _ => return,
    };
    event.prevent_default();
    if !item.is_locked {
        let place = Rect { x: item.place.x + dx, y: item.place.y + dy, ..item.place };
        stage.edit(trouble, Edit::Place { item: item.id, place });
    }
}
