//! A link, an encoder before it and an origin behind it, datagram by datagram; the same every time with the same seed.

use std::{collections::VecDeque, time::Duration};

use crate::push::{
    pace::{Look, Pace},
    pump::window,
};

const STEP: Duration = Duration::from_millis(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const FRAME_EVERY: f64 = 1.0 / 30.0;
const DATAGRAM: usize = 1316;
/// A keyframe every two seconds, this much larger than others.
const KEYFRAME: f64 = 6.0;

/// What the link is like from a time on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weather {
    pub(super) from_s: f64,
    /// 0: nothing gets through.
    pub(super) capacity_bps: f64,
    /// Of 1, lost anywhere on the way.
    pub(super) loss: f64,
}

/// What was to be seen at one look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) at_s: f64,
    pub(super) target_bps: f64,
    pub(super) backlog_s: f64,
}

struct Flying {
    bytes: usize,
    came: Duration,
    has_arrived: bool,
}

/// The whole way.
pub(super) struct Way {
    pub(super) rtt: Duration,
    /// What waits before the narrow place, at most.
    pub(super) router: Duration,
    pub(super) weather: Vec<Weather>,
    seed: u64,
    now: Duration,
    waiting: VecDeque<(usize, Duration)>,
    flying: VecDeque<Flying>,
    flying_bytes: usize,
    /// Number of the first one flying.
    first: u64,
    /// Acknowledged at, number.
    arrivals: Vec<(Duration, u64)>,
    again: Vec<(Duration, u64)>,
    free_at: Duration,
    window: usize,
    history: VecDeque<(Duration, u64, u64, u64)>,
    arrived: u64,
    arrived_at: Duration,
    sent: u64,
    sent_again: u64,
}

impl Way {
    pub(super) fn new(seed: u64, rtt_ms: u64, weather: &[Weather]) -> Self {
        Self {
            rtt: Duration::from_millis(rtt_ms),
            router: Duration::from_millis(300),
            weather: weather.to_vec(),
            seed,
            now: Duration::ZERO,
            waiting: VecDeque::new(),
            flying: VecDeque::new(),
            flying_bytes: 0,
            first: 0,
            arrivals: Vec::new(),
            again: Vec::new(),
            free_at: Duration::ZERO,
            window: 1 << 16,
            history: VecDeque::new(),
            arrived: 0,
            arrived_at: Duration::ZERO,
            sent: 0,
            sent_again: 0,
        }
    }

    /// Lets a pace follow it for so long.
    pub(super) fn run(mut self, pace: &mut Pace, length_s: f64) -> Vec<Seen> {
        let mut seen = Vec::new();
        let (mut frame_at, mut number, mut look_at) = (0.0, 0_u64, Duration::ZERO);
        while self.now.as_secs_f64() < length_s {
            while frame_at <= self.now.as_secs_f64() {
                self.encode(pace.target_bps() as f64, number);
                number += 1;
                frame_at += FRAME_EVERY;
            }
            self.carry();
            if self.now >= look_at {
                look_at += LOOK_EVERY;
                let look = self.look();
                let target = pace.look(self.now, &look);
                self.window = window(self.rtt, look.arriving_bps.max(target as f64));
                let backlog_s = look.backlog.as_secs_f64();
                seen.push(Seen { at_s: self.now.as_secs_f64(), target_bps: target as f64, backlog_s });
            }
            self.now += STEP;
        }
        seen
    }

    /// Between 0 and 1.
    fn chance(&mut self) -> f64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as f64 / u64::MAX as f64
    }

    fn encode(&mut self, target_bps: f64, number: u64) {
        let mean = target_bps / 8.0 * FRAME_EVERY;
        let weight = if number.is_multiple_of(60) { KEYFRAME } else { (60.0 - KEYFRAME) / 59.0 };
        let mut bytes = (mean * weight * (0.7 + 0.6 * self.chance())) as usize;
        while bytes > 0 {
            let datagram = bytes.min(DATAGRAM);
            self.waiting.push_back((datagram, self.now));
            bytes -= datagram;
        }
    }

    fn weather(&self) -> Weather {
        let now = self.now.as_secs_f64();
        *self.weather.iter().rev().find(|weather| weather.from_s <= now).unwrap_or(&self.weather[0])
    }

    fn carry(&mut self) {
        let now = self.now;
        let first = self.first;
        for (_, number) in self.arrivals.extract_if(.., |(at, _)| *at <= now) {
            if let Some(datagram) = number.checked_sub(first).and_then(|index| self.flying.get_mut(index as usize)) {
                datagram.has_arrived = true;
            }
        }
        while let Some(datagram) = self.flying.pop_front_if(|datagram| datagram.has_arrived) {
            self.first += 1;
            self.flying_bytes -= datagram.bytes;
            self.arrived += datagram.bytes as u64;
            self.arrived_at = now;
        }
        for (_, number) in self.again.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
            self.sent_again += 1;
            self.send(number);
        }
        while self.flying_bytes < self.window {
            let Some((bytes, came)) = self.waiting.pop_front() else { break };
            self.flying.push_back(Flying { bytes, came, has_arrived: false });
            self.flying_bytes += bytes;
            self.send(self.first + self.flying.len() as u64 - 1);
        }
    }

    fn send(&mut self, number: u64) {
        let weather = self.weather();
        self.sent += 1;
        let missed = (self.now + self.rtt + Duration::from_millis(20), number);
        let Some(datagram) = number.checked_sub(self.first).and_then(|index| self.flying.get(index as usize)) else {
            return;
        };
        if weather.capacity_bps <= 0.0 {
            return self.again.push(missed);
        }
        let takes = Duration::from_secs_f64(datagram.bytes as f64 * 8.0 / weather.capacity_bps);
        let leaves = self.free_at.max(self.now) + takes;
        if leaves > self.now + self.router {
            return self.again.push(missed);
        }
        self.free_at = leaves;
        if self.chance() < weather.loss {
            return self.again.push(missed);
        }
        self.arrivals.push((leaves + self.rtt, number));
    }

    fn look(&mut self) -> Look {
        self.history.push_back((self.now, self.arrived, self.sent, self.sent_again));
        while self.history.front().is_some_and(|(at, ..)| *at + Duration::from_secs(2) < self.now) {
            self.history.pop_front();
        }
        let now = self.now;
        let (_, _, sent, again) = self.history[0];
        let recent = self.history.iter().find(|(at, ..)| *at + Duration::from_millis(600) >= now);
        let (at, arrived, ..) = recent.copied().unwrap_or(self.history[0]);
        let span = (now - at).as_secs_f64();
        let oldest = self.flying.front().map(|datagram| datagram.came);
        let oldest = oldest.or(self.waiting.front().map(|(_, came)| *came)).unwrap_or(now);
        Look {
            backlog: (now - oldest).saturating_sub(self.rtt),
            rtt: self.rtt,
            arriving_bps: if span > 0.0 { (self.arrived - arrived) as f64 * 8.0 / span } else { 0.0 },
            silence: now - self.arrived_at,
            sent_again: if self.sent > sent {
                (self.sent_again - again) as f64 / (self.sent - sent) as f64
            } else {
                0.0
            },
            lost: 0.0,
        }
    }
}
