//! What a streamer says of a stream: the form.

use leptos::prelude::*;
use skylark_protocol::api::StreamDetails;

use crate::details::{Details, DetailsFields, PictureAddress};

/// What the stream is; and the start, where it may still be chosen.
#[component]
pub(super) fn DetailsForm(
    details: StreamDetails,
    action: &'static str,
    may_schedule: bool,
    save: Callback<StreamDetails>,
) -> impl IntoView {
    let fields = Details::of(&details);
    let starts = RwSignal::new(String::new());
    let private = RwSignal::new(details.private);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        save.run(StreamDetails {
            private: private.get_untracked(),
            starts_at_s: if may_schedule { unix_s(&starts.get_untracked()) } else { details.starts_at_s },
            ..fields.typed(details.clone())
        });
    };
    view! {
        <form class="details-form" on:submit=submit>
            <DetailsFields details=fields class="field"/>
            <PictureAddress details=fields class="field" label="Picture, by its address"/>
            {may_schedule.then(|| view! {
                <label class="field">
                    <span>"Starts"</span>
                    <input name="starts" type="datetime-local" on:input=move |event| starts.set(event_target_value(&event))/>
                    <small>"Leave it empty to start whenever you are ready."</small>
                </label>
                <label class="switch">
                    <input name="private" type="checkbox" on:change=move |event| private.set(event_target_checked(&event))/>
                    <span>"Private: only people whom you let in can watch, chat, or find it. This cannot be changed later."</span>
                </label>
            })}
            <button type="submit" class="pill primary">{action}</button>
        </form>
    }
}

/// A date in the streamer's own time, as `<input type="datetime-local">` has it.
fn unix_s(text: &str) -> Option<u64> {
    let ms = js_sys::Date::parse(text);
    (ms.is_finite() && ms > 0.0).then_some((ms / 1000.0) as u64)
}
