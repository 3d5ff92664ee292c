//! How well a publisher's media arrives: measured from counters, time passed in; a score and what costs points.

use std::{collections::VecDeque, time::Duration};

use skylark_media::{UnixTime, pipeline::PipelineStats};
use skylark_protocol::{Health, HealthWarning};

use crate::ingest::{Protocol, SrtLink};

/// What is measured is measured over this time.
const SPAN: Duration = Duration::from_secs(10);
/// Samples are taken so often.
pub const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// Bitrate and loss are not judged before so much was seen.
const WARM_UP: Duration = Duration::from_secs(3);
/// No picture for so long is none any more.
const STANDSTILL: Duration = Duration::from_secs(3);
/// A jump of the publisher's clock is held against it for so long.
const JUMP_MEMORY: Duration = Duration::from_secs(60);
/// Keyframes should not be further apart: what a segment may last.
const LONG_GOP_MS: u32 = 4200;
/// Fewer frames per second look like a slide show.
const LOW_FRAME_RATE: f64 = 15.0;
/// Sound and picture may arrive so far apart before viewers' buffers feel it, milliseconds.
const HIGH_SKEW_MS: i32 = 500;
/// Frames that may go unused over [`SPAN`]: joining mid-stream costs some.
const DROPPED_FRAMES: u64 = 5;
/// A bitrate this close to the allowed one is pointed out before it is cut.
const NEAR_LIMIT_PERCENT: u64 = 90;

/// Measures one session.
#[derive(Debug)]
pub struct Meter {
    protocol: Protocol,
    max_bitrate_bps: u64,
    began_at: UnixTime,
    samples: VecDeque<Sample>,
    last_jump: Option<UnixTime>,
    link: Option<SrtLink>,
}

/// Totals at a time.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    at: UnixTime,
    bytes: u64,
    stats: PipelineStats,
    link: SrtLink,
}

impl Meter {
    /// For a session that begins now.
    #[must_use]
    pub fn new(protocol: Protocol, max_bitrate_bps: u64, now: UnixTime) -> Self {
        let first = Sample { at: now, ..Sample::default() };
        Self { protocol, max_bitrate_bps, began_at: now, samples: [first].into(), last_jump: None, link: None }
    }

    /// What the SRT session knows of its link.
    pub fn link(&mut self, link: SrtLink) {
        self.link = Some(link);
    }

    /// A sample is due.
    #[must_use]
    pub fn is_due(&self, now: UnixTime) -> bool {
        self.samples.back().is_none_or(|last| now.since(last.at) >= SAMPLE_INTERVAL)
    }

    /// Takes the totals of the session (container bytes, pipeline's counters) and says how it does.
    pub fn sample(&mut self, now: UnixTime, bytes: u64, stats: PipelineStats) -> Health {
        let before = self.samples.back().copied().unwrap_or_default();
        if stats.clock_jumps > before.stats.clock_jumps {
            self.last_jump = Some(now);
        }
        self.samples.push_back(Sample { at: now, bytes, stats, link: self.link.unwrap_or_default() });
        while self.samples.get(1).is_some_and(|second| now.since(second.at) >= SPAN) {
            self.samples.pop_front();
        }
        let oldest = self.samples.front().copied().unwrap_or_default();
        let elapsed = now.since(oldest.at).as_secs_f64().max(f64::EPSILON);
        let per_second = |count: u64| count as f64 / elapsed;
        let frames = stats.video_frames.saturating_sub(oldest.stats.video_frames);
        let before_standstill = self.samples.iter().rev().find(|sample| now.since(sample.at) >= STANDSTILL);
        let stands_still = before_standstill.is_some_and(|sample| sample.stats.video_frames == stats.video_frames);
        let frame_rate = match stats.frame_rate_millis {
            _ if stands_still => 0.0,
            Some(rate) => f64::from(rate) / 1000.0,
            None => per_second(frames),
        };
        let mut health = Health {
            protocol: self.protocol.as_str().to_owned(),
            bitrate_bps: (per_second(bytes.saturating_sub(oldest.bytes)) * 8.0) as u64,
            frame_rate: (frame_rate * 100.0).round() / 100.0,
            keyframe_interval_ms: stats.keyframe_interval_ms,
            av_skew_ms: stats.av_skew_ms,
            srt_loss_ratio: self.link.map(|link| loss_ratio(&oldest.link, &link)),
            srt_rtt_ms: self.link.map(|link| link.rtt.as_secs_f64() * 1000.0),
            srt_retransmitted: self.link.map(|link| link.retransmitted),
            score: 100,
            warnings: Vec::new(),
        };
        let mut faults = self.faults(now, &health, &stats, &oldest.stats);
        faults.sort_by_key(|fault| std::cmp::Reverse(fault.cost));
        let cost = faults.iter().map(|fault| fault.cost).fold(0, u8::saturating_add);
        health.score = 100_u8.saturating_sub(cost);
        health.warnings = faults
            .into_iter()
            .map(|fault| HealthWarning { code: fault.code.to_owned(), message: fault.message })
            .collect();
        health
    }

