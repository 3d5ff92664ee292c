//! The outside relays that carry the live event and its chat: which, and how it goes with each.

use std::time::Duration;

use leptos::prelude::*;
use skylark_protocol::{
    address::Address,
    live_event::LiveEventDraft,
    mirror::{LinkState, OutsideRelay},
    text,
};

use super::every;
use crate::api;

/// How often it is asked how it goes.
const REFRESH: Duration = Duration::from_secs(4);

/// The panel. `save` announces the live event with these relays.
#[component]
pub(super) fn Relays(
    stream: Address,
    /// This server's own, which is none of them.
    own: String,
    /// Those that the live event names.
    named: Signal<Vec<String>>,
    save: Callback<Vec<String>>,
) -> impl IntoView {
    let links = RwSignal::new(Vec::<OutsideRelay>::new());
    let (typed, trouble) = (RwSignal::new(None::<String>), RwSignal::new(None::<String>));
    let refresh = move || {
        let (stream, own) = (stream.clone(), own.clone());
        leptos::task::spawn_local(async move {
            if let Ok(found) = api::relays().await {
                let is_ours = |relay: &OutsideRelay| relay.url != own && relay.live_events.contains(&stream);
                let ours = found.relays.into_iter().filter(is_ours);
                links.try_set(ours.collect());
            }
        });
    };
    refresh();
    every(REFRESH, refresh);
    let listed = Memo::new(move |_| named.get().join("\n"));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(text) = typed.get_untracked() else { return };
        match relays(&text) {
            Ok(relays) => {
                trouble.set(None);
                typed.set(None);
                save.run(relays);
            }
            Err(wrong) => trouble.set(Some(format!("{wrong} is no relay’s address: they begin with wss://"))),
        }
    };
    view! {
        <section class="panel" id="relays" aria-labelledby="relays-title">
            <h2 id="relays-title">"Relays"</h2>
            <p class="notice">
                "Your stream and its chat are on this server’s own relay. Name others, and people find it in their Nostr apps, too."
            </p>
            <ul class="rows">
                {move || links.get().into_iter().map(|link| view! { <Link link/> }).collect_view()}
            </ul>
            <form class="order-form" on:submit=submit>
                <label class="field">
                    <span>"Other relays, one a line"</span>
                    <textarea
                        name="relays"
                        rows="2"
                        placeholder="wss://relay.example"
                        spellcheck="false"
                        prop:value=move || typed.get().unwrap_or_else(|| listed.get())
                        on:input=move |event| typed.set(Some(event_target_value(&event)))
                    ></textarea>
                </label>
                <button type="submit" class="pill" disabled=move || typed.get().is_none()>"Save"</button>
            </form>
            <p class="trouble" role="alert">{move || trouble.get()}</p>
        </section>
    }
}

/// How it goes with one.
#[component]
fn Link(link: OutsideRelay) -> impl IntoView {
    let (state, words) = words(&link);
    view! {
        <li class="relay" data-state=state>
            <span class="lamp" aria-hidden="true"></span>
            <div>
                <p><bdi>{link.url.clone()}</bdi></p>
                <p class="notice">{words}</p>
            </div>
        </li>
    }
}

/// The state's name, and what a streamer should know.
fn words(link: &OutsideRelay) -> (&'static str, String) {
    let (state, mut words) = match link.state {
        LinkState::Connecting => ("connecting", "Connecting…".to_owned()),
        LinkState::Connected => ("connected", format!("Connected. It has {} of your events.", link.delivered)),
        LinkState::Failed => ("failed", "Cannot be reached; it is tried again by itself.".to_owned()),
    };
    if link.waiting > 0 {
        words.push_str(&format!(" {} wait for it.", link.waiting));
    }
    if let Some(error) = link.error.as_deref().filter(|_| link.state != LinkState::Connected) {
        words.push_str(&format!(" It says: {error}."));
    }
    if let Some(refusal) = &link.refusal {
        words.push_str(&format!(" It refused an event: {refusal}."));
    }
    (state, words)
}

/// Addresses, one a line; or the first that is none.
fn relays(text: &str) -> Result<Vec<String>, String> {
    let mut relays = Vec::new();
    for word in text.split_whitespace().take(LiveEventDraft::MAX_URLS) {
        let relay = word.trim_end_matches([',', '/']).to_owned();
        if !text::is_relay_url(&relay) {
            return Err(word.to_owned());
        }
        if !relays.contains(&relay) {
            relays.push(relay);
        }
    }
    Ok(relays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_what_is_none_is_named() {
        let read = relays("wss://a.example/\n\nwss://b.example, wss://a.example").unwrap();
        assert_eq!(read, ["wss://a.example", "wss://b.example"]);
        assert_eq!(relays("wss://a.example https://c.example").unwrap_err(), "https://c.example");
        assert_eq!(relays(" ").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn states_are_told_in_words() {
        let link = OutsideRelay {
            url: "wss://a.example".into(),
            state: LinkState::Failed,
            since_ms: 0,
            error: Some("connection refused".into()),
            refusal: None,
            waiting: 3,
            delivered: 2,
            refused: 0,
            received: 0,
            live_events: Vec::new(),
        };
        let (state, said) = words(&link);
        assert_eq!(state, "failed");
        assert!(said.contains("tried again") && said.contains("3 wait") && said.contains("connection refused"));
        let (_, said) = words(&OutsideRelay { state: LinkState::Connected, waiting: 0, ..link });
        assert_eq!(said, "Connected. It has 2 of your events.");
    }
}
