//! X11 screens and windows, on a display of the test's own.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use skylark_protocol::studio::{DeviceKind, Input, Rect};
use skylark_studio::capture::{devices, watch_devices};
use x11rb::{
    COPY_DEPTH_FROM_PARENT,
    connection::Connection as _,
    protocol::xproto::{
        AtomEnum, ChangeGCAux, ConfigureWindowAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, Gcontext,
        PropMode, Rectangle, Window, WindowClass,
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::{
    again::is_inside,
    stage::{PATIENCE, Stage, Told},
};

/// An X server without a screen.
struct Server(Child);

impl Server {
    fn start() -> (Self, String) {
        let mut server = Command::new("Xvfb");
        server.args(["-displayfd", "1", "-noreset", "-screen", "0", "640x480x24", "-nolisten", "tcp"]);
        let mut server = server.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        (Self(server), format!(":{}", number.trim()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn has_display() -> bool {
    if std::env::var_os("SKYLARK_TEST_INSIDE").is_some() {
        return true;
    }
    let (_server, display) = Server::start();
    is_inside(None, &[("DISPLAY", &display)], &["WAYLAND_DISPLAY"])
}

/// A program with one window.
struct Painter {
    connection: RustConnection,
    window: Window,
    brush: Gcontext,
}

impl Painter {
    fn new(place: Rect, title: &str) -> Self {
        let (connection, screen) = x11rb::connect(None).unwrap();
        let root = connection.setup().roots[screen].root;
        let (window, brush) = (connection.generate_id().unwrap(), connection.generate_id().unwrap());
        let look = CreateWindowAux::new().override_redirect(1).background_pixel(0);
        let (x, y) = (place.x as i16, place.y as i16);
        let (width, height) = (place.width as u16, place.height as u16);
        connection
            .create_window(
                COPY_DEPTH_FROM_PARENT,
                window,
                root,
                x,
                y,
                width,
                height,
                0,
                WindowClass::INPUT_OUTPUT,
                0,
                &look,
            )
            .unwrap();
        connection.create_gc(brush, window, &CreateGCAux::new()).unwrap();
        let name = title.as_bytes();
        connection.change_property8(PropMode::REPLACE, window, AtomEnum::WM_NAME, AtomEnum::STRING, name).unwrap();
        let class = AtomEnum::WM_CLASS;
        connection.change_property8(PropMode::REPLACE, window, class, AtomEnum::STRING, b"painter\0Painter\0").unwrap();
        connection.map_window(window).unwrap();
        connection.sync().unwrap();
        Self { connection, window, brush }
    }

    fn paint(&self, place: Rect, color: u32) {
        self.connection.change_gc(self.brush, &ChangeGCAux::new().foreground(color)).unwrap();
        let (x, y) = (place.x as i16, place.y as i16);
        let rectangle = Rectangle { x, y, width: place.width as u16, height: place.height as u16 };
        self.connection.poly_fill_rectangle(self.window, self.brush, &[rectangle]).unwrap();
        self.connection.sync().unwrap();
    }

    fn close(self) {
        self.connection.destroy_window(self.window).unwrap();
        self.connection.sync().unwrap();
    }
}

fn rect(x: i32, y: i32, width: u32, height: u32) -> Rect {
    Rect { x, y, width, height }
}

#[test]
fn a_screen_is_seen_pixel_by_pixel() {
    if !has_display() {
        return;
    }
    let painter = Painter::new(rect(0, 0, 640, 480), "Whole");
    painter.paint(rect(0, 0, 640, 480), 0x0010_2030);
    painter.paint(rect(100, 50, 200, 100), 0x00fe_dcba);
    let screen = devices().into_iter().find(|device| device.kind == DeviceKind::Screen).expect("there is a screen");
    let stage = Stage::new(Input::Screen { device: screen.id, area: None, shows_pointer: false });
    let came: Vec<_> = (0..30).map(|_| stage.picture()).collect();
    assert_eq!(stage.told(), Told::Running(640, 480));
    let last = came.last().unwrap();
    for (x, y, color) in [
        (99, 50, [0x30, 0x20, 0x10]),
        (100, 50, [0xba, 0xdc, 0xfe]),
        (299, 149, [0xba, 0xdc, 0xfe]),
        (300, 149, [0x30, 0x20, 0x10]),
    ] {
        assert_eq!(last.pixel(x, y)[..3], color, "at {x}, {y}");
    }
    let ages: Vec<f64> = came[5..].iter().map(crate::stage::Came::age_ms).collect();
    assert!(ages.iter().all(|age| (-1.0..34.0).contains(age)), "pictures are {ages:.0?} ms old");
    let took_s = (last.at - came[0].at).mseconds() as f64 / 1000.0;
    assert!((0.9..1.1).contains(&took_s), "30 pictures took {took_s:.2} s");
}

#[test]
fn an_area_of_a_screen_is_all_that_is_seen() {
    if !has_display() {
        return;
    }
    let painter = Painter::new(rect(0, 0, 640, 480), "Whole");
    painter.paint(rect(0, 0, 640, 480), 0x0010_2030);
    painter.paint(rect(100, 50, 200, 100), 0x00fe_dcba);
    let stage =
        Stage::new(Input::Screen { device: String::new(), area: Some(rect(100, 50, 200, 100)), shows_pointer: false });
    let came = stage.picture();
    assert_eq!(stage.told(), Told::Running(200, 100));
    assert!(came.bytes().as_chunks::<4>().0.iter().all(|pixel| pixel[..3] == [0xba, 0xdc, 0xfe]));
    drop(stage);
    // The part that is on the screen.
    let beyond = Input::Screen { device: String::new(), area: Some(rect(600, 400, 200, 200)), shows_pointer: true };
    assert_eq!(Stage::new(beyond).told(), Told::Running(40, 80));
    let nowhere = Input::Screen { device: "HDMI-7".into(), area: None, shows_pointer: true };
    assert!(matches!(Stage::new(nowhere).told(), Told::Lost(reason) if reason.contains("not connected")));
}

#[test]
fn a_window_is_seen_until_it_closes_and_nothing_else_ends_with_it() {
    if !has_display() {
        return;
    }
    let painter = Painter::new(rect(20, 30, 160, 120), "A picture");
    painter.paint(rect(0, 0, 160, 120), 0x0000_ff00);
    painter.paint(rect(10, 10, 20, 20), 0x00ff_0000);
    let window = devices().into_iter().find(|device| device.kind == DeviceKind::Window).expect("there is a window");
    assert_eq!(window.name, "A picture");
    let input = Input::Window { device: window.id };
    let stage = Stage::new(input.clone());
    let came = stage.picture();
    assert_eq!(stage.told(), Told::Running(160, 120));
    assert_eq!((came.pixel(9, 9)[..3].to_vec(), came.pixel(10, 10)[..3].to_vec()), (vec![0, 255, 0], vec![0, 0, 255]));
    // It grows, and reaches beyond the screen.
    let larger = ConfigureWindowAux::new().width(200).height(150).x(540);
    painter.connection.configure_window(painter.window, &larger).unwrap();
    painter.connection.sync().unwrap();
    painter.paint(rect(0, 0, 200, 150), 0x0000_00ff);
    let grown = stage.picture_like("of the grown window", |came| {
        came.format().width() == 200 && came.pixel(50, 140)[..3] == [255, 0, 0]
    });
    assert_eq!(grown.pixel(150, 75)[..3], [0, 0, 0], "what is beyond the screen has no pixels");
    assert_eq!(stage.told(), Told::Running(200, 150));
    painter.close();
    let closed = Instant::now();
    assert_eq!(stage.told(), Told::Lost("The window was closed.".into()));
    assert!(closed.elapsed() < Duration::from_secs(2), "{:?} until it was noticed", closed.elapsed());
    // Another window of the same program takes its place when it is opened anew.
    let again = Painter::new(rect(0, 0, 64, 64), "Another");
    assert_eq!(Stage::new(input).told(), Told::Running(64, 64));
    again.close();
}

#[test]
fn windows_that_come_and_go_are_told_of() {
    if !has_display() {
        return;
    }
    let (tell, told) = std::sync::mpsc::channel();
    let watch = watch_devices(move |devices| drop(tell.send(devices)));
    let painter = Painter::new(rect(0, 0, 64, 64), "Come");
    let has_it = |expected: bool| {
        let begun = Instant::now();
        loop {
            let now = told.recv_timeout(PATIENCE).expect("a change is told");
            if now.iter().any(|device| device.name == "Come") == expected {
                return;
            }
            assert!(begun.elapsed() < PATIENCE);
        }
    };
    has_it(true);
    painter.close();
    has_it(false);
    drop(watch);
}
