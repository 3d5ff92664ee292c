//! The selected source by numbers: where it is, what is cut off, what it shows.

use leptos::prelude::*;
use skylark_protocol::studio::{Color, Crop, Edit, Input, Item, Pattern, Rect, Source};

use super::{
    Panel, Trouble,
    backstage::{self, Backstage},
    geometry::{centred, fitted},
    words,
};

/// The panel.
#[component]
pub(super) fn Properties() -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    // Drawn anew when another is selected; its numbers follow by themselves.
    let chosen =
        Memo::new(move |_| stage.selection().map(|(item, source)| (item.id, source.id, words::kind(&source.input))));
    view! {
        <Panel id="properties" title="Properties">
            {move || match chosen.get() {
                None => view! { <p class="hint">"Select a source to place it by numbers and to change what it shows."</p> }.into_any(),
                Some(_) => {
                    let item = Memo::new(move |before: Option<&Option<(Item, Source)>>| {
                        stage.selection().or_else(|| before.cloned().flatten())
                    });
                    view! { <Placing item trouble/> <Content item trouble/> }.into_any()
                }
            }}
            <Trouble trouble/>
        </Panel>
    }
}

/// A number that is kept when it is complete.
#[component]
fn Number(
    label: &'static str,
    name: &'static str,
    value: Signal<i64>,
    set: Callback<i64>,
    #[prop(default = i64::MIN)] min: i64,
) -> impl IntoView {
    view! {
        <label class="number">
            <span>{label}</span>
            <input
                type="number"
                name=name
                min=(min != i64::MIN).then(|| min.to_string())
                prop:value=move || value.get().to_string()
                on:change=move |event| { if let Ok(number) = event_target_value(&event).parse::<i64>() { set.run(number.max(min)) } }
            />
        </label>
    }
}

#[component]
fn Placing(item: Memo<Option<(Item, Source)>>, trouble: RwSignal<Option<String>>) -> impl IntoView {
    let stage = Backstage::get();
    let now = move || item.get().map(|(item, _)| item);
    let place = move |part: fn(Rect) -> i64| Signal::derive(move || now().map_or(0, |item| part(item.place)));
    let crop = move |part: fn(Crop) -> u32| Signal::derive(move || now().map_or(0, |item| i64::from(part(item.crop))));
    let set_place = move |change: fn(&mut Rect, i64)| {
        Callback::new(move |value: i64| {
            let Some(item) = untrack(now) else { return };
            let mut place = item.place;
            change(&mut place, value);
            stage.edit(trouble, Edit::Place { item: item.id, place });
        })
    };
    let set_crop = move |change: fn(&mut Crop, u32)| {
        Callback::new(move |value: i64| {
            let Some(item) = untrack(now) else { return };
            let mut crop = item.crop;
            change(&mut crop, u32::try_from(value).unwrap_or(0));
            stage.edit(trouble, Edit::Crop { item: item.id, crop, place: None });
        })
    };
    let arrange = move |how: fn(skylark_protocol::studio::Canvas, (u32, u32), Rect) -> Rect| {
        move |_| {
            let Some(item) = untrack(now) else { return };
            let canvas = stage.collection.with_untracked(|now| now.canvas);
            let size = untrack(|| stage.size_of(&item)).unwrap_or((item.place.width, item.place.height));
            let seen = (
                size.0.saturating_sub(item.crop.left + item.crop.right),
                size.1.saturating_sub(item.crop.top + item.crop.bottom),
            );
            stage.edit(trouble, Edit::Place { item: item.id, place: how(canvas, seen, item.place) });
        }
    };
    view! {
        <fieldset class="numbers">
            <legend>"Place"</legend>
            <Number label="X" name="x" value=place(|at| at.x.into()) set=set_place(|at, value| at.x = value as i32)/>
            <Number label="Y" name="y" value=place(|at| at.y.into()) set=set_place(|at, value| at.y = value as i32)/>
            <Number label="W" name="width" min=1 value=place(|at| at.width.into()) set=set_place(|at, value| at.width = value as u32)/>
            <Number label="H" name="height" min=1 value=place(|at| at.height.into()) set=set_place(|at, value| at.height = value as u32)/>
        </fieldset>
        <div class="tool-row">
            <button type="button" id="fit" class="button small" on:click=arrange(|canvas, size, _| fitted(canvas, size))>"Fit"</button>
            <button type="button" id="fill" class="button small" on:click=arrange(|canvas, _, _| canvas.whole())>"Stretch"</button>
            <button type="button" id="centre" class="button small" on:click=arrange(|canvas, _, place| centred(canvas, place))>"Centre"</button>
        </div>
        <fieldset class="numbers">
            <legend>"Crop"</legend>
            <Number label="L" name="crop-left" min=0 value=crop(|crop| crop.left) set=set_crop(|crop, value| crop.left = value)/>
            <Number label="R" name="crop-right" min=0 value=crop(|crop| crop.right) set=set_crop(|crop, value| crop.right = value)/>
            <Number label="T" name="crop-top" min=0 value=crop(|crop| crop.top) set=set_crop(|crop, value| crop.top = value)/>
            <Number label="B" name="crop-bottom" min=0 value=crop(|crop| crop.bottom) set=set_crop(|crop, value| crop.bottom = value)/>
        </fieldset>
        <label class="line-field">
            <span>"Opacity"</span>
            <input
                type="range"
                name="opacity"
                min="0"
                max="100"
                prop:value=move || now().map_or(100, |item| item.opacity_percent).to_string()
                on:input=move |event| {
                    if let (Some(item), Ok(opacity_percent)) = (untrack(now), event_target_value(&event).parse()) {
                        stage.edit(trouble, Edit::SetOpacity { item: item.id, opacity_percent });
                    }
                }
            />
            <output>{move || now().map(|item| format!("{} %", item.opacity_percent))}</output>
        </label>
    }
}

