//! Who streams: keys are made and taken here, and never come back.

use leptos::{html, prelude::*};
use skylark_protocol::studio::{Command, IdentityCard, IdentityKind, KeychainState, Outcome, Typed};

use super::{Trouble, backstage::Backstage, shapes};
use crate::{
    brand::{Icon, shapes as brand},
    engine,
};

/// How a key is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Import,
    Bunker,
}

/// All identities, and ways to get one.
#[component]
pub(super) fn People() -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    let (way, busy) = (RwSignal::new(None::<Way>), RwSignal::new(false));
    let backing_up = RwSignal::new(None::<IdentityCard>);
    let view = stage.part(|now| now.identity.clone());
    let advice = move || {
        view.with(|view| match &view.keychain {
            KeychainState::Ready => None,
            KeychainState::Locked { advice } => Some(("Your keychain is locked", advice.clone())),
            KeychainState::Missing { advice } => Some(("There is no keychain", advice.clone())),
        })
    };
    let create = move |_| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        let before = view.with_untracked(|view| view.cards.clone());
        leptos::task::spawn_local(async move {
            let answer = super::backstage::ask(&Command::CreateIdentity).await;
            busy.try_set(false);
            match answer {
                // Offered once the snapshot with the new card is there.
                Ok(_) => offer_backup(view, before, backing_up),
                Err(problem) => _ = trouble.try_set(Some(problem.message)),
            }
        });
    };
    view! {
        {move || advice().map(|(title, advice)| view! {
            <div class="caution" role="alert"><Icon path=brand::WARNING/><p><b>{title}</b>{advice}</p></div>
        })}
        <ul class="people-cards" aria-label="Identities">
            <For each=move || view.with(|view| view.cards.clone()) key=|card| (card.pubkey, card.name.clone(), card.picture.clone()) let:card>
                <Card card trouble backing_up/>
            </For>
        </ul>
        {move || match (backing_up.get(), way.get()) {
            (Some(card), _) => view! { <Backup card done=Callback::new(move |()| backing_up.set(None))/> }.into_any(),
            (None, Some(way_of)) => view! { <Secret way=way_of done=Callback::new(move |()| way.set(None))/> }.into_any(),
            (None, None) => view! {
                <div class="cards">
                    <button type="button" class="card" id="create-identity" disabled=move || busy.get() on:click=create>
                        <Icon path=shapes::PLUS/>
                        <span><b>{move || if busy.get() { "Making a key…" } else { "Create a new identity" }}</b><small>"A key of your own, kept in this computer’s keychain"</small></span>
                    </button>
                    <button type="button" class="card" id="import-identity" on:click=move |_| way.set(Some(Way::Import))>
                        <Icon path=brand::KEY/>
                        <span><b>"I have a key"</b><small>"nsec, or ncryptsec with its password"</small></span>
                    </button>
                    <button type="button" class="card" id="connect-bunker" on:click=move |_| way.set(Some(Way::Bunker))>
                        <Icon path=brand::SHIELD/>
                        <span><b>"Remote signer"</b><small>"The key stays there: bunker://…"</small></span>
                    </button>
                </div>
            }
            .into_any(),
        }}
        <Trouble trouble/>
    }
}

/// Waits for the card of a key that was just made, and offers to back it up.
fn offer_backup(
    view: Memo<skylark_protocol::studio::IdentityView>,
    before: Vec<IdentityCard>,
    backing_up: RwSignal<Option<IdentityCard>>,
) {
    let found = view.with_untracked(|view| {
        view.cards.iter().find(|card| before.iter().all(|old| old.pubkey != card.pubkey)).cloned()
    });
    match found {
        Some(card) => _ = backing_up.try_set(Some(card)),
        None => set_timeout(
            move || {
                let cards = view.try_with_untracked(|view| view.cards.clone()).unwrap_or_default();
                let new = cards.into_iter().find(|card| before.iter().all(|old| old.pubkey != card.pubkey));
                backing_up.try_set(new);
            },
            std::time::Duration::from_millis(300),
        ),
    }
}

