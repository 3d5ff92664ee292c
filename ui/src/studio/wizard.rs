//! From a first start to a stream: who, where, what, whether all is well, and how it is called.

use leptos::prelude::*;
use skylark_protocol::studio::{Command, DeviceKind, Edit, Input, ItemId, Level, Problem, Source};

use super::{
    Trouble,
    add::{find, first_place, icon},
    announce::{Announcement, Checks},
    backstage::{Backstage, ask},
    mixer::Meter,
    people::{OriginChoice, People},
    stage::Picture,
    words,
};
use crate::brand::{Icon, Mark, shapes as brand};

/// The steps, and what each is about.
const STEPS: [(&str, &str, &str); 5] = [
    ("identity", "Who you are", "Your key is your account: no sign-up, no password, yours for ever."),
    ("origin", "Where it goes", "The origin is the server that viewers watch from."),
    (
        "capture",
        "What they see and hear",
        "Choose a camera, a screen and a microphone. You can change all of it later.",
    ),
    ("check", "Is everything ready?", "What a stream needs is tried once, before anybody watches."),
    ("announce", "What it is called", "This is what people see when they find your stream."),
];

/// The wizard, while it is open.
#[component]
pub(super) fn Wizard(open: RwSignal<bool>) -> impl IntoView {
    view! { <Show when=move || open.get()><Steps open/></Show> }
}

#[component]
fn Steps(open: RwSignal<bool>) -> impl IntoView {
    let stage = Backstage::get();
    let ready = stage.part(|now| [now.identity.current.is_some(), now.origin.is_some(), true, true, true]);
    // Whoever comes back goes on where something is missing.
    let first = ready.with_untracked(|ready| ready.iter().position(|is_ready| !is_ready).unwrap_or(2));
    let step = RwSignal::new(first);
    let may_go_on = move || ready.with(|ready| ready[..=step.get()].iter().all(|is_ready| *is_ready));
    let close = Callback::new(move |()| open.set(false));
    let is_last = move || step.get() + 1 == STEPS.len();
    view! {
        <div class="wizard" role="dialog" aria-modal="true" aria-labelledby="wizard-title" id="wizard" data-step=move || STEPS[step.get()].0>
            <nav class="wizard-steps" aria-label="Steps">
                <p class="wizard-brand"><Mark/>"Skylark Studio"</p>
                <ol>
                    {STEPS.into_iter().enumerate().map(|(at, (name, title, _))| view! {
                        <li>
                            <button
                                type="button"
                                data-go=name
                                aria-current=move || (step.get() == at).then_some("step")
                                class:done=move || at < step.get()
                                disabled=move || !ready.with(|ready| ready[..at].iter().all(|is_ready| *is_ready))
                                on:click=move |_| step.set(at)
                            >
                                <span class="wizard-number">{move || if at < step.get() { view! { <Icon path=brand::CHECK/> }.into_any() } else { (at + 1).into_any() }}</span>
                                {title}
                            </button>
                        </li>
                    }).collect_view()}
                </ol>
                <button type="button" id="leave-wizard" class="link" on:click=move |_| close.run(())>"Set up later"</button>
            </nav>
            <div class="wizard-page">
                <header>
                    <h1 id="wizard-title">{move || STEPS[step.get()].1}</h1>
                    <p>{move || STEPS[step.get()].2}</p>
                </header>
                <div class="wizard-body">
                    {move || match step.get() {
                        0 => view! { <People/> }.into_any(),
                        1 => view! { <OriginChoice/> }.into_any(),
                        2 => view! { <Capture/> }.into_any(),
                        3 => view! { <Checks/> }.into_any(),
                        _ => view! { <Announcement done=close/> }.into_any(),
                    }}
                </div>
                <footer class="dialog-row">
                    <button type="button" class="button" class:invisible=move || step.get() == 0 on:click=move |_| step.update(|step| *step = step.saturating_sub(1))>"Back"</button>
                    <span class="spacer"></span>
                    <button
                        type="button"
                        id="wizard-next"
                        class="button primary big"
                        class:hidden=is_last
                        disabled=move || !may_go_on()
                        on:click=move |_| step.update(|step| *step = (*step + 1).min(STEPS.len() - 1))
                    >
                        "Continue"
                    </button>
                </footer>
            </div>
        </div>
    }
}

