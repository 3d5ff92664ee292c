//! What a streamer says of a stream: the form.

use leptos::prelude::*;
use skylark_protocol::api::StreamDetails;

/// Title, description, tags and picture; and the start, where it may still be chosen.
#[component]
pub(super) fn DetailsForm(
    details: StreamDetails,
    action: &'static str,
    may_schedule: bool,
    save: Callback<StreamDetails>,
) -> impl IntoView {
    let title = RwSignal::new(details.title.clone());
    let description = RwSignal::new(details.description.clone());
    let tags = RwSignal::new(details.tags.join(", "));
    let image = RwSignal::new(details.image.clone().unwrap_or_default());
    let starts = RwSignal::new(String::new());
    let private = RwSignal::new(details.private);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let image = image.get_untracked().trim().to_owned();
        save.run(StreamDetails {
            title: title.get_untracked(),
            description: description.get_untracked(),
            tags: words(&tags.get_untracked()),
            image: (!image.is_empty()).then_some(image),
            private: private.get_untracked(),
            starts_at_s: if may_schedule { unix_s(&starts.get_untracked()) } else { details.starts_at_s },
            ..details.clone()
        });
    };
    view! {
        <form class="details-form" on:submit=submit>
            <label class="field">
                <span>"Title"</span>
                <input
                    name="title"
                    required
                    dir="auto"
                    maxlength=StreamDetails::MAX_TITLE_CHARS.to_string()
                    prop:value=move || title.get()
                    on:input=move |event| title.set(event_target_value(&event))
                />
            </label>
            <label class="field">
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
            <label class="field">
                <span>"Tags"</span>
                <input
                    name="tags"
                    placeholder="music, improvisation"
                    prop:value=move || tags.get()
                    on:input=move |event| tags.set(event_target_value(&event))
                />
            </label>
            <label class="field">
                <span>"Picture"</span>
                <input
                    name="image"
                    type="url"
                    placeholder="https://…"
                    prop:value=move || image.get()
                    on:input=move |event| image.set(event_target_value(&event))
                />
            </label>
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

/// Words between commas, without the `#` that some write before them.
fn words(text: &str) -> Vec<String> {
    let word = |word: &str| word.trim().trim_start_matches('#').to_owned();
    text.split(',').map(word).filter(|word| !word.is_empty()).collect()
}

/// A date in the streamer's own time, as `<input type="datetime-local">` has it.
fn unix_s(text: &str) -> Option<u64> {
    let ms = js_sys::Date::parse(text);
    (ms.is_finite() && ms > 0.0).then_some((ms / 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_what_stands_between_commas() {
        assert_eq!(words(" #music, free jazz ,,#"), ["music", "free jazz"]);
        assert!(words("").is_empty());
    }
}
