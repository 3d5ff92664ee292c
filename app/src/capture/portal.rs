//! Wayland's way to a screen or window: the desktop asks its user which, and hands out a PipeWire stream
//! (`org.freedesktop.portal.ScreenCast`). Built, but not run where this was written: there is no Wayland session there.

use std::{
    collections::HashMap,
    os::fd::AsRawFd as _,
    sync::atomic::{AtomicU32, Ordering},
};

use gstreamer::{self as gst, prelude::*};
use zbus::{
    blocking::{Connection, Proxy},
    zvariant::{OwnedFd, OwnedObjectPath, OwnedValue, Value},
};

const DESTINATION: &str = "org.freedesktop.portal.Desktop";
const PATH: &str = "/org/freedesktop/portal/desktop";
const INTERFACE: &str = "org.freedesktop.portal.ScreenCast";
/// Requests are told apart by a number.
static REQUESTS: AtomicU32 = AtomicU32::new(0);

type Options<'a> = HashMap<&'static str, Value<'a>>;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A whole screen.
    Screen,
    /// One window.
    Window,
}

/// Whether the session has no other way.
pub(super) fn is_needed() -> bool {
    std::env::var_os("WAYLAND_DISPLAY").is_some()
}

/// Asks, and waits as long as somebody takes to choose. The stream ends when what comes beside the element is dropped.
pub(super) fn source(kind: Kind, shows_pointer: bool) -> Result<(gst::Element, Box<dyn Send>), String> {
    let failed = |error: zbus::Error| format!("the desktop does not share it: {error}");
    let connection = Connection::session().map_err(failed)?;
    let portal = Proxy::new(&connection, DESTINATION, PATH, INTERFACE).map_err(failed)?;
    let token = || format!("skylark{}", REQUESTS.fetch_add(1, Ordering::Relaxed));
    let created = ask(&connection, &token(), |options| {
        let mut options = options;
        options.insert("session_handle_token", Value::from(token()));
        portal.call_method("CreateSession", &(options,)).map(drop)
    })?;
    let session = match created.get("session_handle").map(|value| &**value) {
        Some(Value::Str(path)) => path.to_string(),
        _ => return Err("the desktop shares nothing".into()),
    };
    let session = OwnedObjectPath::try_from(session).map_err(|error| error.to_string())?;
    ask(&connection, &token(), |options| {
        let mut options = options;
        let types: u32 = if matches!(kind, Kind::Screen) { 1 } else { 2 };
        let pointer: u32 = if shows_pointer { 2 } else { 1 };
        options.insert("types", Value::from(types));
        options.insert("cursor_mode", Value::from(pointer));
        portal.call_method("SelectSources", &(&session, options)).map(drop)
    })?;
    let started =
        ask(&connection, &token(), |options| portal.call_method("Start", &(&session, "", options)).map(drop))?;
    let node = started.get("streams").and_then(|streams| first_node(streams)).ok_or("nothing was chosen")?;
    let none = Options::new();
    let remote: OwnedFd = portal.call("OpenPipeWireRemote", &(&session, none)).map_err(failed)?;
    let source = super::element("pipewiresrc").map_err(|error| error.to_string())?;
    source.set_property("fd", remote.as_raw_fd());
    source.set_property("path", node.to_string());
    source.set_property("do-timestamp", true);
    Ok((source, Box::new((connection, remote))))
}

/// Makes a request and waits for its answer, which comes as a signal.
fn ask(
    connection: &Connection,
    token: &str,
    call: impl FnOnce(Options<'_>) -> zbus::Result<()>,
) -> Result<HashMap<String, OwnedValue>, String> {
    let failed = |error: zbus::Error| format!("the desktop does not share it: {error}");
    let name = connection.unique_name().map(ToString::to_string).unwrap_or_default();
    let path = format!("{PATH}/request/{}/{token}", name.trim_start_matches(':').replace('.', "_"));
    let request = Proxy::new(connection, DESTINATION, path, "org.freedesktop.portal.Request").map_err(failed)?;
    // Before the call: the answer may be quick.
    let mut answers = request.receive_signal("Response").map_err(failed)?;
    call(Options::from([("handle_token", Value::from(token.to_owned()))])).map_err(failed)?;
    let answer = answers.next().ok_or("the desktop has gone")?;
    let (code, results): (u32, HashMap<String, OwnedValue>) = answer.body().deserialize().map_err(failed)?;
    match code {
        0 => Ok(results),
        1 => Err("nothing was chosen in the desktop's dialogue".into()),
        _ => Err("the desktop refused".into()),
    }
}

/// The PipeWire node of the first of the streams: an array of (number, properties).
fn first_node(streams: &Value<'_>) -> Option<u32> {
    let Value::Array(streams) = streams else { return None };
    let Value::Structure(first) = streams.iter().next()? else { return None };
    match first.fields().first()? {
        Value::U32(node) => Some(*node),
        _ => None,
    }
}
