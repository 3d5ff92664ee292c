//! The list of scenes.

use std::sync::Arc;

use leptos::prelude::*;
use skylark_protocol::studio::{Command, Edit, SceneId};

use super::{
    Panel, Trouble,
    backstage::Backstage,
    list::{Acts, Row, Rows},
    shapes, words,
};
use crate::brand::Icon;

/// The panel.
#[component]
pub(super) fn Scenes() -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    let renaming = RwSignal::new(None);
    let rows = Memo::new(move |_| {
        stage.collection.with(|collection| {
            let row = |scene: &skylark_protocol::studio::Scene| Row {
                id: scene.id.0,
                name: scene.name.clone(),
                icon: None,
                is_current: scene.id == collection.edited(),
                is_dim: false,
                is_on_air: collection.preview.is_some() && scene.id == collection.program,
                problem: None,
            };
            collection.scenes.iter().map(row).collect::<Vec<_>>()
        })
    });
    // In studio mode a click prepares a scene, and a double click brings it on air.
    let choose = Callback::new(move |id| {
        let (scene, is_studio) = (SceneId(id), stage.collection.with_untracked(|now| now.preview.is_some()));
        if stage.collection.with_untracked(|now| now.edited()) == scene {
            return;
        }
        stage.selected.set(None);
        match is_studio {
            true => stage.edit(trouble, Edit::Prepare { scene: Some(scene) }),
            false => stage.act(trouble, Command::Take { scene }),
        }
    });
    let open = Callback::new(move |id| {
        if stage.collection.with_untracked(|now| now.preview.is_some()) {
            stage.act(trouble, Command::Take { scene: SceneId(id) });
        }
    });
    let acts = Acts {
        choose,
        open: Some(open),
        rename: Callback::new(move |(id, name)| stage.edit(trouble, Edit::RenameScene { scene: SceneId(id), name })),
        remove: Callback::new(move |id| stage.edit(trouble, Edit::RemoveScene { scene: SceneId(id) })),
        reorder: Callback::new(move |(id, to)| stage.edit(trouble, Edit::MoveScene { scene: SceneId(id), to })),
    };
    let add = move |_| {
        let name = stage
            .collection
            .with_untracked(|now| words::free_name("Scene", now.scenes.iter().map(|scene| scene.name.as_str())));
        stage.edit(trouble, Edit::AddScene { name });
    };
    let copy = move |_| {
        let copied = stage.collection.with_untracked(|now| {
            let scene = now.scene(now.edited())?;
            Some((scene.id, words::free_name(&scene.name, now.scenes.iter().map(|scene| scene.name.as_str()))))
        });
        if let Some((scene, name)) = copied {
            stage.edit(trouble, Edit::CopyScene { scene, name });
        }
    };
    let buttons = Arc::new(move |id: u32, tab: Signal<&'static str>| {
        view! {
            <button type="button" class="tool" tabindex=tab aria-label="Rename" title="Rename (F2)" on:click=move |_| renaming.set(Some(id))>
                <Icon path=shapes::PENCIL/>
            </button>
        }
        .into_any()
    });
    let tools = move || {
        view! {
        <button type="button" id="add-scene" class="tool" aria-label="Add a scene" title="Add a scene" on:click=add><Icon path=shapes::PLUS/></button>
        <button type="button" id="copy-scene" class="tool" aria-label="Copy this scene" title="Copy this scene" on:click=copy><Icon path=shapes::COPY/></button>
        <button
            type="button"
            id="remove-scene"
            class="tool"
            aria-label="Remove this scene"
            title="Remove this scene"
            disabled=move || stage.collection.with(|now| now.scenes.len() < 2)
            on:click=move |_| acts.remove.run(stage.collection.with_untracked(|now| now.edited().0))
        >
            <Icon path=shapes::TRASH/>
        </button>
    }
    .into_any()
    };
    view! {
        <Panel id="scenes" title="Scenes" tools=tools>
            <Rows label="Scenes" rows acts buttons renaming/>
            <Trouble trouble/>
        </Panel>
    }
}