/// What the source shows, by its kind.
#[component]
fn Content(item: Memo<Option<(Item, Source)>>, trouble: RwSignal<Option<String>>) -> impl IntoView {
    let stage = Backstage::get();
    let source = Signal::derive(move || item.get().map(|(_, source)| source));
    let set = Callback::new(move |input: Input| {
        if let Some(source) = source.get_untracked() {
            stage.edit(trouble, Edit::SetInput { source: source.id, input });
        }
    });
    view! { {move || source.with(|source| source.as_ref().map(|source| words::kind(&source.input))).map(|_| view! { <InputFields source set/> })} }
}

/// The fields of an input; also for strips of the mixer.
#[component]
pub(super) fn InputFields(source: Signal<Option<Source>>, set: Callback<Input>) -> impl IntoView {
    let input = Memo::new(move |_| source.get().map(|source| source.input));
    let kind = Memo::new(move |_| input.with(|input| input.as_ref().map(words::kind)));
    move || {
        kind.track();
        let Some(first) = input.get_untracked() else { return ().into_any() };
        match first {
            Input::Camera { .. } | Input::Window { .. } | Input::Microphone { .. } | Input::DesktopSound { .. } => {
                view! { <DeviceField input set/> }.into_any()
            }
            Input::Screen { .. } => view! { <DeviceField input set/> <Pointer input set/> }.into_any(),
            Input::Media { .. } => view! { <FileField kind="media" input set/> <Loops input set/> }.into_any(),
            Input::Image { .. } => view! { <FileField kind="image" input set/> }.into_any(),
            Input::Text { .. } | Input::Clock { .. } => view! { <Letters input set/> }.into_any(),
            Input::Color { .. } => view! { <Paint input set/> }.into_any(),
            Input::Test { .. } => view! { <Patterns input set/> }.into_any(),
            Input::Tone { .. } => view! { <ToneFields input set/> }.into_any(),
        }
    }
}

