//! The page of a stream.

mod admission;
mod controls;
mod driver;
mod facts;
mod keys;
mod message;
mod quality;
mod words;

use leptos::{html, prelude::*};
use skylark_protocol::{StreamId, address::Address};

use crate::{
    api,
    brand::{Header, Mark},
    chat::{self, Chat, Room},
    identity::AccountMenu,
    playback::{Event, State},
};
use admission::Admission;
use driver::{Feed, Player};
use facts::Facts;

/// `/s/{id}`
#[component]
pub(crate) fn Watch(id: StreamId) -> impl IntoView {
    let player = Player::new(Feed::Stream(id.clone()));
    let stage = NodeRef::<html::Div>::new();
    let help = RwSignal::new(false);
    let room = RwSignal::new(None::<Room>);
    let chat_open = chat::opening();
    keys::listen(player, stage, help);
    document().set_title("Live on Skylark");
    open_chat(id.clone(), room);
    open_private_chat(player, room);
    view! {
        <div class="page">
            <Header><AccountMenu/></Header>
            <main class="watch" class:with-chat=move || room.get().is_some() && chat_open.get()>
                <div class="watch-main">
                    <Stage player stage help room/>
                    <Facts player id room/>
                </div>
                {move || room.get().map(|room| view! { <Chat room open=chat_open/> })}
            </main>
        </div>
    }
}

/// The page of a link that leads nowhere.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    view! {
        <div class="page">
            <Header><AccountMenu/></Header>
            <main class="home">
                <div class="empty">
                    <div class="message-art"><Mark/></div>
                    <h1>"No such stream"</h1>
                    <p>"The link may be incomplete, or the stream was removed."</p>
                    <a class="pill" href="/">"See what is live"</a>
                </div>
            </main>
        </div>
    }
}

/// The picture of a stream alone, for its host.
#[component]
pub(crate) fn Preview(id: StreamId) -> impl IntoView {
    let player = Player::preview(id);
    let (stage, help) = (NodeRef::new(), RwSignal::new(false));
    view! { <Stage player stage help room=RwSignal::new(None)/> }
}

/// A live playlist of another server.
#[component]
pub(crate) fn PlayerElsewhere(url: String, room: RwSignal<Option<Room>>) -> impl IntoView {
    let player = Player::new(Feed::Playlist(url));
    let (stage, help) = (NodeRef::new(), RwSignal::new(false));
    keys::listen(player, stage, help);
    view! { <Stage player stage help room/> }
}

/// `/embed/{id}`: the picture alone, for other people's pages.
#[component]
pub(crate) fn Embed(id: StreamId) -> impl IntoView {
    // In a page of somebody else, nobody is asked for a key.
    let mut player = Player::new(Feed::Stream(id));
    player.identity = None;
    let (stage, help) = (NodeRef::new(), RwSignal::new(false));
    keys::listen(player, stage, help);
    view! { <main class="embed"><Stage player stage help room=RwSignal::new(None)/></main> }
}

/// Joins the chat of a stream that belongs to somebody.
fn open_chat(id: StreamId, room: RwSignal<Option<Room>>) {
    let owner = Owner::current();
    leptos::task::spawn_local(async move {
        let Ok(host) = api::owner(&id).await else { return };
        let Some(owner) = owner else { return };
        let opened = owner.with(|| Room::open(Address::live_event(host, id.as_str())));
        room.set(Some(opened));
    });
}

/// Joins the chat of a private stream once the viewer is let in, and leaves it when they are shown out.
fn open_private_chat(player: Player, room: RwSignal<Option<Room>>) {
    let owner = Owner::current();
    let host = Memo::new(move |_| player.admission.with(Admission::host));
    Effect::new(move |was_inside: Option<bool>| {
        let (Some(owner), Some(host), Some(id)) = (&owner, host.get(), player.id()) else {
            if was_inside == Some(true) {
                room.set(None);
            }
            return false;
        };
        let opened = owner.with(|| Room::open(Address::live_event(host, id.as_str())));
        room.set(Some(opened));
        true
    });
}

/// Video, controls and messages.
#[component]
fn Stage(
    player: Player,
    stage: NodeRef<html::Div>,
    help: RwSignal<bool>,
    room: RwSignal<Option<Room>>,
) -> impl IntoView {
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
            // Reactions float here; nothing in it can be clicked.
            <div class="bursts" aria-hidden="true"></div>
            <message::Message player room/>
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
