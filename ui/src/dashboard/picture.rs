//! The stream's small picture: chosen and sent.

use leptos::prelude::*;
use skylark_protocol::api::Stream;

use crate::{api, identity::Identity, picture::PictureChoice};

/// The panel. `path` is where the picture is sent; `sent` hears of the stream as it is then.
#[component]
pub(super) fn Thumbnail(
    identity: Identity,
    path: String,
    now: Signal<Option<String>>,
    sent: Callback<Stream>,
) -> impl IntoView {
    let chosen = RwSignal::new(None);
    let (busy, trouble) = (RwSignal::new(false), RwSignal::new(None::<String>));
    let path = StoredValue::new(path);
    let send = move |_| {
        let Some(bytes) = chosen.with_untracked(|chosen: &Option<crate::picture::Chosen>| {
            chosen.as_ref().map(|chosen| chosen.bytes.clone())
        }) else {
            return;
        };
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        leptos::task::spawn_local(async move {
            let answer = api::send_bytes::<Stream>(identity, "PUT", &path.get_value(), &bytes).await;
            busy.try_set(false);
            match answer {
                Ok(stream) => {
                    chosen.try_set(None);
                    trouble.try_set(None);
                    sent.run(stream);
                }
                Err(error) => _ = trouble.try_set(Some(error)),
            }
        });
    };
    view! {
        <section class="panel" id="thumbnail" aria-labelledby="thumbnail-title">
            <h2 id="thumbnail-title">"Picture"</h2>
            <PictureChoice chosen now trouble button="pill">
                <Show when=move || chosen.with(Option::is_some)>
                    <button type="button" id="send-thumbnail" class="pill primary" disabled=move || busy.get() on:click=send>"Use it"</button>
                </Show>
            </PictureChoice>
            <p class="trouble" role="alert">{move || trouble.get()}</p>
        </section>
    }
}
