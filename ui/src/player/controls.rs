//! The bar under the picture.

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast as _;

use super::{Awake, driver::Player, quality::Quality};
use crate::{
    brand::{Icon, shapes},
    engine,
    playback::{Event, State},
};

/// All controls; hidden while there is no picture to control.
#[component]
pub(super) fn Controls(player: Player, stage: NodeRef<html::Div>, help: RwSignal<bool>) -> impl IntoView {
    let view = player.view;
    let has_picture = move || matches!(view.get().state, State::Playing | State::Paused | State::Reconnecting);
    let moves = move || view.get().state == State::Playing;
    let paused = move || view.get().state == State::Paused;
    let enlarged = RwSignal::new(false);
    let listener = window_event_listener_untyped("fullscreenchange", move |_| enlarged.set(engine::is_fullscreen()));
    on_cleanup(move || listener.remove());
    view! {
        <div class="controls" class:hidden=move || !has_picture()>
            <button
                type="button"
                id="play"
                class="control"
                aria-label=move || if paused() { "Play" } else { "Pause" }
                title=move || if paused() { "Play (k)" } else { "Pause (k)" }
                on:click=move |_| player.toggle()
            >
                <Icon path=Signal::derive(move || if paused() { shapes::PLAY } else { shapes::PAUSE })/>
            </button>
            <Volume player/>
            <Live player/>
            <span class="spacer"></span>
            <Quality player/>
            <button
                type="button"
                id="help"
                class="control desktop"
                aria-label="Keyboard keys"
                title="Keyboard keys (?)"
                aria-expanded=move || help.get().to_string()
                on:click=move |_| help.update(|open| *open = !*open)
            >
                <Icon path=shapes::KEYS/>
            </button>
            <PictureInPicture player/>
            <button
                type="button"
                id="fullscreen"
                class="control"
                aria-label=move || if enlarged.get() { "Leave full screen" } else { "Full screen" }
                title=move || if enlarged.get() { "Leave full screen (f)" } else { "Full screen (f)" }
                on:click=move |_| fullscreen(player, stage)
            >
                <Icon path=Signal::derive(move || if enlarged.get() { shapes::REDUCE } else { shapes::ENLARGE })/>
            </button>
        </div>
        <button
            type="button"
            id="unmute"
            class="unmute"
            class:hidden=move || !(player.sound_blocked.get() && moves())
            on:click=move |_| player.set_muted(false)
        >
            <Icon path=shapes::MUTED/>
            "Tap for sound"
        </button>
    }
}

#[component]
fn Volume(player: Player) -> impl IntoView {
    let silent = move || player.muted.get() || player.volume.get() == 0.0;
    let heard = move || if player.muted.get() { 0.0 } else { player.volume.get() };
    view! {
        <div class="volume">
            <button
                type="button"
                id="mute"
                class="control"
                aria-label=move || if silent() { "Unmute" } else { "Mute" }
                title=move || if silent() { "Unmute (m)" } else { "Mute (m)" }
                on:click=move |_| player.set_muted(!player.muted.get_untracked())
            >
                <Icon path=Signal::derive(move || if silent() { shapes::MUTED } else { shapes::SOUND })/>
            </button>
            <input
                id="volume"
                type="range"
                min="0"
                max="1"
                step="0.05"
                aria-label="Volume"
                aria-valuetext=move || format!("{} %", percent(heard()))
                style:--filled=move || format!("{}%", percent(heard()))
                prop:value=move || f64::from(percent(heard())) / 100.0
                on:input=move |event| player.set_volume(event_target::<web_sys::HtmlInputElement>(&event).value_as_number())
            />
        </div>
    }
}

/// Whole numbers are told: to write fractions, the program would need as much again as this whole bar.
fn percent(volume: f64) -> u32 {
    (volume * 100.0).round() as u32
}

/// The live badge, which is also the way back to the live edge, and how old the picture is.
#[component]
fn Live(player: Player) -> impl IntoView {
    let at_edge = move || player.view.get().at_live_edge;
    let interrupted = move || player.view.get().state == State::Reconnecting;
    let latency = move || {
        let ms = player.latency_ms.get().filter(|ms| (0..3_600_000).contains(ms))?;
        let tenths = (ms + 50) / 100;
        Some(format!("{}.{} s", tenths / 10, tenths % 10))
    };
    view! {
        <button
            type="button"
            id="live"
            class="live"
            class:behind=move || !at_edge()
            class:hidden=interrupted
            aria-label=move || if at_edge() { "Live" } else { "Go to live" }
            title=move || if at_edge() { "You are watching live" } else { "Go to live (l)" }
            on:click=move |_| if !player.view.get_untracked().at_live_edge { player.tell(Event::GoLive) }
        >
            <span class="dot"></span>
            {move || if at_edge() { "Live" } else { "Go live" }}
        </button>
        <span id="latency" class="latency" class:hidden=interrupted title="Age of the picture since it reached the server">{latency}</span>
    }
}

#[component]
fn PictureInPicture(player: Player) -> impl IntoView {
    let toggle = move |_| {
        if let Some(video) = player.video() {
            engine::toggle_picture_in_picture(&video);
        }
    };
    engine::can_picture_in_picture().then(|| {
        view! {
            <button
                type="button"
                id="pip"
                class="control"
                aria-label="Picture in picture"
                title="Picture in picture (i)"
                on:click=toggle
            >
                <Icon path=shapes::PICTURE/>
            </button>
        }
    })
}

/// Makes the player fill the screen, or not.
pub(super) fn fullscreen(player: Player, stage: NodeRef<html::Div>) {
    if let (Some(stage), Some(video)) = (stage.get_untracked(), player.video()) {
        engine::toggle_fullscreen(stage.unchecked_ref(), &video);
    }
}

/// The picture was clicked: with a mouse that stops and starts it; a finger only calls the controls, or the sound.
pub(super) fn tapped(player: Player, awake: Awake) {
    if player.sound_blocked.get_untracked() {
        player.set_muted(false);
    } else if !awake.called.get_value() && matches!(player.view.get_untracked().state, State::Playing | State::Paused) {
        player.toggle();
    }
}
