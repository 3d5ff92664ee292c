//! The Studio's window.

use leptos::prelude::*;

use crate::brand::{Header, Mark};

/// What the window shows before there are scenes to show.
#[component]
pub(crate) fn Studio() -> impl IntoView {
    document().set_title("Skylark Studio");
    view! {
        <div class="page">
            <Header><span class="count">"Studio"</span></Header>
            <main class="home">
                <div id="studio" class="empty">
                    <div class="message-art"><Mark/></div>
                    <h1>"Skylark Studio"</h1>
                    <p>
                        "Scenes, capture and going live move in here next. Until then, OBS and every other RTMP or SRT \
                         encoder can stream to your origin."
                    </p>
                </div>
            </main>
        </div>
    }
}
