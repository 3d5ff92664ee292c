//! Where and how to publish: what OBS asks for.

use leptos::prelude::*;
use skylark_protocol::{
    StreamId,
    api::{RotateKey, RotatedKey, StreamAccess},
};

use crate::{
    api,
    brand::{Icon, shapes},
    engine,
    identity::Identity,
};

/// The key while it is known, and a new one for the asking.
#[component]
pub(super) fn Access(id: StreamId, access: RwSignal<Option<StreamAccess>>) -> impl IntoView {
    let identity = Identity::get();
    let trouble = RwSignal::new(None::<String>);
    let rotate = move |_| {
        let path = format!("/api/v1/streams/{id}/key");
        leptos::task::spawn_local(async move {
            match api::signed::<RotatedKey>(identity, "POST", &path, &RotateKey::default()).await {
                Ok(rotated) => {
                    trouble.set(None);
                    access.set(rotated.access);
                }
                Err(error) => trouble.set(Some(error)),
            }
        });
    };
    view! {
        <section class="panel" aria-labelledby="access">
            <h2 id="access">"Connect OBS"</h2>
            {move || match access.get() {
                Some(access) => view! { <Known access/> }.into_any(),
                None => view! {
                    <p class="notice">
                        "The stream key was shown when it was made. If you no longer have it, make a new one: the old one stops working."
                    </p>
                }
                .into_any(),
            }}
            <button type="button" id="rotate-key" class="pill" on:click=rotate>"Make a new key"</button>
            <p class="trouble" role="alert">{move || trouble.get()}</p>
        </section>
    }
}

#[component]
fn Known(access: StreamAccess) -> impl IntoView {
    view! {
        <p class="hint">
            <Icon path=shapes::WARNING/>
            <span>"Copy the key now: it is not shown again. Whoever has it can stream in your place."</span>
        </p>
        <Value label="Server" name="server" value=access.rtmp_url secret=false/>
        <Value label="Stream key" name="stream-key" value=access.key secret=true/>
        <details class="guide">
            <summary>"Step by step"</summary>
            <ol>
                <li>"In OBS, open Settings, then Stream. Choose the service “Custom…” and paste server and key."</li>
                <li>"Under Output, set the keyframe interval to 1 s and the rate control to CBR; 4000 to 6000 kbit/s suit 1080p."</li>
                <li>"With x264, choose the tune “zerolatency”; with a hardware encoder, set B-frames to 0. The delay shrinks by that."</li>
                <li>"Start streaming in OBS: the picture appears here, for you alone. Then go live."</li>
            </ol>
        </details>
        <details class="guide">
            <summary>"SRT instead of RTMP"</summary>
            <p class="notice">"Better over mobile and lossy networks. Use this as the server, and leave the key empty."</p>
            <Value label="SRT address" name="srt" value=access.srt_url secret=true/>
        </details>
    }
}

/// A value to be copied; a secret one only shows when asked to.
#[component]
fn Value(label: &'static str, name: &'static str, value: String, secret: bool) -> impl IntoView {
    let (hidden, copied) = (RwSignal::new(secret), RwSignal::new(false));
    let copy = {
        let value = value.clone();
        move |_| {
            let value = value.clone();
            leptos::task::spawn_local(async move {
                copied.try_set(engine::copy_text(&value).await.is_truthy());
                set_timeout(move || _ = copied.try_set(false), std::time::Duration::from_secs(2));
            });
        }
    };
    view! {
        <div class="value">
            <label class="field">
                <span>{label}</span>
                <input
                    name=name
                    readonly
                    type=move || if hidden.get() { "password" } else { "text" }
                    autocomplete="off"
                    prop:value=value
                />
            </label>
            {secret.then(|| view! {
                <button type="button" class="pill" on:click=move |_| hidden.update(|hidden| *hidden = !*hidden)>
                    {move || if hidden.get() { "Show" } else { "Hide" }}
                </button>
            })}
            <button type="button" class="pill" data-copies=name on:click=copy>
                {move || if copied.get() { "Copied" } else { "Copy" }}
            </button>
        </div>
    }
}
