//! How the picture is made, sent and kept; who streams, and where to.

use leptos::prelude::*;
use skylark_protocol::studio::{Canvas, Command, Device, DeviceKind, Edit, OutputSettings, RenditionSettings};

use super::{
    Doors, Trouble,
    backstage::{self, Backstage},
    dialog::Dialog,
    keys::Keys,
    people::{OriginChoice, People},
    words,
};

/// The pages of the dialog.
const PAGES: [(&str, &str); 6] = [
    ("video", "Video"),
    ("sound", "Sound"),
    ("recording", "Recording"),
    ("identity", "Identity"),
    ("origin", "Origin"),
    ("keys", "Keys"),
];
/// Sizes of the canvas.
const CANVASES: [(u32, u32); 4] = [(1280, 720), (1920, 1080), (2560, 1440), (720, 1280)];

/// The dialog.
#[component]
pub(super) fn Settings(open: RwSignal<Option<&'static str>>) -> impl IntoView {
    let close = Callback::new(move |()| open.set(None));
    let is_open = Memo::new(move |_| open.with(Option::is_some));
    view! {
        <Show when=move || is_open.get()>
            <Dialog id="settings" title="Settings" close is_wide=true>
                <div class="tabs" role="group" aria-label="Pages">
                    {PAGES.map(|(name, title)| view! {
                        <button type="button" class="tab" data-page=name aria-pressed=move || (open.get() == Some(name)).to_string() on:click=move |_| open.set(Some(name))>{title}</button>
                    }).collect_view()}
                </div>
                <div class="settings-page">
                    {move || match open.get() {
                        Some("sound") => view! { <Sound/> }.into_any(),
                        Some("recording") => view! { <Recording/> }.into_any(),
                        Some("identity") => view! { <People/> }.into_any(),
                        Some("origin") => view! { <OriginChoice/> }.into_any(),
                        Some("keys") => view! { <Keys/> }.into_any(),
                        _ => view! { <Video/> }.into_any(),
                    }}
                </div>
            </Dialog>
        </Show>
    }
}

/// The output settings, as they are shown and changed.
#[derive(Clone, Copy)]
struct Output {
    stage: Backstage,
    trouble: RwSignal<Option<String>>,
    now: Memo<OutputSettings>,
}

impl Output {
    fn of(stage: Backstage, trouble: RwSignal<Option<String>>) -> Self {
        Self { stage, trouble, now: stage.part(|now| now.output.clone()) }
    }

    fn change(self, change: impl FnOnce(&mut OutputSettings)) {
        let mut output = self.now.get_untracked();
        change(&mut output);
        self.stage.act(self.trouble, Command::SetOutput { output });
    }
}

