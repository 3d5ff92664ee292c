//! The Studio's window.
//!
//! | module | part |
//! |---|---|
//! | `backstage` | the Studio behind the window: commands in, snapshots, meters and pictures out |
//! | `geometry` | what the mouse does to an item; pure |
//! | `stage` | the pictures, and the handles over them |
//! | `scenes`, `sources`, `list`, `add`, `properties` | what is shown, in which order and how |
//! | `mixer` | what is heard |
//! | `bar`, `controls`, `live` | how it stands, what is pressed, what viewers get and say |
//! | `wizard`, `people`, `announce` | from a first start to a stream |
//! | `settings`, `keys` | how it is made, sent and kept; keys |
//! | `dialog`, `panes`, `shapes`, `words` | what they are made of |

mod add;
mod announce;
mod backstage;
mod bar;
mod controls;
mod dialog;
mod geometry;
mod keys;
mod list;
mod live;
mod mixer;
mod panes;
mod people;
mod properties;
mod scenes;
mod settings;
mod shapes;
mod sources;
mod stage;
mod wizard;
mod words;

use std::time::Duration;

use leptos::prelude::*;
use skylark_protocol::studio::{Command, Meters, Problem, Snapshot, Update};
use wasm_bindgen::JsCast as _;

use crate::{
    brand::{Icon, Mark, shapes as brand},
    engine,
    identity::Identity,
    relay::Relay,
};
use backstage::Backstage;
use dialog::Dialog;

/// Where it is remembered that the wizard was left.
const WELCOMED: &str = "skylark.studio.welcomed";

/// The window: what it shows until the Studio has said how things stand, and then the Studio.
#[component]
pub(crate) fn Studio() -> impl IntoView {
    document().set_title("Skylark Studio");
    let first = RwSignal::new(None::<Snapshot>);
    let failed = RwSignal::new(None::<Problem>);
    let (meters, close_asked) = (RwSignal::new(Meters::default()), RwSignal::new(false));
    let here = StoredValue::new(None::<RwSignal<Snapshot>>);
    let hear = move |update| match update {
        Update::Snapshot(snapshot) => match here.get_value() {
            Some(signal) => signal.set(*snapshot),
            None => first.set(Some(*snapshot)),
        },
        Update::Meters(now) => meters.set(now),
        Update::CloseAsked => close_asked.set(true),
    };
    backstage::listen(hear, move |problem| failed.set(Some(problem)));
    let is_there = Memo::new(move |_| first.with(Option::is_some));
    move || {
        match (is_there.get(), failed.get()) {
        (_, Some(problem)) => view! { <Unopened problem/> }.into_any(),
        (false, None) => view! {
            <main class="opening" id="opening"><div class="message-art spins"><Mark/></div><p>"Opening the Studio…"</p></main>
        }
        .into_any(),
        (true, None) => match first.get_untracked() {
            Some(snapshot) => {
                let stage = Backstage::provide(snapshot, meters, close_asked);
                here.set_value(Some(stage.snapshot));
                view! { <Room/> }.into_any()
            }
            None => ().into_any(),
        },
    }
    }
}

/// The Studio cannot be opened.
#[component]
fn Unopened(problem: Problem) -> impl IntoView {
    view! {
        <main class="opening failed" id="unopened">
            <div class="message-art"><Mark/></div>
            <h1>"The Studio cannot be opened"</h1>
            <p role="alert">{problem.message}</p>
            <button type="button" class="button" on:click=move |_| _ = window().location().reload()>"Try again"</button>
        </main>
    }
}

/// Dialogs that are opened from several places, and the time. A handle.
#[derive(Clone, Copy)]
struct Doors {
    wizard: RwSignal<bool>,
    live: RwSignal<bool>,
    /// The page of the settings that is open.
    settings: RwSignal<Option<&'static str>>,
    /// What went wrong after its dialog was gone.
    trouble: RwSignal<Option<String>>,
    /// Unix milliseconds, each second.
    now_ms: RwSignal<f64>,
    is_slow: RwSignal<bool>,
    stage: Backstage,
}

impl Doors {
    fn get() -> Self {
        use_context().expect("the window provides its dialogs")
    }

    /// To the last step before going live; whoever is not ready for it gets there through the wizard.
    fn open_live(self) {
        let is_ready = self.stage.snapshot.with_untracked(|now| now.identity.current.is_some() && now.origin.is_some());
        if is_ready { self.live.set(true) } else { self.wizard.set(true) }
    }
}

