//! Columns and docks whose size people change, and that remember it.

use leptos::{ev::KeyboardEvent, prelude::*};
use wasm_bindgen::JsCast as _;

use super::backstage::letter_px;
use crate::engine;

/// The smallest size and the largest part of the window that a pane takes. Sizes are in letters (`rem`), which are larger in
/// larger windows.
const MIN: f64 = 12.0;
const MAX_SHARE: f64 = 0.6;
/// How far an arrow key moves an edge.
const STEP: f64 = 1.0;

/// The edge that can be dragged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Left,
    Right,
    Top,
}

impl Edge {
    fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Top => "top",
        }
    }
}

/// The size after its edge was moved by so much towards the right or the bottom.
fn resized(edge: Edge, size: f64, by: f64, room: f64) -> f64 {
    let grown = if edge == Edge::Right { size + by } else { size - by };
    grown.min(room * MAX_SHARE).max(MIN)
}

/// A pane.
#[component]
pub(super) fn Pane(name: &'static str, edge: Edge, initial: f64, children: Children) -> impl IntoView {
    let key = format!("skylark.studio.{name}");
    let kept =
        engine::remembered(&key).and_then(|text| text.parse::<f64>().ok()).filter(|size| (MIN..200.0).contains(size));
    let size = RwSignal::new(kept.unwrap_or(initial));
    let from = StoredValue::new(None::<(f64, f64)>);
    let key = StoredValue::new(key);
    let keep = move || engine::remember(&key.get_value(), &format!("{:.2}", size.get_untracked()));
    let at = move |event: &leptos::ev::PointerEvent| match edge {
        Edge::Top => f64::from(event.client_y()),
        Edge::Left | Edge::Right => f64::from(event.client_x()),
    };
    let pressed = move |event: leptos::ev::PointerEvent| {
        event.prevent_default();
        if let Some(bar) = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) {
            // Without, the edge lets go when the mouse is faster.
            bar.set_pointer_capture(event.pointer_id()).ok();
        }
        from.set_value(Some((at(&event), size.get_untracked())));
    };
    let moved = move |event: leptos::ev::PointerEvent| {
        if let Some((start, before)) = from.get_value() {
            size.set(resized(edge, before, (at(&event) - start) / letter_px(), window_size(edge)));
        }
    };
    let released = move |_| {
        if from.try_update_value(Option::take).flatten().is_some() {
            keep();
        }
    };
    let keyed = move |event: KeyboardEvent| {
        let by = match (event.key().as_str(), edge) {
            ("ArrowLeft", Edge::Left | Edge::Right) | ("ArrowUp", Edge::Top) => -STEP,
            ("ArrowRight", Edge::Left | Edge::Right) | ("ArrowDown", Edge::Top) => STEP,
            _ => return,
        };
        event.prevent_default();
        size.update(|size| *size = resized(edge, *size, by, window_size(edge)));
        keep();
    };
    let reset = move |_| {
        size.set(initial);
        keep();
    };
    let length = move || format!("{:.2}rem", size.get());
    let is_row = edge == Edge::Top;
    view! {
        <div class="pane" data-pane=name data-edge=edge.as_str() style:width=move || (!is_row).then(length) style:height=move || is_row.then(length)>
            <div
                class="splitter"
                role="separator"
                tabindex="0"
                aria-orientation=if is_row { "horizontal" } else { "vertical" }
                aria-label=format!("Size of the {name} panels")
                aria-valuenow=move || format!("{:.0}", size.get())
                aria-valuemin=MIN.to_string()
                on:pointerdown=pressed
                on:pointermove=moved
                on:pointerup=released
                on:dblclick=reset
                on:keydown=keyed
            ></div>
            {children()}
        </div>
    }
}

/// How much room the window has across that edge.
fn window_size(edge: Edge) -> f64 {
    let size = if edge == Edge::Top { window().inner_height() } else { window().inner_width() };
    size.ok().and_then(|size| size.as_f64()).unwrap_or(1280.0) / letter_px()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_stay_between_too_small_and_too_large() {
        assert_eq!(resized(Edge::Right, 18.0, 3.0, 90.0), 21.0);
        assert_eq!(resized(Edge::Left, 21.0, 3.0, 90.0), 18.0);
        assert_eq!(resized(Edge::Top, 18.0, -500.0, 50.0), 30.0);
        assert_eq!(resized(Edge::Right, 18.0, -500.0, 90.0), MIN);
    }
}
