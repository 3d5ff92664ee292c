//! The task that owns the socket: datagrams into the listener, and what it wants done.

use std::{collections::HashMap, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use skylark_media::{
    UnixTime,
    srt::{Closed, Listener, Output, Request, SessionId},
};
use tokio::{
    net::UdpSocket,
    sync::mpsc::error::TrySendError,
    task::{JoinError, JoinSet},
    time::{sleep_until, timeout},
};

use super::{
    Counters,
    admission::{self, Admitted, Decision},
    count,
    publisher::{self, Finished, Handle, Link},
};
use crate::{clock::Clock, live::Live, secret::Passphrase};

/// No SRT datagram is larger.
const MAX_DATAGRAM: usize = 2048;
/// Datagrams read before others get their turn.
const BATCH: usize = 128;
/// Batches read before time passes: as many datagrams as a receive buffer of the asked size can hold, roughly.
const TICK_BATCHES: usize = 48;
/// How often publishers are told the state of their links.
const LINK_INTERVAL: Duration = Duration::from_secs(1);
/// Publishers may take so long to hand over what they have when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Port {
    socket: UdpSocket,
    listener: Listener,
    live: Arc<Live>,
    passphrase: Option<Passphrase>,
    clock: Clock,
    counters: Arc<Counters>,
    publishers: HashMap<SessionId, Handle>,
    decisions: JoinSet<Decision>,
    tasks: JoinSet<Finished>,
    links_shown: UnixTime,
}

impl Port {
    pub(super) fn new(
        socket: UdpSocket,
        listener: Listener,
        live: Arc<Live>,
        passphrase: Option<Passphrase>,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            socket,
            listener,
            live,
            passphrase,
            clock,
            counters,
            publishers: HashMap::new(),
            decisions: JoinSet::new(),
            tasks: JoinSet::new(),
            links_shown: UnixTime::default(),
        }
    }

    /// Serves the port until `stop` resolves.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut buffer = [0; MAX_DATAGRAM];
        loop {
            let timer = self.listener.next_timeout().map(|due| self.clock.instant_at(due));
            tokio::select! {
                () = &mut stop => break,
                ready = self.socket.readable() => match ready {
                    Ok(()) => _ = self.receive(&mut buffer),
                    Err(error) => return tracing::error!(%error, "the SRT port failed"),
                },
                Some(decision) = self.decisions.join_next() => self.decided(decision),
                Some(finished) = self.tasks.join_next() => self.finished(finished),
                () = async {
                    match timer {
                        Some(due) => sleep_until(due).await,
                        None => std::future::pending().await,
                    }
                } => self.tick(&mut buffer),
            }
            self.drain();
        }
        self.stop().await;
    }

    /// Reads some of what has arrived; false if there may be more.
    fn receive(&mut self, buffer: &mut [u8]) -> bool {
        let now = self.clock.now();
        for _ in 0..BATCH {
            match self.socket.try_recv_from(buffer) {
                Ok((length, peer)) => self.listener.feed(now, peer, buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                // It concerns an earlier datagram of ours, whose port is closed.
                Err(_) => {}
            }
        }
        false
    }

    /// Lets the listener's time pass, after what had arrived by then.
    fn tick(&mut self, buffer: &mut [u8]) {
        for _ in 0..TICK_BATCHES {
            let all = self.receive(buffer);
            self.drain();
            if all {
                break;
            }
        }
        let now = self.clock.now();
        self.listener.tick(now);
        if now.since(self.links_shown) >= LINK_INTERVAL {
            self.links_shown = now;
            for (session, handle) in &self.publishers {
                if let Some(statistics) = self.listener.statistics(*session) {
                    handle.link.send_modify(|link| link.statistics = statistics);
                }
            }
        }
    }

    /// Does what the listener wants done.
    fn drain(&mut self) {
        while let Some(output) = self.listener.poll() {
            match output {
                Output::Send { to, datagram } => self.send(to, &datagram),
                Output::Request(request) => self.ask(request),
                Output::Data { session, data } => self.deliver(session, data),
                Output::Closed { session, reason, statistics } => {
                    if reason == Closed::Failed {
                        count(&self.counters.panics);
                        tracing::error!("an SRT session ended in a panic; others go on");
                    }
                    if let Some(handle) = self.publishers.remove(&session) {
                        handle.link.send_replace(Link { statistics, closed: Some(reason) });
                    }
                }
            }
        }
    }

    fn send(&self, to: SocketAddr, datagram: &[u8]) {
        // What does not fit into the socket is lost as on any link: acknowledgements and reports are repeated.
        if self.socket.try_send_to(datagram, to).is_err() {
            count(&self.counters.unsent);
        }
    }

    fn ask(&mut self, request: Request) {
        self.decisions.spawn(admission::decide(Arc::clone(&self.live), self.passphrase.clone(), request));
    }

    fn decided(&mut self, decision: Result<Decision, JoinError>) {
        // A decision that panicked leaves its request to time out.
        let Ok(Decision { request, verdict }) = decision else { return count(&self.counters.panics) };
        match verdict {
            Err(rejection) => {
                count(&self.counters.refused);
                self.listener.reject(request, rejection);
            }
            Ok(Admitted { publisher, keys }) => {
                let Some(session) = self.listener.accept(self.clock.now(), request, keys) else {
                    return count(&self.counters.refused);
                };
                count(&self.counters.accepted);
                let (handle, task) = publisher::open(session, publisher);
                self.publishers.insert(session, handle);
                self.tasks.spawn(task);
            }
        }
    }

    fn deliver(&mut self, session: SessionId, data: Bytes) {
        let Some(handle) = self.publishers.get(&session) else { return };
        // A publisher whose pipeline does not keep up loses media and costs nobody else anything. If its task is gone,
        // `finished` closes the session.
        if let Err(TrySendError::Full(_)) = handle.payloads.try_send(data) {
            count(&self.counters.dropped);
        }
    }

    /// A publisher's task is over: by its own decision, unless the session is gone already.
    fn finished(&mut self, finished: Result<Finished, JoinError>) {
        let now = self.clock.now();
        match finished {
            Ok(session) => self.close(now, session),
            Err(error) => {
                count(&self.counters.panics);
                tracing::error!(%error, "an SRT publisher ended in a panic; others go on");
                let gone: Vec<SessionId> = self
                    .publishers
                    .iter()
                    .filter(|(_, handle)| handle.payloads.is_closed())
                    .map(|(session, _)| *session)
                    .collect();
                gone.into_iter().for_each(|session| self.close(now, session));
            }
        }
    }

    fn close(&mut self, now: UnixTime, session: SessionId) {
        self.publishers.remove(&session);
        self.listener.close(now, session);
    }

    /// The server stops: callers are told, and publishers hand over what they have.
    async fn stop(mut self) {
        let now = self.clock.now();
        let sessions: Vec<SessionId> = self.listener.sessions().collect();
        for session in sessions {
            self.listener.close(now, session);
        }
        self.drain();
        self.publishers.clear();
        self.decisions.shutdown().await;
        let wait = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(STOP_TIMEOUT, wait).await.is_err() {
            tracing::warn!("SRT publishers did not stop in time");
        }
    }
}