#[component]
fn Video() -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    let settings = Output::of(stage, trouble);
    let now = settings.now;
    let encoders = stage.part(|now| now.encoders.clone());
    let canvas = stage.part(|now| now.collection.canvas);
    let is_auto = move || now.with(|now| now.renditions.is_empty());
    let has = move |preset: &RenditionSettings| {
        now.with(|now| {
            now.renditions.iter().any(|one| (one.height, one.frame_rate) == (preset.height, preset.frame_rate))
        })
    };
    let toggle = move |preset: RenditionSettings| {
        settings.change(move |output| {
            let before = output.renditions.len();
            output.renditions.retain(|one| (one.height, one.frame_rate) != (preset.height, preset.frame_rate));
            if output.renditions.len() == before && before < OutputSettings::MAX_RENDITIONS {
                output.renditions.push(preset);
            }
            // From the best to the least.
            output.renditions.sort_by_key(|one| std::cmp::Reverse((one.height, one.frame_rate)));
        });
    };
    let set_canvas = move |canvas: Canvas| stage.edit(trouble, Edit::SetCanvas { canvas });
    view! {
        <div class="columns">
            <div class="stack">
                <label class="stack-field">
                    <span>"Canvas"</span>
                    <select name="canvas" on:change=move |event| {
                        if let Some((width, height)) = event_target_value(&event).parse::<usize>().ok().and_then(|at| CANVASES.get(at).copied()) {
                            set_canvas(Canvas { width, height, ..canvas.get_untracked() });
                        }
                    }>
                        {CANVASES.into_iter().enumerate().map(|(at, (width, height))| view! {
                            <option value=at.to_string() prop:selected=move || canvas.with(|now| (now.width, now.height) == (width, height))>{format!("{width} × {height}")}</option>
                        }).collect_view()}
                    </select>
                </label>
                <label class="stack-field">
                    <span>"Frames per second"</span>
                    <select name="frame-rate" on:change=move |event| {
                        if let Ok(frame_rate) = event_target_value(&event).parse() {
                            set_canvas(Canvas { frame_rate, ..canvas.get_untracked() });
                        }
                    }>
                        {[24_u32, 25, 30, 50, 60].map(|rate| view! { <option value=rate.to_string() prop:selected=move || canvas.with(|now| now.frame_rate == rate)>{rate}</option> }).collect_view()}
                    </select>
                </label>
                <label class="stack-field">
                    <span>"Encoder"</span>
                    <select name="encoder" on:change=move |event| { let encoder = event_target_value(&event); settings.change(|output| output.encoder.clone_from(&encoder)); }>
                        <option value="" prop:selected=move || now.with(|now| now.encoder.is_empty())>"The best that works here"</option>
                        {move || encoders.get().into_iter().map(|encoder| {
                            let name = encoder.name.clone();
                            let told = match encoder.works {
                                true => format!("{} · {:.0} frames/s", encoder.title, encoder.speed_fps),
                                false => format!("{} · {}", encoder.title, encoder.reason.as_deref().unwrap_or("does not work here")),
                            };
                            view! { <option value=encoder.name disabled=!encoder.works prop:selected=move || now.with(|now| now.encoder == name)>{told}</option> }
                        }).collect_view()}
                    </select>
                </label>
                <label class="tick">
                    <input type="checkbox" prop:checked=move || now.with(|now| now.is_adaptive) on:change=move |event| { let is_on = event_target_checked(&event); settings.change(|output| output.is_adaptive = is_on); }/>
                    <span>"Follow the connection"<small>"The bitrate goes down while the way to the origin is bad, and comes back."</small></span>
                </label>
            </div>
            <fieldset class="ticks">
                <legend>"Qualities that viewers can choose"</legend>
                <label class="tick">
                    <input type="checkbox" name="auto" prop:checked=is_auto on:change=move |event| {
                        let is_on = event_target_checked(&event);
                        settings.change(|output| output.renditions = if is_on { Vec::new() } else { vec![RenditionSettings::PRESETS[3]] });
                    }/>
                    <span>"Automatic"<small>"As many as this machine holds"</small></span>
                </label>
                {RenditionSettings::PRESETS.map(|preset| view! {
                    <label class="tick">
                        <input
                            type="checkbox"
                            name=words::rendition(&preset)
                            prop:checked=move || has(&preset)
                            disabled=move || !has(&preset) && now.with(|now| now.renditions.len() >= OutputSettings::MAX_RENDITIONS)
                            on:change=move |_| toggle(preset)
                        />
                        <span>{words::rendition(&preset)}<small>{words::bitrate(preset.bitrate_bps.into())}</small></span>
                    </label>
                }).collect_view()}
            </fieldset>
        </div>
        <Trouble trouble/>
    }
}

