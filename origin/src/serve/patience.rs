//! How long a connection waits for anything: one timer per connection, moved only when it has to be.

use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, Sleep},
};

/// Why waiting ended without what was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Impatient {
    /// It took too long.
    TooLong,
    /// The server stops.
    Stopping,
}

/// Waits for one thing after the other, each with its own limit.
///
/// Starting a timer costs more than most of the waits that it guards. So there is one, it is moved only when it would
/// fire too late, and when it fires early it is set to the limit that then holds.
pub(super) struct Patience {
    timer: Pin<Box<Sleep>>,
    /// Resolves when the server stops; gone once it has.
    running: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl fmt::Debug for Patience {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Patience").field("is_stopping", &self.is_stopping()).finish_non_exhaustive()
    }
}

impl Patience {
    /// With a server that runs until `stop` is true, or its sender gone.
    pub(super) fn new(mut stop: watch::Receiver<bool>) -> Self {
        let stopped = async move { _ = stop.wait_for(|stop| *stop).await };
        Self { timer: Box::pin(tokio::time::sleep(Duration::MAX)), running: Some(Box::pin(stopped)) }
    }

    /// Whether a wait has found the server stopping.
    pub(super) fn is_stopping(&self) -> bool {
        self.running.is_none()
    }

    /// What `wanted` comes to, if it does within `limit` and before the server stops.
    pub(super) async fn wait<T>(&mut self, limit: Duration, wanted: impl Future<Output = T>) -> Result<T, Impatient> {
        let (mut wanted, mut deadline) = (pin!(wanted), None);
        std::future::poll_fn(|context| {
            if let Poll::Ready(outcome) = wanted.as_mut().poll(context) {
                return Poll::Ready(Ok(outcome));
            }
            if self.poll_stopped(context).is_ready() {
                return Poll::Ready(Err(Impatient::Stopping));
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + limit);
            self.poll_deadline(context, deadline).map(|()| Err(Impatient::TooLong))
        })
        .await
    }

    /// The same for what is finished even when the server stops.
    pub(super) async fn finish<T>(&mut self, limit: Duration, wanted: impl Future<Output = T>) -> Result<T, Impatient> {
        let (mut wanted, mut deadline) = (pin!(wanted), None);
        std::future::poll_fn(|context| {
            if let Poll::Ready(outcome) = wanted.as_mut().poll(context) {
                return Poll::Ready(Ok(outcome));
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + limit);
            self.poll_deadline(context, deadline).map(|()| Err(Impatient::TooLong))
        })
        .await
    }

    fn poll_stopped(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(stopped) = &mut self.running {
            std::task::ready!(stopped.as_mut().poll(context));
            self.running = None;
        }
        Poll::Ready(())
    }

    fn poll_deadline(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(context).is_ready() {
            if self.timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_wait_has_its_own_limit() {
        let (_stop, stopping) = watch::channel(false);
        let mut patience = Patience::new(stopping);
        let start = Instant::now();
        for (limit_s, ended_s) in [(9, 9), (2, 11), (20, 31), (1, 32)] {
            let outcome = patience.wait(Duration::from_secs(limit_s), std::future::pending::<()>()).await;
            assert_eq!(outcome, Err(Impatient::TooLong));
            assert_eq!(start.elapsed().as_secs(), ended_s);
        }
        assert_eq!(patience.wait(Duration::ZERO, async { 1 }).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_waiting_but_not_what_has_to_be_finished() {
        let (stop, stopping) = watch::channel(false);
        let mut patience = Patience::new(stopping);
        let wait = patience.wait(Duration::from_secs(9), std::future::pending::<()>());
        let (outcome, ()) = tokio::join!(wait, async {
            stop.send_replace(true);
        });
        assert_eq!(outcome, Err(Impatient::Stopping));
        assert!(patience.is_stopping());
        let slow = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            7
        };
        assert_eq!(patience.finish(Duration::from_secs(9), slow).await, Ok(7));
    }
}
