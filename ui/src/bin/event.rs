//! Entry point of the page of a live event in the browser.

fn main() {
    skylark_ui::mount_event();
}