#[component]
fn Card(
    card: IdentityCard,
    trouble: RwSignal<Option<String>>,
    backing_up: RwSignal<Option<IdentityCard>>,
) -> impl IntoView {
    let stage = Backstage::get();
    let pubkey = card.pubkey;
    let is_current = stage.part(move |now| now.identity.current == Some(pubkey));
    let forgetting = RwSignal::new(false);
    let short = short(&card.npub);
    let (name, letter) = called(&card);
    let has_name = card.name.is_some();
    let kind = match card.kind {
        IdentityKind::Keychain => "Key in this computer’s keychain",
        IdentityKind::Bunker => "Remote signer",
    };
    let in_keychain = card.kind == IdentityKind::Keychain;
    let backup = card.clone();
    view! {
        <li class="person" class:current=move || is_current.get()>
            <button
                type="button"
                class="person-main"
                data-npub=card.npub.clone()
                aria-pressed=move || is_current.get().to_string()
                on:click=move |_| stage.act(trouble, Command::UseIdentity { pubkey })
            >
                <span class="avatar" data-tint=(pubkey.as_bytes()[0] % 8).to_string() aria-hidden="true">
                    {letter}
                    {card.picture.filter(|url| url.starts_with("https://")).map(|url| view! { <img src=url alt="" referrerpolicy="no-referrer"/> })}
                </span>
                <span><b dir="auto" title=card.npub.clone()>{name}</b><small>{has_name.then(|| format!("{short} · "))}{kind}</small></span>
                {move || is_current.get().then(|| view! { <Icon path=brand::CHECK/> })}
            </button>
            {in_keychain.then(|| view! {
                <button type="button" class="button small" on:click=move |_| backing_up.set(Some(backup.clone()))>"Back up"</button>
            })}
            {move || match forgetting.get() {
                false => view! { <button type="button" class="button small" on:click=move |_| forgetting.set(true)>"Remove"</button> }.into_any(),
                true => view! {
                    <button type="button" class="button small danger" on:click=move |_| {
                        forgetting.set(false);
                        stage.act(trouble, Command::ForgetIdentity { pubkey });
                    }>"Remove for good"</button>
                    <button type="button" class="button small" on:click=move |_| forgetting.set(false)>"Keep"</button>
                }
                .into_any(),
            }}
        </li>
    }
}

/// What somebody is called, and the letter in place of a picture: without a name, the first of theirs alone.
pub(super) fn called(card: &IdentityCard) -> (String, String) {
    let name = card.name.clone().unwrap_or_else(|| short(&card.npub));
    let own = card.name.as_deref().unwrap_or_else(|| card.npub.strip_prefix("npub1").unwrap_or(&card.npub));
    let letter = own.chars().find(|c| c.is_alphanumeric()).map_or_else(|| "·".into(), |c| c.to_uppercase().to_string());
    (name, letter)
}

/// "npub1abcd…wxyz"
fn short(npub: &str) -> String {
    match (npub.get(..10), npub.get(npub.len().saturating_sub(4)..)) {
        (Some(start), Some(end)) => format!("{start}…{end}"),
        _ => npub.to_owned(),
    }
}

/// Takes what was typed, and leaves nothing of it behind.
fn take(input: NodeRef<html::Input>) -> String {
    let Some(input) = input.get_untracked() else { return String::new() };
    let text = input.value().trim().to_owned();
    input.set_value("");
    text
}

