//! Threads that nobody waits for: one that is stuck in a driver is left alone there.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use super::feed::Reporter;

/// How often a watchdog looks.
const LOOK: Duration = Duration::from_millis(100);
/// A device that delivered is lost when it has not for so long.
const STALLED: Duration = Duration::from_millis(1300);
/// A device may take so long until it delivers for the first time.
const OPENING: Duration = Duration::from_secs(8);

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

/// A sign of life that a device's thread gives.
#[derive(Clone)]
pub(super) struct Pulse(Arc<(Instant, AtomicU64)>);

impl Pulse {
    /// The device lives.
    pub(super) fn beat(&self) {
        self.0.1.store(self.now_ms(), Ordering::Release);
    }

    fn now_ms(&self) -> u64 {
        // Zero is before the first.
        u64::try_from(self.0.0.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

/// Reports a device as lost that gives no sign of life.
pub(super) struct Watchdog {
    #[expect(dead_code, reason = "dropped to stop it")]
    worker: Worker,
}

impl Watchdog {
    /// `device` is how a sentence begins: “The camera”.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn start(device: &'static str, reporter: Reporter) -> io::Result<(Self, Pulse)> {
        let pulse = Pulse(Arc::new((Instant::now(), AtomicU64::new(0))));
        let watched = pulse.clone();
        let worker = Worker::start("capture watchdog", move |stop| {
            while stop.rest(LOOK) && !reporter.is_lost() {
                let last_ms = watched.0.1.load(Ordering::Acquire);
                let silent = Duration::from_millis(watched.now_ms() - last_ms.min(watched.now_ms()));
                if last_ms == 0 && silent > OPENING {
                    reporter.lost(&format!("{device} does not answer."));
                } else if last_ms > 0 && silent > STALLED {
                    reporter.lost(&format!("{device} has stopped: unplugged, or hung."));
                }
            }
        })?;
        Ok((Self { worker }, pulse))
    }
}
