//! One caller: acknowledges what arrives, asks again for what does not, and hands over what is in order.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use super::{
    buffer::{Arrival, Buffer, Held, Next},
    crypto::{KeyMaterial, Keys},
    packet::{self, ControlKind, ControlPacket, DataPacket, Packet, Sequence},
    rtt::RoundTrip,
};
use crate::time::UnixTime;

/// How often acknowledgements and loss reports are looked at (libsrt's SYN interval).
pub(super) const TICK: Duration = Duration::from_millis(10);
/// Missing packets are asked for again no sooner than this.
const MIN_ASK_AGAIN: Duration = Duration::from_millis(20);
/// Something is sent at least so often.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// A missing packet is waited for this many round trips, even if the latency is shorter...
const PATIENCE_ROUND_TRIPS: u32 = 10;
/// ...but no longer than senders keep packets for certain.
const MAX_PATIENCE: Duration = Duration::from_secs(1);
/// A link that changes the order of packets is given at most this long before a missing packet is asked for.
const MAX_REORDER: Duration = Duration::from_millis(20);
/// Acknowledgements whose answer is still taken for measuring the round trip.
const ACKS_REMEMBERED: usize = 64;
/// New keys are taken no more often than this: unwrapping them takes milliseconds.
const MIN_KEY_AGE: Duration = Duration::from_secs(1);

/// What a session has seen since it began, in packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Arrived, each counted once.
    pub received: u64,
    /// Given up.
    pub lost: u64,
    /// Arrived as retransmissions, needed or not.
    pub retransmitted: u64,
    /// Arrived more than once, or too late.
    pub late: u64,
    /// Could not be decrypted.
    pub undecrypted: u64,
    /// Bore a sequence number that cannot be.
    pub outside: u64,
    /// Round-trip time, once it is known.
    pub round_trip: Option<Duration>,
}

/// Why a session ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Shutdown,
    Silent,
}

/// What a session wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Send(Bytes),
    Data(Bytes),
    End(End),
}

/// What a session is set up with.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) remote_socket: u32,
    pub(super) first_sequence: Sequence,
    pub(super) latency: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) keys: Option<Keys>,
}

#[derive(Debug)]
pub(super) struct Session {
    setup: Setup,
    started: UnixTime,
    heard: UnixTime,
    sent: UnixTime,
    buffer: Buffer,
    round_trip: RoundTrip,
    acks: Acks,
    reorder: Duration,
    keys_changed: UnixTime,
    rate: Rate,
    statistics: Statistics,
    effects: VecDeque<Effect>,
    #[cfg(test)]
    pub(super) poisoned: bool,
}

/// Acknowledgements sent.
#[derive(Debug)]
struct Acks {
    number: u32,
    /// Number and time of those whose answer is awaited.
    waiting: VecDeque<(u32, UnixTime)>,
    /// The last one: what it said and when.
    last: (Sequence, UnixTime),
    answered: bool,
}

/// Packets and bytes of the last whole second.
#[derive(Debug)]
struct Rate {
    since: UnixTime,
    packets: u32,
    bytes: u32,
    shown: (u32, u32),
}

impl Session {
    pub(super) fn new(now: UnixTime, setup: Setup) -> Self {
        Self {
            buffer: Buffer::new(setup.first_sequence),
            started: now,
            heard: now,
            sent: now,
            round_trip: RoundTrip::new(),
            acks: Acks::new(now, setup.first_sequence),
            reorder: Duration::ZERO,
            keys_changed: now,
            rate: Rate { since: now, packets: 0, bytes: 0, shown: (0, 0) },
            statistics: Statistics::default(),
            effects: VecDeque::new(),
            setup,
            #[cfg(test)]
            poisoned: false,
        }
    }

    pub(super) fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When something was last heard of the caller.
    pub(super) fn heard(&self) -> UnixTime {
        self.heard
    }

    pub(super) fn statistics(&self) -> Statistics {
        Statistics { round_trip: self.round_trip.measured(), ..self.statistics }
    }

