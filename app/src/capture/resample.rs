//! Reads sound at a pace that is not its own: windowed-sinc interpolation between samples.
//!
//! A rate that is off by a few hundred millionths moves the point that is read slowly through all positions between two
//! samples. Straight lines between samples would damp high tones by up to 5 dB there, and a listener hears them come
//! and go; GStreamer's resampler takes whole rates only. 32 taps of a Kaiser window keep everything to 18 kHz.

use super::feed::SAMPLE_RATE;

/// Samples that one is made of.
const TAPS: usize = 32;
/// Samples that are needed after the one that is read.
pub(super) const AHEAD: usize = TAPS / 2;
/// Positions between two samples that are tabled; between these, lines are straight enough.
const PHASES: usize = 128;
/// Shape of the window: stop band at about −80 dB.
const BETA: f64 = 8.0;
/// Sound that is kept until it is read, samples: two seconds at 192 kHz.
const MAX_KEPT: usize = 384_000;

/// Stereo sound that is read between its samples.
pub(super) struct Resampler {
    /// `PHASES + 1` rows of `TAPS` weights.
    table: Vec<[f32; TAPS]>,
    kept: Vec<[f32; 2]>,
    /// Number of the first that is kept.
    first: u64,
}

impl Resampler {
    /// For a device of so many samples per second.
    pub(super) fn new(nominal_rate: u32) -> Self {
        // Nothing above half of the lower rate may come through.
        let cutoff = (f64::from(SAMPLE_RATE) / f64::from(nominal_rate.max(1))).min(1.0) * 0.95;
        let row = |phase: usize| weights(phase as f64 / PHASES as f64, cutoff);
        // Silence before the first sample.
        Self { table: (0..=PHASES).map(row).collect(), kept: Vec::new(), first: 0 }
    }

    /// Number of the sample after the last.
    pub(super) fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// Adds samples.
    pub(super) fn push(&mut self, samples: impl Iterator<Item = [f32; 2]>) {
        self.kept.extend(samples);
        let excess = self.kept.len().saturating_sub(MAX_KEPT);
        self.forget(self.first + excess as u64);
    }

    /// Reads from `position` on, `step` samples further each time, as long as there are enough samples; returns where
    /// it came to, and appends to `out`.
    pub(super) fn read(&mut self, mut position: f64, step: f64, out: &mut Vec<u8>) -> f64 {
        let end = self.end();
        while position + (AHEAD as f64) < end as f64 {
            let [left, right] = self.at(position);
            out.extend_from_slice(&left.to_le_bytes());
            out.extend_from_slice(&right.to_le_bytes());
            position += step;
        }
        let needed = (position.floor() as i64 - TAPS as i64).max(0);
        self.forget(u64::try_from(needed).unwrap_or(0));
        position
    }

    fn at(&self, position: f64) -> [f32; 2] {
        let whole = position.floor();
        let phase = (position - whole) * PHASES as f64;
        let row = phase.floor();
        let share = (phase - row) as f32;
        let row = (row as usize).min(PHASES - 1);
        let (near, far) = (&self.table[row], &self.table[row + 1]);
        let begin = whole as i64 - (AHEAD as i64 - 1) - self.first as i64;
        let Some(samples) = usize::try_from(begin).ok().and_then(|begin| self.kept.get(begin..begin + TAPS)) else {
            return [0.0; 2];
        };
        let mut sums = [0.0_f32; 2];
        for ((sample, near), far) in samples.iter().zip(near).zip(far) {
            let weight = near + (far - near) * share;
            sums[0] += sample[0] * weight;
            sums[1] += sample[1] * weight;
        }
        sums
    }

    fn forget(&mut self, before: u64) {
        let count = usize::try_from(before.saturating_sub(self.first)).unwrap_or(0).min(self.kept.len());
        // Moving the rest costs something: a block at a time.
        if count >= 512 || self.kept.len() > MAX_KEPT {
            self.kept.drain(..count);
            self.first += count as u64;
        }
    }
}

/// The weights of the samples around a position; they add up to one.
fn weights(phase: f64, cutoff: f64) -> [f32; TAPS] {
    let mut row = [0.0; TAPS];
    for (tap, weight) in row.iter_mut().enumerate() {
        let distance = tap as f64 - (AHEAD as f64 - 1.0) - phase;
        let x = std::f64::consts::PI * distance * cutoff;
        let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
        let edge = distance / AHEAD as f64;
        let window = if edge.abs() >= 1.0 { 0.0 } else { bessel(BETA * (1.0 - edge * edge).sqrt()) / bessel(BETA) };
        *weight = sinc * window;
    }
    let sum: f64 = row.iter().sum();
    row.map(|weight| (weight / sum) as f32)
}

/// The modified Bessel function of order zero, by its series.
fn bessel(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frequency_hz: f64, rate: f64) -> impl Iterator<Item = [f32; 2]> {
        (0..).map(move |index| {
            let sample = (std::f64::consts::TAU * frequency_hz * f64::from(index) / rate).sin() as f32;
            [sample, -sample]
        })
    }

    fn read_all(resampler: &mut Resampler, step: f64) -> Vec<[f32; 2]> {
        let mut out = Vec::new();
        resampler.read(64.0, step, &mut out);
        let float = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
        out.chunks_exact(8).map(|pair| [float(&pair[..4]), float(&pair[4..])]).collect()
    }

    #[test]
    fn a_tone_read_a_little_faster_is_the_same_tone_at_every_position_between_samples() {
        for frequency_hz in [100.0, 1000.0, 10_000.0, 16_000.0] {
            let mut resampler = Resampler::new(48_000);
            resampler.push(tone(frequency_hz, 48_000.0).take(48_000));
            let step = 1.000_3;
            for (index, [left, right]) in read_all(&mut resampler, step).into_iter().enumerate() {
                let position = 64.0 + index as f64 * step;
                let exact = (std::f64::consts::TAU * frequency_hz * position / 48_000.0).sin() as f32;
                assert!((left - exact).abs() < 0.004, "{frequency_hz} Hz at {position}: {left}, not {exact}");
                assert!((left + right).abs() < 1e-6, "channels are not mixed");
            }
        }
    }

    #[test]
    fn other_rates_become_48_khz_and_what_cannot_be_is_left_out() {
        let mut resampler = Resampler::new(44_100);
        resampler.push(tone(1000.0, 44_100.0).take(44_100));
        let samples = read_all(&mut resampler, 44_100.0 / 48_000.0);
        let crossings = samples.windows(2).filter(|pair| pair[0][0] < 0.0 && pair[1][0] >= 0.0).count();
        assert!((990..=1000).contains(&crossings), "{crossings} periods of a 1 kHz tone in a second");
        let mut resampler = Resampler::new(96_000);
        resampler.push(tone(40_000.0, 96_000.0).take(96_000));
        let loudest = read_all(&mut resampler, 2.0).into_iter().map(|[left, _]| left.abs()).fold(0.0, f32::max);
        assert!(loudest < 0.01, "40 kHz would come back as 8 kHz at {loudest}");
    }

    #[test]
    fn what_nobody_reads_is_not_kept_for_ever() {
        let mut resampler = Resampler::new(48_000);
        for _ in 0..100 {
            resampler.push(tone(100.0, 48_000.0).take(48_000));
        }
        assert!(resampler.kept.len() <= MAX_KEPT);
        assert_eq!(resampler.end(), 4_800_000);
    }
}
