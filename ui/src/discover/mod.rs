//! `/`: what is live, what is to come and what is over, here and elsewhere. A program of its own.
//!
//! | module | part |
//! |---|---|
//! | `wish` | what the viewer wants to see; pure |
//! | `card` | one live event |
//! | `toolbar` | search, topics, where |

mod card;
mod toolbar;
mod wish;

use std::{collections::HashMap, sync::Arc, time::Duration};

use leptos::prelude::*;
use skylark_protocol::discover::{Card, Discovered};

use crate::{
    api,
    brand::{Header, Icon, Mark, shapes},
    clock, engine,
    identity::AccountMenu,
};
use card::CardView;
use toolbar::Toolbar;
use wish::Wish;

/// How often the list is asked for.
const REFRESH: Duration = Duration::from_secs(5);
/// How often "for 5 min" is looked at anew.
const CLOCK_TICK: Duration = Duration::from_secs(20);
/// Set when the list has been drawn for the first time.
const DRAWN_MARK: &str = "skylark:discover-drawn";

/// What is known of the list.
#[derive(Debug, Clone, PartialEq)]
enum List {
    Unknown,
    Unreachable,
    Found(Arc<Found>),
}

/// The list, and how many may be shown of it.
#[derive(Debug, PartialEq)]
struct Found {
    live: Vec<Arc<Card>>,
    planned: Vec<Arc<Card>>,
    ended: Vec<Arc<Card>>,
    /// There is something of other servers.
    is_mixed: bool,
    /// Who watches what, by the path of its page.
    viewers: HashMap<String, u64>,
}

impl From<Discovered> for Found {
    fn from(discovered: Discovered) -> Self {
        let shared = |cards: Vec<Card>| cards.into_iter().map(Arc::new).collect::<Vec<_>>();
        let (live, planned, ended) = (shared(discovered.live), shared(discovered.planned), shared(discovered.ended));
        let is_mixed = live.iter().chain(&planned).chain(&ended).any(|card| card.stream.is_none());
        let viewers = live.iter().filter_map(|card| Some((card.path(), card.viewers?))).collect();
        Self { live, planned, ended, is_mixed, viewers }
    }
}

/// The front page.
#[component]
pub(crate) fn Discover() -> impl IntoView {
    let list = RwSignal::new(List::Unknown);
    let wish = RwSignal::new(Wish::read(&window().location().search().unwrap_or_default()));
    let now = RwSignal::new(clock::now_s());
    refresh(list, RwSignal::new(String::new()));
    let ticking = set_interval_with_handle(move || now.set(clock::now_s()), CLOCK_TICK);
    on_cleanup(move || {
        if let Ok(handle) = ticking {
            handle.clear();
        }
    });
    Effect::new(move |before: Option<Wish>| {
        let wish = wish.get();
        if before.is_some_and(|before| before != wish) {
            engine::replace_query(&wish.query());
        }
        wish
    });
    document().set_title("Skylark");
    engine::warm_up();
    view! {
        <div class="page">
            <Header>
                <nav class="header-side">
                    <a class="pill" href="/studio-web" aria-label="Go live"><Icon path=shapes::BROADCAST/><span>"Go live"</span></a>
                    <AccountMenu/>
                </nav>
            </Header>
            <main class="home">{move || content(list, wish, now)}</main>
        </div>
    }
}

/// Asks for the list, now and then again; `known` is the text of the last answer.
fn refresh(list: RwSignal<List>, known: RwSignal<String>) {
    leptos::task::spawn_local(async move {
        let answer = api::discovered().await;
        let is_first = list.with_untracked(|list| !matches!(list, List::Found(_)));
        match answer {
            Ok((text, discovered)) if known.with_untracked(|known| *known != text) => {
                known.set(text);
                list.set(List::Found(Arc::new(discovered.into())));
                if is_first {
                    engine::mark_when_drawn(DRAWN_MARK);
                }
            }
            // The list on screen stays when one answer fails.
            Err(_) if is_first => list.set(List::Unreachable),
            _ => {}
        }
        set_timeout(move || refresh(list, known), REFRESH);
    });
}

