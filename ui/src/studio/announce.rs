//! What people are told: the last step before going live with what is checked then, and something else while it is on air.

use leptos::prelude::*;
use skylark_protocol::{
    api::{Stream, StreamDetails},
    studio::{Command, Picture, Preflight},
};

use super::{
    Doors, Trouble,
    backstage::{Backstage, ask},
    dialog::Dialog,
    words,
};
use crate::{
    brand::{Icon, shapes as brand},
    details::{Details, DetailsFields, PictureAddress},
    picture::{Chosen, PictureChoice},
};

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
    let doors = Doors::get();
    let (trouble, busy) = (RwSignal::new(None), RwSignal::new(false));
    let first = stage.snapshot.with_untracked(|now| now.broadcast.last.clone()).unwrap_or_default();
    let fields = Details::of(&first);
    let private = RwSignal::new(first.private);
    let picture = RwSignal::new(None);
    let stopped = stage.part(|now| is_stopped(now.broadcast.preflight.as_ref()));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        let details = StreamDetails { private: private.get_untracked(), ..fields.typed(StreamDetails::default()) };
        leptos::task::spawn_local(async move {
            let answer = ask(&Command::GoLive { details }).await;
            busy.try_set(false);
            match answer {
                Ok(_) => {
                    let picture = picture.try_get_untracked().flatten();
                    done.run(());
                    // It is live without its picture, too.
                    doors.trouble.set(illustrate(picture).await.err());
                }
                Err(problem) => _ = trouble.try_set(Some(problem.message)),
            }
        });
    };
    view! {
        <form class="secret-form" id="announcement" on:submit=submit>
            <DetailsFields details=fields class="stack-field"/>
            <div class="picture-row">
                <PictureChoice chosen=picture now=None trouble button="button small">
                    <PictureAddress details=fields class="stack-field" label="or the address of one"/>
                </PictureChoice>
            </div>
            <label class="tick">
                <input type="checkbox" name="private" prop:checked=move || private.get() on:change=move |event| private.set(event_target_checked(&event))/>
                <span>"Private"<small>"Only people whom you let in can watch, chat, or find it."</small></span>
            </label>
            <Trouble trouble/>
            <div class="dialog-row">
                <span class="spacer"></span>
                <button type="submit" id="go-live-now" class="button primary big" disabled=move || busy.get() || stopped.get() || fields.is_untitled()>
                    <Icon path=brand::BROADCAST/>
                    {move || if busy.get() { "Going live…" } else { "Go live" }}
                </button>
            </div>
        </form>
    }
}

/// Gives the stream that is on air a picture, if one was chosen.
///
/// # Errors
/// Why it has none, a sentence.
async fn illustrate(chosen: Option<Chosen>) -> Result<(), String> {
    let Some(chosen) = chosen else { return Ok(()) };
    let too_large = || "That picture is too large, even made small. Choose another one.".to_owned();
    let picture = Picture::new(chosen.bytes).ok_or_else(too_large)?;
    ask(&Command::Illustrate { picture }).await.map(drop).map_err(|problem| problem.message)
}

/// Says something else of the stream that is on air.
#[component]
pub(super) fn Describe(open: RwSignal<bool>) -> impl IntoView {
    let stage = Backstage::get();
    let close = Callback::new(move |()| open.set(false));
    let stream = move || stage.snapshot.with_untracked(|now| now.broadcast.stream.clone());
    view! {
        <Show when=move || open.get()>
            <Dialog id="describe" title="About the stream" close>
                {stream().map(|stream| view! { <Description stream close/> })}
            </Dialog>
        </Show>
    }
}

#[component]
fn Description(stream: Stream, close: Callback<()>) -> impl IntoView {
    let stage = Backstage::get();
    let (trouble, busy) = (RwSignal::new(None), RwSignal::new(false));
    let picture = RwSignal::new(None);
    let fields = Details::of(&stream.details);
    let before = StoredValue::new(stream.details.clone());
    let is_private = stream.details.private;
    // A private stream's picture is shown to guests alone.
    let now = stage.part(move |now| {
        let path = now.broadcast.stream.as_ref().filter(|_| !is_private)?.thumbnail.clone()?;
        now.origin.as_ref().map(|origin| format!("{}{path}", origin.trim_end_matches('/')))
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        let (before, chosen) = (before.get_value(), picture.get_untracked());
        let details = fields.typed(before.clone());
        leptos::task::spawn_local(async move {
            let said = async {
                if details != before {
                    ask(&Command::Describe { details }).await.map_err(|problem| problem.message)?;
                }
                illustrate(chosen).await
            };
            let said = said.await;
            busy.try_set(false);
            match said {
                Ok(()) => close.run(()),
                Err(message) => _ = trouble.try_set(Some(message)),
            }
        });
    };
    view! {
        <form class="secret-form" id="description" on:submit=submit>
            <DetailsFields details=fields class="stack-field"/>
            <div class="picture-row">
                <PictureChoice chosen=picture now trouble button="button small">
                    <PictureAddress details=fields class="stack-field" label="or the address of one"/>
                </PictureChoice>
            </div>
            <Trouble trouble/>
            <div class="dialog-row">
                <button type="button" class="button" on:click=move |_| close.run(())>"Cancel"</button>
                <span class="spacer"></span>
                <button type="submit" id="describe-now" class="button primary" disabled=move || busy.get() || fields.is_untitled()>
                    {move || if busy.get() { "Telling everybody…" } else { "Save" }}
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
