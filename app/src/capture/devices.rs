//! What can be captured now.

use std::{io, time::Duration};

use gstreamer as gst;
use skylark_protocol::studio::Device;

use super::{camera, desktop, microphone, worker::Worker};

/// How often devices are looked for.
const POLL: Duration = Duration::from_secs(2);

/// Everything that can be captured now. No sound system and no display are empty lists.
#[must_use]
pub fn devices() -> Vec<Device> {
    if let Err(error) = gst::init() {
        tracing::error!(%error, "devices cannot be looked for");
        return Vec::new();
    }
    let mut all = camera::devices();
    all.extend(microphone::devices());
    all.extend(desktop::devices());
    #[cfg(target_os = "linux")]
    all.extend(super::x11::devices());
    all
}

/// Looks for devices that come and go until it is dropped.
pub struct DeviceWatch {
    #[expect(dead_code, reason = "dropped to stop it")]
    worker: io::Result<Worker>,
}

/// Calls `changed` with all devices at once, and again when some came or went, on a thread of its own.
pub fn watch_devices(changed: impl Fn(Vec<Device>) + Send + 'static) -> DeviceWatch {
    let worker = Worker::start("capture devices", move |stop| {
        let mut known = None;
        loop {
            let now = devices();
            if known.as_ref() != Some(&now) && !stop.is_asked() {
                known = Some(now.clone());
                changed(now);
            }
            if !stop.rest(POLL) {
                return;
            }
        }
    });
    if let Err(error) = &worker {
        tracing::error!(%error, "devices that come and go are not noticed");
    }
    DeviceWatch { worker }
}
