//! What is said where a picture should be.

use leptos::prelude::*;
use skylark_protocol::live_event::{LiveEvent, Status};

use super::{admission::Gate, driver::Player};
use crate::{
    brand::Mark,
    chat::Room,
    clock,
    playback::{Event, Reason, State, View},
};

/// Headline and explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Words {
    title: &'static str,
    text: &'static str,
}

/// The message over the picture; nothing while it plays or is paused.
#[component]
pub(super) fn Message(player: Player, room: RwSignal<Option<Room>>) -> impl IntoView {
    let view = player.view;
    let announced = move || room.get().and_then(|room| room.announcement.get());
    let planned = move || match view.get().state {
        State::Offline => announced().and_then(|event| begins(&event)),
        _ => None,
    };
    let picture = move || match view.get().state {
        State::Intermission => announced().and_then(|event| event.thumb.or(event.image)),
        _ => None,
    };
    let spins = move || matches!(view.get().state, State::Loading | State::Reconnecting);
    let failed = move || view.get().state == State::Failed;
    let shown = move || view.get().state != State::Playing && view.get().state != State::Paused;
    view! {
        <div class="message" class:hidden=move || !shown() role="status" aria-live="polite">
            {move || picture().map(|url| view! { <img class="message-picture" src=url alt="" referrerpolicy="no-referrer"/> })}
            <div class="message-art" class:spins=spins>
                <Mark/>
            </div>
            {move || {
                words(view.get())
                    .map(|words| {
                        view! {
                            <h2>{words.title}</h2>
                            <p>{words.text}</p>
                        }
                    })
            }}
            <Gate player/>
            {move || planned().map(|(id, at)| view! {
                <p class="begins">{format!("It begins on {}.", clock::day_and_time(at))}</p>
                <a id="calendar" class="pill" href=format!("/api/v1/streams/{id}/calendar") download="">"Add to calendar"</a>
            })}
            <button
                type="button"
                id="retry"
                class="pill"
                class:hidden=move || !failed()
                on:click=move |_| player.tell(Event::Retry)
            >
                "Try again"
            </button>
            <a class="pill" href="/" class:hidden=move || !leads_away(view.get())>"See what is live"</a>
        </div>
    }
}

/// The id of a planned stream, and when it begins.
fn begins(event: &LiveEvent) -> Option<(String, u64)> {
    let starts = event.starts.filter(|_| event.status == Status::Planned)?;
    Some((event.address.identifier.clone(), starts))
}

fn leads_away(view: View) -> bool {
    view.state == State::Ended || view.reason == Some(Reason::UnknownStream)
}

fn words(view: View) -> Option<Words> {
    let (title, text) = match (view.state, view.reason) {
        (State::Playing | State::Paused | State::Loading, _) => return None,
        (State::Private, _) => ("This stream is private", ""),
        (State::Offline, Some(Reason::UnknownStream)) => {
            ("No such stream", "The link may be incomplete, or the stream was removed.")
        }
        (State::Offline, _) => ("Not live yet", "Keep this page open: it starts by itself when the stream does."),
        (State::Reconnecting, Some(Reason::Network)) => {
            ("Connection lost", "Trying to reach the server again. The picture returns by itself.")
        }
        (State::Reconnecting, Some(Reason::Publisher)) => {
            ("Reconnecting", "The streamer's connection dropped. The picture returns by itself.")
        }
        (State::Reconnecting, _) => ("Reconnecting", "Waiting for more of the stream."),
        (State::Intermission, _) => ("Back soon", "The host takes a break. The picture returns by itself."),
        (State::Ended, _) => ("The stream has ended", "Thanks for watching. If it starts again, it plays here."),
        (State::Failed, Some(Reason::Unsupported)) => {
            ("Cannot play here", "This browser lacks what live video needs. A current browser will play it.")
        }
        (State::Failed, _) => ("Cannot play here", "The picture could not be decoded, even after several tries."),
    };
    Some(Words { title, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_without_a_picture_is_explained() {
        for state in
            [State::Private, State::Offline, State::Reconnecting, State::Intermission, State::Ended, State::Failed]
        {
            assert!(words(View { state, reason: None, at_live_edge: false, waits: 0 }).is_some(), "{state:?}");
        }
    }
}
