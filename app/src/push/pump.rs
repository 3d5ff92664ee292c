//! From the queue over the link: connects, feeds, looks, connects again.

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use futures_util::FutureExt as _;
use skylark_protocol::studio::RenditionSettings;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep, sleep_until},
};

use super::{
    CLOSE_PATIENCE, Rates, Report, Shared, State,
    address::Address,
    link::{Link, LinkError, Totals},
    mux::{Muxer, datagrams},
    pace::{self, Look, Pace},
};
use crate::encoded::Track;

/// How often the link is looked at, and a report made.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Over which what arrives is measured.
const ARRIVING_SPAN: Duration = Duration::from_millis(600);
/// Over which what is sent, and sent again, is measured.
const SENDING_SPAN: Duration = Duration::from_secs(2);
/// Of what the encoders make, so much more goes over the link: headers of MPEG-TS, which costs most with little frames.
const OVERHEAD: f64 = 1.06;
/// Of the sound before any was heard, bits per second.
const SOUND_BPS: u64 = 150_000;
/// Media that may be under way beyond a round trip; the rest waits where it can still be dropped whole.
const AHEAD: Duration = Duration::from_millis(400);
/// So much may be in any case: a keyframe.
const LEAST_WINDOW: usize = 64 << 10;
/// Waits between attempts double from here...
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// ...to here.
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// A connection that held so long was a good one: the next attempt is at once again.
const GOOD_AFTER: Duration = Duration::from_secs(5);
/// What the origin says holds for so long.
const HEALTH_HOLDS: Duration = Duration::from_secs(2);
/// A change of a bitrate that is worth telling an encoder, of one.
const WORTH_TELLING: f64 = 0.03;

/// Bytes that may be under way: what a link needs to be full while some of it is asked for and sent again.
pub(super) fn window(rtt: Duration, carried_bps: f64) -> usize {
    (((rtt * 2 + AHEAD).as_secs_f64() * carried_bps / 8.0) as usize).max(LEAST_WINDOW)
}

/// The task behind a push.
pub(super) struct Pump {
    address: Address,
    settings_bps: Vec<u64>,
    rates: Arc<dyn Rates>,
    shared: Arc<Shared>,
    reporting: watch::Sender<Report>,
    report: Report,
    began: Instant,
    pace: Pace,
    told_bps: Vec<u64>,
    history: VecDeque<(Instant, Totals)>,
    /// Shortest round trip of this connection.
    shortest_rtt: Duration,
    /// Pictures that arrived over connections that are gone.
    arrived_before: u64,
    /// Pictures that were under way when a connection broke.
    lost_on_the_way: u64,
    /// Bytes and nanoseconds of the sound so far.
    sound: (u64, u64),
}

impl Pump {
    pub(super) fn new(
        address: Address,
        renditions: &[RenditionSettings],
        rates: Arc<dyn Rates>,
        shared: Arc<Shared>,
        reporting: watch::Sender<Report>,
    ) -> Self {
        let settings_bps: Vec<u64> = renditions.iter().map(|rendition| u64::from(rendition.bitrate_bps)).collect();
        let on_link = |pictures_bps: u64| (pictures_bps as f64 * OVERHEAD) as u64 + SOUND_BPS;
        let pace = Pace::new(on_link(pace::least(&settings_bps)), on_link(settings_bps.iter().sum()));
        Self {
            address,
            told_bps: settings_bps.clone(),
            settings_bps,
            rates,
            shared,
            reporting,
            report: Report::default(),
            began: Instant::now(),
            pace,
            history: VecDeque::new(),
            shortest_rtt: Duration::ZERO,
            arrived_before: 0,
            lost_on_the_way: 0,
            sound: (0, 0),
        }
    }

    /// Sends until it is closed. The encoders begin, and are left, with what the settings say.
    pub(super) async fn run(mut self) {
        self.ask_for_all();
        let mut closing = self.shared.is_closing.subscribe();
        let deadline = async {
            // The sender lives in what this task shares.
            _ = closing.wait_for(|is_closing| *is_closing).await;
            sleep(CLOSE_PATIENCE).await;
        };
        tokio::select! {
            () = self.send_all() => {}
            () = deadline => {}
        }
        while self.shared.queue().pop().is_some_and(|frame| {
            self.lost_on_the_way += u64::from(frame.packet.track != Track::Audio);
            true
        }) {}
        self.report.dropped_frames = self.lost_on_the_way + self.shared.queue().dropped();
        self.report.queued_ms = 0;
        self.ask_for_all();
        self.show(State::Closed);
    }

