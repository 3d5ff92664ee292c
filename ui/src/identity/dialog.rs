//! Signing in: four ways with a key of one's own, one without.

use leptos::{html, prelude::*};

use super::{Identity, Method, Request};
use crate::brand::{Icon, Mark, shapes};

/// Where a signer that scans our code can leave its answers, unless the person names another relay.
const CONNECT_RELAY: &str = "wss://relay.nsec.app";

/// The dialog; a page has one.
#[component]
pub(crate) fn SignIn() -> impl IntoView {
    let identity = Identity::get();
    view! { <Show when=move || identity.asking.get()><Dialog identity/></Show> }
}

/// What is typed and what came of it.
#[derive(Clone, Copy)]
struct Form {
    identity: Identity,
    /// The way that is open; none shows the list.
    method: RwSignal<Option<Method>>,
    text: RwSignal<String>,
    busy: RwSignal<bool>,
    error: RwSignal<Option<String>>,
}

impl Form {
    fn choose(self, method: Option<Method>) {
        self.text.set(if method == Some(Method::Connect) { CONNECT_RELAY.to_owned() } else { String::new() });
        self.error.set(None);
        self.method.set(method);
    }

    fn submit(self, method: Method) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.error.set(None);
        leptos::task::spawn_local(async move {
            let text = self.text.get_untracked();
            let result = self.identity.sign_in(method, &text).await;
            // The dialog may be gone by now, and its signals with it.
            self.busy.try_set(false);
            if let Err(error) = result {
                self.error.try_set(Some(error));
            }
        });
    }
}

#[component]
fn Dialog(identity: Identity) -> impl IntoView {
    let form = Form {
        identity,
        method: RwSignal::new(None),
        text: RwSignal::new(String::new()),
        busy: RwSignal::new(false),
        error: RwSignal::new(None),
    };
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move || {
        if let Some(dialog) = dialog.get() {
            // Only throws when it is open already.
            dialog.show_modal().ok();
        }
    });
    view! {
        <dialog
            id="sign-in"
            class="dialog"
            node_ref=dialog
            aria-labelledby="sign-in-title"
            on:close=move |_| identity.cancel()
            on:click=move |event| {
                // The backdrop belongs to the dialog itself.
                if dialog.get().is_some_and(|dialog| event.target() == Some(dialog.into())) {
                    identity.cancel();
                }
            }
        >
            <div class="dialog-body">
                <div class="dialog-head">
                    <Mark/>
                    <h2 id="sign-in-title">"Sign in to Skylark"</h2>
                    <button type="button" class="control" aria-label="Close" on:click=move |_| identity.cancel()>
                        <Icon path=shapes::CLOSE/>
                    </button>
                </div>
                {move || match form.method.get() {
                    None => view! { <Ways form/> }.into_any(),
                    Some(method) => view! { <Way form method/> }.into_any(),
                }}
            </div>
        </dialog>
    }
}

#[component]
fn Ways(form: Form) -> impl IntoView {
    let direct = move |method| move |_| form.submit(method);
    let open = move |method| move |_| form.choose(Some(method));
    view! {
        <p class="dialog-lead">"Your Nostr key is your account. It stays with you: this site only asks for signatures."</p>
        <div class="ways">
            <button type="button" class="way" data-way="extension" disabled=move || form.busy.get() on:click=direct(Method::Extension)>
                <Icon path=shapes::PUZZLE/>
                <span><b>"Browser extension"</b><small>"Alby, nos2x, Nostore and others"</small></span>
            </button>
            <button type="button" class="way" data-way="connect" on:click=open(Method::Connect)>
                <Icon path=shapes::QR/>
                <span><b>"Signer app on your phone"</b><small>"Scan a code with Amber, Nsec.app or another"</small></span>
            </button>
            <button type="button" class="way" data-way="bunker" on:click=open(Method::Bunker)>
                <Icon path=shapes::SHIELD/>
                <span><b>"Remote signer"</b><small>"Paste a bunker:// address"</small></span>
            </button>
            <button type="button" class="way" data-way="key" on:click=open(Method::Key)>
                <Icon path=shapes::KEY/>
                <span><b>"Secret key"</b><small>"For this tab only; the others are safer"</small></span>
            </button>
        </div>
        <Trouble form/>
        <div class="dialog-foot">
            <span>"Just here to chat?"</span>
            <button type="button" class="link" data-way="guest" on:click=direct(Method::Guest)>"Continue as a guest"</button>
        </div>
    }
}

#[component]
fn Way(form: Form, method: Method) -> impl IntoView {
    let (label, placeholder, secret) = match method {
        Method::Bunker => ("Address of your signer", "bunker://…?relay=wss://…", false),
        Method::Connect => ("Relay to meet at", CONNECT_RELAY, false),
        _ => ("Secret key", "nsec1…", true),
    };
    let input = NodeRef::<html::Input>::new();
    input.on_load(|input| {
        input.focus().ok();
    });
    view! {
        <form
            class="way-form"
            on:submit=move |event| {
                event.prevent_default();
                form.submit(method);
            }
        >
            {(method == Method::Key).then(|| view! {
                <p class="warning" id="key-warning">
                    <Icon path=shapes::WARNING/>
                    <span>
                        "Whoever has this key is you, for ever. It is kept in this tab until you close it or sign out, and \
                         never sent anywhere. On a computer that others use, choose another way."
                    </span>
                </p>
            })}
            {move || form.identity.request.get().map(|request| view! { <Asked request/> })}
            <label class="field">
                <span>{label}</span>
                <input
                    node_ref=input
                    type=if secret { "password" } else { "text" }
                    name=if secret { "key" } else { "address" }
                    placeholder=placeholder
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    prop:value=move || form.text.get()
                    on:input=move |event| form.text.set(event_target_value(&event))
                />
            </label>
            <Trouble form/>
            <div class="dialog-actions">
                <button type="button" class="pill" on:click=move |_| form.choose(None)>"Back"</button>
                <button type="submit" class="pill primary" disabled=move || form.busy.get() || form.text.get().trim().is_empty()>
                    {move || match (form.busy.get(), method) {
                        (true, _) => "Waiting for the signer…",
                        (false, Method::Connect) => "Show the code",
                        _ => "Sign in",
                    }}
                </button>
            </div>
        </form>
    }
}

/// What the signer wants seen.
#[component]
fn Asked(request: Request) -> impl IntoView {
    match request {
        Request::Open(url) => view! {
            <p class="notice">
                "Your signer wants you to confirm: "
                <a class="link" href=url target="_blank" rel="noopener noreferrer">"open its page"</a>
            </p>
        }
        .into_any(),
        Request::Scan { uri, size, path } => view! {
            <a class="qr" href=uri.clone() aria-label="Open in a signer on this device">
                <svg viewBox=format!("0 0 {size} {size}") shape-rendering="crispEdges" aria-hidden="true"><path d=path/></svg>
            </a>
            <p class="notice">"Scan with your signer app, or click the code to open one on this device."</p>
        }
        .into_any(),
    }
}

#[component]
fn Trouble(form: Form) -> impl IntoView {
    view! { <p class="trouble" role="alert">{move || form.error.get()}</p> }
}
