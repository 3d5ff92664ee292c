//! Being let into a private stream: whoever has signed in asks the origin for a ticket, once.

use leptos::prelude::*;
use serde::Deserialize;
use skylark_protocol::{StreamStatus, event::PublicKey, nip19::Entity};

use super::driver::Player;
use crate::{
    api, clock,
    identity::Identity,
    playback::{Event, State},
};

/// A ticket that is good for less than this is not worth keeping, seconds.
const LAST_MINUTE_S: u64 = 60;

/// Of a ticket, what a viewer's page needs: this program is small.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Ticket {
    stream: Stream,
    playlist: String,
    good_until_s: u64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Stream {
    owner: PublicKey,
    status: StreamStatus,
}

/// Where the viewer stands with a private stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Admission {
    /// Nobody has asked yet.
    #[default]
    Outside,
    /// This key asks.
    Asking(PublicKey),
    /// This key was let in.
    Inside(PublicKey, Box<Ticket>),
    /// This key was not let in, and why.
    Refused(PublicKey, String),
}

impl Admission {
    /// Whose stream it is, once that is told.
    pub(super) fn host(&self) -> Option<PublicKey> {
        match self {
            Self::Inside(_, ticket) => Some(ticket.stream.owner),
            _ => None,
        }
    }

    /// What answers for the viewer.
    pub(super) fn secret(&self) -> Option<&str> {
        match self {
            Self::Inside(_, ticket) => ticket.playlist.split('/').nth(3),
            _ => None,
        }
    }

    /// Whom this is about.
    pub(super) fn viewer(&self) -> Option<PublicKey> {
        match self {
            Self::Outside => None,
            Self::Asking(who) | Self::Inside(who, _) | Self::Refused(who, _) => Some(*who),
        }
    }

    /// The playlist for `who`, as long as the ticket is good.
    fn playlist(&self, who: Option<PublicKey>, now_s: u64) -> Option<String> {
        match self {
            Self::Inside(guest, ticket) if Some(*guest) == who && ticket.good_until_s > now_s + LAST_MINUTE_S => {
                Some(ticket.playlist.clone())
            }
            _ => None,
        }
    }
}

impl Player {
    /// Adds to the status of a private stream what this viewer alone may know; asks for it if that was not done yet.
    pub(super) fn admitted(self, mut status: StreamStatus) -> StreamStatus {
        if !status.is_private {
            return status;
        }
        let who = self.identity.and_then(Identity::pubkey_now);
        status.playlist = self.admission.with_untracked(|admission| admission.playlist(who, clock::now_s()));
        let is_about_them = self.admission.with_untracked(|admission| admission.viewer() == who);
        let is_over =
            status.playlist.is_none() && self.admission.with_untracked(|one| matches!(one, Admission::Inside(..)));
        if !is_about_them || is_over {
            self.ask_for_ticket();
        }
        status
    }

    /// Asks to be let in with the key that has signed in.
    pub(super) fn ask_for_ticket(self) {
        let Some((identity, who)) = self.identity.and_then(|identity| Some((identity, identity.pubkey_now()?))) else {
            self.admission.set(Admission::Outside);
            self.tell(Event::ShownOut);
            return;
        };
        let Some(id) = self.id() else { return };
        self.admission.set(Admission::Asking(who));
        let path = format!("/api/v1/streams/{id}/ticket");
        leptos::task::spawn_local(async move {
            let answer = api::signed::<Ticket>(identity, "POST", &path, &()).await;
            let is_current = self.admission.try_with_untracked(|admission| *admission == Admission::Asking(who));
            if is_current != Some(true) {
                return;
            }
            match answer {
                Ok(ticket) => {
                    let status = ticket.stream.status.clone();
                    self.admission.set(Admission::Inside(who, Box::new(ticket)));
                    self.take_seat();
                    self.tell(Event::Status(Box::new(self.admitted(status))));
                }
                Err(why) => {
                    self.admission.set(Admission::Refused(who, why));
                    self.tell(Event::ShownOut);
                }
            }
        });
    }

    /// The ticket was not taken: the viewer may have been shown out.
    pub(super) fn doubt_ticket(self) {
        if self.admission.with_untracked(|admission| admission.host().is_some()) {
            self.ask_for_ticket();
        }
    }
}

/// What there is to do at the gate of a private stream.
#[component]
pub(super) fn Gate(player: Player) -> impl IntoView {
    let is_shown = move || player.view.get().state == State::Private;
    let sign_in = move |_| {
        if let Some(identity) = player.identity {
            identity.ask();
        }
    };
    let part = move || {
        match player.admission.get() {
        Admission::Outside => view! {
            <p>"Only the host's guests can watch. Sign in with the key that you were invited with."</p>
            {player.identity.map(|_| view! {
                <button type="button" id="gate-sign-in" class="pill primary" on:click=sign_in>"Sign in"</button>
            })}
        }
        .into_any(),
        Admission::Asking(_) => view! { <p>"Asking to be let in. Your signer may want a word with you."</p> }.into_any(),
        Admission::Inside(..) => ().into_any(),
        Admission::Refused(who, why) => view! {
            // What stands before the colon is in the headline already.
            <p id="gate-refused">{sentence(why.rsplit(": ").next().unwrap_or_default())}</p>
            <p>"The host can let this key in:"</p>
            <code class="npub">{Entity::npub(&who)}</code>
            <button type="button" id="gate-again" class="pill" on:click=move |_| player.ask_for_ticket()>"Ask again"</button>
        }
        .into_any(),
    }
    };
    view! { {move || is_shown().then(|| view! { <div class="gate">{part}</div> })} }
}

/// What a server says, for people.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}
