//! Lists whose rows are chosen, renamed and put in order, by mouse and by keyboard.

use std::sync::Arc;

use leptos::{ev::KeyboardEvent, html, prelude::*};
use skylark_protocol::studio::Collection;
use wasm_bindgen::JsCast as _;

use super::shapes;
use crate::brand::Icon;

/// What a row shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) icon: Option<&'static str>,
    /// It is the one that is worked on.
    pub(super) is_current: bool,
    /// It is there and cannot be seen.
    pub(super) is_dim: bool,
    /// What viewers see.
    pub(super) is_on_air: bool,
    /// Why it does not work.
    pub(super) problem: Option<String>,
}

/// Buttons at the end of a row; told their `tabindex`, since the tabulator stops at one row only.
pub(super) type Buttons = Arc<dyn Fn(u32, Signal<&'static str>) -> AnyView + Send + Sync>;

/// What can be done to rows.
#[derive(Clone, Copy)]
pub(super) struct Acts {
    pub(super) choose: Callback<u32>,
    /// With a double click or the return key on the chosen one.
    pub(super) open: Option<Callback<u32>>,
    pub(super) rename: Callback<(u32, String)>,
    pub(super) remove: Callback<u32>,
    /// To an index as shown, from the top.
    pub(super) reorder: Callback<(u32, usize)>,
}

/// A row that is dragged.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Drag {
    id: u32,
    from: usize,
    to: usize,
    start_y: f64,
    by_y: f64,
    /// Height of a row, pixels of the page.
    row_px: f64,
}

/// The list.
#[component]
pub(super) fn Rows(
    label: &'static str,
    rows: Memo<Vec<Row>>,
    acts: Acts,
    buttons: Buttons,
    /// The row whose name is being changed.
    renaming: RwSignal<Option<u32>>,
) -> impl IntoView {
    let drag = RwSignal::new(None::<Drag>);
    let ids = Memo::new(move |_| rows.with(|rows| rows.iter().map(|row| row.id).collect::<Vec<_>>()));
    let stop =
        Memo::new(move |_| rows.with(|rows| rows.iter().find(|row| row.is_current).or(rows.first()).map(|row| row.id)));
    view! {
        <ul class="row-list" aria-label=label>
            <For each=move || ids.get() key=|id| *id let:id>
                {
                    let row = Memo::new(move |_| rows.with(|rows| rows.iter().find(|row| row.id == id).cloned()));
                    view! { <Line row ids stop acts drag renaming buttons=buttons.clone() id/> }
                }
            </For>
        </ul>
    }
}

#[component]
fn Line(
    id: u32,
    row: Memo<Option<Row>>,
    ids: Memo<Vec<u32>>,
    stop: Memo<Option<u32>>,
    acts: Acts,
    buttons: Buttons,
    drag: RwSignal<Option<Drag>>,
    renaming: RwSignal<Option<u32>>,
) -> impl IntoView {
    let of_row = move |part: fn(&Row) -> bool| row.with(|row| row.as_ref().is_some_and(part));
    let is_current = move || of_row(|row| row.is_current);
    let tab = Signal::derive(move || if stop.get() == Some(id) { "0" } else { "-1" });
    let keyed = move |event: KeyboardEvent| keyed(&event, id, ids, acts, renaming);
    let moved = move || {
        let drag = drag.get()?;
        let at = ids.with(|ids| ids.iter().position(|one| *one == id))?;
        shift(drag, at, drag.id == id)
    };
    view! {
        <li
            class="row-line"
            class:current=is_current
            class:dim=move || of_row(|row| row.is_dim)
            class:on-air=move || of_row(|row| row.is_on_air)
            class:dragged=move || drag.with(|drag| drag.is_some_and(|drag| drag.id == id))
            style:transform=move || moved().map(|px| format!("translateY({px:.0}px)"))
            data-id=id.to_string()
        >
            <span class="grip" aria-hidden="true" on:pointerdown=move |event| take(&event, id, ids, drag)
                on:pointermove=move |event| pull(&event, ids, drag)
                on:pointerup=move |_| drop_row(drag, acts)
                on:pointercancel=move |_| drag.set(None)
            >
                <Icon path=shapes::GRIP/>
            </span>
            {move || match renaming.get() == Some(id) {
                true => view! { <Rename name=row.with_untracked(|row| row.as_ref().map(|row| row.name.clone()).unwrap_or_default()) id acts renaming/> }.into_any(),
                false => {
                    view! {
                        <button
                            type="button"
                            class="row-main"
                            tabindex=tab
                            aria-current=move || is_current().to_string()
                            title=move || row.with(|row| row.as_ref().and_then(|row| row.problem.clone()))
                            on:click=move |_| acts.choose.run(id)
                            on:dblclick=move |_| { if let Some(open) = acts.open { open.run(id) } }
                            on:keydown=keyed
                        >
                            {move || row.with(|row| row.as_ref().and_then(|row| row.icon)).map(|icon| view! { <Icon path=icon/> })}
                            <bdi>{move || row.with(|row| row.as_ref().map(|row| row.name.clone()))}</bdi>
                            {move || of_row(|row| row.problem.is_some()).then(|| view! { <span class="row-problem">"No signal"</span> })}
                            {move || of_row(|row| row.is_on_air).then(|| view! { <span class="row-air">"On"</span> })}
                        </button>
                    }.into_any()
                }
            }}
            <span class="row-buttons">{buttons(id, tab)}</span>
        </li>
    }
}

