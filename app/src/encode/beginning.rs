//! All tracks of an encoding begin together, once their encoders keep up.
//!
//! An encoder takes some tenths of a second to open, and frames wait for it meanwhile. What it makes of those comes late, and of
//! one encoder later than of another: nobody gets it. When no frame waits any more, a keyframe is asked for; that frame is the
//! first.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::graph::Keyframes;

/// Encoders that keep up so late are not waited for: this machine may be too slow for them.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the tracks of an encoding have in common.
#[derive(Debug)]
pub(crate) struct Beginning {
    keyframes: Arc<Keyframes>,
    since: Instant,
    /// Encoders that do not keep up yet.
    behind: AtomicUsize,
    /// All begin with the first keyframe after this, nanoseconds.
    after_ns: OnceLock<u64>,
}

/// Lets a track's packets through, or does not yet.
#[derive(Debug)]
pub(crate) struct Gate {
    beginning: Arc<Beginning>,
    keeps_up: bool,
    is_open: bool,
}

impl Beginning {
    /// Of so many encoders of pictures.
    pub(crate) fn of(encoders: usize, keyframes: &Arc<Keyframes>) -> Arc<Self> {
        let (since, behind) = (Instant::now(), AtomicUsize::new(encoders));
        Arc::new(Self { keyframes: Arc::clone(keyframes), since, behind, after_ns: OnceLock::new() })
    }

    /// For the packets of a picture's encoder.
    pub(crate) fn for_picture(self: &Arc<Self>) -> Gate {
        Gate { beginning: Arc::clone(self), keeps_up: false, is_open: false }
    }

    /// For those of the sound, which nobody waits for.
    pub(crate) fn for_sound(self: &Arc<Self>) -> Gate {
        Gate { beginning: Arc::clone(self), keeps_up: true, is_open: false }
    }
}

impl Gate {
    /// Whether it has let anything through.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether a packet is let through. `waiting` is how many frames its encoder has not taken yet.
    pub(crate) fn lets(&mut self, pts_ns: u64, is_keyframe: bool, waiting: impl FnOnce() -> u32) -> bool {
        if self.is_open {
            return true;
        }
        let Beginning { keyframes, since, behind, after_ns } = &*self.beginning;
        if !self.keeps_up && waiting() == 0 {
            self.keeps_up = true;
            behind.fetch_sub(1, Ordering::Relaxed);
        }
        if behind.load(Ordering::Relaxed) > 0 && since.elapsed() <= PATIENCE {
            return false;
        }
        let after_ns = *after_ns.get_or_init(|| keyframes.ask());
        self.is_open = is_keyframe && pts_ns > after_ns;
        self.is_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tracks_begin_with_the_keyframe_after_the_slowest_keeps_up() {
        let keyframes = Arc::new(Keyframes::default());
        let beginning = Beginning::of(2, &keyframes);
        let (mut fast, mut slow, mut sound) = (beginning.for_picture(), beginning.for_picture(), beginning.for_sound());
        assert!(!fast.lets(2_000, true, || 0) && !sound.lets(2_000, true, || 0) && !slow.lets(2_000, true, || 3));
        assert!(!keyframes.is_due(2_050) && !slow.lets(2_033, false, || 0));
        assert!(keyframes.is_due(2_066));
        assert!(!slow.lets(2_033, true, || 0) && !sound.lets(2_050, true, || 0));
        assert!(fast.lets(2_066, true, || 0) && sound.lets(2_071, true, || 0) && slow.lets(2_066, true, || 1));
        assert!(slow.lets(2_100, false, || 5) && slow.is_open());
    }

    #[test]
    fn another_keyframe_that_is_asked_for_does_not_part_them() {
        let keyframes = Arc::new(Keyframes::default());
        let beginning = Beginning::of(1, &keyframes);
        let (mut picture, mut sound) = (beginning.for_picture(), beginning.for_sound());
        assert!(!keyframes.is_due(1_000) && !picture.lets(1_000, true, || 0));
        assert!(keyframes.is_due(1_033) && sound.lets(1_040, true, || 0));
        keyframes.ask();
        assert!(picture.lets(1_033, true, || 0));
    }

    #[test]
    fn an_encoder_that_never_keeps_up_does_not_keep_the_others() {
        let keyframes = Arc::new(Keyframes::default());
        let beginning = Beginning::of(2, &keyframes);
        let begun = Instant::now().checked_sub(PATIENCE * 2).expect("the system runs for longer");
        let beginning = Arc::new(Beginning { since: begun, ..Arc::into_inner(beginning).expect("nobody else has it") });
        let mut one = beginning.for_picture();
        assert!(!keyframes.is_due(1_000) && !one.lets(1_000, true, || 9));
        assert!(keyframes.is_due(1_033) && one.lets(1_033, true, || 9));
    }
}
