//! Logo and icons. Shapes are drawn on a grid of 24 and take the colour of the text around them.

use leptos::prelude::*;

/// The skylark: a climbing bird, tail to the lower left, wings up.
#[component]
pub(crate) fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
            <path d="M3 27c5.2-.6 8.9-2.6 11.4-5.6 3.1.9 6.5.3 9-2.2 1.7-1.7 2.5-3.7 2.7-5.9L30 11l-4.3-.9c-1.2-2.3-4-3-6.2-1.6L16 10.7 7.6 4c.2 4.7 1.7 8.4 4.7 11.1C9.8 19.7 7 23.7 3 27Z"/>
            <path class="mark-wing" d="M16 10.7 15.3 2c4 1.5 6.3 3.9 7.1 6.6-1-.5-2.1-.5-2.9-.1Z"/>
        </svg>
    }
}

/// Logo and name, linked to the front page.
#[component]
pub(crate) fn Header(children: Children) -> impl IntoView {
    view! {
        <header class="header">
            <a class="wordmark" href="/" aria-label="Skylark, all live streams">
                <Mark/>
                <span>"skylark"</span>
            </a>
            {children()}
        </header>
    }
}

/// An icon from one path.
#[component]
pub(crate) fn Icon(
    /// What it shows, as SVG path data.
    #[prop(into)]
    path: Signal<&'static str>,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
            <path d=move || path.get()/>
        </svg>
    }
}

