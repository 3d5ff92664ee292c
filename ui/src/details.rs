//! What a streamer says of a stream: the fields, wherever they are filled in.

use leptos::prelude::*;
use skylark_protocol::api::StreamDetails;

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

/// What stands in the fields. A handle.
#[derive(Clone, Copy)]
pub(crate) struct Details {
    title: RwSignal<String>,
    description: RwSignal<String>,
    category: RwSignal<String>,
    tags: RwSignal<String>,
    image: RwSignal<String>,
}

impl Details {
    /// Fields that begin with this.
    pub(crate) fn of(details: &StreamDetails) -> Self {
        Self {
            title: RwSignal::new(details.title.clone()),
            description: RwSignal::new(details.description.clone()),
            category: RwSignal::new(details.category.clone()),
            tags: RwSignal::new(details.tags.join(", ")),
            image: RwSignal::new(details.image.clone().unwrap_or_default()),
        }
    }

    /// What was typed; what has no field here is as it was before.
    pub(crate) fn typed(self, before: StreamDetails) -> StreamDetails {
        let image = self.image.get_untracked().trim().to_owned();
        StreamDetails {
            title: self.title.get_untracked().trim().to_owned(),
            description: self.description.get_untracked(),
            category: self.category.get_untracked(),
            tags: words(&self.tags.get_untracked()),
            image: (!image.is_empty()).then_some(image),
            ..before
        }
    }

    /// It has no title yet; tracked.
    pub(crate) fn is_untitled(self) -> bool {
        self.title.with(|title| title.trim().is_empty())
    }
}

/// Title, description, category and tags. `class` is that of a field with its label.
#[component]
pub(crate) fn DetailsFields(details: Details, class: &'static str) -> impl IntoView {
    let Details { title, description, category, tags, .. } = details;
    let first = category.get_untracked();
    // Other programs may know others.
    let other = (!CATEGORIES.iter().any(|(value, _)| *value == first)).then(|| (first.clone(), first));
    let known = CATEGORIES.into_iter().map(|(value, label)| (value.to_owned(), label.to_owned()));
    let options = known.chain(other).map(|(value, label)| {
        let is_it = value.clone();
        view! { <option value=value prop:selected=move || category.with(|now| *now == is_it)>{label}</option> }
    });
    view! {
        <label class=class>
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
        <label class=class>
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
            <label class=class>
                <span>"Category"</span>
                <select name="category" on:change=move |event| category.set(event_target_value(&event))>{options.collect_view()}</select>
            </label>
            <label class=class>
                <span>"Tags"</span>
                <input
                    name="tags"
                    dir="auto"
                    placeholder="music, improvisation"
                    prop:value=move || tags.get()
                    on:input=move |event| tags.set(event_target_value(&event))
                />
            </label>
        </div>
    }
}

/// The address of a picture that lies elsewhere.
#[component]
pub(crate) fn PictureAddress(details: Details, class: &'static str, label: &'static str) -> impl IntoView {
    let image = details.image;
    view! {
        <label class=class>
            <span>{label}</span>
            <input
                name="image"
                type="url"
                placeholder="https://…"
                prop:value=move || image.get()
                on:input=move |event| image.set(event_target_value(&event))
            />
        </label>
    }
}

/// Words between commas, without the `#` that some write before them.
fn words(text: &str) -> Vec<String> {
    let word = |word: &str| word.trim().trim_start_matches('#').to_owned();
    text.split(',').map(word).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_what_stands_between_commas() {
        assert_eq!(words(" #music, free jazz ,,#"), ["music", "free jazz"]);
        assert!(words("").is_empty());
    }

    #[test]
    fn what_has_no_field_stays_as_it_was() {
        let before = StreamDetails {
            title: "Jam".into(),
            category: "cooking".into(),
            chat: false,
            private: true,
            image: Some("https://a.example/x.png".into()),
            ..StreamDetails::default()
        };
        Owner::new().with(|| assert_eq!(Details::of(&before).typed(before.clone()), before));
    }
}
