//! Whom the host of a private stream lets in.

use leptos::prelude::*;
use skylark_protocol::{api, event::PublicKey, nip19::Entity};

use crate::{
    api::signed,
    identity::Identity,
    profiles::{Avatar, Name},
};

/// The panel. `path` is where the API has the guests.
#[component]
pub(super) fn Guests(identity: Identity, path: String) -> impl IntoView {
    let guests = RwSignal::new(Vec::<PublicKey>::new());
    let (typed, trouble) = (RwSignal::new(String::new()), RwSignal::new(None::<String>));
    let path = StoredValue::new(path);
    let change = move |method: &'static str, guest: PublicKey| {
        leptos::task::spawn_local(async move {
            let path = format!("{}/{guest}", path.get_value());
            let changed = signed::<()>(identity, method, &path, &()).await;
            if changed.is_ok() {
                guests.try_update(|guests| {
                    guests.retain(|known| *known != guest);
                    if method == "PUT" {
                        guests.push(guest);
                    }
                });
            }
            trouble.try_set(changed.err());
        });
    };
    leptos::task::spawn_local(async move {
        match signed::<api::Guests>(identity, "GET", &path.get_value(), &()).await {
            Ok(found) => _ = guests.try_set(found.guests),
            Err(error) => _ = trouble.try_set(Some(error)),
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        match person(typed.get_untracked().trim()) {
            Some(guest) => {
                typed.set(String::new());
                change("PUT", guest);
            }
            None => trouble.set(Some("That is no public key: they begin with npub1.".to_owned())),
        }
    };
    let row = move |guest: PublicKey| {
        view! {
            <li>
                <Avatar pubkey=guest/>
                <Name pubkey=guest/>
                <button type="button" class="pill" data-guest=guest.to_string() on:click=move |_| change("DELETE", guest)>
                    "Show out"
                </button>
            </li>
        }
    };
    view! {
        <section class="panel" id="guests" aria-labelledby="guests-title">
            <h2 id="guests-title">"Guests"</h2>
            <p class="notice">"Only you and these people can watch. Whoever you show out is out within seconds."</p>
            <ul class="people">{move || guests.get().into_iter().map(row).collect_view()}</ul>
            <form class="order-form" on:submit=submit>
                <label class="field">
                    <span>"Public key of a guest"</span>
                    <input
                        name="guest"
                        placeholder="npub1…"
                        autocomplete="off"
                        spellcheck="false"
                        prop:value=move || typed.get()
                        on:input=move |event| typed.set(event_target_value(&event))
                    />
                </label>
                <button type="submit" class="pill" disabled=move || typed.with(String::is_empty)>"Let in"</button>
            </form>
            <p class="trouble" role="alert">{move || trouble.get()}</p>
        </section>
    }
}

/// `npub1…`, `nprofile1…` or hexadecimal digits.
fn person(text: &str) -> Option<PublicKey> {
    match text.trim_start_matches("nostr:").parse() {
        Ok(Entity::Profile(pubkey, _)) => Some(pubkey),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_named_as_people_name_each_other() {
        let hex = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d";
        let npub = Entity::npub(&hex.parse().unwrap());
        for text in [hex, &npub, &format!("nostr:{npub}")] {
            assert_eq!(person(text).map(|guest| guest.to_string()).as_deref(), Some(hex), "{text}");
        }
        assert_eq!(person("ann@example.org"), None);
    }
}