    fn faults(&self, now: UnixTime, health: &Health, stats: &PipelineStats, oldest: &PipelineStats) -> Vec<Fault> {
        let warm = now.since(self.began_at) >= WARM_UP;
        let mut faults = Vec::new();
        let mut fault = |cost, code, message| faults.push(Fault { cost, code, message });
        if warm && health.bitrate_bps == 0 {
            fault(60, "no-media", "nothing arrives: check the connection".to_owned());
        }
        if health.bitrate_bps >= self.max_bitrate_bps / 100 * NEAR_LIMIT_PERCENT {
            let max_kbps = self.max_bitrate_bps / 1000;
            fault(10, "bitrate", format!("the bitrate is close to the {max_kbps} kbit/s allowed here"));
        }
        if let Some(interval_ms) = stats.keyframe_interval_ms.filter(|interval| *interval > LONG_GOP_MS) {
            let seconds = f64::from(interval_ms) / 1000.0;
            fault(20, "long-gop", format!("keyframes are {seconds:.1} s apart: set the keyframe interval to 2 s"));
        }
        if warm && stats.video_frames > 0 && health.frame_rate == 0.0 {
            fault(50, "no-picture", "no picture arrives any more: check the camera".to_owned());
        } else if warm && stats.video_frames > 0 && health.frame_rate < LOW_FRAME_RATE {
            fault(20, "low-frame-rate", format!("only {:.1} pictures a second arrive", health.frame_rate));
        }
        if let Some(skew_ms) = stats.av_skew_ms.filter(|skew| skew.saturating_abs() > HIGH_SKEW_MS) {
            let late = if skew_ms > 0 { "sound" } else { "picture" };
            fault(15, "av-skew", format!("the {late} arrives {} ms late", skew_ms.saturating_abs()));
        }
        if self.last_jump.is_some_and(|at| now.since(at) < JUMP_MEMORY) {
            fault(15, "clock-jump", "the encoder's timestamps jumped: viewers saw a break".to_owned());
        }
        let dropped = stats.dropped_frames.saturating_sub(oldest.dropped_frames);
        if dropped > DROPPED_FRAMES {
            fault(15, "dropped-frames", format!("{dropped} frames could not be used"));
        }
        if stats.losses > oldest.losses {
            fault(20, "damaged-media", "some media arrived damaged".to_owned());
        }
        if let Some(percent) = health.srt_loss_ratio.map(|ratio| ratio * 100.0).filter(|percent| *percent >= 0.1) {
            let cost = if percent < 1.0 { 20 } else { 50 };
            fault(cost, "srt-loss", format!("{percent:.1} % of the packets are lost: raise the SRT latency"));
        }
        faults
    }
}

/// Something that costs points.
#[derive(Debug)]
struct Fault {
    cost: u8,
    code: &'static str,
    message: String,
}