fn content(list: RwSignal<List>, wish: RwSignal<Wish>, now: RwSignal<u64>) -> AnyView {
    let state = Memo::new(move |_| list.with(|list| (matches!(list, List::Found(_)), *list == List::Unreachable)));
    let shown = move || match state.get() {
        (true, _) => view! { <Sections list wish now/> }.into_any(),
        (_, true) => view! {
            <Empty title="The server does not answer" text="This page tries again by itself.">().into_any()</Empty>
        }
        .into_any(),
        _ => ().into_any(),
    };
    shown.into_any()
}

/// Cards of one section that the viewer wants to see.
fn wanted(list: RwSignal<List>, wish: RwSignal<Wish>, section: fn(&Found) -> &Vec<Arc<Card>>) -> Memo<Vec<Arc<Card>>> {
    Memo::new(move |_| {
        let wish = wish.get();
        list.with(|list| match list {
            List::Found(found) => section(found).iter().filter(|card| wish.takes(card)).cloned().collect(),
            _ => Vec::new(),
        })
    })
}

#[component]
fn Sections(list: RwSignal<List>, wish: RwSignal<Wish>, now: RwSignal<u64>) -> impl IntoView {
    let live = wanted(list, wish, |found| &found.live);
    let planned = wanted(list, wish, |found| &found.planned);
    let ended = wanted(list, wish, |found| &found.ended);
    let everything = Memo::new(move |_| {
        list.with(|list| match list {
            List::Found(found) => (found.live.len(), found.planned.len() + found.ended.len(), found.is_mixed),
            _ => (0, 0, false),
        })
    });
    let topics = Memo::new(move |_| {
        list.with(|list| match list {
            List::Found(found) => wish::topics(found.live.iter().chain(&found.planned)),
            _ => Vec::new(),
        })
    });
    let nothing_shown = move || live.with(Vec::is_empty) && planned.with(Vec::is_empty) && ended.with(Vec::is_empty);
    view! {
        {move || {
            let (live, others, is_mixed) = everything.get();
            (live + others > 1 || wish.with(|wish| *wish != Wish::default()))
                .then(|| view! { <Toolbar wish topics is_mixed/> })
        }}
        <Section title="Live now" cards=live list now is_live=true/>
        {move || {
            let (live, others, _) = everything.get();
            let nobody_is_live = live == 0;
            match () {
                () if live + others > 0 && nothing_shown() => Some(view! {
                    <Empty title="Nothing like that" text="Other words, or another topic, may find something.">
                        <button type="button" class="pill" id="clear" on:click=move |_| wish.set(Wish::default())>
                            "Show everything"
                        </button>
                    </Empty>
                }.into_any()),
                () if nobody_is_live => Some(view! {
                    <Empty title="Nobody is live right now" text="Streams appear here the moment they start.">
                        <a class="pill" href="/studio-web"><Icon path=shapes::BROADCAST/>"Start a stream"</a>
                    </Empty>
                }.into_any()),
                () => None,
            }
        }}
        <Section title="Upcoming" cards=planned list now is_live=false/>
        <Section title="Past streams" cards=ended list now is_live=false/>
    }
}

/// How many watch what is at a path.
fn viewers(list: RwSignal<List>) -> impl Fn(&str) -> Option<u64> + Copy {
    move |path| {
        list.with(|list| match list {
            List::Found(found) => found.viewers.get(path).copied(),
            _ => None,
        })
    }
}

#[component]
fn Section(
    title: &'static str,
    cards: Memo<Vec<Arc<Card>>>,
    list: RwSignal<List>,
    now: RwSignal<u64>,
    is_live: bool,
) -> impl IntoView {
    let count = Memo::new(move |_| cards.with(Vec::len));
    view! {
        <section class="shelf" class:hidden=move || count.get() == 0 class:quiet=!is_live aria-label=title>
            <h2>
                {title}
                <span class="shelf-count">{move || count.get()}</span>
            </h2>
            <ul class="cards">
                <For each=move || cards.get() key=wish::key let:card>
                    <CardView card now viewers=viewers(list)/>
                </For>
            </ul>
        </section>
    }
}

#[component]
fn Empty(title: &'static str, text: &'static str, children: Children) -> impl IntoView {
    view! {
        <div class="empty">
            <div class="message-art"><Mark/></div>
            <h1>{title}</h1>
            <p>{text}</p>
            {children()}
        </div>
    }
}
