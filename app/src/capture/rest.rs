//! How long a thread that reads blocks of sound rests between two of them.
//!
//! Behind a sound server's ALSA plugin, cpal is told that there is something as soon as there is a sample, and asks again and
//! again until a block is whole: a sixth of a core. So its thread rests until the next block is due: as late after this one
//! as blocks were found to come.

/// Of what a block came later than it was due, so much is believed at once.
const BELIEVED: f64 = 0.5;
/// In each block it is due earlier by this part of its length: clocks differ, and what was late once is forgotten.
const CREEP: f64 = 0.002;
/// More than this waits beyond what always does, in blocks: it is read first, without a rest.
const BEHIND: f64 = 1.2;

/// When blocks are due.
#[derive(Debug, Default)]
pub(super) struct Rest {
    due_s: Option<f64>,
    /// Between the microphone and this program, seconds: what a sound server always holds back.
    least_delay_s: f64,
}

impl Rest {
    /// A block of this length was read at `now_s`, `delay_s` after its end: how long to rest, seconds.
    pub(super) fn after(&mut self, now_s: f64, length_s: f64, delay_s: f64) -> f64 {
        let due_s = *self.due_s.get_or_insert_with(|| {
            self.least_delay_s = delay_s;
            now_s
        });
        self.least_delay_s = delay_s.min(self.least_delay_s + length_s * CREEP);
        if delay_s - self.least_delay_s > length_s * BEHIND {
            self.due_s = Some(now_s);
            return 0.0;
        }
        let late_s = (now_s - due_s).max(0.0);
        let next_s = due_s + late_s * BELIEVED + length_s * (1.0 - CREEP);
        // Never two at once: there is room for two or three.
        let next_s = next_s.min(now_s + length_s);
        self.due_s = Some(next_s);
        (next_s - now_s).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK_S: f64 = 0.0133;
    const SERVER_S: f64 = 0.025;

    /// A minute of sound that arrives in pieces: which part of the time is spent asking, and how many blocks waited at most.
    fn listen(arrives_s: impl Fn(usize) -> f64) -> (f64, f64) {
        let (mut rest, mut now_s, mut asked_s, mut waited) = (Rest::default(), 0.0_f64, 0.0, 0.0_f64);
        let blocks = (60.0 / BLOCK_S) as usize;
        for block in 0..blocks {
            let whole_s = arrives_s(block);
            if block > blocks / 4 {
                asked_s += (whole_s - now_s).max(0.0);
                waited = waited.max((now_s - whole_s) / BLOCK_S);
            }
            now_s = now_s.max(whole_s);
            let delay_s = now_s - (block + 1) as f64 * BLOCK_S + SERVER_S;
            now_s += rest.after(now_s, BLOCK_S, delay_s);
        }
        (asked_s / now_s, waited)
    }

    #[test]
    fn hardly_anything_is_asked_in_vain() {
        let end_s = |block: usize| (block + 1) as f64 * BLOCK_S;
        let (asked, waited) = listen(end_s);
        assert!(asked < 0.01 && waited < 0.2, "one by one: {asked} {waited}");
        let (asked, waited) = listen(|block| end_s(block) * 1.0002);
        assert!(asked < 0.01 && waited < 0.2, "by a clock that is slow: {asked} {waited}");
        let (asked, waited) = listen(|block| end_s(block) * 0.9998);
        assert!(asked < 0.01 && waited < 0.2, "by a clock that is fast: {asked} {waited}");
        let (asked, waited) = listen(|block| end_s(block) + (block * 7919 % 13) as f64 * 0.0003);
        assert!(asked < 0.02 && waited < 0.6, "with jitter: {asked} {waited}");
        let (asked, waited) = listen(|block| end_s(block / 2 * 2 + 1));
        assert!(asked < 0.02 && waited < 1.2, "two at once: {asked} {waited}");
        let (asked, waited) = listen(|block| (end_s(block) / 0.01).ceil() * 0.01);
        assert!(asked < 0.02 && waited < 1.2, "in other pieces: {asked} {waited}");
    }

    #[test]
    fn what_has_piled_up_is_read_without_a_rest() {
        let mut rest = Rest::default();
        for block in 0..100 {
            rest.after(f64::from(block) * BLOCK_S, BLOCK_S, SERVER_S);
        }
        let now_s = 200.0 * BLOCK_S;
        assert_eq!(rest.after(now_s, BLOCK_S, SERVER_S + 3.0 * BLOCK_S), 0.0);
        assert_eq!(rest.after(now_s, BLOCK_S, SERVER_S + 2.0 * BLOCK_S), 0.0);
        assert!(rest.after(now_s, BLOCK_S, SERVER_S) > 0.9 * BLOCK_S);
    }
}
