//! A network with seeded loss, delay, reordering and duplication, in virtual time; at one end a sender that behaves as
//! libsrt's does, at the other the listener.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use super::{
    super::{
        Listener, Output, Statistics,
        packet::{self, ControlKind, Packet, Sequence},
    },
    address, at,
    caller::Caller,
    config, connect,
};

/// Sent every millisecond or so: 2.6 Mbit/s in packets of 1316 bytes.
const PACKETS_PER_SECOND: i64 = 250;
/// libsrt's senders keep packets at least so long.
const KEPT_MS: i64 = 1000;

#[derive(Debug, Clone, Copy)]
struct Network {
    loss: f64,
    /// One way.
    delay_ms: i64,
    /// Up to so much more, at random: datagrams overtake each other.
    jitter_ms: i64,
    duplicates: f64,
}

/// Retransmission as libsrt does it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Algorithm {
    /// Everything that is asked for.
    Plain,
    /// Nothing twice within a round trip (the default since 1.5).
    OncePerRoundTrip,
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Datagrams under way, by arrival time and order of sending.
type UnderWay = BinaryHeap<Reverse<(i64, u64, bool, Vec<u8>)>>;

struct Simulation {
    network: Network,
    random: Random,
    under_way: UnderWay,
    sent: u64,
}

impl Simulation {
    /// Sends towards the listener, or back.
    fn send(&mut self, now_ms: i64, to_listener: bool, datagram: Vec<u8>) {
        let copies = 1 + usize::from(self.random.next() < self.network.duplicates);
        for _ in 0..copies {
            let jitter = (self.random.next() * (self.network.jitter_ms + 1) as f64) as i64;
            self.sent += 1;
            if self.random.next() >= self.network.loss {
                let arrival = now_ms + self.network.delay_ms + jitter;
                self.under_way.push(Reverse((arrival, self.sent, to_listener, datagram.clone())));
            }
        }
    }

    fn arrived(&mut self, now_ms: i64) -> Option<(bool, Vec<u8>)> {
        let due = self.under_way.peek().is_some_and(|Reverse((arrival, ..))| *arrival <= now_ms);
        let Reverse((_, _, to_listener, datagram)) = due.then(|| self.under_way.pop())??;
        Some((to_listener, datagram))
    }
}

struct Sender {
    caller: Caller,
    algorithm: Algorithm,
    round_trip_ms: i64,
    /// Number → (when first sent, when last sent again).
    kept: BTreeMap<u32, (i64, i64)>,
}

impl Sender {
    fn packet(&mut self, now_ms: i64) -> Vec<u8> {
        self.kept.insert(self.caller.next.get(), (now_ms, i64::MIN / 2));
        self.caller.next_packet().1
    }

    /// Answers what the listener sent.
    fn take(&mut self, now_ms: i64, datagram: &[u8]) -> Vec<Vec<u8>> {
        let Some(Packet::Control(control)) = packet::parse(datagram) else { return Vec::new() };
        match control.kind {
            ControlKind::Ack => vec![self.caller.control(ControlKind::AckAck, control.information, &[])],
            ControlKind::Nak => self.retransmit(now_ms, control.body),
            _ => Vec::new(),
        }
    }

    fn retransmit(&mut self, now_ms: i64, list: &[u8]) -> Vec<Vec<u8>> {
        let mut again = Vec::new();
        let mut words = list.chunks_exact(4).map(|word| u32::from_be_bytes(*word.first_chunk().unwrap()));
        while let Some(word) = words.next() {
            let first = Sequence::new(word);
            let last = if word >> 31 == 1 { Sequence::new(words.next().unwrap()) } else { first };
            for offset in 0..=u32::try_from(last.since(first)).unwrap() {
                let sequence = first.plus(offset);
                let Some((since, again_at)) = self.kept.get_mut(&sequence.get()) else { continue };
                let recently = now_ms - *again_at < self.round_trip_ms;
                if now_ms - *since > KEPT_MS || (recently && self.algorithm == Algorithm::OncePerRoundTrip) {
                    continue;
                }
                *again_at = now_ms;
                again.push(self.caller.data(sequence, 1 << 26, &sequence.get().to_be_bytes()));
            }
        }
        again
    }
}

struct Outcome {
    statistics: Statistics,
    /// Packets that were sent, each counted once.
    sent: usize,
    /// Numbers handed over, in the order of handing over.
    delivered: Vec<u32>,
    /// Longest time from first sending to handing over.
    slowest: Duration,
}

