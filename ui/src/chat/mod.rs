//! The chat beside a stream.
//!
//! | module | part |
//! |---|---|
//! | `log` | what has been said, bounded; pure |
//! | `prose` | a message's text in pieces; pure |
//! | `room` | the relay on one side, the log on the other |
//! | `line` | one message on screen |
//! | `composer` | where people write |

mod composer;
mod line;
mod log;
mod prose;
mod room;

use leptos::{html, prelude::*};
use skylark_protocol::event::EventId;
use wasm_bindgen::JsCast as _;

use crate::{
    brand::{Icon, shapes},
    clock, engine,
    profiles::Name,
};
use line::{MessageLine, ZapLine};
pub(crate) use line::{attempt, sats};
pub(crate) use log::Line;
pub(crate) use room::Room;

/// Where it is remembered that the viewer closed the chat.
const CLOSED_KEY: &str = "skylark.chat-closed";
/// How far from the newest line still counts as being there, CSS pixels.
const AT_END_PX: i32 = 48;

/// How a message is pinned (or, with `false`, no longer is), where the page is the host's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pinning(pub(crate) Callback<(EventId, bool)>);

/// Whether the chat is open, as the viewer left it; closed at first where it would cover the page.
pub(crate) fn opening() -> RwSignal<bool> {
    let is_narrow = window().match_media("(max-width: 900px)").ok().flatten().is_some_and(|query| query.matches());
    let closed = engine::remembered(CLOSED_KEY).map_or(is_narrow, |text| text == "1");
    RwSignal::new(!closed)
}

fn set_open(open: RwSignal<bool>, is_open: bool) {
    open.set(is_open);
    engine::remember(CLOSED_KEY, if is_open { "0" } else { "1" });
}

/// The whole chat.
#[component]
pub(crate) fn Chat(room: Room, open: RwSignal<bool>) -> impl IntoView {
    let trouble = RwSignal::new(None::<String>);
    view! {
        <aside id="chat" class="chat" class:closed=move || !open.get() aria-label="Chat">
            <button
                type="button"
                id="chat-toggle"
                class="chat-head"
                aria-expanded=move || open.get().to_string()
                aria-controls="chat-body"
                on:click=move |_| set_open(open, !open.get_untracked())
            >
                <Icon path=shapes::CHAT/>
                <span class="chat-title">"Chat"</span>
                {move || (room.zapped_msat.get() > 0).then(|| view! {
                    <span class="amount" id="zapped">{format!("⚡ {}", line::sats(room.zapped_msat.get()))}</span>
                })}
                <span class="chat-latest">{move || (!open.get()).then(|| latest(room))}</span>
                <span class="chevron"><Icon path=shapes::CHEVRON/></span>
            </button>
            <div id="chat-body" class="chat-body" class:hidden=move || !open.get()>
                <Pinned room/>
                <Lines room trouble/>
                <composer::Composer room trouble/>
            </div>
        </aside>
    }
}

/// The newest message in one line, for the closed drawer.
fn latest(room: Room) -> AnyView {
    let newest = room.lines.with(|lines| lines.last().cloned());
    match newest {
        Some(Line::Message(message)) => view! { <bdi>{message.content.clone()}</bdi> }.into_any(),
        Some(Line::Zap(zap)) => view! { <bdi>{format!("⚡ {}", line::sats(zap.amount_msat))}</bdi> }.into_any(),
        None => ().into_any(),
    }
}

/// What the host has pinned.
#[component]
fn Pinned(room: Room) -> impl IntoView {
    let pinning = use_context::<Pinning>();
    view! {
        <ul class="pins" aria-label="Pinned">
            {move || room.pinned().into_iter().map(|message| view! {
                <li class="pinned">
                    <Icon path=shapes::PIN/>
                    <p><Name pubkey=message.author/>" "<bdi dir="auto">{message.content.clone()}</bdi></p>
                    {pinning.map(|Pinning(pin)| {
                        let id = message.id;
                        view! {
                            <button type="button" aria-label="Unpin" title="Unpin" on:click=move |_| pin.run((id, false))>
                                <Icon path=shapes::CLOSE/>
                            </button>
                        }
                    })}
                </li>
            }).collect_view()}
        </ul>
    }
}

/// Arrow keys go from line to line: one stop for the tabulator, however much has been said.
fn walk(event: &leptos::ev::KeyboardEvent, list: &web_sys::Element) {
    let key = event.key();
    let (is_up, is_down) = (key == "ArrowUp", key == "ArrowDown");
    if !is_up && !is_down {
        return;
    }
    event.prevent_default();
    let here = document().active_element().and_then(|element| element.closest(".line").ok().flatten());
    let next = match here {
        Some(line) if is_up => line.previous_element_sibling(),
        Some(line) => line.next_element_sibling(),
        None => list.last_element_child(),
    };
    if let Some(line) = next.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
        line.focus().ok();
    }
}

#[component]
fn Lines(room: Room, trouble: RwSignal<Option<String>>) -> impl IntoView {
    let scroller = NodeRef::<html::Div>::new();
    // The list grows upwards from its end: there, the scroll position is 0, and further up it is negative.
    let scrolled = move |_| {
        if let Some(scroller) = scroller.get_untracked() {
            room.follow(scroller.scroll_top() > -AT_END_PX);
        }
    };
    let to_end = move |_| {
        if let Some(scroller) = scroller.get_untracked() {
            scroller.set_scroll_top(0);
        }
        room.follow(true);
    };
    let list = NodeRef::<html::Ol>::new();
    let walked = move |event| {
        if let Some(list) = list.get_untracked() {
            walk(&event, &list);
        }
    };
    let is_empty = move || room.loaded.get() && room.lines.with(Vec::is_empty);
    view! {
        <div
            class="chat-lines"
            node_ref=scroller
            on:scroll=scrolled
            on:keydown=walked
            tabindex="0"
            role="log"
            aria-label="Messages; arrow keys go from one to the next"
        >
            <ol node_ref=list>
                <For each=move || room.lines.get() key=Line::id let:line>
                    {match line {
                        Line::Message(message) => view! { <MessageLine room message trouble/> }.into_any(),
                        Line::Zap(zap) => view! { <ZapLine zap/> }.into_any(),
                    }}
                </For>
            </ol>
            {move || is_empty().then(|| view! {
                <div class="chat-empty">
                    <Icon path=shapes::CHAT/>
                    <p>"No messages yet. Say hello."</p>
                </div>
            })}
        </div>
        <button type="button" class="newer" class:hidden=move || room.unseen.get() == 0 on:click=to_end>
            {move || match room.unseen.get() {
                1 => "1 new message".to_owned(),
                count => format!("{count} new messages"),
            }}
        </button>
    }
}

/// "14:05"
fn time(unix_s: u64) -> String {
    clock::time_of_day(unix_s)
}
