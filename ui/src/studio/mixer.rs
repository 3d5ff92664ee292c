//! Everything that can be heard: meters, faders, and what is done to the sound.

use leptos::prelude::*;
use skylark_protocol::studio::{Command, DeviceKind, Edit, Input, Level, Source, SourceId, Strip};

use super::{Panel, Trouble, backstage::Backstage, dialog::Dialog, properties::InputFields, shapes, words};
use crate::brand::{Icon, shapes as brand};

/// The softest that a meter shows, decibels below full scale.
const FLOOR_DB: f32 = -60.0;
/// How long a peak stays, milliseconds.
const HOLD_MS: f64 = 1500.0;
/// How fast it falls afterwards, decibels a second.
const FALL_DB_S: f64 = 20.0;

/// The panel.
#[component]
pub(super) fn Mixer() -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    let ids = Memo::new(move |_| {
        stage.collection.with(|now| {
            now.sources.iter().filter(|source| source.strip.is_some()).map(|source| source.id).collect::<Vec<_>>()
        })
    });
    let opened = RwSignal::new(None::<SourceId>);
    let add = move |kind: DeviceKind, name: &'static str| {
        move |_| {
            let (scene, name) = stage.collection.with_untracked(|now| {
                (now.edited(), words::free_name(name, now.sources.iter().map(|source| source.name.as_str())))
            });
            let input = words::of_device(kind, String::new());
            stage.edit(trouble, Edit::AddSource { scene, name, input, place: None });
        }
    };
    let program = Signal::derive(move || stage.meters.with(|meters| meters.program));
    view! {
        <Panel id="mixer" title="Mixer">
            <div class="strips">
                <div class="strip program-strip">
                    <p class="strip-head"><b>"Program"</b><span class="loudness">{move || loudness(program.get())}</span></p>
                    <Meter level=program/>
                </div>
                <For each=move || ids.get() key=|id| *id let:id>
                    <StripRow id trouble opened/>
                </For>
            </div>
            <Show when=move || ids.with(Vec::is_empty)>
                <div class="panel-empty row">
                    <p>"Nothing can be heard yet."</p>
                    <button type="button" class="button" on:click=add(DeviceKind::Microphone, "Microphone")><Icon path=shapes::MICROPHONE/>"Add the microphone"</button>
                    <button type="button" class="button" on:click=add(DeviceKind::DesktopSound, "Desktop sound")><Icon path=shapes::HEADPHONES/>"Add desktop sound"</button>
                </div>
            </Show>
            <Trouble trouble/>
        </Panel>
        {move || opened.get().map(|id| view! { <StripDialog id close=Callback::new(move |()| opened.set(None))/> })}
    }
}

/// "−18 LUFS"
fn loudness(level: Level) -> String {
    if level.loudness_lufs <= -70.0 { "–".to_owned() } else { format!("−{:.0} LUFS", level.loudness_lufs.abs()) }
}