/// The whole Studio.
#[component]
fn Room() -> impl IntoView {
    let stage = Backstage::get();
    let is_new =
        stage.snapshot.with_untracked(|now| now.identity.current.is_none()) && engine::remembered(WELCOMED).is_none();
    let doors = Doors {
        wizard: RwSignal::new(is_new),
        live: RwSignal::new(false),
        settings: RwSignal::new(None),
        trouble: RwSignal::new(None),
        now_ms: RwSignal::new(js_sys::Date::now()),
        is_slow: RwSignal::new(false),
        stage,
    };
    provide_context(doors);
    // As long as the window.
    let _ = set_interval_with_handle(move || doors.now_ms.set(js_sys::Date::now()), Duration::from_secs(1));
    Effect::new(move |before: Option<bool>| {
        let is_open = doors.wizard.get();
        if before == Some(true) && !is_open {
            engine::remember(WELCOMED, "1");
        }
        is_open
    });
    let pubkey = stage.part(|now| now.identity.current);
    Identity::provide_studio(pubkey.into(), std::rc::Rc::new(backstage::signer));
    // Until there is an origin, nobody asks it anything.
    Relay::provide_at(String::new());
    let _ = window_event_listener(leptos::ev::keydown, move |event| shortcut(&event, stage));
    view! {
        <div class="studio" inert=move || doors.wizard.get()>
            <bar::Bar/>
            <live::LeftOnAir/>
            <main class="desk-grid">
                <panes::Pane name="left" edge=panes::Edge::Right initial=17.5>
                    <scenes::Scenes/>
                    <sources::Sources/>
                    <properties::Properties/>
                </panes::Pane>
                <div class="middle">
                    <stage::Stage/>
                    <panes::Pane name="dock" edge=panes::Edge::Top initial=18.0>
                        <mixer::Mixer/>
                        <controls::Controls/>
                    </panes::Pane>
                </div>
                <panes::Pane name="right" edge=panes::Edge::Left initial=21.5>
                    <live::LivePanel/>
                    <live::Talk/>
                </panes::Pane>
            </main>
        </div>
        <wizard::Wizard open=doors.wizard/>
        <announce::GoLive open=doors.live/>
        <settings::Settings open=doors.settings/>
        <live::AfterTheEnd/>
        <CloseAsked/>
    }
}

/// Undo and redo, unless somebody types.
fn shortcut(event: &leptos::ev::KeyboardEvent, stage: Backstage) {
    let types = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()).is_some_and(|element| {
        element.matches("textarea, input:not([type=range]):not([type=checkbox])").unwrap_or(false)
    });
    if types || !(event.ctrl_key() || event.meta_key()) {
        return;
    }
    let command = match (event.key().to_lowercase().as_str(), event.shift_key()) {
        ("z", false) => Command::Undo,
        ("z", true) | ("y", false) => Command::Redo,
        _ => return,
    };
    event.prevent_default();
    stage.act(RwSignal::new(None), command);
}

/// Somebody closes the window while something is on air.
#[component]
fn CloseAsked() -> impl IntoView {
    let stage = Backstage::get();
    let (trouble, is_ending) = (RwSignal::new(None), RwSignal::new(false));
    let close = Callback::new(move |()| stage.close_asked.set(false));
    let is_on_air = move || stage.snapshot.with_untracked(|now| words::is_on_air(now.broadcast.state));
    let end = move |_| {
        is_ending.set(true);
        leptos::task::spawn_local(async move {
            if is_on_air()
                && let Err(problem) = backstage::ask(&Command::Stop).await
            {
                trouble.try_set(Some(problem.message));
                is_ending.try_set(false);
                return;
            }
            backstage::quit().await;
        });
    };
    view! {
        <Show when=move || stage.close_asked.get()>
            <Dialog id="close-asked" title=if is_on_air() { "You are still on air" } else { "You are still recording" } close>
                <p class="lead">
                    {if is_on_air() { "Closing the Studio ends your stream, and viewers see it end." } else { "Closing the Studio finishes the recording." }}
                </p>
                <Trouble trouble/>
                <div class="dialog-row">
                    <button type="button" id="stay" class="button primary" disabled=move || is_ending.get() on:click=move |_| close.run(())>"Stay"</button>
                    <span class="spacer"></span>
                    <button type="button" id="end-and-close" class="button danger" disabled=move || is_ending.get() on:click=end>
                        {move || if is_ending.get() { "Ending…" } else { "End it and close" }}
                    </button>
                </div>
            </Dialog>
        </Show>
    }
}

/// A part of the window with a title.
#[component]
fn Panel(
    id: &'static str,
    title: &'static str,
    #[prop(optional, into)] tools: Option<ViewFn>,
    children: Children,
) -> impl IntoView {
    let heading = format!("{id}-title");
    view! {
        <section class="panel" id=id aria-labelledby=heading.clone()>
            <div class="panel-head">
                <h2 id=heading.clone()>{title}</h2>
                {tools.map(|tools| view! { <div class="tool-row">{tools.run()}</div> })}
            </div>
            <div class="panel-body">{children()}</div>
        </section>
    }
}

/// What went wrong, where the person acted; until they have read it.
#[component]
fn Trouble(trouble: RwSignal<Option<String>>) -> impl IntoView {
    move || {
        trouble.get().map(|message| {
            view! {
                <p class="trouble-line" role="alert">
                    <Icon path=brand::WARNING/>
                    <span>{message}</span>
                    <button type="button" class="tool" aria-label="Put away" on:click=move |_| trouble.set(None)><Icon path=brand::CLOSE/></button>
                </p>
            }
        })
    }
}