    /// Takes a packet of the caller.
    pub(super) fn feed(&mut self, now: UnixTime, packet: &Packet<'_>) {
        #[cfg(test)]
        assert!(!self.poisoned, "poisoned by a test");
        self.heard = now;
        match packet {
            Packet::Data(data) => self.take_data(now, data),
            Packet::Control(control) => self.take_control(now, control),
        }
    }

    /// Lets time pass; at least every [`TICK`]. Only here is waiting given up: after a stall of the whole process, what
    /// was waited for may be among the datagrams that have not been fed yet.
    pub(super) fn tick(&mut self, now: UnixTime) {
        if now.since(self.heard) >= self.setup.idle_timeout {
            return self.end(End::Silent);
        }
        self.deliver(now, self.patience());
        self.acknowledge(now);
        self.report_losses(now);
        if now.since(self.sent) >= KEEP_ALIVE {
            self.send(now, ControlKind::KeepAlive, 0, &[0; 4]);
        }
    }

    /// Ends the session from our side: what is here is handed over, and the caller is told.
    pub(super) fn close(&mut self, now: UnixTime) {
        self.deliver(now, Duration::ZERO);
        self.send(now, ControlKind::Shutdown, 0, &[0; 4]);
    }

    fn end(&mut self, end: End) {
        // Nothing more will come: what is here is handed over, whatever is missing in between.
        self.deliver(self.heard, Duration::ZERO);
        self.effects.push_back(Effect::End(end));
    }

    fn take_data(&mut self, now: UnixTime, data: &DataPacket<'_>) {
        if data.key.is_some() != self.setup.keys.is_some() {
            self.statistics.undecrypted += 1;
            return;
        }
        self.statistics.retransmitted += u64::from(data.retransmitted);
        self.rate.count(now, data.payload.len());
        let held = Held { sequence: data.sequence, key: data.key, payload: Bytes::copy_from_slice(data.payload) };
        match self.buffer.insert(now, now + self.reorder, held) {
            Arrival::New { revealed } => {
                self.statistics.received += 1;
                if revealed > 0 {
                    self.report_losses(now);
                }
            }
            Arrival::Recovered { after } => {
                self.statistics.received += 1;
                if !data.retransmitted {
                    self.reorder = self.reorder.max(after).min(MAX_REORDER);
                }
            }
            Arrival::Late => self.statistics.late += 1,
            Arrival::Outside => self.statistics.outside += 1,
            Arrival::Resumed { lost } => {
                self.statistics.received += 1;
                self.statistics.lost += lost as u64;
            }
        }
        self.deliver(now, Duration::MAX);
    }

    fn take_control(&mut self, now: UnixTime, control: &ControlPacket<'_>) {
        match control.kind {
            ControlKind::AckAck => {
                if let Some(sent) = self.acks.answer(control.information) {
                    self.round_trip.sample(now.since(sent));
                }
            }
            ControlKind::DropRequest => {
                if let Some((first, last)) = packet::drop_range(control.body) {
                    self.buffer.give_up(now, first, last);
                    self.deliver(now, Duration::MAX);
                }
            }
            ControlKind::KeyRequest => self.refresh_keys(now, control.body),
            ControlKind::Shutdown => self.end(End::Shutdown),
            // A receiver is not acknowledged to, and what is unknown harms nobody by being ignored.
            _ => {}
        }
    }

    fn refresh_keys(&mut self, now: UnixTime, message: &[u8]) {
        let (Some(keys), Some(material)) = (&mut self.setup.keys, KeyMaterial::parse(message)) else { return };
        let known = keys.material() == &material;
        if !known && now.since(self.keys_changed) < MIN_KEY_AGE {
            return;
        }
        if !known {
            self.keys_changed = now;
        }
        if keys.refresh(material).is_ok() {
            self.send(now, ControlKind::KeyResponse, 0, message);
        }
    }

