//! Live pictures for the page. Each is acknowledged when it is drawn, and never more than a few are on their way: a slow
//! page gets fewer pictures, not older ones.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use skylark_studio::studio::Pictures;
use tauri::{
    async_runtime::{self, JoinHandle},
    ipc::{Channel, InvokeResponseBody},
};
use tokio::sync::Semaphore;

/// Pictures that may be on their way to one canvas.
const MAX_IN_FLIGHT: usize = 3;
/// Canvases that may be fed at once; the oldest goes when there is one more.
const MAX_WATCHES: usize = 6;

/// Everything that is being watched.
#[derive(Default)]
pub(crate) struct Watches(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    watches: HashMap<u32, Watch>,
    next: u32,
}

struct Watch {
    places: Arc<Semaphore>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watches {
    /// Sends pictures through a channel; answers their number.
    pub(crate) fn begin(&self, mut pictures: Pictures, channel: Channel<InvokeResponseBody>) -> u32 {
        let places = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        let free = Arc::clone(&places);
        let task = async_runtime::spawn(async move {
            loop {
                // First a place, then a picture: so it is the newest.
                let Ok(place) = free.acquire().await else { return };
                place.forget();
                let Some(picture) = pictures.next().await else { return };
                if channel.send(InvokeResponseBody::Raw(picture.into())).is_err() {
                    return;
                }
            }
        });
        self.with(|inner| {
            let id = inner.next;
            inner.next = id.wrapping_add(1);
            if inner.watches.len() >= MAX_WATCHES
                && let Some(oldest) = inner.watches.keys().min().copied()
            {
                inner.watches.remove(&oldest);
            }
            inner.watches.insert(id, Watch { places, task });
            id
        })
    }

    /// The page has drawn one.
    pub(crate) fn acknowledge(&self, id: u32) {
        self.with(|inner| {
            if let Some(watch) = inner.watches.get(&id)
                && watch.places.available_permits() < MAX_IN_FLIGHT
            {
                watch.places.add_permits(1);
            }
        });
    }

    /// Nobody looks any more.
    pub(crate) fn end(&self, id: u32) {
        self.with(|inner| _ = inner.watches.remove(&id));
    }

    /// Nobody looks at anything any more.
    pub(crate) fn end_all(&self) {
        self.with(|inner| inner.watches.clear());
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
