//! X11's screens and windows, over a connection of our own: a window that closes is an error in an answer here. The
//! usual library ends the whole program for it.

use gstreamer as gst;
use gstreamer_video as gst_video;
use skylark_protocol::studio::{Canvas, Device, DeviceKind, Rect};
use x11rb::{
    connection::Connection as _,
    errors::ReplyError,
    protocol::{
        randr::ConnectionExt as _,
        xproto::{AtomEnum, ConnectionExt as _, ImageFormat, MapState, Window},
    },
    rust_connection::RustConnection,
};

use super::{
    feed::{Feed, Reporter},
    worker::Stop,
};

/// Windows that are listed.
const MAX_WINDOWS: usize = 100;
/// Length of a property that is read, in units of four bytes.
const MAX_PROPERTY: u32 = 256;
/// Windows with more pixels have other problems.
const MAX_PIXELS: u64 = 1 << 26;

/// An X server.
struct Display {
    connection: RustConnection,
    root: Window,
}

impl Display {
    fn open() -> Result<Self, String> {
        let (connection, screen) =
            x11rb::connect(None).map_err(|error| format!("There is no screen to capture: {error}."))?;
        let root = connection.setup().roots.get(screen).ok_or("The display has no screen.")?.root;
        Ok(Self { connection, root })
    }

    /// Monitors with their place, the primary one first.
    fn monitors(&self) -> Result<Vec<(String, Rect)>, ReplyError> {
        let mut found = self.connection.randr_get_monitors(self.root, true)?.reply()?.monitors;
        found.sort_by_key(|monitor| !monitor.primary);
        let place = |monitor: x11rb::protocol::randr::MonitorInfo| {
            let name = self.connection.get_atom_name(monitor.name)?.reply()?.name;
            let place = Rect {
                x: monitor.x.into(),
                y: monitor.y.into(),
                width: monitor.width.into(),
                height: monitor.height.into(),
            };
            Ok((String::from_utf8_lossy(&name).into_owned(), place))
        };
        found.into_iter().map(place).collect()
    }

    /// Windows of programs: as the window manager says, or all that can be seen if there is none.
    fn windows(&self) -> Result<Vec<Window>, ReplyError> {
        let list = self.connection.intern_atom(false, b"_NET_CLIENT_LIST")?.reply()?.atom;
        let managed = self
            .connection
            .get_property(false, self.root, list, AtomEnum::WINDOW, 0, MAX_PROPERTY)?
            .reply()?
            .value32()
            .map(|windows| windows.collect::<Vec<_>>())
            .unwrap_or_default();
        let mut windows =
            if managed.is_empty() { self.connection.query_tree(self.root)?.reply()?.children } else { managed };
        windows.truncate(MAX_WINDOWS);
        Ok(windows)
    }

    fn text(&self, window: Window, property: &[u8]) -> Option<String> {
        let atom = self.connection.intern_atom(true, property).ok()?.reply().ok()?.atom;
        if atom == x11rb::NONE {
            return None;
        }
        let reply = self.connection.get_property(false, window, atom, AtomEnum::ANY, 0, MAX_PROPERTY).ok()?;
        let value = reply.reply().ok()?.value;
        (!value.is_empty()).then(|| String::from_utf8_lossy(&value).into_owned())
    }

    /// What a program calls its kind of windows.
    fn class(&self, window: Window) -> String {
        let names = self.text(window, b"WM_CLASS").unwrap_or_default();
        names.trim_end_matches('\0').rsplit('\0').next().unwrap_or_default().to_owned()
    }

    fn title(&self, window: Window) -> Option<String> {
        self.text(window, b"_NET_WM_NAME").or_else(|| self.text(window, b"WM_NAME"))
    }

    fn is_seen(&self, window: Window) -> bool {
        let attributes = self.connection.get_window_attributes(window).ok().and_then(|cookie| cookie.reply().ok());
        attributes.is_some_and(|attributes| attributes.map_state == MapState::VIEWABLE)
    }

