//! Which renditions a machine holds.

use skylark_protocol::studio::{Canvas, RenditionSettings};

/// The part of an encoder's measured speed that is used: the rest is for composing, other programs and hard scenes.
const USED: f64 = 0.4;
/// Pixels per second that a speed of one frame of 1280×720 per second stands for.
const TRIAL_PIXELS: f64 = 1280.0 * 720.0;
/// Most threads of an encoder: each works at a slice of its own, and slices cost quality.
const MAX_THREADS: u32 = 8;
/// Most renditions that are chosen without being asked for.
const MAX_RUNGS: usize = 3;

/// The renditions for a canvas on a machine whose encoder does `speed_fps` frames of 1280×720 per second: the best that it
/// holds, and smaller ones for viewers with less, as far as there is room.
#[must_use]
pub fn renditions_for(canvas: Canvas, speed_fps: f64) -> Vec<RenditionSettings> {
    let mut left = speed_fps * TRIAL_PIXELS * USED;
    let mut chosen: Vec<RenditionSettings> = Vec::new();
    for preset in RenditionSettings::PRESETS {
        let fits_canvas = preset.height <= canvas.height && preset.frame_rate <= canvas.frame_rate;
        let is_smaller = chosen.last().is_none_or(|above| preset.height < above.height);
        let cost = f64::from(preset.width) * f64::from(preset.height) * f64::from(preset.frame_rate);
        if !fits_canvas || !is_smaller || chosen.len() == MAX_RUNGS {
            continue;
        }
        if cost <= left {
            left -= cost;
            chosen.push(for_canvas(preset, canvas));
        }
    }
    if chosen.is_empty() {
        // Too slow even for the least: that is what it gets, and the check before going live says so.
        chosen.push(preset_for(canvas, RenditionSettings::PRESETS[RenditionSettings::PRESETS.len() - 1].height));
    }
    chosen
}

/// How many threads an encoder on the processor gets beside those of all renditions: as many of the cores as it has to do of
/// the work, so that they do not hinder each other.
#[must_use]
pub(crate) fn threads_for(one: RenditionSettings, all: &[RenditionSettings], cores: usize) -> u32 {
    let work = |one: &RenditionSettings| u64::from(one.width) * u64::from(one.height) * u64::from(one.frame_rate);
    let share = work(&one) as f64 / all.iter().map(work).sum::<u64>().max(1) as f64;
    ((cores as f64 * share).round() as u32).clamp(1, MAX_THREADS)
}

/// The rendition of this height, or the least, in the canvas's shape and pace.
#[must_use]
pub fn preset_for(canvas: Canvas, height: u32) -> RenditionSettings {
    let presets = RenditionSettings::PRESETS;
    let is_it = |preset: &&RenditionSettings| preset.height <= height && preset.frame_rate <= canvas.frame_rate.max(30);
    for_canvas(*presets.iter().find(is_it).unwrap_or(&presets[presets.len() - 1]), canvas)
}

/// A preset in the canvas's shape.
fn for_canvas(preset: RenditionSettings, canvas: Canvas) -> RenditionSettings {
    let height = preset.height.min(canvas.height) & !1;
    let width =
        ((u64::from(canvas.width) * u64::from(height) / u64::from(canvas.height)) as u32).max(2).next_multiple_of(2);
    RenditionSettings { width, height, frame_rate: preset.frame_rate.min(canvas.frame_rate), ..preset }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heights(canvas: Canvas, speed_fps: f64) -> Vec<u32> {
        renditions_for(canvas, speed_fps).iter().map(|rendition| rendition.height).collect()
    }

    #[test]
    fn a_machine_gets_what_it_holds() {
        let canvas = Canvas::default();
        assert_eq!(heights(canvas, 500.0), [720, 480, 360]);
        assert_eq!(heights(canvas, 80.0), [720]);
        assert_eq!(heights(canvas, 40.0), [480]);
        assert_eq!(heights(canvas, 1.0), [360], "something at least");
        let large = Canvas { width: 1920, height: 1080, frame_rate: 60 };
        assert_eq!(heights(large, 900.0), [1080, 720, 480]);
        assert_eq!(renditions_for(large, 900.0)[0].frame_rate, 60);
    }

    #[test]
    fn encoders_share_the_cores_by_what_they_have_to_do() {
        let canvas = Canvas { width: 1280, height: 720, frame_rate: 30 };
        let ladder = [720, 480, 360].map(|height| preset_for(canvas, height));
        let threads = |cores| ladder.map(|one| threads_for(one, &ladder, cores));
        assert_eq!((threads(1), threads(2), threads(8), threads(64)), ([1; 3], [1; 3], [5, 2, 1], [8; 3]));
        assert_eq!(threads_for(ladder[0], &ladder[..1], 4), 4);
    }

    #[test]
    fn renditions_have_the_canvas_shape() {
        let tall = Canvas { width: 720, height: 1280, frame_rate: 30 };
        let best = renditions_for(tall, 900.0)[0];
        assert_eq!((best.width, best.height), (608, 1080));
        let tiny = Canvas { width: 320, height: 180, frame_rate: 25 };
        assert_eq!(renditions_for(tiny, 900.0)[0].height, 180);
    }
}