#[component]
fn StripRow(id: SourceId, trouble: RwSignal<Option<String>>, opened: RwSignal<Option<SourceId>>) -> impl IntoView {
    let stage = Backstage::get();
    let source = Memo::new(move |_| stage.collection.with(|now| now.source(id).cloned()));
    let strip =
        Memo::new(move |_| source.with(|source| source.as_ref().and_then(|source| source.strip)).unwrap_or_default());
    let name = move || source.with(|source| source.as_ref().map(|source| source.name.clone()));
    let level = Signal::derive(move || {
        let of = |meters: &skylark_protocol::studio::Meters| {
            meters.strips.iter().find(|(of, _)| *of == id).map(|(_, level)| *level)
        };
        stage.meters.with(of).unwrap_or_default()
    });
    let set = move |change: &dyn Fn(&mut Strip)| {
        let mut strip = strip.get_untracked();
        change(&mut strip);
        stage.edit(trouble, Edit::SetStrip { source: id, strip });
    };
    let is_muted = move || strip.with(|strip| strip.is_muted);
    let is_monitored = move || strip.with(|strip| strip.is_monitored);
    let gain = move || strip.with(|strip| strip.gain_db);
    view! {
        <div class="strip" class:muted=is_muted data-source=id.0.to_string() role="group" aria-label=name>
            <p class="strip-head">
                {move || source.with(|source| source.as_ref().map(|source| shapes::of(&source.input))).map(|icon| view! { <Icon path=icon/> })}
                <bdi>{name}</bdi>
                <span class="loudness">{move || loudness(level.get())}</span>
                <output>{move || words::decibels(gain())}</output>
            </p>
            <Meter level/>
            <div class="strip-row">
                <button
                    type="button"
                    class="tool mute"
                    class:pressed=is_muted
                    aria-label="Mute"
                    title=move || { if is_muted() { "Unmute" } else { "Mute" } }
                    aria-pressed=move || is_muted().to_string()
                    on:click=move |_| set(&|strip| strip.is_muted = !strip.is_muted)
                >
                    <Icon path=Signal::derive(move || if is_muted() { brand::MUTED } else { brand::SOUND })/>
                </button>
                <input
                    type="range"
                    class="fader"
                    aria-label="Gain in decibels"
                    aria-valuetext=move || words::decibels(gain())
                    min="0"
                    max="1000"
                    step="5"
                    style=("--filled", move || format!("{:.1}%", position(gain()) * 100.0))
                    prop:value=move || (position(gain()) * 1000.0).round().to_string()
                    on:input=move |event| { if let Ok(at) = event_target_value(&event).parse::<f32>() {
                        set(&|strip| strip.gain_db = gain_at(at / 1000.0));
                    } }
                    on:dblclick=move |_| set(&|strip| strip.gain_db = 0.0)
                />
                <button
                    type="button"
                    class="tool"
                    class:pressed=is_monitored
                    aria-label="Monitor"
                    title="Hear it yourself"
                    aria-pressed=move || is_monitored().to_string()
                    on:click=move |_| set(&|strip| strip.is_monitored = !strip.is_monitored)
                >
                    <Icon path=shapes::HEADPHONES/>
                </button>
                <button type="button" class="tool" aria-label="Filters and offset" title="Filters and offset" aria-haspopup="dialog" on:click=move |_| opened.set(Some(id))>
                    <Icon path=brand::QUALITY/>
                </button>
            </div>
        </div>
    }
}

/// Where a fader stands for a gain, 0 to 1: most of its way is for what people use.
fn position(gain_db: f32) -> f32 {
    let (low, high) = (Strip::MIN_GAIN_DB, Strip::MAX_GAIN_DB);
    ((gain_db.clamp(low, high) - low) / (high - low)).powf(2.0)
}

fn gain_at(position: f32) -> f32 {
    let (low, high) = (Strip::MIN_GAIN_DB, Strip::MAX_GAIN_DB);
    let gain = low + position.clamp(0.0, 1.0).sqrt() * (high - low);
    // Nothing is as easy to find as it should be, were it not.
    if gain.abs() < 0.4 { 0.0 } else { (gain * 10.0).round() / 10.0 }
}

/// A meter with its held peak.
#[component]
pub(super) fn Meter(level: Signal<Level>) -> impl IntoView {
    let held = StoredValue::new((FLOOR_DB, 0.0_f64));
    let hold = Memo::new(move |_| {
        let (peak, now) = (level.get().peak_db, js_sys::Date::now());
        let (before, at) = held.get_value();
        let fallen = before - ((now - at - HOLD_MS).max(0.0) / 1000.0 * FALL_DB_S) as f32;
        if peak >= fallen {
            held.set_value((peak, now));
            peak
        } else {
            fallen
        }
    });
    let part = |db: f32| ((db - FLOOR_DB) / -FLOOR_DB).clamp(0.0, 1.0);
    view! {
        <div class="meter" aria-hidden="true" data-peak=move || format!("{:.0}", level.get().peak_db)>
            <i class="meter-rest" style:transform=move || format!("scaleX({:.3})", 1.0 - part(level.get().rms_db.max(level.get().peak_db - 6.0)))></i>
            <i class="meter-hold" class:hot=move || { hold.get() > -1.0 } style:left=move || format!("{:.1}%", part(hold.get()) * 100.0)></i>
        </div>
    }
}