#[component]
fn Recording() -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    let settings = Output::of(stage, trouble);
    let now = settings.now;
    let free = stage.part(|now| now.recording.free_bytes);
    let folder = move || now.with(|now| now.recording.folder.clone());
    let choose = move |_| {
        leptos::task::spawn_local(async move {
            if let Some(folder) = backstage::choose("folder").await.as_string() {
                settings.change(|output| output.recording.folder.clone_from(&folder));
            }
        });
    };
    view! {
        <div class="stack">
            <div class="stack-field">
                <span>"Folder"</span>
                <div class="file-row">
                    <code>{move || Some(folder()).filter(|folder| !folder.is_empty()).unwrap_or_else(|| "Your folder for videos".to_owned())}</code>
                    <button type="button" class="button small" on:click=choose>"Choose…"</button>
                </div>
                {move || free.get().map(|free| view! { <small>{words::bytes(free)}" free"</small> })}
            </div>
            <label class="tick">
                <input type="checkbox" name="with-broadcast" prop:checked=move || now.with(|now| now.recording.with_broadcast) on:change=move |event| { let is_on = event_target_checked(&event); settings.change(|output| output.recording.with_broadcast = is_on); }/>
                <span>"Record every stream"<small>"Begins and ends with it"</small></span>
            </label>
            <label class="stack-field">
                <span>"Quality"</span>
                <select name="recording-quality" on:change=move |event| { if let Ok(bps) = event_target_value(&event).parse() { settings.change(|output| output.recording.bitrate_bps = bps) } }>
                    {[(0_u32, "What viewers get"), (8_000_000, "Better: 8 Mbit/s"), (16_000_000, "Best: 16 Mbit/s")].map(|(bps, title)| view! {
                        <option value=bps.to_string() prop:selected=move || now.with(|now| now.recording.bitrate_bps == bps)>{title}</option>
                    }).collect_view()}
                </select>
            </label>
            <label class="stack-field">
                <span>"Replay buffer"</span>
                <select name="replay" on:change=move |event| { if let Ok(seconds) = event_target_value(&event).parse() { settings.change(|output| output.recording.replay_s = seconds) } }>
                    {[(0_u32, "Off"), (15, "15 seconds"), (30, "30 seconds"), (60, "1 minute"), (120, "2 minutes")].map(|(seconds, title)| view! {
                        <option value=seconds.to_string() prop:selected=move || now.with(|now| now.recording.replay_s == seconds)>{title}</option>
                    }).collect_view()}
                </select>
                <small>"Keeps the last moments, to be saved with a key when something happened."</small>
            </label>
            <Trouble trouble/>
        </div>
    }
}

/// What is sent of the sound, and where the streamer hears it.
#[component]
fn Sound() -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    let settings = Output::of(stage, trouble);
    let now = settings.now;
    stage.act(trouble, Command::FindDevices);
    let is_listening = |device: &&Device| device.kind == DeviceKind::Listening;
    let devices = stage.part(move |now| now.devices.iter().filter(is_listening).cloned().collect::<Vec<_>>());
    // One that is away now stays chosen.
    let away = move || {
        let chosen = now.with(|now| now.monitor.clone());
        (!chosen.is_empty() && !devices.with(|all| all.iter().any(|device| device.id == chosen))).then_some(chosen)
    };
    view! {
        <div class="stack">
            <label class="stack-field">
                <span>"Listen on"</span>
                <select name="monitor" on:change=move |event| { let monitor = event_target_value(&event); settings.change(|output| output.monitor.clone_from(&monitor)); }>
                    <option value="" prop:selected=move || now.with(|now| now.monitor.is_empty())>"Where this computer plays"</option>
                    {move || devices.get().into_iter().map(|device| {
                        let id = device.id.clone();
                        view! { <option value=device.id prop:selected=move || now.with(|now| now.monitor == id)>{device.name}</option> }
                    }).collect_view()}
                    {move || away().map(|id| view! { <option value=id.clone() selected>{format!("{id} (not connected)")}</option> })}
                </select>
                <small>"Where you hear the strips whose headphones are lit in the mixer. Use headphones: a microphone hears loudspeakers."</small>
            </label>
            <label class="stack-field">
                <span>"Sound quality"</span>
                <select name="audio" on:change=move |event| { if let Ok(bps) = event_target_value(&event).parse() { settings.change(|output| output.audio_bitrate_bps = bps) } }>
                    {[96_000_u32, 128_000, 160_000, 192_000, 256_000].map(|bps| view! { <option value=bps.to_string() prop:selected=move || now.with(|now| now.audio_bitrate_bps == bps)>{format!("AAC, {} kbit/s", bps / 1000)}</option> }).collect_view()}
                </select>
            </label>
            <Trouble trouble/>
        </div>
    }
}

/// The wizard can be had again from here.
#[component]
pub(super) fn OpenWizard() -> impl IntoView {
    let doors = Doors::get();
    view! { <button type="button" id="open-wizard" class="tool text" on:click=move |_| doors.wizard.set(true)>"Set-up"</button> }
}