/// A key or a signer's address is typed in. It is read from the field once, when it is used, and kept nowhere else.
#[component]
fn Secret(way: Way, done: Callback<()>) -> impl IntoView {
    let stage = Backstage::get();
    let (trouble, busy, is_encrypted) = (RwSignal::new(None), RwSignal::new(false), RwSignal::new(false));
    let (secret, password) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    secret.on_load(|input| {
        input.focus().ok();
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        let typed = Typed(take(secret));
        let with = Typed(take(password));
        is_encrypted.set(false);
        if typed.0.is_empty() {
            return trouble.set(Some("Nothing was typed in.".to_owned()));
        }
        busy.set(true);
        let command = match way {
            Way::Import => {
                Command::ImportIdentity { secret: typed, password: Some(with).filter(|with| !with.0.is_empty()) }
            }
            Way::Bunker => Command::ConnectBunker { uri: typed },
        };
        leptos::task::spawn_local(async move {
            let answer = super::backstage::ask(&command).await;
            drop(command);
            busy.try_set(false);
            match answer {
                Ok(_) => done.run(()),
                Err(problem) => _ = trouble.try_set(Some(problem.message)),
            }
        });
    };
    let _ = stage;
    let (label, placeholder) = match way {
        Way::Import => ("Secret key", "nsec1… or ncryptsec1…"),
        Way::Bunker => ("Address of your signer", "bunker://…?relay=wss://…"),
    };
    view! {
        <form class="secret-form" on:submit=submit autocomplete="off">
            <label class="stack-field">
                <span>{label}</span>
                <input
                    node_ref=secret
                    type="password"
                    name="secret"
                    placeholder=placeholder
                    autocomplete="off"
                    spellcheck="false"
                    on:input=move |event| is_encrypted.set(event_target_value(&event).trim_start().starts_with("ncryptsec"))
                />
                <small>
                    {match way {
                        Way::Import => "It goes straight into this computer’s keychain. The window forgets it at once.",
                        Way::Bunker => "Your key stays with the signer; the Studio only asks it to sign.",
                    }}
                </small>
            </label>
            <label class="stack-field" class:hidden=move || !is_encrypted.get()>
                <span>"Its password"</span>
                <input node_ref=password type="password" name="password" autocomplete="off"/>
            </label>
            <Trouble trouble/>
            <div class="dialog-row">
                <button type="button" class="button" on:click=move |_| { take(secret); take(password); done.run(()) }>"Back"</button>
                <span class="spacer"></span>
                <button type="submit" class="button primary" disabled=move || busy.get()>
                    {move || match (busy.get(), way) {
                        (true, Way::Bunker) => "Waiting for the signer…",
                        (true, Way::Import) => "Keeping it…",
                        (false, Way::Bunker) => "Connect",
                        (false, Way::Import) => "Import",
                    }}
                </button>
            </div>
        </form>
    }
}

/// A key, encrypted with a password, to be kept elsewhere.
#[component]
fn Backup(card: IdentityCard, done: Callback<()>) -> impl IntoView {
    let stage = Backstage::get();
    let (trouble, backup, copied) = (RwSignal::new(None), RwSignal::new(None::<String>), RwSignal::new(false));
    let (first, second) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let pubkey = card.pubkey;
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (password, again) = (take(first), take(second));
        if password.chars().count() < 8 || password != again {
            let why = if password == again {
                "The password needs at least 8 characters."
            } else {
                "The two passwords differ."
            };
            return trouble.set(Some(why.to_owned()));
        }
        let command = Command::BackUpIdentity { pubkey, password: Typed(password) };
        stage.then(trouble, command, move |outcome| {
            if let Outcome::Backup { ncryptsec } = outcome {
                backup.set(Some(ncryptsec));
            }
        });
    };
    let saved = RwSignal::new(None::<String>);
    let file_name = format!("{}.ncryptsec", called(&card).0.replace('…', "-"));
    let save = move |text: String| {
        let file_name = file_name.clone();
        leptos::task::spawn_local(async move {
            match super::backstage::save(&file_name, &text).await {
                Ok(path) => _ = saved.try_set(path.as_string()),
                Err(problem) => _ = trouble.try_set(problem.as_string()),
            }
        });
    };
    let copy = move |text: String| {
        leptos::task::spawn_local(async move {
            copied.try_set(engine::copy_text(&text).await.is_truthy());
        });
    };
    view! {
        <div class="backup">
            <h3>"Back up your key"</h3>
            {move || match backup.get() {
                None => view! {
                    <p class="hint">"Whoever loses the key loses the name, for ever. With a password it becomes a text that you can keep anywhere."</p>
                    <form class="secret-form" on:submit=submit autocomplete="off">
                        <label class="stack-field"><span>"A password for it"</span><input node_ref=first type="password" name="backup-password" autocomplete="new-password"/></label>
                        <label class="stack-field"><span>"The same again"</span><input node_ref=second type="password" name="backup-again" autocomplete="new-password"/></label>
                        <Trouble trouble/>
                        <div class="dialog-row">
                            <button type="button" id="backup-later" class="button" on:click=move |_| done.run(())>"Later"</button>
                            <span class="spacer"></span>
                            <button type="submit" class="button primary">"Make the backup"</button>
                        </div>
                    </form>
                }
                .into_any(),
                Some(text) => {
                    let (shown, kept, save) = (text.clone(), text.clone(), save.clone());
                    view! {
                        <p class="hint">"Keep this text, and the password apart from it."</p>
                        <textarea class="code" name="ncryptsec" rows="3" readonly aria-label="Encrypted key">{shown}</textarea>
                        {move || saved.get().map(|path| view! { <p class="good" role="status"><Icon path=brand::CHECK/>"Kept in "<code>{path}</code></p> })}
                        <Trouble trouble/>
                        <div class="dialog-row">
                            <button type="button" class="button" on:click=move |_| copy(text.clone())>{move || if copied.get() { "Copied" } else { "Copy" }}</button>
                            <button type="button" id="save-backup" class="button" on:click=move |_| save(kept.clone())>"Save to a file…"</button>
                            <span class="spacer"></span>
                            <button type="button" class="button primary" on:click=move |_| { backup.set(None); done.run(()) }>"Done"</button>
                        </div>
                    }
                    .into_any()
                }
            }}
        </div>
    }
}