/// What is done to the sound of a strip, and where it comes from.
#[component]
fn StripDialog(id: SourceId, close: Callback<()>) -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    let source = Signal::derive(move || stage.collection.with(|now| now.source(id).cloned()));
    let strip = Memo::new(move |_| source.get().and_then(|source: Source| source.strip).unwrap_or_default());
    let set = move |change: &dyn Fn(&mut Strip)| {
        let mut strip = strip.get_untracked();
        change(&mut strip);
        stage.edit(trouble, Edit::SetStrip { source: id, strip });
    };
    let title = Signal::derive(move || source.get().map(|source| source.name).unwrap_or_default());
    let has_picture = move || source.get().is_some_and(|source| source.input.has_picture());
    let tick = move |name: &'static str,
                     label: &'static str,
                     detail: &'static str,
                     of: fn(&Strip) -> bool,
                     change: fn(&mut Strip, bool)| {
        view! {
            <label class="tick">
                <input
                    type="checkbox"
                    name=name
                    prop:checked=move || strip.with(of)
                    on:change=move |event| {
                        let is_on = event_target_checked(&event);
                        set(&|strip| change(strip, is_on));
                    }
                />
                <span>{label}<small>{detail}</small></span>
            </label>
        }
    };
    let set_input = Callback::new(move |input: Input| stage.edit(trouble, Edit::SetInput { source: id, input }));
    view! {
        <Dialog id="strip-dialog" title close>
            <label class="stack-field">
                <span>"Name"</span>
                <input
                    name="name"
                    prop:value=title
                    on:change=move |event| stage.edit(trouble, Edit::RenameSource { source: id, name: event_target_value(&event) })
                />
            </label>
            <Show when=move || !has_picture()><InputFields source set=set_input/></Show>
            <fieldset class="ticks">
                <legend>"Filters"</legend>
                {tick("noise", "Noise suppression", "Takes out fans and hum", |strip| strip.noise_suppression, |strip, is_on| strip.noise_suppression = is_on)}
                {tick("compressor", "Compressor", "Brings loud and soft closer together", |strip| strip.compressor, |strip, is_on| strip.compressor = is_on)}
                {tick("limiter", "Limiter", "Nothing is louder than 1 dB below full scale", |strip| strip.limiter, |strip, is_on| strip.limiter = is_on)}
            </fieldset>
            <label class="stack-field">
                <span>"Offset, milliseconds"</span>
                <input
                    type="number"
                    name="offset"
                    min=(-Strip::MAX_OFFSET_MS).to_string()
                    max=Strip::MAX_OFFSET_MS.to_string()
                    step="10"
                    prop:value=move || strip.with(|strip| strip.offset_ms).to_string()
                    on:change=move |event| { if let Ok(offset_ms) = event_target_value(&event).parse::<i32>() {
                        set(&|strip| strip.offset_ms = offset_ms);
                    } }
                />
                <small>"Later by so much; earlier with a minus. Use it when lips and words do not go together."</small>
            </label>
            <Show when=move || !has_picture()>
                <div class="dialog-row">
                    <span class="spacer"></span>
                    <button
                        type="button"
                        class="button danger"
                        on:click=move |_| stage.then(trouble, Command::Edit { edit: Edit::RemoveSource { source: id } }, move |_| close.run(()))
                    >
                        <Icon path=shapes::TRASH/>"Remove"
                    </button>
                </div>
            </Show>
            <Trouble trouble/>
        </Dialog>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fader_finds_its_gain_again_and_rests_at_nothing() {
        for gain in [-60.0_f32, -30.0, -6.0, 0.0, 6.0, 20.0] {
            assert!((gain_at(position(gain)) - gain).abs() < 0.11, "{gain}");
        }
        assert!(gain_at(position(0.3)).abs() < f32::EPSILON);
        assert!(position(0.0) > 0.5, "what people use has room");
    }

    #[test]
    fn silence_has_no_loudness() {
        assert_eq!(loudness(Level::SILENT), "–");
        assert_eq!(loudness(Level { loudness_lufs: -18.3, ..Level::SILENT }), "−18 LUFS");
    }
}