fn loss_ratio(before: &SrtLink, now: &SrtLink) -> f64 {
    let lost = now.lost.saturating_sub(before.lost) as f64;
    let received = now.received.saturating_sub(before.received) as f64;
    if lost + received > 0.0 { lost / (lost + received) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT_BPS: u64 = 50_000_000;

    fn good(second: u64) -> PipelineStats {
        PipelineStats {
            video_frames: 30 * second,
            audio_frames: 47 * second,
            media_bytes: 320_000 * second,
            keyframe_interval_ms: Some(2000),
            av_skew_ms: Some(12),
            frame_rate_millis: Some(30_000),
            ..PipelineStats::default()
        }
    }

    /// Samples once a second for 20 s, each second changed by `change`.
    fn after(mut meter: Meter, change: impl Fn(u64, &mut PipelineStats)) -> Health {
        let mut health = Health::default();
        for second in 1..=20 {
            let mut stats = good(second);
            change(second, &mut stats);
            health = meter.sample(UnixTime::from_ms(second as i64 * 1000), 325_000 * second, stats);
        }
        health
    }

    fn meter() -> Meter {
        Meter::new(Protocol::Rtmp, LIMIT_BPS, UnixTime::from_ms(0))
    }

    fn codes(health: &Health) -> Vec<&str> {
        health.warnings.iter().map(|warning| warning.code.as_str()).collect()
    }

    #[test]
    fn a_good_stream_scores_100() {
        let health = after(meter(), |_, _| {});
        assert_eq!((health.score, codes(&health)), (100, vec![]));
        assert_eq!((health.bitrate_bps, health.frame_rate), (2_600_000, 30.0));
    }

    #[test]
    fn each_fault_has_its_code() {
        type Change = fn(u64, &mut PipelineStats);
        let cases: [(&str, Change); 6] = [
            ("long-gop", |_, stats| stats.keyframe_interval_ms = Some(8333)),
            ("low-frame-rate", |_, stats| stats.frame_rate_millis = Some(9000)),
            ("av-skew", |_, stats| stats.av_skew_ms = Some(-900)),
            ("clock-jump", |second, stats| stats.clock_jumps = u64::from(second > 5)),
            ("dropped-frames", |second, stats| stats.dropped_frames = second),
            ("damaged-media", |second, stats| stats.losses = second),
        ];
        for (code, change) in cases {
            let health = after(meter(), change);
            assert_eq!(codes(&health), [code]);
            assert!(health.score < 100, "{code}");
        }
    }

    #[test]
    fn a_fault_of_the_past_is_forgotten() {
        let health = after(meter(), |_, stats| stats.dropped_frames = 7);
        assert_eq!(codes(&health), Vec::<&str>::new());
    }

    #[test]
    fn silence_and_excess_are_seen() {
        let mut silent = meter();
        let mut health = Health::default();
        for second in 1..=20 {
            health = silent.sample(UnixTime::from_ms(second * 1000), 1000, good(1));
        }
        assert!(codes(&health).contains(&"no-media"), "{health:?}");
        let tight = Meter::new(Protocol::Rtmp, 2_700_000, UnixTime::from_ms(0));
        assert_eq!(codes(&after(tight, |_, _| {})), ["bitrate"]);
    }

    #[test]
    fn loss_is_that_of_the_last_seconds_and_worst_comes_first() {
        let mut meter = Meter::new(Protocol::Srt, LIMIT_BPS, UnixTime::from_ms(0));
        let mut health = Health::default();
        for second in 1..=30_u64 {
            let lost = second.min(25) * 10;
            meter.link(SrtLink { received: second * 240, lost, retransmitted: second, rtt: Duration::from_millis(40) });
            let mut stats = good(second);
            stats.keyframe_interval_ms = Some(9000);
            health = meter.sample(UnixTime::from_ms(second as i64 * 1000), 325_000 * second, stats);
        }
        assert_eq!(codes(&health), ["srt-loss", "long-gop"]);
        assert_eq!(health.score, 30);
        assert_eq!(health.srt_rtt_ms, Some(40.0));
        let ratio = health.srt_loss_ratio.unwrap();
        assert!((ratio - 50.0 / 2450.0).abs() < 1e-9, "{ratio}");
    }
}