/// Which device.
#[component]
fn DeviceField(input: Memo<Option<Input>>, set: Callback<Input>) -> impl IntoView {
    let stage = Backstage::get();
    let kind =
        input.with_untracked(|input| input.as_ref().and_then(|input| words::device(input).map(|(kind, _)| kind)));
    let devices = stage
        .part(move |now| now.devices.iter().filter(|device| Some(device.kind) == kind).cloned().collect::<Vec<_>>());
    let chosen = move || {
        input
            .with(|input| input.as_ref().and_then(|input| words::device(input).map(|(_, id)| id.to_owned())))
            .unwrap_or_default()
    };
    // One that is unplugged stays chosen, and is there again when it is.
    let is_gone = move || {
        let chosen = chosen();
        (!chosen.is_empty() && devices.with(|devices| devices.iter().all(|device| device.id != chosen)))
            .then_some(chosen)
    };
    view! {
        <label class="stack-field">
            <span>"Device"</span>
            <select
                name="device"
                on:change=move |event| {
                    if let Some(before) = input.get_untracked() {
                        set.run(words::with_device(&before, event_target_value(&event)));
                    }
                }
            >
                <option value="" prop:selected=move || chosen().is_empty()>"The system’s default"</option>
                <For each=move || devices.get() key=|device| device.id.clone() let:device>
                    <option value=device.id.clone() prop:selected={let id = device.id.clone(); move || chosen() == id}>{device.name.clone()}</option>
                </For>
                {move || is_gone().map(|id| view! { <option value=id.clone() prop:selected=true>{format!("{id} (not connected)")}</option> })}
            </select>
        </label>
    }
}

#[component]
fn Pointer(input: Memo<Option<Input>>, set: Callback<Input>) -> impl IntoView {
    let shows = move || matches!(input.get(), Some(Input::Screen { shows_pointer: true, .. }));
    view! {
        <label class="tick">
            <input
                type="checkbox"
                prop:checked=shows
                on:change=move |event| { if let Some(Input::Screen { device, area, .. }) = input.get_untracked() {
                    set.run(Input::Screen { device, area, shows_pointer: event_target_checked(&event) });
                } }
            />
            <span>"Show the mouse pointer"</span>
        </label>
    }
}

#[component]
fn FileField(kind: &'static str, input: Memo<Option<Input>>, set: Callback<Input>) -> impl IntoView {
    let path = move || match input.get() {
        Some(Input::Media { path, .. } | Input::Image { path }) => path,
        _ => String::new(),
    };
    let choose = move |_| {
        leptos::task::spawn_local(async move {
            let Some(path) = backstage::choose(kind).await.as_string() else { return };
            match input.get_untracked() {
                Some(Input::Media { is_looped, .. }) => set.run(Input::Media { path, is_looped }),
                Some(Input::Image { .. }) => set.run(Input::Image { path }),
                _ => {}
            }
        });
    };
    view! {
        <div class="stack-field">
            <span>"File"</span>
            <div class="file-row"><code title=path>{path}</code><button type="button" class="button small" on:click=choose>"Choose…"</button></div>
        </div>
    }
}

#[component]
fn Loops(input: Memo<Option<Input>>, set: Callback<Input>) -> impl IntoView {
    view! {
        <label class="tick">
            <input
                type="checkbox"
                prop:checked=move || matches!(input.get(), Some(Input::Media { is_looped: true, .. }))
                on:change=move |event| { if let Some(Input::Media { path, .. }) = input.get_untracked() {
                    set.run(Input::Media { path, is_looped: event_target_checked(&event) });
                } }
            />
            <span>"Begin again at the end"</span>
        </label>
    }
}

/// What is written, how large, in which colour, and whether it is a format of the time.
type Lettering = (String, u32, Color, bool);

/// Words and clock: what, how large, in which colour.
#[component]
fn Letters(input: Memo<Option<Input>>, set: Callback<Input>) -> impl IntoView {
    let parts = move |input: Option<Input>| match input {
        Some(Input::Text { text, size, color }) => (text, size, color, false),
        Some(Input::Clock { format, size, color }) => (format, size, color, true),
        _ => (String::new(), 1, Color([0; 4]), false),
    };
    let change = move |change: &dyn Fn(&mut Lettering)| {
        let mut now = parts(input.get_untracked());
        change(&mut now);
        let (text, size, color, is_clock) = now;
        set.run(if is_clock { Input::Clock { format: text, size, color } } else { Input::Text { text, size, color } });
    };
    let is_clock = parts(input.get_untracked()).3;
    view! {
        <label class="stack-field">
            <span>{if is_clock { "Format" } else { "Text" }}</span>
            <textarea
                name="text"
                rows=if is_clock { "1" } else { "3" }
                dir="auto"
                prop:value=move || parts(input.get()).0
                on:input=move |event| change(&|now| now.0 = event_target_value(&event))
            ></textarea>
        </label>
        <fieldset class="numbers two">
            <Number label="Size" name="size" min=4 value=Signal::derive(move || parts(input.get()).1.into()) set=Callback::new(move |size: i64| change(&|now| now.1 = size as u32))/>
            <ColorField color=Signal::derive(move || parts(input.get()).2) set=Callback::new(move |color| change(&|now| now.2 = color))/>
        </fieldset>
    }
}

