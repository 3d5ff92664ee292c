//! What a streamer presses: on air, recording, studio mode.

use leptos::prelude::*;
use skylark_protocol::studio::{BroadcastState, Command, Edit, Outcome};

use super::{Doors, Panel, Trouble, backstage::Backstage, shapes, stage::TransitionChoice, words};
use crate::{
    brand::{Icon, shapes as brand},
    clock,
};

/// The panel.
#[component]
pub(super) fn Controls() -> impl IntoView {
    let stage = Backstage::get();
    let doors = Doors::get();
    let trouble = RwSignal::new(None);
    let saved = RwSignal::new(None::<String>);
    let is_studio = stage.part(|now| now.collection.preview.is_some());
    let recording = stage.part(|now| now.recording.clone());
    let is_on_air = stage.part(|now| words::is_on_air(now.broadcast.state));
    let is_recording = move || recording.with(|recording| recording.path.is_some());
    let record = move |_| {
        let command = if untrack(is_recording) { Command::StopRecording } else { Command::StartRecording };
        stage.act(trouble, command);
    };
    let replay = move |_| {
        stage.then(trouble, Command::SaveReplay, move |outcome| {
            if let Outcome::Saved { path } = outcome {
                saved.set(Some(path));
                set_timeout(move || _ = saved.try_set(None), std::time::Duration::from_secs(8));
            }
        });
    };
    let toggle_studio = move |_| {
        let scene = (!is_studio.get_untracked()).then(|| stage.collection.with_untracked(|now| now.program));
        stage.edit(trouble, Edit::Prepare { scene });
    };
    view! {
        <Panel id="controls" title="Controls">
            <div class="controls-list">
                <AirButton trouble/>
                <button type="button" id="record" class="button wide" class:recording=is_recording aria-pressed=move || is_recording().to_string() on:click=record>
                    <Icon path=Signal::derive(move || if is_recording() { shapes::STOP } else { shapes::RECORD })/>
                    {move || if is_recording() { "Stop recording" } else { "Record" }}
                    <RecordingTime/>
                </button>
                <Show when=move || { recording.with(|recording| recording.replay_s > 0) }>
                    <button type="button" id="save-replay" class="button wide" on:click=replay>
                        <Icon path=shapes::REPLAY/>{move || format!("Save the last {} s", recording.with(|recording| recording.replay_s))}
                    </button>
                </Show>
                <button type="button" id="studio-mode" class="button wide" class:pressed=move || is_studio.get() aria-pressed=move || is_studio.get().to_string() on:click=toggle_studio>
                    <Icon path=shapes::TWO/>"Studio mode"
                </button>
                <button type="button" id="open-settings" class="button wide" aria-haspopup="dialog" on:click=move |_| doors.settings.set(Some("video"))>
                    <Icon path=brand::QUALITY/>"Settings"
                </button>
                <Show when=move || !is_studio.get()><TransitionChoice trouble/></Show>
                {move || saved.get().map(|path| view! { <p class="hint" role="status">"Saved: "<code>{path}</code></p> })}
                // On air it is said where everything else is that goes wrong.
                {move || recording.with(|recording| recording.problem.clone()).filter(|_| !is_on_air.get()).map(|problem| view! { <p class="trouble" role="alert">{problem}</p> })}
                <Trouble trouble/>
            </div>
        </Panel>
    }
}

/// How long is recorded, and how much.
#[component]
fn RecordingTime() -> impl IntoView {
    let stage = Backstage::get();
    let doors = Doors::get();
    let facts = stage.part(|now| (now.recording.since_ms, now.recording.size_bytes));
    move || {
        let (since, size) = facts.get();
        since.map(|since| {
            let ms = doors.now_ms.get() - since as f64;
            view! { <small class="figures-inline" title=words::bytes(size)>{clock::duration(ms)}</small> }
        })
    }
}

/// The one button that matters most.
#[component]
pub(super) fn AirButton(trouble: RwSignal<Option<String>>) -> impl IntoView {
    let stage = Backstage::get();
    let doors = Doors::get();
    let state = stage.part(|now| now.broadcast.state);
    let is_asked = RwSignal::new(false);
    let stop = move |_| {
        is_asked.set(false);
        stage.act(trouble, Command::Stop);
    };
    move || {
        match state.get() {
        BroadcastState::Planned | BroadcastState::Live | BroadcastState::Reconnecting => match is_asked.get() {
            false => view! {
                <button type="button" id="stop" class="button wide danger big" on:click=move |_| is_asked.set(true)><Icon path=shapes::STOP/>"End the stream"</button>
            }
            .into_any(),
            true => view! {
                <div class="ask" role="group" aria-label="End the stream?">
                    <button type="button" id="stop-yes" class="button danger" on:click=stop>"End it"</button>
                    <button type="button" class="button" on:click=move |_| is_asked.set(false)>"Stay live"</button>
                </div>
            }
            .into_any(),
        },
        _ => view! {
            <button type="button" id="go-live" class="button wide primary big" aria-haspopup="dialog" on:click=move |_| doors.open_live()><Icon path=brand::BROADCAST/>"Go live"</button>
        }
        .into_any(),
    }
    }
}
