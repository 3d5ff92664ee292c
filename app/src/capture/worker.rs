//! Threads that nobody waits for: one that is stuck in a driver is left alone there.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

/// A thread that is asked to end when this is dropped.
pub(super) struct Worker {
    stopped: Arc<AtomicBool>,
    thread: Thread,
}

/// The thread's side: whether it should end.
#[derive(Clone)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Worker {
    /// Starts a thread.
    ///
    /// # Errors
    /// When the system has none left.
    pub(super) fn start(name: &str, work: impl FnOnce(&Stop) + Send + 'static) -> io::Result<Self> {
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Stop(Arc::clone(&stopped));
        let handle = thread::Builder::new().name(name.to_owned()).spawn(move || work(&stop))?;
        Ok(Self { stopped, thread: handle.thread().clone() })
    }

    /// Ends a [`Stop::rest`] early.
    pub(super) fn wake(&self) {
        self.thread.unpark();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Stop {
    /// The thread should end.
    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Waits, at most so long; false: the thread should end.
    pub(super) fn rest(&self, duration: Duration) -> bool {
        if !self.is_asked() && !duration.is_zero() {
            thread::park_timeout(duration);
        }
        !self.is_asked()
    }
}