    /// How long a missing packet is waited for. Nothing behind it is handed over meanwhile.
    fn patience(&self) -> Duration {
        let by_round_trip = self.round_trip.smoothed() * PATIENCE_ROUND_TRIPS;
        self.setup.latency.max(by_round_trip.min(MAX_PATIENCE))
    }

    fn deliver(&mut self, now: UnixTime, patience: Duration) {
        while let Some(next) = self.buffer.pop(now, patience) {
            let packet = match next {
                Next::Gap(count) => {
                    self.statistics.lost += count as u64;
                    continue;
                }
                Next::Packet(packet) => packet,
            };
            let clear = match (packet.key, &self.setup.keys) {
                (Some(slot), Some(keys)) => keys.decrypt(slot, packet.sequence, packet.payload),
                (None, None) => Some(packet.payload),
                _ => None,
            };
            match clear {
                Some(data) => self.effects.push_back(Effect::Data(data)),
                None => self.statistics.undecrypted += 1,
            }
        }
    }

    fn acknowledge(&mut self, now: UnixTime) {
        let next = self.buffer.next_sequence();
        let retry = self.round_trip.smoothed() + 4 * self.round_trip.variance();
        let (last, at) = self.acks.last;
        let due = last != next || (!self.acks.answered && now.since(at) >= retry);
        if !due {
            return;
        }
        let (packets, bytes) = self.rate.shown;
        let words = [
            next.get(),
            micros(self.round_trip.smoothed()),
            micros(self.round_trip.variance()),
            u32::try_from(self.buffer.free()).unwrap_or(0),
            packets,
            // Nobody's rate is limited by what the link could take: what it does take is named.
            packets,
            bytes,
        ];
        let body: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        let number = self.acks.send(now, next);
        self.send(now, ControlKind::Ack, number, &body);
    }

    fn report_losses(&mut self, now: UnixTime) {
        let again = (self.round_trip.smoothed() + 4 * self.round_trip.variance()) / 2;
        let ranges = self.buffer.ask(now, again.max(MIN_ASK_AGAIN));
        if !ranges.is_empty() {
            self.send(now, ControlKind::Nak, 0, &packet::loss_list(&ranges));
        }
    }

    fn send(&mut self, now: UnixTime, kind: ControlKind, information: u32, body: &[u8]) {
        self.sent = now;
        let timestamp = micros(now.since(self.started));
        let packet = packet::control(kind, information, timestamp, self.setup.remote_socket, body);
        self.effects.push_back(Effect::Send(packet));
    }
}

/// Microseconds, wrapping as timestamps on the wire do.
fn micros(time: Duration) -> u32 {
    (time.as_micros() & u128::from(u32::MAX)) as u32
}

impl Acks {
    /// Nothing has arrived, and there is nothing to say about it.
    fn new(now: UnixTime, first: Sequence) -> Self {
        Self { number: 0, waiting: VecDeque::new(), last: (first, now), answered: true }
    }

    fn send(&mut self, now: UnixTime, next: Sequence) -> u32 {
        self.number = self.number.wrapping_add(1).max(1);
        self.last = (next, now);
        self.answered = false;
        self.waiting.push_back((self.number, now));
        if self.waiting.len() > ACKS_REMEMBERED {
            self.waiting.pop_front();
        }
        self.number
    }

    /// When the acknowledgement that is answered was sent; earlier ones are not waited for any more.
    fn answer(&mut self, number: u32) -> Option<UnixTime> {
        let at = self.waiting.iter().position(|(waiting, _)| *waiting == number)?;
        self.answered |= number == self.number;
        self.waiting.drain(..=at).next_back().map(|(_, sent)| sent)
    }
}

impl Rate {
    fn count(&mut self, now: UnixTime, bytes: usize) {
        if now.since(self.since) >= Duration::from_secs(1) {
            self.shown = (self.packets, self.bytes);
            (self.packets, self.bytes, self.since) = (0, 0, now);
        }
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }
}
