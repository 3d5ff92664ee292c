//! The last step before going live: what is checked, and what people are told.

use leptos::prelude::*;
use skylark_protocol::{
    api::StreamDetails,
    studio::{Command, Preflight},
};

use super::{Trouble, backstage::Backstage, dialog::Dialog, words};
use crate::{
    brand::{Icon, shapes as brand},
    engine,
};

/// Where the details of the last stream are remembered.
const REMEMBERED: &str = "skylark.studio.details";
/// What a stream can be about, as the front page groups them.
const CATEGORIES: [(&str, &str); 8] = [
    ("", "None"),
    ("gaming", "Gaming"),
    ("music", "Music"),
    ("talk", "Talk"),
    ("art", "Art"),
    ("technology", "Technology"),
    ("education", "Education"),
    ("sports", "Sports"),
];

/// What is looked at before going live.
#[component]
pub(super) fn Checks() -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    let preflight = stage.part(|now| now.broadcast.preflight.clone());
    let again = move |_| stage.act(trouble, Command::Check);
    stage.act(trouble, Command::Check);
    let is_done = move || preflight.with(|preflight| preflight.as_ref().is_some_and(|preflight| preflight.is_done));
    view! {
        <ul class="checks" aria-live="polite" data-done=move || is_done().to_string()>
            {move || preflight.get().unwrap_or_default().checks.into_iter().map(|check| {
                let (outcome, words) = words::outcome(check.outcome);
                view! {
                    <li class="check-line" data-code=check.code data-outcome=outcome>
                        <span class="lamp" role="img" aria-label=words></span>
                        <p><b>{check.title}</b>{check.message}</p>
                    </li>
                }
            }).collect_view()}
        </ul>
        <Show when=move || preflight.with(|preflight| preflight.as_ref().is_none_or(|one| one.checks.is_empty())) >
            <p class="hint">"Looking at the encoder, the way to the origin, the clock, the disk and the microphone…"</p>
        </Show>
        <Trouble trouble/>
        <div class="dialog-row">
            <button type="button" id="check-again" class="button small" on:click=again>"Check again"</button>
        </div>
    }
}

/// Something stands in the way of going live.
pub(super) fn is_stopped(preflight: Option<&Preflight>) -> bool {
    let is_bad = |check: &skylark_protocol::studio::Check| check.outcome == skylark_protocol::studio::CheckOutcome::Bad;
    preflight.is_some_and(|preflight| preflight.checks.iter().any(is_bad))
}

/// Title, category, tags and picture, and the button.
#[component]
pub(super) fn Announcement(done: Callback<()>) -> impl IntoView {
    let stage = Backstage::get();
    let (trouble, busy) = (RwSignal::new(None), RwSignal::new(false));
    let first = remembered();
    let category = RwSignal::new(first.category.clone());
    let (title, description) = (RwSignal::new(first.title.clone()), RwSignal::new(first.description.clone()));
    let (tags, image) = (RwSignal::new(first.tags.join(", ")), RwSignal::new(first.image.clone().unwrap_or_default()));
    let private = RwSignal::new(false);
    let stopped = stage.part(|now| is_stopped(now.broadcast.preflight.as_ref()));
    let details = move || {
        let image = image.get_untracked().trim().to_owned();
        StreamDetails {
            title: title.get_untracked().trim().to_owned(),
            description: description.get_untracked(),
            category: category.get_untracked(),
            tags: split(&tags.get_untracked()),
            image: (!image.is_empty()).then_some(image),
            private: private.get_untracked(),
            ..StreamDetails::default()
        }
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        let details = details();
        if let Ok(json) = serde_json::to_string(&details) {
            engine::remember(REMEMBERED, &json);
        }
        leptos::task::spawn_local(async move {
            let answer = super::backstage::ask(&Command::GoLive { details }).await;
            busy.try_set(false);
            match answer {
                Ok(_) => done.run(()),
                Err(problem) => _ = trouble.try_set(Some(problem.message)),
            }
        });
    };
    let field = move |name: &'static str, label: &'static str, placeholder: &'static str, value: RwSignal<String>| {
        view! {
            <label class="stack-field">
                <span>{label}</span>
                <input name=name placeholder=placeholder dir="auto" prop:value=move || value.get() on:input=move |event| value.set(event_target_value(&event))/>
            </label>
        }
    };
    view! {
        <form class="secret-form" id="announcement" on:submit=submit>
            <label class="stack-field">
                <span>"Title"</span>
                <input
                    name="title"
                    required
                    dir="auto"
                    placeholder="What happens tonight"
                    maxlength=StreamDetails::MAX_TITLE_CHARS.to_string()
                    prop:value=move || title.get()
                    on:input=move |event| title.set(event_target_value(&event))
                />
            </label>
            <label class="stack-field">
                <span>"Description"</span>
                <textarea
                    name="description"
                    rows="2"
                    dir="auto"
                    maxlength=StreamDetails::MAX_DESCRIPTION_CHARS.to_string()
                    prop:value=move || description.get()
                    on:input=move |event| description.set(event_target_value(&event))
                ></textarea>
            </label>
            <div class="pair">
                <label class="stack-field">
                    <span>"Category"</span>
                    <select name="category" on:change=move |event| category.set(event_target_value(&event))>
                        {CATEGORIES.map(|(value, label)| view! { <option value=value prop:selected=move || category.get() == value>{label}</option> }).collect_view()}
                    </select>
                </label>
                {field("tags", "Tags", "music, improvisation", tags)}
            </div>
            {field("image", "Picture, an address", "https://…", image)}
            <label class="tick">
                <input type="checkbox" name="private" prop:checked=move || private.get() on:change=move |event| private.set(event_target_checked(&event))/>
                <span>"Private"<small>"Only people whom you let in can watch, chat, or find it."</small></span>
            </label>
            <Trouble trouble/>
            <div class="dialog-row">
                <span class="spacer"></span>
                <button type="submit" id="go-live-now" class="button primary big" disabled=move || busy.get() || stopped.get() || title.with(|title| title.trim().is_empty())>
                    <Icon path=brand::BROADCAST/>
                    {move || if busy.get() { "Going live…" } else { "Go live" }}
                </button>
            </div>
        </form>
    }
}

/// Everything before going live, for whoever has been through the wizard.
#[component]
pub(super) fn GoLive(open: RwSignal<bool>) -> impl IntoView {
    let close = Callback::new(move |()| open.set(false));
    view! {
        <Show when=move || open.get()>
            <Dialog id="go-live-dialog" title="Go live" close is_wide=true>
                <div class="columns">
                    <div><Announcement done=close/></div>
                    <div><h3>"Is everything ready?"</h3><Checks/></div>
                </div>
            </Dialog>
        </Show>
    }
}

fn remembered() -> StreamDetails {
    engine::remembered(REMEMBERED).and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
}

/// Words between commas, without the `#` that some write before them.
fn split(text: &str) -> Vec<String> {
    let word = |word: &str| word.trim().trim_start_matches('#').to_owned();
    text.split(',').map(word).filter(|word| !word.is_empty()).collect()
}
