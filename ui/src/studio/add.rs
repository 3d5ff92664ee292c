//! Adding a source: what kind, and of which device.

use leptos::{html, prelude::*};
use skylark_protocol::studio::{Color, Command, DeviceKind, Edit, Input, Item, ItemId, Pattern, Rect, Source};

use super::{
    Trouble,
    backstage::{self, Backstage},
    dialog::Dialog,
    shapes, words,
};
use crate::brand::{Icon, shapes as brand};

/// What can be chosen at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Device(DeviceKind),
    File(&'static str),
    Plain(usize),
}

const DEVICES: [(DeviceKind, &str, &str, &str); 5] = [
    (DeviceKind::Camera, "Camera", shapes::CAMERA, "A webcam or capture card"),
    (DeviceKind::Screen, "Screen", shapes::SCREEN, "Everything on a screen"),
    (DeviceKind::Window, "Window", shapes::WINDOW, "One program alone"),
    (DeviceKind::Microphone, "Microphone", shapes::MICROPHONE, "Your voice"),
    (DeviceKind::DesktopSound, "Desktop sound", shapes::HEADPHONES, "What this computer plays"),
];

/// Inputs that need no choice: they are made at once, and changed in the properties.
fn plain() -> [(Input, &'static str); 5] {
    let white = Color([255, 255, 255, 255]);
    [
        (Input::Text { text: "Text".into(), size: 72, color: white }, "Words over the picture"),
        (Input::Clock { format: "%H:%M:%S".into(), size: 64, color: white }, "The time of day"),
        (Input::Color { color: Color([38, 44, 58, 255]) }, "A plain background"),
        (Input::Test { pattern: Pattern::Bars }, "Bars, to try things out"),
        (Input::Tone { frequency_hz: 440, level_db: -20 }, "A tone, to set levels"),
    ]
}

/// The dialog.
#[component]
pub(super) fn AddSource(open: RwSignal<bool>) -> impl IntoView {
    view! { <Show when=move || open.get()><Choices open/></Show> }
}

#[component]
fn Choices(open: RwSignal<bool>) -> impl IntoView {
    let stage = Backstage::get();
    let (trouble, kind) = (RwSignal::new(None), RwSignal::new(None::<DeviceKind>));
    let close = Callback::new(move |()| open.set(false));
    let choose = move |chosen: Kind| match chosen {
        Kind::Device(device) => {
            kind.set(Some(device));
            stage.act(trouble, Command::FindDevices);
        }
        Kind::File(file) => leptos::task::spawn_local(async move {
            let Some(path) = backstage::choose(file).await.as_string() else { return };
            let input = match file {
                "image" => Input::Image { path: path.clone() },
                _ => Input::Media { path: path.clone(), is_looped: true },
            };
            let name = path.rsplit(['/', '\\']).next().unwrap_or("File").to_owned();
            add(stage, trouble, open, &name, input);
        }),
        Kind::Plain(at) => {
            let (input, _) = plain()[at].clone();
            add(stage, trouble, open, words::kind(&input), input);
        }
    };
    let card =
        move |chosen: Kind, icon: &'static str, title: &'static str, detail: &'static str, name: &'static str| {
            view! {
                <button type="button" class="card" data-kind=name on:click=move |_| choose(chosen)>
                    <Icon path=icon/>
                    <span><b>{title}</b><small>{detail}</small></span>
                </button>
            }
        };
    let kinds = move || {
        let devices = DEVICES.map(|(kind, title, icon, detail)| card(Kind::Device(kind), icon, title, detail, title));
        let files = [
            card(Kind::File("media"), shapes::FILM, "Media file", "A film or a song", "Media file"),
            card(Kind::File("image"), shapes::IMAGE, "Image", "A picture, a logo, an overlay", "Image"),
        ];
        let plain = plain().into_iter().enumerate().map(|(at, (input, detail))| {
            card(Kind::Plain(at), shapes::of(&input), words::kind(&input), detail, words::kind(&input))
        });
        view! { <div class="cards">{devices.into_iter().chain(files).chain(plain).collect_view()}</div> }
    };
    view! {
        <Dialog id="add-source-dialog" title="Add a source" close>
            {move || match kind.get() {
                None => view! { {kinds()} <Existing open trouble/> }.into_any(),
                Some(kind_of) => view! { <Devices kind=kind_of open trouble back=Callback::new(move |()| kind.set(None))/> }.into_any(),
            }}
            <Trouble trouble/>
        </Dialog>
    }
}

/// Devices of a kind that are there now.
#[component]
fn Devices(
    kind: DeviceKind,
    open: RwSignal<bool>,
    trouble: RwSignal<Option<String>>,
    back: Callback<()>,
) -> impl IntoView {
    let stage = Backstage::get();
    let devices =
        stage.part(move |now| now.devices.iter().filter(|device| device.kind == kind).cloned().collect::<Vec<_>>());
    let (title, icon) = DEVICES
        .iter()
        .find(|(of, ..)| *of == kind)
        .map_or(("Device", shapes::WINDOW), |(_, title, icon, _)| (title, icon));
    let first = NodeRef::<html::Button>::new();
    first.on_load(|button| {
        button.focus().ok();
    });
    view! {
        <div class="dialog-row">
            <button type="button" class="button" node_ref=first on:click=move |_| back.run(())>"Back"</button>
            <span class="spacer"></span>
            <button type="button" class="button" on:click=move |_| stage.act(trouble, Command::FindDevices)><Icon path=shapes::REPLAY/>"Look again"</button>
        </div>
        <div class="cards one">
            <For each=move || devices.get() key=|device| device.id.clone() let:device>
                {
                    let (id, name) = (device.id.clone(), device.name.clone());
                    view! {
                        <button
                            type="button"
                            class="card"
                            data-device=device.id.clone()
                            on:click=move |_| add(stage, trouble, open, &name, words::of_device(kind, id.clone()))
                        >
                            <Icon path=icon/>
                            <span><b>{device.name.clone()}</b></span>
                        </button>
                    }
                }
            </For>
        </div>
        <Show when=move || devices.with(Vec::is_empty)>
            <p class="hint">"No " {title.to_lowercase()} " was found. Connect one, and it appears here by itself."</p>
        </Show>
    }
}

/// Sources of other scenes, to be shown here as well.
#[component]
fn Existing(open: RwSignal<bool>, trouble: RwSignal<Option<String>>) -> impl IntoView {
    let stage = Backstage::get();
    let others = Memo::new(move |_| {
        stage.collection.with(|now| {
            let here = |source: &Source| {
                now.scene(now.edited()).is_some_and(|scene| scene.items.iter().any(|item| item.source == source.id))
            };
            now.sources.iter().filter(|source| source.input.has_picture() && !here(source)).cloned().collect::<Vec<_>>()
        })
    });
    move || {
        (!others.with(Vec::is_empty)).then(|| {
            let cards = others.get().into_iter().map(|source| {
                let id = source.id;
                let add = move |_| {
                    let edit = Edit::AddItem { scene: stage.collection.with_untracked(|now| now.edited()), source: id };
                    stage.then(trouble, Command::Edit { edit }, move |_| open.set(false));
                };
                view! {
                    <button type="button" class="card small" on:click=add>
                        <Icon path=shapes::of(&source.input)/>
                        <span><b>{source.name.clone()}</b></span>
                    </button>
                }
            });
            view! { <h3>"From other scenes"</h3> <div class="cards">{cards.collect_view()}</div> }
        })
    }
}

/// Adds a source to the scene that is edited, and selects it.
fn add(stage: Backstage, trouble: RwSignal<Option<String>>, open: RwSignal<bool>, name: &str, input: Input) {
    let (scene, name, id, place) = stage.collection.with_untracked(|now| {
        let name = words::free_name(name, now.sources.iter().map(|source| source.name.as_str()));
        // The source takes the next id, and its item the one after it.
        (now.edited(), name, ItemId(now.next_id + 1), first_place(&input, now.canvas.whole()))
    });
    let has_picture = input.has_picture();
    let edit = Edit::AddSource { scene, name, input, place };
    stage.then(trouble, Command::Edit { edit }, move |_| {
        open.try_set(false);
        if has_picture {
            stage.selected.set(Some(id));
        }
    });
}

/// Where something new is put: a camera in a corner over what is there, words in a strip, the rest everywhere.
pub(super) fn first_place(input: &Input, whole: Rect) -> Option<Rect> {
    let (width, height) = (whole.width.cast_signed(), whole.height.cast_signed());
    match input {
        Input::Camera { .. } => {
            let margin = height / 30;
            let (across, down) = (width * 3 / 10, height * 3 / 10);
            let (x, y) = (width - across - margin, height - down - margin);
            Some(Rect { x, y, width: across.cast_unsigned(), height: down.cast_unsigned() })
        }
        Input::Text { size, .. } | Input::Clock { size, .. } => {
            let down = (size + size / 2).min(whole.height);
            let across = whole.width / 2;
            let x = (width - across.cast_signed()) / 2;
            Some(Rect { x, y: height - down.cast_signed() - height / 20, width: across, height: down })
        }
        _ => None,
    }
}

/// Where an item is whose source is of a kind.
pub(super) fn find(items: &[Item], sources: &[Source], is_it: impl Fn(&Input) -> bool) -> Option<(Item, Source)> {
    items.iter().find_map(|item| {
        let source = sources.iter().find(|source| source.id == item.source && is_it(&source.input))?;
        Some((item.clone(), source.clone()))
    })
}

/// The icon of a kind of device.
pub(super) fn icon(kind: DeviceKind) -> &'static str {
    DEVICES.iter().find(|(of, ..)| *of == kind).map_or(brand::EYE, |(_, _, icon, _)| icon)
}
