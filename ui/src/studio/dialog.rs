//! Dialogs of the Studio.

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast as _;

use crate::brand::{Icon, shapes};

/// A dialog over the window; the escape key, its cross and a click beside it close it.
#[component]
pub(super) fn Dialog(
    id: &'static str,
    #[prop(into)] title: Signal<String>,
    close: Callback<()>,
    #[prop(optional)] is_wide: bool,
    children: Children,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move || {
        if let Some(dialog) = dialog.get() {
            // Only throws when it is open already.
            dialog.show_modal().ok();
        }
    });
    let clicked = move |event: leptos::ev::MouseEvent| {
        // The backdrop belongs to the dialog itself.
        if event.target().is_some_and(|target| target.is_instance_of::<web_sys::HtmlDialogElement>()) {
            close.run(());
        }
    };
    let heading = format!("{id}-title");
    view! {
        <dialog
            id=id
            class="sheet"
            class:wide=is_wide
            node_ref=dialog
            aria-labelledby=heading.clone()
            on:close=move |_| close.run(())
            on:mousedown=clicked
        >
            <div class="sheet-box">
                <div class="sheet-head">
                    <h2 id=heading.clone() tabindex="-1" autofocus>{move || title.get()}</h2>
                    <button type="button" class="tool" aria-label="Close" on:click=move |_| close.run(())><Icon path=shapes::CLOSE/></button>
                </div>
                <div class="sheet-body">{children()}</div>
            </div>
        </dialog>
    }
}
