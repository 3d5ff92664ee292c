//! Which bitrate the link carries. Pure: numbers and time in, a bitrate out.
//!
//! A link that is too slow shows as media that stands in front of it: even the shortest backlog of the last moments is long.
//! Then the bitrate goes below what arrives, so far that the backlog drains. What was found is remembered: the bitrate
//! comes back fast to a little below it, and looks beyond ever more seldom while that fails. Loss that SRT makes up for is
//! left to SRT; a link that carries nothing at all is not slow but down, and frames wait.

use std::{collections::VecDeque, time::Duration};

/// The shortest backlog of this time counts: a keyframe's is over before.
const STANDING_SPAN: Duration = Duration::from_millis(400);
/// A standing backlog of this, and round trips besides, is a link that is too slow.
const TOO_LONG: Duration = Duration::from_millis(120);
/// Less than this is none.
const CLEAR: Duration = Duration::from_millis(50);
/// Packets sent again, of all, that no bitrate of ours should cause.
const TOO_MUCH_SENT_AGAIN: f64 = 0.2;
/// Packets lost for good, of all, as the origin counts.
const TOO_MUCH_LOST: f64 = 0.02;
/// A cut is given so long to show.
const HOLD: Duration = Duration::from_millis(900);
/// Of what arrives, so much is asked for when nothing is to be drained.
const CUT: f64 = 0.88;
/// With a backlog of [`DRAIN`] and more, so much less.
const CUT_TO_DRAIN: f64 = 0.33;
const DRAIN: Duration = Duration::from_secs(1);
/// The link must have been clear for so long before more is asked for.
const CALM: Duration = Duration::from_millis(800);
/// Between two steps up.
const STEP_EVERY: Duration = Duration::from_millis(250);
/// What is known of the link follows what arrives by this part, look by look.
const LEARNT_PER_LOOK: f64 = 0.2;
/// Packets that were sent again are counted for so long.
const LOSS_REMEMBERED: Duration = Duration::from_secs(3);
/// A step up to what is known to work.
const STEP: f64 = 1.1;
/// A step beyond.
const PROBE_STEP: f64 = 1.05;
/// Of what the link was found to carry, so much is used.
const USED: f64 = 0.9;
/// Beyond it by so much, it is forgotten.
const FORGOTTEN: f64 = 1.25;
/// How long it is believed at first, and at most.
const BELIEVED: Duration = Duration::from_secs(5);
const BELIEVED_AT_MOST: Duration = Duration::from_secs(20);
/// When nothing has arrived for so long, and round trips besides, the link is not slow but down.
const DOWN: Duration = Duration::from_millis(150);
/// So long afterwards, what arrives on average is still of that time.
const AFTER_DOWN: Duration = Duration::from_millis(700);
/// More than asked for by this arrives while a backlog drains by itself.
const DRAINING: f64 = 1.1;
/// The least bitrate of a picture, bits per second, where the settings are not below.
pub const MIN_PICTURE_BPS: u64 = 150_000;

/// One look at the link.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Look {
    /// How long ago the oldest frame came that has not arrived, less the shortest round-trip time.
    pub backlog: Duration,
    /// The shortest round-trip time.
    pub rtt: Duration,
    /// What arrives, bits per second, over the last half second or so.
    pub arriving_bps: f64,
    /// How long ago the last of it arrived.
    pub silence: Duration,
    /// Packets sent again, of all, in 0..=1.
    pub sent_again: f64,
    /// Packets lost for good, of all, in 0..=1.
    pub lost: f64,
}

/// What the link was found to carry.
#[derive(Debug, Clone, Copy)]
struct Limit {
    bps: f64,
    /// Until then it is believed.
    until: Duration,
    believed: Duration,
}

/// Follows a link.
#[derive(Debug)]
pub struct Pace {
    floor_bps: f64,
    ceiling_bps: f64,
    target_bps: f64,
    backlogs: VecDeque<(Duration, Duration)>,
    cut_at: Option<Duration>,
    down_at: Option<Duration>,
    lossy_since: Option<Duration>,
    clear_since: Option<Duration>,
    stepped_at: Duration,
    limit: Option<Limit>,
}

impl Pace {
    /// Begins with the ceiling.
    #[must_use]
    pub fn new(floor_bps: u64, ceiling_bps: u64) -> Self {
        let ceiling_bps = ceiling_bps as f64;
        Self {
            floor_bps: (floor_bps as f64).min(ceiling_bps),
            ceiling_bps,
            target_bps: ceiling_bps,
            backlogs: VecDeque::new(),
            cut_at: None,
            down_at: None,
            lossy_since: None,
            clear_since: None,
            stepped_at: Duration::ZERO,
            limit: None,
        }
    }

    /// Bits per second that the link is asked to carry; between floor and ceiling.
    #[must_use]
    pub fn target_bps(&self) -> u64 {
        self.target_bps as u64
    }

    /// The link is another one: what stood in front of the old one says nothing of it.
    pub fn begin_anew(&mut self) {
        self.backlogs.clear();
        self.clear_since = None;
    }

