//! Work for many who wait, done together: what came while one batch was at work is the next.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};

use crate::db::DbError;

/// Who waits for a place in the queue waits here; the others are in it.
const LENGTH: usize = 1024;
/// Items of one batch.
const MAX_BATCH: usize = 256;

/// What is done with a batch.
pub(super) trait Work: Send + Sync + 'static {
    /// What it is done with.
    type Item: Send + Sync + 'static;
    /// What becomes of it.
    type Outcome: Send + 'static;

    /// One outcome for each item, in their order.
    fn run(&self, items: &[Self::Item]) -> impl Future<Output = Result<Vec<Self::Outcome>, sqlx::Error>> + Send;
}

/// Hands items to a task of its own.
#[derive(Debug)]
pub(super) struct Queue<W: Work>(mpsc::Sender<Waiting<W>>);

type Waiting<W> = (<W as Work>::Item, oneshot::Sender<Result<<W as Work>::Outcome, String>>);

impl<W: Work> Queue<W> {
    /// Starts the task; it ends with the last handle.
    pub(super) fn start(work: W) -> Self {
        let (sender, receiver) = mpsc::channel(LENGTH);
        tokio::spawn(run(work, receiver));
        Self(sender)
    }

    /// Returns when the item is dealt with.
    pub(super) async fn ask(&self, item: W::Item) -> Result<W::Outcome, DbError> {
        let gone = || DbError::Statement(sqlx::Error::WorkerCrashed);
        let (answer, answered) = oneshot::channel();
        self.0.send((item, answer)).await.map_err(|_| gone())?;
        let outcome = answered.await.map_err(|_| gone())?;
        outcome.map_err(|reason| DbError::Statement(sqlx::Error::Protocol(reason)))
    }
}

impl<W: Work> Clone for Queue<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

async fn run<W: Work>(work: W, mut waiting: mpsc::Receiver<Waiting<W>>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, MAX_BATCH).await > 0 {
        let (items, answers): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        match work.run(&items).await {
            Ok(outcomes) => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    // Who does not wait any more need not know.
                    _ = answer.send(Ok(outcome));
                }
            }
            Err(error) => {
                tracing::error!(%error, events = items.len(), "the relay's database failed");
                for answer in answers {
                    _ = answer.send(Err(error.to_string()));
                }
            }
        }
    }
}
