//! The quality menu.

use leptos::{html, prelude::*};

use super::{driver::Player, words::Rendition};
use crate::brand::{Icon, shapes};

/// Button and menu: automatic, and each rendition, best first.
#[component]
pub(super) fn Quality(player: Player) -> impl IntoView {
    let open = player.menu_open;
    let root = NodeRef::<html::Div>::new();
    close_outside(root, open);
    let choices = move || {
        let mut choices: Vec<(i32, Rendition)> = (0..).zip(player.renditions.get()).collect();
        choices.sort_unstable_by_key(|(_, rendition)| std::cmp::Reverse((rendition.height, rendition.bitrate_bps)));
        choices
    };
    let automatic = move || {
        let playing = usize::try_from(player.playing_level.get()).ok();
        let rendition = playing.and_then(|index| player.renditions.get().get(index).cloned());
        rendition.map(|rendition| label(&rendition))
    };
    let choice = move |index: i32, name: String, detail: Option<String>| {
        let chosen = move || player.chosen_level.get() == index;
        view! {
            <button
                type="button"
                role="menuitemradio"
                class="choice"
                data-level=index.to_string()
                aria-checked=move || chosen().to_string()
                on:click=move |_| {
                    player.choose_level(index);
                    open.set(false);
                }
            >
                <span class="check" class:hidden=move || !chosen()><Icon path=shapes::CHECK/></span>
                <span>{name}</span>
                <span class="detail">{detail}</span>
            </button>
        }
    };
    view! {
        <div class="menu-root" node_ref=root>
            <button
                type="button"
                id="quality"
                class="control"
                aria-label="Quality"
                title="Quality"
                aria-haspopup="menu"
                aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)
            >
                <Icon path=shapes::QUALITY/>
            </button>
            <div
                id="quality-menu"
                class="menu"
                role="menu"
                aria-label="Quality"
                class:hidden=move || !open.get()
                on:keydown=move |event| if event.key() == "Escape" { open.set(false) }
            >
                {move || choice(-1, "Auto".to_owned(), automatic())}
                {move || {
                    choices()
                        .into_iter()
                        .map(|(index, rendition)| choice(index, label(&rendition), Some(rate(rendition.bitrate_bps))))
                        .collect_view()
                }}
            </div>
        </div>
    }
}

fn close_outside(root: NodeRef<html::Div>, open: RwSignal<bool>) {
    let listener = window_event_listener(leptos::ev::pointerdown, move |event| {
        let inside = root.get_untracked().is_some_and(|root| root.contains(Some(&event_target(&event))));
        if !inside && open.get_untracked() {
            open.set(false);
        }
    });
    on_cleanup(move || listener.remove());
}

/// "1080p", "720p60".
fn label(rendition: &Rendition) -> String {
    let rate = rendition.frame_rate.round() as u32;
    if rate > 31 { format!("{}p{rate}", rendition.height) } else { format!("{}p", rendition.height) }
}

/// "2.6 Mbit/s", "800 kbit/s".
fn rate(bitrate_bps: u64) -> String {
    let (kbit, tenths) = ((bitrate_bps + 500) / 1000, (bitrate_bps + 50_000) / 100_000);
    if kbit < 1000 { format!("{kbit} kbit/s") } else { format!("{}.{} Mbit/s", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renditions_are_named_as_people_name_them() {
        let rendition = |height, frame_rate| Rendition { height, frame_rate, bitrate_bps: 0 };
        assert_eq!(label(&rendition(720, 29.97)), "720p");
        assert_eq!(label(&rendition(1080, 59.94)), "1080p60");
        assert_eq!(rate(812_000), "812 kbit/s");
        assert_eq!(rate(2_640_000), "2.6 Mbit/s");
    }
}