    /// Takes a look, about ten times a second, at a time since any beginning; decides.
    pub fn look(&mut self, now: Duration, look: &Look) -> u64 {
        self.backlogs.push_back((now, look.backlog));
        // The looks of the whole span, and the one before them: they do not come like clockwork.
        while self.backlogs.get(1).is_some_and(|(at, _)| *at + STANDING_SPAN <= now) {
            self.backlogs.pop_front();
        }
        let is_long_enough = self.backlogs.front().is_some_and(|(at, _)| *at + STANDING_SPAN <= now);
        let standing = self.backlogs.iter().map(|(_, backlog)| *backlog).min().unwrap_or_default();
        let slack = look.rtt * 3 / 2;
        if look.silence > DOWN + look.rtt * 2 && !look.backlog.is_zero() {
            self.down_at = Some(now);
        }
        let is_slow = is_long_enough && standing > TOO_LONG + slack;
        if is_slow {
            self.learn(now, look);
        }
        let loses = look.sent_again > TOO_MUCH_SENT_AGAIN || look.lost > TOO_MUCH_LOST;
        self.lossy_since = self.lossy_since.or(Some(now)).filter(|_| loses && !self.was_down(now, LOSS_REMEMBERED));
        let is_lossy = self.lossy_since.is_some_and(|since| now - since >= CALM);
        if (is_slow || is_lossy) && !self.is_draining(look) {
            self.clear_since = None;
            self.cut(now, look);
        } else if standing > CLEAR + slack || !is_long_enough {
            self.clear_since = None;
        } else {
            let since = *self.clear_since.get_or_insert(now);
            if now - since >= CALM && now - self.stepped_at >= STEP_EVERY {
                self.step(now);
            }
        }
        self.target_bps()
    }

    fn was_down(&self, now: Duration, within: Duration) -> bool {
        self.down_at.is_some_and(|at| now - at < within)
    }

    /// While media stands in front of the link, what arrives is what it carries.
    fn learn(&mut self, now: Duration, look: &Look) {
        if self.was_down(now, AFTER_DOWN) {
            return;
        }
        if let Some(limit) = &mut self.limit {
            limit.bps += (look.arriving_bps - limit.bps) * LEARNT_PER_LOOK;
        }
    }

    /// More arrives than is asked for: the backlog is of another time, and gets shorter.
    fn is_draining(&self, look: &Look) -> bool {
        look.arriving_bps > self.target_bps * DRAINING
    }

    fn cut(&mut self, now: Duration, look: &Look) {
        let is_held = self.cut_at.is_some_and(|at| now - at < HOLD);
        if is_held || self.was_down(now, AFTER_DOWN) {
            return;
        }
        // Soon after a cut, more has been learnt than this look tells.
        let learnt = self.limit.filter(|_| self.cut_at.is_some_and(|at| now - at < HOLD * 3));
        let carried = learnt.map_or(look.arriving_bps, |limit| limit.bps);
        let drain = (look.backlog.as_secs_f64() / DRAIN.as_secs_f64()).min(1.0) * CUT_TO_DRAIN;
        let next = (carried * (CUT - drain)).max(self.floor_bps);
        // A limit that was looked beyond in vain is believed for longer.
        let believed = match self.limit {
            Some(limit) if now >= limit.until => (limit.believed * 2).min(BELIEVED_AT_MOST),
            Some(limit) => limit.believed,
            None => BELIEVED,
        };
        self.limit = Some(Limit { bps: carried, until: now + believed, believed });
        self.target_bps = self.target_bps.min(next);
        self.cut_at = Some(now);
    }

    fn step(&mut self, now: Duration) {
        self.stepped_at = now;
        let known = self.limit.map_or(self.ceiling_bps, |limit| limit.bps * USED).min(self.ceiling_bps);
        let is_believed = self.limit.is_some_and(|limit| now < limit.until);
        if self.target_bps < known {
            self.target_bps = (self.target_bps * STEP).min(known);
        } else if !is_believed {
            self.target_bps = (self.target_bps * PROBE_STEP).min(self.ceiling_bps);
        }
        let is_beyond = self.limit.is_some_and(|limit| self.target_bps > limit.bps * FORGOTTEN);
        if is_beyond || self.target_bps >= self.ceiling_bps {
            self.limit = None;
        }
    }
}

/// Shares a bitrate among renditions: none has more than a common level, which is as high as the bitrate allows.
///
/// So the best rendition pays first, down to what the next one has; then both pay. Those who watch the lower ones, on
/// links that are worse than the streamer's, keep what they have as long as it can be had, the ladder stays in order, and
/// whoever watched the best has the next one to go to. Paying in proportion would take from those who have least.
#[must_use]
pub fn share(budget_bps: u64, settings_bps: &[u64]) -> Vec<u64> {
    let at_level =
        |level: u64| settings_bps.iter().map(move |most| (*most).min(level.max(MIN_PICTURE_BPS))).collect::<Vec<u64>>();
    let (mut low, mut high) = (0, settings_bps.iter().copied().max().unwrap_or(0));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if at_level(middle).iter().sum::<u64>() <= budget_bps {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    at_level(low)
}

/// The least that [`share`] can give, together.
#[must_use]
pub fn least(settings_bps: &[u64]) -> u64 {
    share(0, settings_bps).iter().sum()
}
