//! How to pass a stream on: a link, its address in Nostr clients, a player for other pages.

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast as _;

use crate::{
    brand::{Icon, shapes},
    engine,
};

/// What can be passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Links {
    /// The page.
    pub(crate) page: String,
    /// `naddr1…`
    pub(crate) naddr: Option<String>,
    /// The address of the player alone.
    pub(crate) embed: Option<String>,
}

/// A button, and the dialog that it opens.
#[component]
pub(crate) fn Share<F>(links: F) -> impl IntoView
where
    F: Fn() -> Links + Copy + Send + Sync + 'static,
{
    let dialog = NodeRef::<html::Dialog>::new();
    let shown = RwSignal::new(None::<Links>);
    let open = move |_| {
        shown.set(Some(links()));
        if let Some(dialog) = dialog.get_untracked() {
            dialog.show_modal().ok();
        }
    };
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    // The dialog is its backdrop, too: what is in it lies in a box of its own.
    let clicked = move |event: leptos::ev::MouseEvent| {
        let is_backdrop = event.target().is_some_and(|target| target.is_instance_of::<web_sys::HtmlDialogElement>());
        if is_backdrop {
            close();
        }
    };
    view! {
        <div class="share">
            <button type="button" id="share-button" class="pill" aria-haspopup="dialog" on:click=open>
                <Icon path=shapes::LINK/>"Share"
            </button>
            <dialog id="share" class="share-dialog" aria-label="Share" node_ref=dialog on:click=clicked>
                <div class="share-box">
                    <div class="share-head">
                        <h2>"Share"</h2>
                        <button type="button" class="control" aria-label="Close" on:click=move |_| close()>
                            <Icon path=shapes::CLOSE/>
                        </button>
                    </div>
                    {move || shown.get().map(|links| view! {
                        <Row id="link" label="Link" text=links.page/>
                        {links.naddr.map(|naddr| view! { <Row id="naddr" label="Nostr address" text=format!("nostr:{naddr}")/> })}
                        {links.embed.map(|url| view! { <Row id="embed" label="Player for another page" text=embed_code(&url)/> })}
                    })}
                </div>
            </dialog>
        </div>
    }
}

#[component]
fn Row(id: &'static str, label: &'static str, text: String) -> impl IntoView {
    let is_copied = RwSignal::new(false);
    let value = text.clone();
    let copy = move |_| {
        let text = text.clone();
        leptos::task::spawn_local(async move {
            is_copied.try_set(engine::copy_text(&text).await.is_truthy());
            set_timeout(move || _ = is_copied.try_set(false), std::time::Duration::from_secs(2));
        });
    };
    view! {
        <div class="share-row">
            <label for=format!("share-{id}")>{label}</label>
            <input id=format!("share-{id}") type="text" readonly value=value/>
            <button type="button" class="pill" id=format!("copy-{id}") aria-label=format!("Copy: {label}") on:click=copy>
                <span aria-live="polite">{move || if is_copied.get() { "Copied" } else { "Copy" }}</span>
            </button>
        </div>
    }
}

/// HTML for other people's pages; addresses of ours need no escaping.
fn embed_code(url: &str) -> String {
    format!(
        "<iframe src=\"{url}\" width=\"640\" height=\"360\" frameborder=\"0\" \
         allow=\"autoplay; fullscreen; picture-in-picture\" allowfullscreen></iframe>"
    )
}
