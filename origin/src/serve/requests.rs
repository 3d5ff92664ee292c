//! How long the requests of one connection take, from their first byte to the last that their reader takes: hyper has
//! no limit of that kind.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::body::Body;

/// A connection without a request is closed after so long.
pub(super) const QUIET_LIMIT: Duration = Duration::from_secs(20);
/// A connection with a request that is not done after so long is closed: the longest hold, and the time that a whole
/// response may take.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// The limits are looked at so often.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// The requests of one connection; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Requests(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    /// Since when, by number: the first is the oldest.
    open: BTreeMap<u64, Instant>,
    next: u64,
    /// When the last one was done.
    quiet_since: Instant,
}

/// One that is not done; it is when this is dropped.
#[derive(Debug)]
pub(super) struct Open {
    requests: Requests,
    number: u64,
}

/// A body whose request is not done before its reader has taken all bytes, wherever they wait for that.
#[derive(Debug)]
pub(super) struct Watched {
    body: Body,
    open: Arc<Open>,
}

/// Bytes on their way.
struct Sent {
    bytes: Bytes,
    _open: Arc<Open>,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Open {
    /// The body of the response to this request.
    pub(super) fn watch(self, body: Body) -> Watched {
        Watched { body, open: Arc::new(self) }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let open = &this.open;
        let frame = Pin::new(&mut this.body).poll_frame(context);
        frame.map_ok(|frame| frame.map_data(|bytes| Bytes::from_owner(Sent { bytes, _open: Arc::clone(open) })))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Requests {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Table { open: BTreeMap::new(), next: 0, quiet_since: Instant::now() })))
    }

    /// One begins.
    pub(super) fn begin(&self) -> Open {
        let mut table = self.lock();
        let number = table.next;
        table.next += 1;
        table.open.insert(number, Instant::now());
        Open { requests: self.clone(), number }
    }

    /// Returns when the connection is to be closed, with the reason.
    pub(super) async fn overdue(&self) -> &'static str {
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        loop {
            looks.tick().await;
            let table = self.lock();
            match table.open.values().next() {
                Some(begun) if begun.elapsed() >= REQUEST_LIMIT => return "a request takes too long",
                None if table.quiet_since.elapsed() >= QUIET_LIMIT => return "nothing is asked for",
                _ => {}
            }
        }
    }

    /// The table is whole after every statement: a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut table = self.requests.lock();
        table.open.remove(&self.number);
        table.quiet_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_and_endless_requests_are_noticed() {
        let requests = Requests::new();
        let begun = Instant::now();
        assert_eq!(requests.overdue().await, "nothing is asked for");
        assert!((20..=25).contains(&begun.elapsed().as_secs()));
        let (first, second) = (requests.begin(), requests.begin());
        let begun = Instant::now();
        assert_eq!(requests.overdue().await, "a request takes too long");
        assert!((60..=65).contains(&begun.elapsed().as_secs()));
        drop((first, second));
        let begun = Instant::now();
        assert_eq!(requests.overdue().await, "nothing is asked for");
        assert!((20..=25).contains(&begun.elapsed().as_secs()));
    }
}