fn run(network: Network, algorithm: Algorithm, latency_ms: u64, seconds: i64, seed: u64) -> Outcome {
    let mut listener = Listener::new(super::ListenerConfig { latency: Duration::from_millis(latency_ms), ..config() });
    let mut caller = Caller::new(address(1), 1);
    let session = connect(&mut listener, at(0), &mut caller);
    let round_trip_ms = 2 * network.delay_ms;
    let mut sender = Sender { caller, algorithm, round_trip_ms, kept: BTreeMap::new() };
    let mut simulation = Simulation { network, random: Random(seed), under_way: UnderWay::new(), sent: 0 };
    let mut outcome =
        Outcome { statistics: Statistics::default(), sent: 0, delivered: Vec::new(), slowest: Duration::ZERO };
    // What is sent after the end shows what was missing before it, and is not counted.
    for ms in 0..(seconds + 2) * 1000 {
        if ms % (1000 / PACKETS_PER_SECOND) == 0 {
            let datagram = sender.packet(ms);
            simulation.send(ms, true, datagram);
            outcome.sent += usize::from(ms < seconds * 1000);
        }
        while let Some((to_listener, datagram)) = simulation.arrived(ms) {
            if to_listener {
                listener.feed(at(ms), address(1), &datagram);
            } else {
                for answer in sender.take(ms, &datagram) {
                    simulation.send(ms, true, answer);
                }
            }
        }
        if ms % 10 == 0 {
            listener.tick(at(ms));
        }
        while let Some(output) = listener.poll() {
            match output {
                Output::Send { datagram, .. } => simulation.send(ms, false, datagram.to_vec()),
                Output::Data { data, .. } => {
                    let number = u32::from_be_bytes(*data.first_chunk().unwrap());
                    let took = u64::try_from(ms - sender.kept[&number].0).unwrap();
                    outcome.slowest = outcome.slowest.max(Duration::from_millis(took));
                    outcome.delivered.push(number);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    outcome.statistics = listener.statistics(session).unwrap();
    outcome.delivered.truncate(outcome.sent);
    outcome
}

/// Every packet once and in order.
#[track_caller]
fn assert_complete(outcome: &Outcome, case: &str) {
    assert_eq!(outcome.statistics.lost, 0, "{case}");
    assert_eq!(outcome.delivered.len(), outcome.sent, "{case}");
    let in_order = outcome.delivered.windows(2).all(|pair| Sequence::new(pair[1]).since(Sequence::new(pair[0])) == 1);
    assert!(in_order, "{case}");
}

const STEADY: Network = Network { loss: 0.0, delay_ms: 20, jitter_ms: 0, duplicates: 0.0 };

#[test]
fn without_loss_nothing_waits() {
    let outcome = run(STEADY, Algorithm::OncePerRoundTrip, 200, 10, 1);
    assert_complete(&outcome, "no loss");
    assert_eq!(outcome.slowest, Duration::from_millis(20), "handed over on arrival");
    let round_trip = outcome.statistics.round_trip.unwrap();
    assert!(round_trip.abs_diff(Duration::from_millis(40)) < Duration::from_millis(3), "{round_trip:?}");
}

#[test]
fn no_packet_is_lost_for_good() {
    for (loss, latency_ms) in [(0.02, 200), (0.05, 400), (0.05, 200)] {
        for algorithm in [Algorithm::OncePerRoundTrip, Algorithm::Plain] {
            for seed in 0..10 {
                let outcome = run(Network { loss, ..STEADY }, algorithm, latency_ms, 60, seed);
                let case = format!("{loss} {latency_ms} ms {algorithm:?} seed {seed}");
                assert_complete(&outcome, &case);
                // Retransmissions stay in proportion.
                let extra = outcome.statistics.retransmitted as f64 / outcome.sent as f64;
                assert!(extra > loss * 0.7 && extra < loss * 3.0, "{case}: {extra}");
            }
        }
    }
}

#[test]
fn a_link_that_reorders_and_repeats_is_no_obstacle() {
    for seed in 0..10 {
        let network = Network { loss: 0.02, delay_ms: 30, jitter_ms: 15, duplicates: 0.05 };
        assert_complete(&run(network, Algorithm::OncePerRoundTrip, 300, 20, seed), &format!("seed {seed}"));
    }
    let reordering = Network { jitter_ms: 12, ..STEADY };
    let outcome = run(reordering, Algorithm::OncePerRoundTrip, 200, 20, 1);
    assert_complete(&outcome, "reordering alone");
    let needless = outcome.statistics.retransmitted as f64 / outcome.sent as f64;
    assert!(needless < 0.05, "reordering is learnt and hardly anything asked for in vain: {needless}");
}

#[test]
fn a_long_way_needs_no_configuration() {
    for seed in 0..3 {
        let network = Network { loss: 0.02, delay_ms: 75, ..STEADY };
        let outcome = run(network, Algorithm::OncePerRoundTrip, 120, 30, seed);
        assert_complete(&outcome, "RTT of 150 ms with the least latency");
    }
}

#[test]
fn an_outage_costs_what_was_sent_during_it_and_no_more() {
    let outcome = run(Network { loss: 0.6, ..STEADY }, Algorithm::OncePerRoundTrip, 120, 10, 3);
    let Statistics { received, lost, .. } = outcome.statistics;
    assert!(received > lost * 5, "{received} {lost}");
    assert!(outcome.slowest < Duration::from_millis(1300), "{:?}", outcome.slowest);
}