/// Where the stream goes.
#[component]
pub(super) fn OriginChoice() -> impl IntoView {
    let stage = Backstage::get();
    let (trouble, busy) = (RwSignal::new(None), RwSignal::new(false));
    let origin = stage.part(|now| (now.origin.clone(), now.origin_is_built_in));
    let address = RwSignal::new(
        origin.with_untracked(|(address, built_in)| address.clone().filter(|_| !built_in).unwrap_or_default()),
    );
    let ask = move |command: Command| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        leptos::task::spawn_local(async move {
            let answer = super::backstage::ask(&command).await;
            busy.try_set(false);
            trouble.try_set(answer.err().map(|problem| problem.message));
        });
    };
    let is_built_in = move || origin.with(|(address, built_in)| address.is_some() && *built_in);
    view! {
        <div class="cards one">
            <button type="button" id="built-in-origin" class="card" class:chosen=is_built_in aria-pressed=move || is_built_in().to_string() disabled=move || busy.get() on:click=move |_| ask(Command::UseBuiltInOrigin)>
                <Icon path=brand::BROADCAST/>
                <span><b>"This computer"</b><small>"Starts a server here, to try things out: who watches sits at this computer. For everybody, use one on the internet."</small></span>
                {move || is_built_in().then(|| view! { <Icon path=brand::CHECK/> })}
            </button>
        </div>
        <form
            class="secret-form"
            on:submit=move |event| {
                event.prevent_default();
                ask(Command::UseOrigin { address: address.get_untracked().trim().to_owned() });
            }
        >
            <label class="stack-field">
                <span>"A Skylark server"</span>
                <div class="file-row">
                    <input
                        name="origin"
                        placeholder="https://live.example.com"
                        spellcheck="false"
                        prop:value=move || address.get()
                        on:input=move |event| address.set(event_target_value(&event))
                    />
                    <button type="submit" id="use-origin" class="button" disabled=move || busy.get() || address.with(|text| text.trim().is_empty())>
                        {move || if busy.get() { "Asking it…" } else { "Use it" }}
                    </button>
                </div>
            </label>
        </form>
        {move || origin.with(|(address, built_in)| address.clone().map(|address| view! {
            <p class="good" id="origin-chosen" role="status"><Icon path=brand::CHECK/>{if *built_in { "Runs on this computer: " } else { "Streams go to " }}<code>{address}</code></p>
        }))}
        <Trouble trouble/>
    }
}