    /// The window with this id; if it is gone, another of the same program: ids do not outlive a window.
    fn find(&self, id: &str) -> Result<Window, String> {
        let (number, class) = id.split_once(' ').unwrap_or((id, ""));
        let number = number.strip_prefix("0x").and_then(|digits| Window::from_str_radix(digits, 16).ok());
        let windows = self.windows().map_err(|error| format!("Windows cannot be listed: {error}."))?;
        let is_it = |window: &&Window| Some(**window) == number && self.class(**window) == class;
        let is_like_it =
            |window: &&Window| !class.is_empty() && self.class(**window) == class && self.is_seen(**window);
        let found = windows.iter().find(is_it).or_else(|| windows.iter().find(is_like_it));
        found.copied().ok_or_else(|| "The window is not open.".into())
    }
}

/// Monitors and windows that are there now.
pub(super) fn devices() -> Vec<Device> {
    let Ok(display) = Display::open() else { return Vec::new() };
    let monitors = display.monitors().unwrap_or_default();
    let mut all: Vec<Device> = monitors
        .into_iter()
        .map(|(id, place)| {
            let name = format!("{id} ({} × {})", place.width, place.height);
            Device { kind: DeviceKind::Screen, id, name }
        })
        .collect();
    let windows = display.windows().unwrap_or_default();
    all.extend(windows.into_iter().filter(|window| display.is_seen(*window)).filter_map(|window| {
        let name = display.title(window)?;
        let id = format!("{window:#x} {}", display.class(window));
        Some(Device { kind: DeviceKind::Window, id, name })
    }));
    all
}

/// Where on the display a screen's area is; an empty id is the whole display. What lies outside is cut off.
pub(super) fn place(id: &str, area: Option<Rect>) -> Result<Rect, String> {
    let display = Display::open()?;
    let failed = |error: ReplyError| format!("The screen cannot be captured: {error}.");
    let root =
        display.connection.get_geometry(display.root).map_err(ReplyError::from).and_then(|cookie| cookie.reply());
    let root = root.map_err(failed)?;
    let whole = Rect { x: 0, y: 0, width: root.width.into(), height: root.height.into() };
    let screen = if id.is_empty() {
        whole
    } else {
        let monitors = display.monitors().map_err(failed)?;
        let found = monitors.into_iter().find(|(name, _)| name == id).map(|(_, place)| place);
        found.ok_or("The screen is not connected.")?
    };
    let screen = cut(screen, whole).ok_or("The screen is empty.")?;
    let Some(area) = area else { return Ok(screen) };
    let moved = Rect { x: area.x.saturating_add(screen.x), y: area.y.saturating_add(screen.y), ..area };
    cut(moved, screen).ok_or_else(|| "The chosen area is not on the screen.".into())
}

/// What two rectangles share.
fn cut(one: Rect, other: Rect) -> Option<Rect> {
    let edge = |start: i32, length: u32| i64::from(start) + i64::from(length);
    let (left, top) = (one.x.max(other.x), one.y.max(other.y));
    let right = edge(one.x, one.width).min(edge(other.x, other.width));
    let bottom = edge(one.y, one.height).min(edge(other.y, other.height));
    let width = u32::try_from(right - i64::from(left)).ok().filter(|width| *width > 0)?;
    let height = u32::try_from(bottom - i64::from(top)).ok().filter(|height| *height > 0)?;
    Some(Rect { x: left, y: top, width, height })
}

/// Films a window until it closes or the thread is to stop.
pub(super) fn film(id: &str, canvas: Canvas, feed: &Feed, reporter: &Reporter, stop: &Stop) -> Result<(), String> {
    let display = Display::open()?;
    let window = display.find(id)?;
    let rate = u64::from(canvas.frame_rate.max(1));
    let fraction = gst::Fraction::new(i32::try_from(rate).unwrap_or(30), 1);
    let second = gst::ClockTime::SECOND.nseconds();
    let at = |number: u64| gst::ClockTime::from_nseconds(number * second / rate);
    let mut number = 0;
    while let Some(now) = feed.wait(stop) {
        if now < at(number) {
            stop.rest((at(number) - now).into());
            continue;
        }
        number = number.max(now.nseconds() * rate / second);
        if let Some((width, height, pixels)) = picture(&display, window)? {
            let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Bgrx, width, height).fps(fraction).build();
            let info = info.map_err(|error| format!("The window cannot be captured: {error}."))?;
            if pixels.len() == info.size() {
                let mut buffer = gst::Buffer::from_mut_slice(pixels);
                let stamps = buffer.get_mut().expect("nobody else has it yet");
                stamps.set_pts(now);
                stamps.set_duration(at(1));
                feed.push_picture(&info, buffer);
            }
        }
        if reporter.is_lost() {
            break;
        }
        number += 1;
    }
    Ok(())
}

