//! A stream's small picture: chosen from a file, made small, looked at.

use leptos::{html, prelude::*};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(raw_module = "./picture.js")]
extern "C" {
    /// A picture in the form that is sent.
    type Read;
    /// The picture in an `<input type=file>`, made small enough; throws when it is none.
    #[wasm_bindgen(js_name = readPicture, catch)]
    async fn read_picture(input: &web_sys::HtmlInputElement) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn bytes(this: &Read) -> Vec<u8>;
    #[wasm_bindgen(method, getter)]
    fn url(this: &Read) -> String;
}

/// A picture that was chosen and not sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Shows it.
    url: String,
    /// The file that is sent.
    pub(crate) bytes: Vec<u8>,
}

/// The picture that is chosen, or `now`; and how another one is chosen. `button` is the class of what is pressed.
#[component]
pub(crate) fn PictureChoice(
    chosen: RwSignal<Option<Chosen>>,
    #[prop(into)] now: Signal<Option<String>>,
    trouble: RwSignal<Option<String>>,
    button: &'static str,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let choose = move |_| {
        let Some(input) = input.get_untracked() else { return };
        leptos::task::spawn_local(async move {
            match read_picture(&input).await {
                Ok(picture) => {
                    let picture: Read = picture.unchecked_into();
                    trouble.try_set(None);
                    chosen.try_set(Some(Chosen { url: picture.url(), bytes: picture.bytes() }));
                }
                Err(_) => _ = trouble.try_set(Some("That file is no picture that can be read.".to_owned())),
            }
            // The same file can be chosen again.
            input.set_value("");
        });
    };
    let shown = move || chosen.with(|chosen| chosen.as_ref().map(|chosen| chosen.url.clone())).or_else(|| now.get());
    view! {
        <div class="thumbnail">
            {move || match shown() {
                Some(url) => view! { <img src=url alt="The stream’s picture"/> }.into_any(),
                None => view! { <p class="notice">"No picture yet. It stands for your stream in lists, and while you take a break."</p> }.into_any(),
            }}
        </div>
        <div class="picture-choice">
            <label class=format!("{button} file")>
                <span>{move || if shown().is_some() { "Choose another picture" } else { "Choose a picture" }}</span>
                <input node_ref=input type="file" name="thumbnail" accept="image/*" on:change=choose/>
            </label>
            {children.map(|more| more())}
        </div>
    }
}
