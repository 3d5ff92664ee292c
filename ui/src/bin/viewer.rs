//! Entry point of the viewer site in the browser.

fn main() {
    skylark_ui::mount();
}
