//! The viewer site.

use leptos::prelude::*;

/// Puts the site into the document's body.
pub fn mount() {
    leptos::mount::mount_to_body(|| view! { <main><h1>"Skylark"</h1></main> });
}
