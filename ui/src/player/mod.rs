//! The page of a stream.

mod controls;
mod driver;
mod keys;
mod message;
mod quality;

use leptos::{html, prelude::*};
use skylark_protocol::{StreamId, StreamState};

use crate::{
    brand::{Header, Icon, Mark, shapes},
    engine,
    playback::{Event, State},
};
use driver::Player;

/// `/s/{id}`
#[component]
pub(crate) fn Watch(id: StreamId) -> impl IntoView {
    let player = Player::new(id.clone());
    let stage = NodeRef::<html::Div>::new();
    let help = RwSignal::new(false);
    keys::listen(player, stage, help);
    document().set_title("Live on Skylark");
    view! {
        <div class="page">
            <Header><span/></Header>
            <main class="watch">
                <Stage player stage help/>
                <Facts player id/>
            </main>
        </div>
    }
}

/// Video, controls and messages.
#[component]
fn Stage(player: Player, stage: NodeRef<html::Div>, help: RwSignal<bool>) -> impl IntoView {
    let video = NodeRef::<html::Video>::new();
    let still = NodeRef::<html::Canvas>::new();
    let awake = Awake::new(player);
    Effect::new(move |started: Option<bool>| {
        if started != Some(true)
            && let (Some(video), Some(still)) = (video.get(), still.get())
        {
            player.start(video, still);
            return true;
        }
        started.unwrap_or(false)
    });
    let view = player.view;
    let idle = move || {
        let busy = awake.on.get() || help.get() || player.menu_open.get();
        !busy && view.get().state == State::Playing
    };
    view! {
        <div
            id="player"
            class="stage"
            class:idle=idle
            node_ref=stage
            data-state=move || view.get().state.as_str()
            data-waiting=move || view.get().waits.to_string()
            data-latency-ms=move || player.latency_ms.get().map(|ms| ms.to_string())
            data-level=move || player.playing_level.get().to_string()
            on:pointermove=move |_| awake.touch()
            on:pointerdown=move |event| awake.touch_by(&event.pointer_type())
            on:focusin=move |_| awake.touch()
            on:pointerleave=move |event| if event.pointer_type() == "mouse" { awake.sleep() }
        >
            <canvas class="still" node_ref=still aria-hidden="true"></canvas>
            <video
                id="video"
                node_ref=video
                playsinline
                preload="auto"
                on:playing=move |_| player.tell(Event::Playing)
                on:waiting=move |_| player.tell(Event::Waiting)
                on:ended=move |_| player.tell(Event::Finished)
                on:pause=move |_| player.stopped()
                on:play=move |_| player.started()
                on:click=move |_| controls::tapped(player, awake)
                on:dblclick=move |_| controls::fullscreen(player, stage)
            />
            <message::Message player/>
            <controls::Controls player stage help/>
            <keys::Help help/>
        </div>
    }
}

/// Whether the controls are shown: for a moment after each touch of mouse, finger or keyboard.
#[derive(Clone, Copy)]
struct Awake {
    on: RwSignal<bool>,
    until_ms: StoredValue<f64>,
    /// The last press came from a finger, and the controls were hidden then.
    called: StoredValue<bool>,
}

/// How long the controls stay, in milliseconds.
const AWAKE_MS: f64 = 2_600.0;

impl Awake {
    fn new(player: Player) -> Self {
        let awake = Self {
            on: RwSignal::new(true),
            until_ms: StoredValue::new(js_sys::Date::now() + AWAKE_MS),
            called: StoredValue::new(false),
        };
        Effect::new(move || {
            // The latency is measured several times a second: a clock as good as any.
            player.latency_ms.track();
            if awake.on.get_untracked() && js_sys::Date::now() > awake.until_ms.get_value() {
                awake.on.set(false);
            }
        });
        awake
    }

    fn touch(self) {
        self.until_ms.set_value(js_sys::Date::now() + AWAKE_MS);
        if !self.on.get_untracked() {
            self.on.set(true);
        }
    }

    /// A press: a finger first calls the controls, a mouse acts at once.
    fn touch_by(self, pointer: &str) {
        self.called.set_value(pointer == "touch");
        self.touch();
    }

    fn sleep(self) {
        self.on.set(false);
    }
}

/// What there is to know about the stream, below the picture.
#[component]
fn Facts(player: Player, id: StreamId) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = move |_| {
        leptos::task::spawn_local(async move {
            let address = window().location().href().unwrap_or_default();
            copied.set(engine::copy_text(&address).await.is_truthy());
            set_timeout(move || copied.set(false), std::time::Duration::from_secs(2));
        });
    };
    let headline = move || match player.stream.get().map(|stream| stream.state) {
        Some(StreamState::Live | StreamState::Reconnecting) => "Live stream",
        Some(StreamState::Ended) => "Past stream",
        _ => "Stream",
    };
    let since = move || {
        player.latency_ms.track();
        let stream = player.stream.get()?;
        let live = matches!(stream.state, StreamState::Live | StreamState::Reconnecting);
        let started_ms = stream.started_at_ms.filter(|_| live)?;
        Some(format!("Live for {}", crate::home::duration(js_sys::Date::now() - started_ms as f64)))
    };
    view! {
        <section class="facts" aria-label="About this stream">
            <span class="avatar"><Mark/></span>
            <div class="facts-text">
                <h1>{headline}</h1>
                <p>
                    <span class="id">{id.to_string()}</span>
                    {move || since().map(|text| view! { <span class="since">{text}</span> })}
                </p>
            </div>
            <button type="button" id="copy" class="pill" on:click=copy>
                <Icon path=Signal::derive(move || if copied.get() { shapes::CHECK } else { shapes::LINK })/>
                <span aria-live="polite">{move || if copied.get() { "Copied" } else { "Copy link" }}</span>
            </button>
        </section>
    }
}