/// Path data of the icons; filled shapes.
pub(crate) mod shapes {
    pub(crate) const PLAY: &str = "M8 5.3c0-.8.9-1.3 1.6-.8l9.6 6.6c.6.4.6 1.3 0 1.7l-9.6 6.7c-.7.5-1.6 0-1.6-.8Z";
    pub(crate) const PAUSE: &str = "M7.5 4.5h2a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1h-2a1 1 0 0 1-1-1v-13a1 1 0 0 1 1-1Zm7 0h2a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1h-2a1 1 0 0 1-1-1v-13a1 1 0 0 1 1-1Z";
    pub(crate) const SOUND: &str = "M11.4 5.2 7.3 8.5H4.5a1 1 0 0 0-1 1v5a1 1 0 0 0 1 1h2.8l4.1 3.3c.7.5 1.6.1 1.6-.8V6c0-.9-.9-1.3-1.6-.8ZM15.5 8.8a.9.9 0 0 1 1.3 0 4.6 4.6 0 0 1 0 6.4.9.9 0 1 1-1.3-1.2 2.8 2.8 0 0 0 0-4 .9.9 0 0 1 0-1.2Zm2.5-2.7a.9.9 0 0 1 1.3 0 8.4 8.4 0 0 1 0 11.8.9.9 0 1 1-1.3-1.3 6.6 6.6 0 0 0 0-9.2.9.9 0 0 1 0-1.3Z";
    pub(crate) const MUTED: &str = "M11.4 5.2 7.3 8.5H4.5a1 1 0 0 0-1 1v5a1 1 0 0 0 1 1h2.8l4.1 3.3c.7.5 1.6.1 1.6-.8V6c0-.9-.9-1.3-1.6-.8Zm4.2 4.2a.9.9 0 0 1 1.3 0l1.3 1.3 1.3-1.3a.9.9 0 1 1 1.3 1.3L19.5 12l1.3 1.3a.9.9 0 1 1-1.3 1.3l-1.3-1.3-1.3 1.3a.9.9 0 1 1-1.3-1.3l1.3-1.3-1.3-1.3a.9.9 0 0 1 0-1.3Z";
    pub(crate) const QUALITY: &str = "M4 6.6h7.2a2.5 2.5 0 0 1 4.8 0h4a.9.9 0 0 1 0 1.8h-4a2.5 2.5 0 0 1-4.8 0H4a.9.9 0 0 1 0-1.8Zm0 9h3.2a2.5 2.5 0 0 1 4.8 0h8a.9.9 0 0 1 0 1.8h-8a2.5 2.5 0 0 1-4.8 0H4a.9.9 0 0 1 0-1.8Z";
    pub(crate) const PICTURE: &str = "M5.5 5h13A2.5 2.5 0 0 1 21 7.5v2a.9.9 0 0 1-1.8 0v-2c0-.4-.3-.7-.7-.7h-13c-.4 0-.7.3-.7.7v9c0 .4.3.7.7.7h4a.9.9 0 0 1 0 1.8h-4A2.5 2.5 0 0 1 3 16.5v-9A2.5 2.5 0 0 1 5.5 5Zm8.5 7h6a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1h-6a1 1 0 0 1-1-1v-5a1 1 0 0 1 1-1Z";
    pub(crate) const ENLARGE: &str = "M4 9.1V6.5A2.5 2.5 0 0 1 6.5 4h2.6a.9.9 0 0 1 0 1.8H6.5c-.4 0-.7.3-.7.7v2.6a.9.9 0 0 1-1.8 0ZM14 4.9c0-.5.4-.9.9-.9h2.6A2.5 2.5 0 0 1 20 6.5v2.6a.9.9 0 0 1-1.8 0V6.5c0-.4-.3-.7-.7-.7h-2.6a.9.9 0 0 1-.9-.9ZM4.9 14c.5 0 .9.4.9.9v2.6c0 .4.3.7.7.7h2.6a.9.9 0 0 1 0 1.8H6.5A2.5 2.5 0 0 1 4 17.5v-2.6c0-.5.4-.9.9-.9Zm14.2 0c.5 0 .9.4.9.9v2.6a2.5 2.5 0 0 1-2.5 2.5h-2.6a.9.9 0 0 1 0-1.8h2.6c.4 0 .7-.3.7-.7v-2.6c0-.5.4-.9.9-.9Z";
    pub(crate) const REDUCE: &str = "M8.6 4c.5 0 .9.4.9.9v2.6A2 2 0 0 1 7.5 9.5H4.9a.9.9 0 0 1 0-1.8h2.6l.2-.2V4.9c0-.5.4-.9.9-.9Zm6.8 0c.5 0 .9.4.9.9v2.6l.2.2h2.6a.9.9 0 0 1 0 1.8h-2.6a2 2 0 0 1-2-2V4.9c0-.5.4-.9.9-.9ZM4 15.4c0-.5.4-.9.9-.9h2.6a2 2 0 0 1 2 2v2.6a.9.9 0 0 1-1.8 0v-2.6l-.2-.2H4.9a.9.9 0 0 1-.9-.9Zm10.5 1.1a2 2 0 0 1 2-2h2.6a.9.9 0 0 1 0 1.8h-2.6l-.2.2v2.6a.9.9 0 0 1-1.8 0Z";
    pub(crate) const KEYS: &str = "M4.5 6h15A2.5 2.5 0 0 1 22 8.5v7a2.5 2.5 0 0 1-2.5 2.5h-15A2.5 2.5 0 0 1 2 15.5v-7A2.5 2.5 0 0 1 4.5 6Zm0 1.8c-.4 0-.7.3-.7.7v7c0 .4.3.7.7.7h15c.4 0 .7-.3.7-.7v-7c0-.4-.3-.7-.7-.7Zm1.3 2h1.8v1.5H5.8Zm3.5 0h1.8v1.5H9.3Zm3.5 0h1.8v1.5h-1.8Zm3.5 0h1.8v1.5h-1.8ZM7.5 13h9v1.5h-9Z";
    pub(crate) const CHECK: &str = "M19.6 6.7a1 1 0 0 1 0 1.4l-9.2 9.2a1 1 0 0 1-1.4 0l-4.6-4.6a1 1 0 1 1 1.4-1.4l3.9 3.9 8.5-8.5a1 1 0 0 1 1.4 0Z";
    pub(crate) const LINK: &str = "M10.6 13.4a1 1 0 0 1 0-1.4 1 1 0 0 1 0 0M9.9 7.5l2.3-2.3a4.7 4.7 0 0 1 6.6 6.6l-2.3 2.3a.9.9 0 1 1-1.3-1.3l2.3-2.3a2.9 2.9 0 0 0-4-4l-2.3 2.3a.9.9 0 0 1-1.3-1.3Zm-3.1 2.4a.9.9 0 0 1 1.3 1.3l-2.3 2.3a2.9 2.9 0 0 0 4 4l2.3-2.3a.9.9 0 1 1 1.3 1.3l-2.3 2.3a4.7 4.7 0 0 1-6.6-6.6Zm2.6 3.5 4-4a.9.9 0 0 1 1.3 1.3l-4 4a.9.9 0 0 1-1.3-1.3Z";
    pub(crate) const CLOSE: &str = "M6.7 5.3 12 10.6l5.3-5.3a1 1 0 1 1 1.4 1.4L13.4 12l5.3 5.3a1 1 0 0 1-1.4 1.4L12 13.4l-5.3 5.3a1 1 0 0 1-1.4-1.4l5.3-5.3-5.3-5.3a1 1 0 0 1 1.4-1.4Z";
}