    fn ask_for_all(&self) {
        for (index, bitrate_bps) in self.settings_bps.iter().enumerate() {
            self.rates.set_bitrate(Track::Video(index), *bitrate_bps);
        }
    }

    /// Connection after connection, until there is nothing left to send.
    async fn send_all(&mut self) {
        let mut retry = FIRST_RETRY;
        loop {
            let address = self.address.clone();
            // A panic of the protocol's crate costs a connection, not the broadcast.
            let connecting = AssertUnwindSafe(Link::connect(&address)).catch_unwind();
            let error = match self.while_apart(connecting).await.unwrap_or(Err(LinkError::Fault)) {
                Ok(link) => {
                    let began = Instant::now();
                    let ended = AssertUnwindSafe(self.session(link)).catch_unwind().await;
                    if began.elapsed() >= GOOD_AFTER {
                        retry = FIRST_RETRY;
                    }
                    match ended.unwrap_or(Err(LinkError::Fault)) {
                        Ok(()) => return,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            tracing::warn!(to = %self.address, %error, retry_ms = retry.as_millis(), "the connection to the origin");
            self.report.error = Some(error.to_string());
            self.report.sent_bps = 0;
            self.show(State::Waiting { retry_in_ms: u64::try_from(retry.as_millis()).unwrap_or(u64::MAX) });
            // Whatever is sent next begins with it.
            self.rates.request_keyframe();
            self.while_apart(sleep(retry)).await;
            retry = (retry * 2).min(LONGEST_RETRY);
            if self.is_done() {
                return;
            }
        }
    }

    /// Closing, and nothing waits.
    fn is_done(&self) -> bool {
        *self.shared.is_closing.borrow() && self.shared.queue().is_empty()
    }

    /// Waits for something without a connection; says meanwhile how it stands.
    async fn while_apart<T>(&mut self, future: impl Future<Output = T>) -> T {
        tokio::pin!(future);
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                output = &mut future => return output,
                _ = ticks.tick() => {
                    self.ask_for_keyframe();
                    self.report.queued_ms = self.queued_ms(None);
                    self.report.dropped_frames = self.lost_on_the_way + self.shared.queue().dropped();
                    self.show(self.report.state.clone());
                }
            }
        }
    }

    /// Sends over one connection until it breaks, or there is nothing left to send.
    async fn session(&mut self, mut link: Link) -> Result<(), LinkError> {
        self.shared.queue().begin_anew();
        self.ask_for_keyframe();
        self.pace.begin_anew();
        self.history.clear();
        self.shortest_rtt = link.rtt();
        self.report.connections += 1;
        self.report.error = None;
        self.show(State::Connected);
        let result = self.feed_until_it_ends(&mut link).await;
        self.look(&link);
        self.arrived_before += link.totals().arrived_pictures;
        self.lost_on_the_way += link.pictures_under_way();
        link.end().await;
        result
    }

    async fn feed_until_it_ends(&mut self, link: &mut Link) -> Result<(), LinkError> {
        let shared = Arc::clone(&self.shared);
        let mut closing = shared.is_closing.subscribe();
        let mut muxer = Muxer::new(self.settings_bps.len());
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let has_room = self.feed(link, &mut muxer);
            link.flush().await?;
            link.check()?;
            if link.oldest().is_none() && self.is_done() {
                return Ok(());
            }
            let wakes_at = link.wakes_at();
            tokio::select! {
                received = link.receive() => received?,
                () = sleep_until(wakes_at.into()) => {}
                () = shared.came.notified(), if has_room => {}
                _ = ticks.tick() => self.look(link),
                _ = closing.changed() => {}
            }
        }
    }

    /// Hands frames to the link while it has room; whether it has some left.
    fn feed(&mut self, link: &mut Link, muxer: &mut Muxer) -> bool {
        let window = window(self.shortest_rtt, self.arriving_bps().max(self.pace.target_bps() as f64));
        while link.under_way_bytes() < window {
            let Some(frame) = self.shared.queue().pop() else { return true };
            let is_picture = frame.packet.track != Track::Audio;
            if !is_picture {
                self.sound.0 += frame.packet.data.len() as u64;
                self.sound.1 += frame.packet.duration_ns;
            }
            let mut packets = BytesMut::new();
            muxer.write(&frame.packet, &mut packets);
            let mut datagrams = datagrams(packets.freeze()).peekable();
            while let Some(datagram) = datagrams.next() {
                link.give(datagram, frame.came, is_picture && datagrams.peek().is_none());
            }
        }
        false
    }

