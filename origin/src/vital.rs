//! Tasks that must not end before the server does: one that does makes the server unready, by its name.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{sync::watch, task::JoinHandle};

/// Those that have ended too early.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vital(Arc<Mutex<Vec<&'static str>>>);

/// Dropped with its task, even if that panics.
struct Notice {
    name: &'static str,
    stop: watch::Receiver<bool>,
    ended: Vital,
}

impl Drop for Notice {
    fn drop(&mut self) {
        if !*self.stop.borrow() {
            tracing::error!(task = self.name, "a part of the server has ended: restart it");
            self.ended.0.lock().unwrap_or_else(PoisonError::into_inner).push(self.name);
        }
    }
}

impl Vital {
    /// Runs a task that may end once `stop` is true.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        stop: &watch::Receiver<bool>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let notice = Notice { name, stop: stop.clone(), ended: self.clone() };
        tokio::spawn(async move {
            let _notice = notice;
            task.await;
        })
    }

    /// Whether all still run.
    ///
    /// # Errors
    /// The names of those that do not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.is_empty() { Ok(()) } else { Err(format!("{} has ended: restart the server", ended.join(", "))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_too_early_is_named() {
        let (stopper, stop) = watch::channel(false);
        let vital = Vital::default();
        let mut ending = stop.clone();
        let fine = vital.spawn("fine", &stop, async move { _ = ending.wait_for(|stop| *stop).await });
        assert_eq!(vital.check(), Ok(()));
        assert!(vital.spawn("srt", &stop, async { panic!("as a test") }).await.is_err());
        let named = vital.check().unwrap_err();
        assert!(named.contains("srt") && !named.contains("fine"), "{named}");
        stopper.send_replace(true);
        fine.await.unwrap();
        assert!(!vital.check().unwrap_err().contains("fine"));
    }
}