/// Camera, screen and microphone, with the picture and the level that they make.
#[component]
fn Capture() -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    stage.act(trouble, Command::FindDevices);
    let microphone = Signal::derive(move || {
        let id = stage.collection.with(|now| {
            now.sources.iter().find(|source| matches!(source.input, Input::Microphone { .. })).map(|source| source.id)
        });
        id.and_then(|id| {
            stage.meters.with(|meters| meters.strips.iter().find(|(of, _)| *of == id).map(|(_, level)| *level))
        })
        .unwrap_or(Level::SILENT)
    });
    view! {
        <div class="columns capture">
            <div class="capture-picture"><Picture view="preview"/></div>
            <div class="capture-choices">
                <Choice kind=DeviceKind::Screen label="Screen" trouble/>
                <Choice kind=DeviceKind::Camera label="Camera" trouble/>
                <Choice kind=DeviceKind::Microphone label="Microphone" trouble/>
                <Meter level=microphone/>
                <p class="hint">"Say something: the bar moves when you are heard."</p>
                <Trouble trouble/>
            </div>
        </div>
    }
}

/// A device of a kind, or none.
#[component]
fn Choice(kind: DeviceKind, label: &'static str, trouble: RwSignal<Option<String>>) -> impl IntoView {
    let stage = Backstage::get();
    let devices =
        stage.part(move |now| now.devices.iter().filter(|device| device.kind == kind).cloned().collect::<Vec<_>>());
    let chosen = Memo::new(move |_| {
        stage.collection.with(|now| {
            let source = used(now, kind)?;
            words::device(&source.input).map(|(_, device)| device.to_owned())
        })
    });
    let name = label.to_lowercase();
    view! {
        <label class="stack-field">
            <span class="with-icon"><Icon path=icon(kind)/>{label}</span>
            <select
                name=name
                on:change=move |event| {
                    let value = event_target_value(&event);
                    leptos::task::spawn_local(async move {
                        let device = value.strip_prefix("device:").map(str::to_owned);
                        trouble.try_set(choose(stage, kind, label, device).await.err().map(|problem| problem.message));
                    });
                }
            >
                <option value="none" prop:selected=move || chosen.get().is_none()>{move || if devices.with(Vec::is_empty) { "None was found" } else { "None" }}</option>
                <For each=move || devices.get() key=|device| device.id.clone() let:device>
                    <option value=format!("device:{}", device.id) prop:selected={let id = device.id.clone(); move || chosen.get().as_ref() == Some(&id)}>{device.name.clone()}</option>
                </For>
            </select>
        </label>
    }
}

/// The source of a kind of device that the edited scene uses.
fn used(collection: &skylark_protocol::studio::Collection, kind: DeviceKind) -> Option<Source> {
    let is_it = |input: &Input| words::device(input).is_some_and(|(of, _)| of == kind);
    match kind {
        DeviceKind::Microphone | DeviceKind::DesktopSound => {
            collection.sources.iter().find(|source| is_it(&source.input)).cloned()
        }
        _ => {
            let scene = collection.scene(collection.edited())?;
            find(&scene.items, &collection.sources, is_it).map(|(_, source)| source)
        }
    }
}

/// Makes the scene use a device (or none) of a kind: a screen lies below everything else.
async fn choose(stage: Backstage, kind: DeviceKind, name: &str, device: Option<String>) -> Result<(), Problem> {
    let now = stage.collection.get_untracked();
    let edit = |edit: Edit| async move { ask(&Command::Edit { edit }).await.map(drop) };
    match (used(&now, kind), device) {
        (None, None) => Ok(()),
        (Some(source), None) => edit(Edit::RemoveSource { source: source.id }).await,
        (Some(source), Some(device)) => {
            let input = words::with_device(&source.input, device);
            edit(Edit::SetInput { source: source.id, input }).await
        }
        (None, Some(device)) => {
            let input = words::of_device(kind, device);
            let place = first_place(&input, now.canvas.whole());
            let name = words::free_name(name, now.sources.iter().map(|source| source.name.as_str()));
            edit(Edit::AddSource { scene: now.edited(), name, input, place }).await?;
            match kind {
                // The item took the id after its source's.
                DeviceKind::Screen => edit(Edit::MoveItem { item: ItemId(now.next_id + 1), to: 0 }).await,
                _ => Ok(()),
            }
        }
    }
}
