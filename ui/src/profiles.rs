//! Names and pictures of people (kind 0), asked for in batches, each once.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
    time::Duration,
};

use leptos::prelude::*;
use skylark_protocol::{
    event::{Event, PublicKey, kind},
    nip19::Entity,
    profile::Profile,
};

use crate::relay::{Filter, News, Relay};

/// Wishes are gathered for so long before the relay is asked.
const BATCH: Duration = Duration::from_millis(80);
/// People asked for in one request.
const MAX_BATCH: usize = 200;
/// People who are remembered; in a flood of made-up keys the rest stay without a name.
const MAX_PEOPLE: usize = 3000;
/// Backgrounds of those who have no picture.
const TINTS: u8 = 8;

/// Everybody seen on this page. A handle: copies speak of the same people.
#[derive(Clone, Copy)]
pub(crate) struct Profiles {
    relay: Relay,
    inner: StoredValue<Rc<RefCell<Inner>>, LocalStorage>,
}

#[derive(Default)]
struct Inner {
    people: HashMap<PublicKey, Person>,
    wanted: HashSet<PublicKey>,
}

#[derive(Default)]
struct Person {
    profile: ArcRwSignal<Option<Profile>>,
    created_at: u64,
}

impl Profiles {
    /// Gives the handle to all components below.
    pub(crate) fn provide() {
        provide_context(Self { relay: Relay::get(), inner: StoredValue::new_local(Rc::default()) });
    }

    /// The handle that the page provides.
    pub(crate) fn get() -> Self {
        use_context().expect("`mount` provides the profiles")
    }

    /// What somebody says of themselves, once it is known.
    pub(crate) fn of(self, pubkey: PublicKey) -> ArcRwSignal<Option<Profile>> {
        let (profile, is_first_wish) = self.with(|inner| {
            if let Some(person) = inner.people.get(&pubkey) {
                return (person.profile.clone(), false);
            }
            if inner.people.len() >= MAX_PEOPLE {
                return (ArcRwSignal::new(None), false);
            }
            let is_first_wish = inner.wanted.is_empty();
            inner.wanted.insert(pubkey);
            (inner.people.entry(pubkey).or_default().profile.clone(), is_first_wish)
        });
        if is_first_wish {
            // Whoever asked may have left by then.
            set_timeout(move || _ = self.inner.try_get_value().map(|_| self.ask()), BATCH);
        }
        profile
    }

    fn ask(self) {
        let wanted: Vec<_> = self.with(|inner| inner.wanted.drain().collect());
        for authors in wanted.chunks(MAX_BATCH) {
            let limit = u32::try_from(authors.len()).ok();
            let filter = Filter { authors: authors.to_vec(), kinds: vec![kind::PROFILE], limit, ..Filter::default() };
            let asked = Rc::new(RefCell::new(None));
            let subscription = asked.clone();
            let id = self.relay.subscribe(vec![filter], move |update| match update {
                News::Event(event) => self.learn(&event),
                // Somebody's new name can wait for the next visit.
                News::Stored | News::Closed(_) => {
                    if let Some(id) = subscription.take() {
                        self.relay.end(id);
                    }
                }
            });
            asked.replace(Some(id));
        }
    }

    /// Takes a profile that came, or that was just published.
    pub(crate) fn learn(self, event: &Event) {
        let Ok(profile) = Profile::read(event) else { return };
        let known = self.with(|inner| {
            let person = inner.people.get_mut(&event.pubkey)?;
            let is_newer = event.created_at >= person.created_at;
            person.created_at = event.created_at.max(person.created_at);
            is_newer.then(|| person.profile.clone())
        });
        if let Some(signal) = known {
            signal.set(Some(profile));
        }
    }

    fn with<T>(self, act: impl FnOnce(&mut Inner) -> T) -> T {
        let inner = self.inner.get_value();
        act(&mut inner.borrow_mut())
    }
}

/// What to call somebody: their name, or the beginning and end of their key.
pub(crate) fn name(pubkey: &PublicKey, profile: Option<&Profile>) -> String {
    match profile {
        Some(profile) if !profile.name.is_empty() => profile.name.clone(),
        _ => short_npub(pubkey),
    }
}

/// "npub1abcd…wxyz"
pub(crate) fn short_npub(pubkey: &PublicKey) -> String {
    let npub = Entity::npub(pubkey);
    match (npub.get(..9), npub.get(npub.len().saturating_sub(4)..)) {
        (Some(start), Some(end)) => format!("{start}…{end}"),
        _ => npub,
    }
}

/// Somebody's name. Never markup, and apart from the direction of the text around it.
#[component]
pub(crate) fn Name(pubkey: PublicKey) -> impl IntoView {
    let profile = Profiles::get().of(pubkey);
    view! { <bdi class="name" title=Entity::npub(&pubkey)>{move || name(&pubkey, profile.get().as_ref())}</bdi> }
}

/// Somebody's picture, or their first letter.
#[component]
pub(crate) fn Avatar(pubkey: PublicKey) -> impl IntoView {
    let profile = Profiles::get().of(pubkey);
    let tint = pubkey.as_bytes()[0] % TINTS;
    let broken = RwSignal::new(false);
    let letter = {
        let profile = profile.clone();
        move || {
            let name = profile.get().map(|profile| profile.name).unwrap_or_default();
            name.chars().find(|c| c.is_alphanumeric()).map_or_else(|| "·".to_owned(), |c| c.to_uppercase().to_string())
        }
    };
    let picture = move || profile.get()?.picture.filter(|url| url.starts_with("https://") && !broken.get());
    view! {
        <span class="avatar" data-tint=tint.to_string() aria-hidden="true">
            {letter}
            {move || picture().map(|url| view! {
                <img
                    src=url
                    alt=""
                    loading="lazy"
                    decoding="async"
                    referrerpolicy="no-referrer"
                    on:error=move |_| broken.set(true)
                />
            })}
        </span>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_without_a_name_are_called_by_their_key() {
        let pubkey: PublicKey = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d".parse().unwrap();
        assert_eq!(name(&pubkey, None), "npub180cv…h6w6");
        assert_eq!(name(&pubkey, Some(&Profile::default())), short_npub(&pubkey));
        let named = Profile { name: "fiatjaf".into(), ..Profile::default() };
        assert_eq!(name(&pubkey, Some(&named)), "fiatjaf");
    }
}