/// How far a row stands from its place while another (or itself) is dragged, pixels.
fn shift(drag: Drag, at: usize, is_dragged: bool) -> Option<f64> {
    if is_dragged {
        return Some(drag.by_y);
    }
    let Drag { from, to, row_px, .. } = drag;
    if from < at && at <= to {
        Some(-row_px)
    } else if to <= at && at < from {
        Some(row_px)
    } else {
        None
    }
}

fn take(event: &leptos::ev::PointerEvent, id: u32, ids: Memo<Vec<u32>>, drag: RwSignal<Option<Drag>>) {
    let Some(from) = ids.with_untracked(|ids| ids.iter().position(|one| *one == id)) else { return };
    if event.button() != 0 {
        return;
    }
    event.prevent_default();
    let grip = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let Some(grip) = grip else { return };
    // Without, it is only lost outside of the list.
    grip.set_pointer_capture(event.pointer_id()).ok();
    let row_px = f64::from(grip.client_height()).max(1.0);
    drag.set(Some(Drag { id, from, to: from, start_y: event.client_y().into(), by_y: 0.0, row_px }));
}

fn pull(event: &leptos::ev::PointerEvent, ids: Memo<Vec<u32>>, drag: RwSignal<Option<Drag>>) {
    let Some(before) = drag.get_untracked() else { return };
    let last = ids.with_untracked(Vec::len).saturating_sub(1);
    let by_y = f64::from(event.client_y()) - before.start_y;
    let to = (before.from as f64 + by_y / before.row_px).round().clamp(0.0, last as f64) as usize;
    drag.set(Some(Drag { by_y, to, ..before }));
}

fn drop_row(drag: RwSignal<Option<Drag>>, acts: Acts) {
    if let Some(Drag { id, from, to, .. }) = drag.get_untracked() {
        drag.set(None);
        if from != to {
            acts.reorder.run((id, to));
        }
    }
}

/// Arrow keys go from row to row, with Alt they take the row along.
fn keyed(event: &KeyboardEvent, id: u32, ids: Memo<Vec<u32>>, acts: Acts, renaming: RwSignal<Option<u32>>) {
    let at = ids.with_untracked(|ids| ids.iter().position(|one| *one == id)).unwrap_or(0);
    let last = ids.with_untracked(Vec::len).saturating_sub(1);
    match (event.key().as_str(), event.alt_key()) {
        ("ArrowUp", true) if at > 0 => acts.reorder.run((id, at - 1)),
        ("ArrowDown", true) if at < last => acts.reorder.run((id, at + 1)),
        ("ArrowUp", false) => focus_sibling(event, false),
        ("ArrowDown", false) => focus_sibling(event, true),
        ("Delete" | "Backspace", _) => acts.remove.run(id),
        ("F2", _) => renaming.set(Some(id)),
        _ => return,
    }
    event.prevent_default();
}

fn focus_sibling(event: &KeyboardEvent, is_next: bool) {
    let line =
        event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()?.closest(".row-line").ok()?);
    let sibling =
        line.and_then(|line| if is_next { line.next_element_sibling() } else { line.previous_element_sibling() });
    let main = sibling.and_then(|line| line.query_selector(".row-main").ok().flatten());
    if let Some(main) = main.and_then(|main| main.dyn_into::<web_sys::HtmlElement>().ok()) {
        main.focus().ok();
    }
}

#[component]
fn Rename(name: String, id: u32, acts: Acts, renaming: RwSignal<Option<u32>>) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let before = name.clone();
    input.on_load(|input| {
        input.focus().ok();
        input.select();
    });
    let keep = move || {
        if renaming.get_untracked() != Some(id) {
            return;
        }
        renaming.set(None);
        let name = input.get_untracked().map(|input| input.value().trim().to_owned()).unwrap_or_default();
        if !name.is_empty() && name != before {
            acts.rename.run((id, name));
        }
    };
    let kept = keep.clone();
    view! {
        <input
            class="row-rename"
            node_ref=input
            aria-label="New name"
            maxlength=Collection::MAX_NAME_CHARS.to_string()
            value=name
            on:keydown=move |event| match event.key().as_str() {
                "Enter" => keep(),
                "Escape" => renaming.set(None),
                _ => {}
            }
            on:blur=move |_| kept()
        />
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_make_room_for_the_one_that_is_dragged() {
        let drag = Drag { id: 7, from: 1, to: 3, start_y: 0.0, by_y: 70.0, row_px: 34.0 };
        let shifts: Vec<_> = (0..5).map(|at| shift(drag, at, at == 1)).collect();
        assert_eq!(shifts, [None, Some(70.0), Some(-34.0), Some(-34.0), None]);
        let up = Drag { from: 3, to: 0, ..drag };
        assert_eq!(shift(up, 0, false), Some(34.0));
        assert_eq!(shift(up, 4, false), None);
    }
}