    /// Looks at the link: reports, and tells the encoders what it carries.
    fn look(&mut self, link: &Link) {
        let now = Instant::now();
        let totals = link.totals();
        self.history.push_back((now, totals));
        while self.history.front().is_some_and(|(at, _)| *at + SENDING_SPAN < now) {
            self.history.pop_front();
        }
        self.shortest_rtt = self.shortest_rtt.min(link.rtt());
        self.ask_for_keyframe();
        let queued_ms = self.queued_ms(Some(link));
        let (sent, sent_again, sent_bps) = self.sending(&totals, now);
        let lost = self
            .shared
            .health
            .borrow()
            .as_ref()
            .and_then(|(at, health)| health.srt_loss_ratio.filter(|_| at.elapsed() < HEALTH_HOLDS));
        let look = Look {
            backlog: Duration::from_millis(queued_ms.into()).saturating_sub(self.shortest_rtt),
            rtt: self.shortest_rtt,
            arriving_bps: self.arriving_bps(),
            silence: link.silence(),
            sent_again: if sent == 0 { 0.0 } else { sent_again as f64 / sent as f64 },
            lost: lost.unwrap_or(0.0),
        };
        self.pace.look(now - self.began, &look);
        self.tell_encoders();
        self.report.sent_bps = sent_bps as u64;
        self.report.queued_ms = queued_ms;
        self.report.rtt_ms = Some(link.rtt().as_secs_f64() * 1000.0);
        self.report.loss_ratio = Some(look.sent_again);
        self.report.sent_frames = self.arrived_before + totals.arrived_pictures;
        self.report.dropped_frames = self.lost_on_the_way + self.shared.queue().dropped();
        self.show(self.report.state.clone());
    }

    /// Age of the oldest frame that the origin does not have.
    fn queued_ms(&self, link: Option<&Link>) -> u32 {
        let waiting = self.shared.queue().front().map(|frame| frame.came);
        let oldest = link.and_then(Link::oldest).or(waiting);
        oldest.map_or(0, |came| u32::try_from(came.elapsed().as_millis()).unwrap_or(u32::MAX))
    }

    /// Datagrams, those sent again, and bits per second, of the last seconds.
    fn sending(&self, totals: &Totals, now: Instant) -> (u64, u64, f64) {
        let Some((at, before)) = self.history.front() else { return (0, 0, 0.0) };
        let span = now.duration_since(*at).max(LOOK_EVERY).as_secs_f64();
        let bits = (totals.sent_bytes - before.sent_bytes) as f64 * 8.0;
        (totals.sent - before.sent, totals.sent_again - before.sent_again, bits / span)
    }

    /// What arrives, bits per second.
    fn arriving_bps(&self) -> f64 {
        let Some((now, totals)) = self.history.back() else { return 0.0 };
        let before = self.history.iter().find(|(at, _)| *at + ARRIVING_SPAN >= *now);
        let Some((at, before)) = before.filter(|(at, _)| at < now) else { return 0.0 };
        (totals.arrived_bytes - before.arrived_bytes) as f64 * 8.0 / now.duration_since(*at).as_secs_f64()
    }

    /// Shares what the link carries among the renditions; small changes are not worth a word.
    fn tell_encoders(&mut self) {
        let sound_bps = match self.sound {
            (_, 0) => SOUND_BPS as f64,
            (bytes, duration_ns) => bytes as f64 * 8.0e9 / duration_ns as f64 * OVERHEAD,
        };
        let budget = (self.pace.target_bps() as f64 - sound_bps.min(SOUND_BPS as f64 * 3.0)) / OVERHEAD;
        let shares = pace::share(budget.max(0.0) as u64, &self.settings_bps);
        for (index, (share_bps, most)) in shares.iter().zip(&self.settings_bps).enumerate() {
            let Some(told) = self.told_bps.get_mut(index) else { continue };
            let is_worth_it = share_bps.abs_diff(*told) as f64 > *most as f64 * WORTH_TELLING;
            if is_worth_it || (share_bps == most && told != most) {
                *told = *share_bps;
                self.rates.set_bitrate(Track::Video(index), *share_bps);
            }
        }
        self.report.target_bps = self.told_bps.iter().sum();
    }

    /// Passes on that the queue can go on with a keyframe alone.
    fn ask_for_keyframe(&self) {
        let wants_keyframe = self.shared.queue().take_wants_keyframe();
        if wants_keyframe {
            self.rates.request_keyframe();
        }
    }

    fn show(&mut self, state: State) {
        self.report.state = state;
        self.reporting.send_replace(self.report.clone());
    }
}
