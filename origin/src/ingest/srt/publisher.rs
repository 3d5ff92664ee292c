//! One publisher: takes what the socket task puts into its queue.

use std::pin::pin;

use bytes::Bytes;
use skylark_media::{
    pipeline::Input,
    srt::{Closed, SessionId, Statistics},
};
use tokio::{
    sync::{mpsc, watch},
    time::interval,
};

use crate::{
    ingest::{Departure, Ingest, IngestError, SrtLink},
    live::Publisher,
};

/// Payloads that may wait for a publisher's pipeline: a second of 10 Mbit/s. What comes on top is thrown away.
pub(super) const QUEUE: usize = 1024;
/// Payloads taken out of the queue at a time.
const BATCH: usize = 64;

/// The socket task's end of a publisher.
pub(super) struct Handle {
    pub(super) payloads: mpsc::Sender<Bytes>,
    pub(super) link: watch::Sender<Link>,
}

/// What the socket task knows of a session.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Link {
    pub(super) statistics: Statistics,
    /// Set when nothing more will come, before the queue is closed.
    pub(super) closed: Option<Closed>,
}

/// What a publisher task leaves behind: the session that is to be ended.
pub(super) type Finished = SessionId;

/// Opens a publisher's queue and makes its task.
pub(super) fn open(session: SessionId, publisher: Publisher) -> (Handle, impl Future<Output = Finished> + Send) {
    let (payloads, queue) = mpsc::channel(QUEUE);
    let (link, link_seen) = watch::channel(Link::default());
    let task = async move {
        let (peer, stream) = (publisher.peer(), publisher.stream_id().clone());
        let mut ingest = Ingest::new(publisher);
        let ended = pump(&mut ingest, queue, &link_seen).await;
        let closed = link_seen.borrow().closed;
        let departure = match (ended, closed) {
            (Err(error), _) => {
                tracing::warn!(%peer, %stream, reason = %error, "SRT publisher sent away");
                Departure::Refused(error)
            }
            (Ok(()), Some(Closed::Shutdown)) => {
                tracing::info!(%peer, %stream, "SRT publisher left");
                Departure::Clean
            }
            (Ok(()), closed) => {
                let reason = closed.map_or_else(|| "the server stops".to_owned(), |closed| closed.to_string());
                tracing::info!(%peer, %stream, reason, "SRT publisher lost");
                Departure::Lost(reason)
            }
        };
        ingest.finish(departure).await;
        session
    };
    (Handle { payloads, link }, task)
}

/// Feeds the pipeline until the queue ends or the publisher has to go.
async fn pump(
    ingest: &mut Ingest,
    mut queue: mpsc::Receiver<Bytes>,
    link: &watch::Receiver<Link>,
) -> Result<(), IngestError> {
    let mut superseded = pin!(ingest.superseded());
    let mut tick = interval(Ingest::TICK);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            stop = &mut superseded => return Err(stop.into()),
            taken = queue.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    return Ok(());
                }
                for payload in batch.drain(..) {
                    ingest.feed(Input::Ts(payload)).await?;
                }
            }
            _ = tick.tick() => {
                ingest.report_link(srt_link(&link.borrow().statistics));
                ingest.feed(Input::Tick).await?;
            }
        }
    }
}

fn srt_link(statistics: &Statistics) -> SrtLink {
    SrtLink {
        received: statistics.received,
        lost: statistics.lost,
        retransmitted: statistics.retransmitted,
        rtt: statistics.round_trip.unwrap_or_default(),
    }
}
