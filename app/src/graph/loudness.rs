//! How loud sound is: peak, mean power, and momentary loudness as of ITU-R BS.1770-4. Samples in, levels out.

use skylark_protocol::studio::Level;

/// Sample rate of everything that is mixed, hertz.
pub const SAMPLE_RATE: u32 = 48_000;
/// Channels of everything that is mixed.
pub const CHANNELS: usize = 2;
/// Momentary loudness is measured over 400 ms, in steps of 100 ms.
const STEPS: usize = 4;
const STEP_FRAMES: usize = SAMPLE_RATE as usize / 10;

/// A second-order filter (direct form II, transposed).
#[derive(Debug, Clone, Copy, Default)]
struct Biquad {
    z1: f64,
    z2: f64,
}

impl Biquad {
    fn run(&mut self, [b0, b1, b2, a1, a2]: &[f64; 5], x: f64) -> f64 {
        let y = b0 * x + self.z1;
        self.z1 = b1 * x - a1 * y + self.z2;
        self.z2 = b2 * x - a2 * y;
        y
    }
}

/// BS.1770-4, table 1: the head, at 48 kHz.
const SHELF: [f64; 5] =
    [1.535_124_859_586_97, -2.691_696_189_406_38, 1.198_392_810_852_85, -1.690_659_293_182_41, 0.732_480_774_215_85];
/// BS.1770-4, table 2: the high-pass, at 48 kHz.
const HIGH_PASS: [f64; 5] = [1.0, -2.0, 1.0, -1.990_047_454_833_98, 0.990_072_250_366_21];

/// Measures one strip, or the program.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    filters: [[Biquad; 2]; CHANNELS],
    /// Weighted power of finished steps, the newest last.
    steps: Vec<f64>,
    step_power: f64,
    step_frames: usize,
    peak: f32,
    power: f64,
    frames: usize,
}

impl Meter {
    /// Hears interleaved stereo samples at 48 kHz.
    pub fn hear(&mut self, samples: &[f32]) {
        for frame in samples.chunks_exact(CHANNELS) {
            for (sample, [shelf, high_pass]) in frame.iter().zip(&mut self.filters) {
                // What is not a number would stay in the filters for ever.
                let sample = if sample.is_finite() { *sample } else { 0.0 };
                self.peak = self.peak.max(sample.abs());
                let sample = f64::from(sample);
                self.power += sample * sample;
                let weighted = high_pass.run(&HIGH_PASS, shelf.run(&SHELF, sample));
                self.step_power += weighted * weighted;
            }
            self.frames += 1;
            self.step_frames += 1;
            if self.step_frames == STEP_FRAMES {
                if self.steps.len() == STEPS {
                    self.steps.remove(0);
                }
                self.steps.push(self.step_power / STEP_FRAMES as f64);
                (self.step_power, self.step_frames) = (0.0, 0);
            }
        }
    }

    /// The level since this was last asked; silence when nothing was heard.
    pub fn read(&mut self) -> Level {
        if self.frames == 0 {
            self.steps.clear();
            return Level::SILENT;
        }
        let mean = self.power / (self.frames * CHANNELS) as f64;
        let momentary = self.steps.iter().sum::<f64>() / self.steps.len().max(1) as f64;
        let level = Level {
            peak_db: decibels(f64::from(self.peak).powi(2)),
            rms_db: decibels(mean),
            loudness_lufs: if momentary > 0.0 {
                (decibels(momentary) - 0.691).max(Level::SILENT.loudness_lufs)
            } else {
                Level::SILENT.loudness_lufs
            },
        };
        (self.peak, self.power, self.frames) = (0.0, 0.0, 0);
        level
    }
}

/// Power as decibels, no less than silence.
fn decibels(power: f64) -> f32 {
    if power <= 0.0 {
        return Level::SILENT.peak_db;
    }
    #[allow(clippy::cast_possible_truncation)] // A logarithm of a finite number.
    let db = (10.0 * power.log10()) as f32;
    db.max(Level::SILENT.peak_db)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn sine(frequency_hz: f64, amplitude: f64, seconds: f64) -> Vec<f32> {
        let frames = (seconds * f64::from(SAMPLE_RATE)) as usize;
        let sample = |n: usize| (amplitude * (TAU * frequency_hz * n as f64 / f64::from(SAMPLE_RATE)).sin()) as f32;
        (0..frames).flat_map(|n| [sample(n); CHANNELS]).collect()
    }

    #[test]
    fn a_tone_reads_as_the_recommendation_says() {
        // EBU Tech 3341, test 1: a stereo sine of 1 kHz at -23 dBFS reads -23 LUFS.
        let mut meter = Meter::default();
        meter.hear(&sine(1000.0, 10f64.powf(-23.0 / 20.0), 2.0));
        let level = meter.read();
        assert!((level.peak_db + 23.0).abs() < 0.1 && (level.rms_db + 26.0).abs() < 0.1, "{level:?}");
        assert!((level.loudness_lufs + 23.0).abs() < 0.1, "{level:?}");
    }

    #[test]
    fn silence_is_silent_and_odd_samples_do_no_harm() {
        let mut meter = Meter::default();
        assert_eq!(meter.read(), Level::SILENT);
        meter.hear(&[f32::NAN, f32::INFINITY, 0.0, 0.0]);
        assert_eq!(meter.read(), Level::SILENT);
        meter.hear(&sine(1000.0, 1.0, 1.0));
        assert!(meter.read().peak_db > -0.1);
    }

    #[test]
    fn a_beep_is_forgotten_after_400_ms() {
        let mut meter = Meter::default();
        meter.hear(&sine(1000.0, 0.5, 0.4));
        assert!(meter.read().loudness_lufs > -8.0);
        meter.hear(&vec![0.0; STEP_FRAMES * STEPS * CHANNELS * 2]);
        assert!(meter.read().loudness_lufs < -60.0);
    }
}