#[component]
fn ColorField(color: Signal<Color>, set: Callback<Color>) -> impl IntoView {
    view! {
        <label class="number">
            <span>"Colour"</span>
            <input
                type="color"
                name="color"
                prop:value=move || hex(color.get())
                on:input=move |event| { if let Some(color) = from_hex(&event_target_value(&event), color.get_untracked()) { set.run(color) } }
            />
        </label>
    }
}

#[component]
fn Paint(input: Memo<Option<Input>>, set: Callback<Input>) -> impl IntoView {
    let color = Signal::derive(move || match input.get() {
        Some(Input::Color { color }) => color,
        _ => Color([0; 4]),
    });
    view! { <fieldset class="numbers two"><ColorField color set=Callback::new(move |color| set.run(Input::Color { color }))/></fieldset> }
}

#[component]
fn Patterns(input: Memo<Option<Input>>, set: Callback<Input>) -> impl IntoView {
    const PATTERNS: [(Pattern, &str); 4] = [
        (Pattern::Bars, "Colour bars"),
        (Pattern::Ball, "Moving ball"),
        (Pattern::Snow, "Snow"),
        (Pattern::Counter, "Frame counter"),
    ];
    view! {
        <label class="stack-field">
            <span>"Picture"</span>
            <select
                name="pattern"
                on:change=move |event| {
                    let chosen = event_target_value(&event).parse::<usize>().ok().and_then(|at| PATTERNS.get(at));
                    if let Some((pattern, _)) = chosen {
                        set.run(Input::Test { pattern: *pattern });
                    }
                }
            >
                {PATTERNS.into_iter().enumerate().map(|(at, (pattern, title))| view! {
                    <option value=at.to_string() prop:selected=move || input.get() == Some(Input::Test { pattern })>{title}</option>
                }).collect_view()}
            </select>
        </label>
    }
}

#[component]
fn ToneFields(input: Memo<Option<Input>>, set: Callback<Input>) -> impl IntoView {
    let parts = move |input: Option<Input>| match input {
        Some(Input::Tone { frequency_hz, level_db }) => (frequency_hz, level_db),
        _ => (440, -20),
    };
    view! {
        <fieldset class="numbers two">
            <Number label="Hz" name="frequency" min=20 value=Signal::derive(move || parts(input.get()).0.into()) set=Callback::new(move |frequency: i64| {
                set.run(Input::Tone { frequency_hz: frequency as u32, level_db: parts(input.get_untracked()).1 });
            })/>
            <Number label="dB" name="level" value=Signal::derive(move || parts(input.get()).1.into()) set=Callback::new(move |level: i64| {
                set.run(Input::Tone { frequency_hz: parts(input.get_untracked()).0, level_db: level as i32 });
            })/>
        </fieldset>
    }
}

/// "#ff9d5c", as `<input type=color>` has it.
fn hex(Color([red, green, blue, _]): Color) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The same with the opacity from before.
fn from_hex(text: &str, Color([.., opacity]): Color) -> Option<Color> {
    let number = u32::from_str_radix(text.strip_prefix('#').filter(|digits| digits.len() == 6)?, 16).ok()?;
    let [_, red, green, blue] = number.to_be_bytes();
    Some(Color([red, green, blue, opacity]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_there_and_back() {
        let color = Color([255, 157, 92, 128]);
        assert_eq!(hex(color), "#ff9d5c");
        assert_eq!(from_hex("#ff9d5c", Color([0, 0, 0, 128])), Some(color));
        assert_eq!(from_hex("red", color), None);
    }
}
