//! The stream's small picture: chosen, looked at, sent.

use leptos::{html, prelude::*};
use skylark_protocol::api::Stream;
use wasm_bindgen::prelude::*;

use crate::{api, identity::Identity};

#[wasm_bindgen(raw_module = "./picture.js")]
extern "C" {
    /// A picture in the form that is sent.
    type Picture;
    /// The picture in an `<input type=file>`, made small enough; throws when it is none.
    #[wasm_bindgen(js_name = readPicture, catch)]
    async fn read_picture(input: &web_sys::HtmlInputElement) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn bytes(this: &Picture) -> Vec<u8>;
    #[wasm_bindgen(method, getter)]
    fn url(this: &Picture) -> String;
}

/// The panel. `path` is where the picture is sent; `sent` hears of the stream as it is then.
#[component]
pub(super) fn Thumbnail(
    identity: Identity,
    path: String,
    now: Signal<Option<String>>,
    sent: Callback<Stream>,
) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let chosen = RwSignal::new(None::<(String, Vec<u8>)>);
    let (busy, trouble) = (RwSignal::new(false), RwSignal::new(None::<String>));
    let choose = move |_| {
        let Some(input) = input.get_untracked() else { return };
        leptos::task::spawn_local(async move {
            match read_picture(&input).await {
                Ok(picture) => {
                    let picture: Picture = picture.unchecked_into();
                    trouble.try_set(None);
                    chosen.try_set(Some((picture.url(), picture.bytes())));
                }
                Err(_) => _ = trouble.try_set(Some("That is no picture that this browser can read.".to_owned())),
            }
        });
    };
    let path = StoredValue::new(path);
    let send = move |_| {
        let Some((_, bytes)) = chosen.get_untracked() else { return };
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
    let shown = move || chosen.get().map(|(url, _)| url).or_else(|| now.get());
    view! {
        <section class="panel" id="thumbnail" aria-labelledby="thumbnail-title">
            <h2 id="thumbnail-title">"Picture"</h2>
            <div class="thumbnail">
                {move || match shown() {
                    Some(url) => view! { <img src=url alt="The stream’s picture"/> }.into_any(),
                    None => view! { <p class="notice">"None yet. It stands for your stream in lists, and while you take a break."</p> }.into_any(),
                }}
            </div>
            <div class="order-form">
                <label class="pill file">
                    <span>"Choose a picture"</span>
                    <input node_ref=input type="file" name="thumbnail" accept="image/*" on:change=choose/>
                </label>
                <Show when=move || chosen.get().is_some()>
                    <button type="button" id="send-thumbnail" class="pill primary" disabled=move || busy.get() on:click=send>"Use it"</button>
                </Show>
            </div>
            <p class="trouble" role="alert">{move || trouble.get()}</p>
        </section>
    }
}
