//! `/`: the streams that are live.

use leptos::prelude::*;
use skylark_protocol::{StreamState, StreamStatus};

use crate::{
    api,
    brand::{Header, Mark},
    engine,
    identity::AccountMenu,
};

/// How often the list is asked for.
const REFRESH: std::time::Duration = std::time::Duration::from_secs(3);

/// What is known of the list.
#[derive(Debug, Clone, PartialEq)]
enum List {
    Unknown,
    Unreachable,
    Streams(Vec<StreamStatus>),
}

/// The front page.
#[component]
pub(crate) fn Home() -> impl IntoView {
    let list = RwSignal::new(List::Unknown);
    refresh(list);
    let refreshing = set_interval_with_handle(move || refresh(list), REFRESH);
    on_cleanup(move || {
        if let Ok(handle) = refreshing {
            handle.clear();
        }
    });
    document().set_title("Skylark");
    engine::warm_up();
    view! {
        <div class="page">
            <Header>
                {move || count(&list.get()).map(|text| view! { <span class="count">{text}</span> })}
                <AccountMenu/>
            </Header>
            <main class="home">{move || content(list.get())}</main>
        </div>
    }
}

fn refresh(list: RwSignal<List>) {
    leptos::task::spawn_local(async move {
        let new = api::live().await.map_or(List::Unreachable, |live| List::Streams(live.streams));
        // The list on screen stays when one answer fails.
        if new != List::Unreachable || list.get_untracked() == List::Unknown {
            list.set(new);
        }
    });
}

fn count(list: &List) -> Option<String> {
    match list {
        List::Streams(streams) if !streams.is_empty() => Some(format!("{} live", streams.len())),
        _ => None,
    }
}

fn content(list: List) -> AnyView {
    match list {
        List::Unknown => ().into_any(),
        List::Unreachable => view! {
            <Empty title="The server does not answer" text="This page tries again by itself."/>
        }
        .into_any(),
        List::Streams(streams) if streams.is_empty() => view! {
            <Empty title="Nobody is live right now" text="Streams appear here the moment they start."/>
        }
        .into_any(),
        List::Streams(streams) => view! {
            <h1>"Live now"</h1>
            <ul class="cards">{streams.into_iter().map(|stream| view! { <Card stream/> }).collect_view()}</ul>
        }
        .into_any(),
    }
}

#[component]
fn Empty(title: &'static str, text: &'static str) -> impl IntoView {
    view! {
        <div class="empty">
            <div class="message-art"><Mark/></div>
            <h1>{title}</h1>
            <p>{text}</p>
        </div>
    }
}

#[component]
fn Card(stream: StreamStatus) -> impl IntoView {
    let id = stream.id.to_string();
    let reconnecting = stream.state == StreamState::Reconnecting;
    let link = format!("/s/{id}");
    let tint = tint(&id).to_string();
    let since = stream.started_at_ms.map(|started| duration((stream.now_ms - started) as f64));
    view! {
        <li>
            <a class="card" href=link>
                <span class="card-picture" data-tint=tint>
                    <Mark/>
                    <span class="live still" class:behind=reconnecting>
                        <span class="dot"></span>
                        {if reconnecting { "Reconnecting" } else { "Live" }}
                    </span>
                    {since.map(|since| view! { <span class="card-time">{since}</span> })}
                </span>
                <span class="card-text">
                    <span class="card-title">"Live stream"</span>
                    <span class="id">{id}</span>
                </span>
            </a>
        </li>
    }
}

/// Which of the card backgrounds a stream has: always the same for one stream.
fn tint(id: &str) -> u32 {
    id.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 5
}

/// "0:42", "12:05", "3:07:09".
pub(crate) fn duration(ms: f64) -> String {
    let seconds = (ms / 1000.0).max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!(duration(42_900.0), "0:42");
        assert_eq!(duration(725_000.0), "12:05");
        assert_eq!(duration(11_229_000.0), "3:07:09");
        assert_eq!(duration(-5.0), "0:00", "the clocks differ");
    }

    #[test]
    fn a_stream_keeps_its_tint() {
        assert_eq!(tint("abc123def456"), tint("abc123def456"));
        assert!((0..100).map(|n| tint(&format!("stream{n}"))).any(|other| other != tint("stream0")));
    }
}
