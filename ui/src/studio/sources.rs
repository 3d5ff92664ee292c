//! What the scene shows, the topmost first.

use std::sync::Arc;

use leptos::prelude::*;
use skylark_protocol::studio::{Edit, Item, ItemId, SourceStatus};

use super::{
    Panel, Trouble,
    add::AddSource,
    backstage::Backstage,
    list::{Acts, Row, Rows},
    shapes,
};
use crate::brand::{Icon, shapes as brand};

/// The panel.
#[component]
pub(super) fn Sources() -> impl IntoView {
    let stage = Backstage::get();
    let (trouble, renaming, adding) = (RwSignal::new(None), RwSignal::new(None), RwSignal::new(false));
    let states = stage.part(|now| now.sources.clone());
    let rows = Memo::new(move |_| {
        let selected = stage.selected.get();
        stage.collection.with(|collection| {
            let Some(scene) = collection.scene(collection.edited()) else { return Vec::new() };
            let row = |item: &Item| {
                let source = collection.source(item.source);
                let problem = states.with(|states| {
                    let state = states.iter().find(|state| state.source == item.source)?;
                    match &state.status {
                        SourceStatus::Missing { reason } => Some(reason.clone()),
                        SourceStatus::Starting | SourceStatus::Running => None,
                    }
                });
                Row {
                    id: item.id.0,
                    name: source.map(|source| source.name.clone()).unwrap_or_default(),
                    icon: source.map(|source| shapes::of(&source.input)),
                    is_current: selected == Some(item.id),
                    is_dim: !item.is_visible,
                    is_on_air: false,
                    problem,
                }
            };
            scene.items.iter().rev().map(row).collect::<Vec<_>>()
        })
    });
    // Rows stand upside down: the topmost item is the last of the scene.
    let index = move |shown: usize| rows.with_untracked(Vec::len).saturating_sub(1).saturating_sub(shown);
    let reorder = move |id: u32, to: usize| stage.edit(trouble, Edit::MoveItem { item: ItemId(id), to: index(to) });
    let acts = Acts {
        choose: Callback::new(move |id| stage.selected.set(Some(ItemId(id)))),
        open: Some(Callback::new(move |id| renaming.set(Some(id)))),
        rename: Callback::new(move |(id, name)| {
            let source = stage.collection.with_untracked(|now| now.item(ItemId(id)).map(|(_, item)| item.source));
            if let Some(source) = source {
                stage.edit(trouble, Edit::RenameSource { source, name });
            }
        }),
        remove: Callback::new(move |id| stage.edit(trouble, Edit::RemoveItem { item: ItemId(id) })),
        reorder: Callback::new(move |(id, to)| reorder(id, to)),
    };
    let buttons = Arc::new(move |id: u32, tab| toggles(stage, trouble, ItemId(id), tab));
    let shift = move |by: isize| {
        let selected = stage.selected.get_untracked().map(|item| item.0);
        let at = rows.with_untracked(|rows| rows.iter().position(|row| Some(row.id) == selected));
        if let (Some(id), Some(to)) = (selected, at.and_then(|at| at.checked_add_signed(by))) {
            reorder(id, to);
        }
    };
    let at = move || rows.with(|rows| rows.iter().position(|row| row.is_current));
    let tools = move || {
        view! {
        <button type="button" id="add-source" class="tool" aria-label="Add a source" title="Add a source" aria-haspopup="dialog" on:click=move |_| adding.set(true)><Icon path=shapes::PLUS/></button>
        <button type="button" id="raise" class="tool" aria-label="Move up" title="Move up (Alt+↑)" disabled=move || at().is_none_or(|at| at == 0) on:click=move |_| shift(-1)><Icon path=shapes::UP/></button>
        <button type="button" id="lower" class="tool" aria-label="Move down" title="Move down (Alt+↓)" disabled=move || at().is_none_or(|at| at + 1 >= rows.with(Vec::len)) on:click=move |_| shift(1)><Icon path=brand::CHEVRON/></button>
        <button
            type="button"
            id="remove-source"
            class="tool"
            aria-label="Remove the selected source"
            title="Remove the selected source (Delete)"
            disabled=move || at().is_none()
            on:click=move |_| { if let Some(item) = stage.selected.get_untracked() { acts.remove.run(item.0) } }
        >
            <Icon path=shapes::TRASH/>
        </button>
    }
    .into_any()
    };
    view! {
        <Panel id="sources" title="Sources" tools=tools>
            <Rows label="Sources, topmost first" rows acts buttons renaming/>
            <Show when=move || rows.with(Vec::is_empty)>
                <div class="panel-empty">
                    <p>"This scene is empty."</p>
                    <button type="button" class="button" on:click=move |_| adding.set(true)><Icon path=shapes::PLUS/>"Add a source"</button>
                </div>
            </Show>
            <Trouble trouble/>
        </Panel>
        <AddSource open=adding/>
    }
}

/// The eye and the lock of a row.
fn toggles(stage: Backstage, trouble: RwSignal<Option<String>>, id: ItemId, tab: Signal<&'static str>) -> AnyView {
    let is = move |part: fn(&Item) -> bool| {
        stage.collection.with(|collection| collection.item(id).is_some_and(|(_, item)| part(item)))
    };
    let is_visible = move || is(|item| item.is_visible);
    let is_locked = move || is(|item| item.is_locked);
    view! {
        <button
            type="button"
            class="tool lock"
            tabindex=tab
            class:pressed=is_locked
            aria-label="Keep in place"
            title=move || { if is_locked() { "Locked: let it move" } else { "Keep it in place" } }
            aria-pressed=move || is_locked().to_string()
            on:click=move |_| stage.edit(trouble, Edit::Lock { item: id, is_locked: !untrack(is_locked) })
        >
            <Icon path=Signal::derive(move || if is_locked() { shapes::LOCK } else { shapes::UNLOCK })/>
        </button>
        <button
            type="button"
            class="tool eye"
            tabindex=tab
            aria-label="Show"
            title=move || { if is_visible() { "Hide" } else { "Show" } }
            aria-pressed=move || is_visible().to_string()
            on:click=move |_| stage.edit(trouble, Edit::Show { item: id, is_visible: !untrack(is_visible) })
        >
            <Icon path=Signal::derive(move || if is_visible() { brand::EYE } else { shapes::HIDDEN })/>
        </button>
    }
    .into_any()
}
