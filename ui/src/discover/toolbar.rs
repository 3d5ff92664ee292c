//! Search, topics, and whether streams of other servers are wanted.

use leptos::{html, prelude::*};

use super::wish::Wish;
use crate::brand::{Icon, shapes};

/// The row above the cards.
#[component]
pub(super) fn Toolbar(wish: RwSignal<Wish>, topics: Memo<Vec<String>>, is_mixed: bool) -> impl IntoView {
    let search = NodeRef::<html::Input>::new();
    // As on many sites: a slash goes to the search.
    let listening = window_event_listener(leptos::ev::keydown, move |event| {
        let Some(search) = search.get_untracked() else { return };
        let is_typing = document().active_element().is_some_and(|element| element.tag_name() == "INPUT");
        if event.key() == "/" && !is_typing && !event.ctrl_key() && !event.meta_key() {
            event.prevent_default();
            search.focus().ok();
        }
    });
    on_cleanup(move || listening.remove());
    let scope = move |only_here: bool, label: &'static str| {
        view! {
            <button
                type="button"
                class="scope-choice"
                aria-pressed=move || (wish.with(|wish| wish.only_here) == only_here).to_string()
                on:click=move |_| wish.update(|wish| wish.only_here = only_here)
            >
                {label}
            </button>
        }
    };
    view! {
        <div class="toolbar" role="search">
            <label class="search">
                <Icon path=shapes::SEARCH/>
                <span class="unseen">"Search streams"</span>
                <input
                    id="search"
                    type="search"
                    placeholder="Search"
                    autocomplete="off"
                    maxlength="80"
                    node_ref=search
                    prop:value=move || wish.with(|wish| wish.words.clone())
                    on:input=move |event| wish.update(|wish| wish.words = event_target_value(&event))
                />
            </label>
            {is_mixed.then(|| view! {
                <div class="scope" role="group" aria-label="Where">
                    {scope(false, "Everywhere")}
                    {scope(true, "This server")}
                </div>
            })}
            <div class="topics" role="group" aria-label="Topics">
                {move || topics.get().into_iter().map(|topic| view! { <Topic topic wish/> }).collect_view()}
            </div>
        </div>
    }
}

#[component]
fn Topic(topic: String, wish: RwSignal<Wish>) -> impl IntoView {
    let is_chosen = {
        let topic = topic.clone();
        Memo::new(move |_| wish.with(|wish| wish.topic.as_ref() == Some(&topic)))
    };
    let label = topic.clone();
    let choose = move |_| {
        let chosen = (!is_chosen.get_untracked()).then(|| topic.clone());
        wish.update(|wish| wish.topic = chosen);
    };
    view! {
        <button type="button" class="topic" aria-pressed=move || is_chosen.get().to_string() on:click=choose>
            <bdi>{label}</bdi>
        </button>
    }
}