/// A window's width, height and pixels; none while it is minimised or between two sizes.
fn picture(display: &Display, window: Window) -> Result<Option<(u32, u32, Vec<u8>)>, String> {
    let closed = |error: &dyn std::fmt::Display| {
        tracing::debug!(%error, "a captured window");
        "The window was closed.".to_owned()
    };
    let connection = &display.connection;
    let size = connection.get_geometry(window).map_err(|error| closed(&error))?;
    let size = size.reply().map_err(|error| closed(&error))?;
    let (width, height) = (size.width, size.height);
    if u64::from(width) * u64::from(height) > MAX_PIXELS || size.depth < 24 {
        return Err("The window's picture is not understood.".into());
    }
    let whole = Rect { x: 0, y: 0, width: width.into(), height: height.into() };
    if let Some(pixels) = pixels(display, window, whole)? {
        return Ok(Some((whole.width, whole.height, pixels)));
    }
    // Without a compositor, what reaches beyond the screen has no pixels.
    let root = connection.get_geometry(display.root).map_err(|error| closed(&error))?;
    let root = root.reply().map_err(|error| closed(&error))?;
    let Ok(origin) =
        connection.translate_coordinates(window, display.root, 0, 0).map_err(|error| closed(&error))?.reply()
    else {
        return Ok(None);
    };
    let (x, y) = (i32::from(origin.dst_x), i32::from(origin.dst_y));
    let screen = Rect { x: -x, y: -y, width: root.width.into(), height: root.height.into() };
    let Some(seen) = cut(whole, screen).filter(|seen| *seen != whole) else { return Ok(None) };
    let Some(part) = pixels(display, window, seen)? else { return Ok(None) };
    Ok(Some((whole.width, whole.height, patch(whole, seen, &part))))
}

/// Pixels of a part of a window; none if there are not any.
fn pixels(display: &Display, window: Window, part: Rect) -> Result<Option<Vec<u8>>, String> {
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    let edge = |edge: i32| i16::try_from(edge).unwrap_or(i16::MAX);
    let (x, y, width, height) = (edge(part.x), edge(part.y), side(part.width), side(part.height));
    let image = display.connection.get_image(ImageFormat::Z_PIXMAP, window, x, y, width, height, u32::MAX);
    match image.map_err(ReplyError::from).and_then(|cookie| cookie.reply()) {
        Ok(image) => Ok(Some(image.data)),
        Err(ReplyError::X11Error(_)) => Ok(None),
        Err(error) => Err(format!("The display does not answer: {error}.")),
    }
}

/// A picture of this size, black but for a part.
fn patch(whole: Rect, part: Rect, pixels: &[u8]) -> Vec<u8> {
    let place = |at: i32| usize::try_from(at).unwrap_or(0);
    let row = whole.width as usize * 4;
    let part_row = part.width as usize * 4;
    let mut picture = vec![0; row * whole.height as usize];
    let begin = place(part.x) * 4;
    for (to, from) in picture.chunks_exact_mut(row).skip(place(part.y)).zip(pixels.chunks_exact(part_row)) {
        to[begin..begin + part_row].copy_from_slice(from);
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(x: i32, y: i32, width: u32, height: u32) -> Rect {
        Rect { x, y, width, height }
    }

    #[test]
    fn areas_are_cut_at_the_edges_of_the_screen() {
        let screen = rect(0, 0, 1280, 720);
        assert_eq!(cut(rect(1200, -10, 200, 100), screen), Some(rect(1200, 0, 80, 90)));
        assert_eq!(cut(rect(10, 20, 30, 40), screen), Some(rect(10, 20, 30, 40)));
        assert_eq!(cut(rect(1280, 0, 10, 10), screen), None);
        assert_eq!(cut(rect(i32::MAX, 0, u32::MAX, 10), screen), None);
    }

    #[test]
    fn what_is_beyond_the_screen_is_black() {
        let picture = patch(rect(0, 0, 3, 2), rect(1, 0, 2, 1), &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(picture[..12], [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(picture[12..], [0; 12]);
    }
}
