//! Reactions that float over the picture.

use leptos::prelude::*;

use super::room::Room;

/// The layer above the picture; nothing in it can be clicked.
#[component]
pub(crate) fn Bursts(room: Room) -> impl IntoView {
    view! {
        <div class="bursts" aria-hidden="true">
            <For each=move || room.bursts.get() key=|burst| burst.number let:burst>
                <span class="burst" style:left=format!("{}%", burst.across + 4)>{burst.symbol.clone()}</span>
            </For>
        </div>
    }
}
