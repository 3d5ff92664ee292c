//! Another program on the Studio's screen: it has the keyboard, and may have taken keys before the Studio asked for them.
//! And somebody at the keyboard: `xdotool` presses keys as the X server has them from a real one.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use x11rb::{
    COPY_DEPTH_FROM_PARENT,
    connection::Connection as _,
    protocol::{
        Event,
        xproto::{ConnectionExt as _, CreateWindowAux, EventMask, GrabMode, InputFocus, ModMask, Window, WindowClass},
    },
    rust_connection::RustConnection,
};

/// A window that has the keyboard until it is dropped.
#[derive(Debug)]
pub struct OtherProgram {
    connection: RustConnection,
    window: Window,
    root: Window,
}

impl OtherProgram {
    /// Opens its window on an X display.
    ///
    /// # Errors
    /// When there is no such display.
    pub fn open(display: &str) -> Result<Self> {
        let (connection, screen) = RustConnection::connect(Some(display))?;
        let screen = &connection.setup().roots[screen];
        let (window, root) = (connection.generate_id()?, screen.root);
        let aux = CreateWindowAux::new().event_mask(EventMask::KEY_PRESS).background_pixel(screen.white_pixel);
        let (depth, class) = (COPY_DEPTH_FROM_PARENT, WindowClass::INPUT_OUTPUT);
        connection.create_window(depth, window, root, 40, 40, 200, 100, 0, class, 0, &aux)?.check()?;
        connection.map_window(window)?.check()?;
        Ok(Self { connection, window, root })
    }

    /// It has the keyboard from now on.
    ///
    /// # Errors
    /// When the display does not give it.
    pub fn take_keyboard(&self) -> Result<()> {
        self.connection.set_input_focus(InputFocus::PARENT, self.window, x11rb::CURRENT_TIME)?.check()?;
        let focus = self.connection.get_input_focus()?.reply()?.focus;
        ensure!(focus == self.window, "the keyboard is with {focus}, not with {}", self.window);
        Ok(())
    }

    /// Takes a key with Ctrl and Alt for itself, wherever the keyboard is.
    ///
    /// # Errors
    /// When somebody else has it.
    pub fn take_key(&self, keysym: u32) -> Result<()> {
        let (code, held) = (self.code(keysym)?, ModMask::CONTROL | ModMask::M1);
        self.connection.grab_key(true, self.root, held, code, GrabMode::ASYNC, GrabMode::ASYNC)?.check()?;
        Ok(())
    }

    /// How often a key was pressed in its window since any was asked for last.
    ///
    /// # Errors
    /// When the display is gone.
    pub fn heard(&self, keysym: u32) -> Result<usize> {
        let code = self.code(keysym)?;
        // What was pressed before is here after an answer.
        self.connection.get_input_focus()?.reply()?;
        let mut count = 0;
        while let Some(event) = self.connection.poll_for_event()? {
            count += usize::from(matches!(event, Event::KeyPress(press) if press.detail == code));
        }
        Ok(count)
    }

    fn code(&self, keysym: u32) -> Result<u8> {
        let (first, last) = (self.connection.setup().min_keycode, self.connection.setup().max_keycode);
        let map = self.connection.get_keyboard_mapping(first, last - first + 1)?.reply()?;
        let per_code = usize::from(map.keysyms_per_keycode);
        let at = map.keysyms.chunks(per_code).position(|keysyms| keysyms.contains(&keysym)).context("no such key")?;
        Ok(first + u8::try_from(at)?)
    }
}

/// Presses keys, such as `ctrl+alt+2`, wherever the keyboard is.
///
/// # Errors
/// When the display does not take them.
pub fn press(display: &str, keys: &str) -> Result<()> {
    xdotool(display, &["key", keys])
}

/// Types a path into the system's dialog for opening a file, which has the keyboard, and the enter key after it.
///
/// # Errors
/// When the display does not take it.
pub fn type_path(display: &str, path: &str) -> Result<()> {
    // Opens the line for it, with what was typed there before.
    press(display, "ctrl+l")?;
    press(display, "ctrl+a")?;
    xdotool(display, &["type", "--delay", "20", path])?;
    press(display, "Return")
}

/// Replaces the name in the system's dialog for saving a file, which has the keyboard, and presses the enter key.
///
/// # Errors
/// When the display does not take it.
pub fn type_name(display: &str, path: &str) -> Result<()> {
    press(display, "ctrl+a")?;
    xdotool(display, &["type", "--delay", "20", path])?;
    press(display, "Return")
}

/// Whether a window of this title is to be seen; it has the keyboard then.
#[must_use]
pub fn focus(display: &str, title: &str) -> bool {
    xdotool(display, &["search", "--onlyvisible", "--name", title, "windowfocus"]).is_ok()
}

fn xdotool(display: &str, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("xdotool");
    command.args(arguments).env("DISPLAY", display).stdin(Stdio::null()).stdout(Stdio::null());
    let output = command.output().context("cannot start xdotool")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "xdotool {arguments:?} ended with {}: {said}", output.status);
    Ok(())
}
