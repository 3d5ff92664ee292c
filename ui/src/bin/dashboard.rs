//! Entry point of the streamers' page in the browser.

fn main() {
    skylark_ui::mount_dashboard();
}
