//! Who is signed in, in the page's header.

use leptos::prelude::*;

use super::{Identity, Method};
use crate::{
    brand::{Icon, shapes},
    profiles::{Avatar, Name},
};

/// A button to sign in, or the person with a menu.
#[component]
pub(crate) fn AccountMenu() -> impl IntoView {
    let identity = Identity::get();
    let open = RwSignal::new(false);
    view! {
        <div class="account">
            {move || match identity.account() {
                None => view! {
                    <button type="button" id="sign-in-button" class="pill" on:click=move |_| identity.ask()>"Sign in"</button>
                }
                .into_any(),
                Some(account) => view! {
                    <button
                        type="button"
                        id="account"
                        class="account-button"
                        aria-label="Your account"
                        aria-expanded=move || open.get().to_string()
                        on:click=move |_| open.update(|open| *open = !*open)
                    >
                        <Avatar pubkey=account.pubkey/>
                    </button>
                    <div class="menu account-menu" class:hidden=move || !open.get()>
                        <p class="account-who">
                            <b><Name pubkey=account.pubkey/></b>
                            <small>{signed_in_by(account.method)}</small>
                        </p>
                        <a class="choice" href="/studio-web"><Icon path=shapes::BROADCAST/>"Your streams"</a>
                        <button
                            type="button"
                            id="sign-out"
                            class="choice"
                            on:click=move |_| {
                                open.set(false);
                                identity.sign_out();
                            }
                        >
                            <Icon path=shapes::LEAVE/>
                            "Sign out"
                        </button>
                    </div>
                }
                .into_any(),
            }}
        </div>
    }
}

fn signed_in_by(method: Method) -> &'static str {
    match method {
        Method::Extension => "Signs with your extension",
        Method::Bunker | Method::Connect => "Signs with your remote signer",
        Method::Key => "Secret key, for this tab",
        Method::Guest => "Guest on this device",
        Method::Studio => "Signs with the Studio",
    }
}
