//! Entry point of the Studio's window.

fn main() {
    skylark_ui::mount_studio();
}
