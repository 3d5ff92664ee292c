//! Entry point of the front page in the browser.

fn main() {
    skylark_ui::mount_discover();
}
