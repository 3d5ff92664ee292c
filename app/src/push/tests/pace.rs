use proptest::prelude::*;

use super::{
    super::pace::{MIN_PICTURE_BPS, Pace, least, share},
    link::{Seen, Way, Weather},
};

const CEILING: f64 = 4_600_000.0;
const FLOOR: f64 = 600_000.0;
const WIDE: f64 = 8_000_000.0;

fn weather(from_s: f64, capacity_bps: f64) -> Weather {
    Weather { from_s, capacity_bps, loss: 0.0 }
}

/// A pace on a link, looked at ten times a second; always within its bounds.
fn run(way: Way, length_s: f64) -> Vec<Seen> {
    let seen = way.run(&mut Pace::new(FLOOR as u64, CEILING as u64), length_s);
    for look in &seen {
        assert!((FLOOR..=CEILING).contains(&look.target_bps), "{look:?}");
    }
    seen
}

/// The first time from `from_s` on that something is so.
fn first(seen: &[Seen], from_s: f64, is_it: impl Fn(&Seen) -> bool) -> f64 {
    let found = seen.iter().find(|look| look.at_s >= from_s && is_it(look));
    found.unwrap_or_else(|| panic!("never: {:?}", seen.last())).at_s
}

fn between(seen: &[Seen], from_s: f64, to_s: f64) -> impl Iterator<Item = &Seen> {
    seen.iter().filter(move |look| (from_s..to_s).contains(&look.at_s))
}

/// How often the target goes down.
fn cuts(seen: &[Seen], from_s: f64) -> usize {
    let looks: Vec<_> = between(seen, from_s, f64::MAX).collect();
    looks.windows(2).filter(|pair| pair[1].target_bps < pair[0].target_bps * 0.99).count()
}

#[test]
fn a_link_that_carries_all_is_asked_for_all() {
    for (seed, rtt_ms, loss) in [(1, 5, 0.0), (2, 80, 0.0), (3, 40, 0.02), (4, 100, 0.05), (5, 250, 0.03)] {
        let way = Way::new(seed, rtt_ms, &[Weather { from_s: 0.0, capacity_bps: WIDE, loss }]);
        let seen = run(way, 120.0);
        let lowest = seen.iter().map(|look| look.target_bps).fold(CEILING, f64::min);
        assert!(lowest == CEILING, "round trip {rtt_ms} ms, loss {loss}: {lowest}");
    }
}

#[test]
fn a_link_that_gets_narrow_is_followed_within_two_seconds() {
    for (seed, capacity_bps) in [(1, 3_600_000.0), (2, 2_500_000.0), (3, 1_500_000.0), (4, 900_000.0)] {
        for rtt_ms in [5, 40, 120] {
            let seen = run(Way::new(seed, rtt_ms, &[weather(0.0, WIDE), weather(10.03, capacity_bps)]), 30.0);
            let followed = first(&seen, 10.0, |look| look.target_bps < capacity_bps) - 10.03;
            assert!(followed < 2.0, "{capacity_bps} bit/s, {rtt_ms} ms: after {followed:.1} s");
            let drained = first(&seen, 10.0 + followed, |look| look.backlog_s < 0.15) - 10.03;
            // What came before it was followed takes its time through what is left.
            let patience_s = 4.0 * CEILING / capacity_bps;
            assert!(drained < patience_s.max(4.0), "{capacity_bps} bit/s, {rtt_ms} ms: drained after {drained:.1} s");
        }
    }
}

#[test]
fn a_narrow_link_is_used_well_and_without_swinging() {
    for (seed, capacity_bps) in [(1, 3_600_000.0), (2, 2_000_000.0), (3, 1_200_000.0)] {
        let seen = run(Way::new(seed, 30, &[weather(0.0, WIDE), weather(5.0, capacity_bps)]), 305.0);
        let settled: Vec<_> = between(&seen, 20.0, 305.0).collect();
        let mean = settled.iter().map(|look| look.target_bps).sum::<f64>() / settled.len() as f64;
        assert!((0.75..1.0).contains(&(mean / capacity_bps)), "{capacity_bps} bit/s: {mean}");
        let cuts = cuts(&seen, 20.0);
        assert!(cuts <= 24, "{capacity_bps} bit/s: {cuts} cuts in five minutes");
        let late = settled.iter().filter(|look| look.backlog_s > 0.8).count();
        assert!(late * 50 <= settled.len(), "{capacity_bps} bit/s: {late} of {} looks", settled.len());
    }
}

#[test]
fn a_link_that_is_wide_again_is_asked_for_all_again() {
    // A short dip is over in a moment; what was so for a minute is believed for a while.
    for (narrow_s, patience_s) in [(4.0, 12.0), (20.0, 25.0), (60.0, 30.0)] {
        let changes = [weather(0.0, WIDE), weather(10.0, 1_200_000.0), weather(10.0 + narrow_s, WIDE)];
        let seen = run(Way::new(9, 30, &changes), 80.0 + narrow_s);
        let back = first(&seen, 10.0 + narrow_s, |look| look.target_bps == CEILING) - 10.0 - narrow_s;
        assert!(back < patience_s, "after {narrow_s} s: {back:.1} s");
        assert_eq!(cuts(&seen, 10.0 + narrow_s + back), 0, "and it stays so");
    }
}

#[test]
fn a_link_that_is_down_is_not_taken_for_a_narrow_one() {
    let changes = [weather(0.0, WIDE), weather(10.0, 0.0), weather(11.4, WIDE)];
    let seen = run(Way::new(4, 30, &changes), 40.0);
    let lowest = seen.iter().map(|look| look.target_bps).fold(CEILING, f64::min);
    assert!(lowest > CEILING * 0.5, "{lowest}");
    let back = first(&seen, 11.4, |look| look.backlog_s < 0.15 && look.target_bps == CEILING);
    assert!(back < 24.0, "{back}");
}

#[test]
fn a_link_that_flaps_costs_bitrate_and_no_more() {
    let changes: Vec<_> =
        (0..40).map(|turn| weather(f64::from(turn) * 4.0, if turn % 2 == 0 { WIDE } else { 1_300_000.0 })).collect();
    let seen = run(Way::new(5, 40, &changes), 160.0);
    let late = between(&seen, 12.0, 160.0).filter(|look| look.backlog_s > 3.2).count();
    assert_eq!(late, 0, "frames wait for {:?}", seen.iter().map(|look| look.backlog_s).fold(0.0, f64::max));
    let mean = between(&seen, 12.0, 160.0).map(|look| look.target_bps).sum::<f64>() / 1480.0;
    assert!(mean > 1_000_000.0, "{mean}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_link_is_followed(
        seed: u64,
        capacity_bps in 1_200_000.0..4_000_000.0,
        rtt_ms in 2_u64..200,
        loss in 0.0..0.03,
    ) {
        let changes = [
            Weather { from_s: 0.0, capacity_bps: WIDE, loss },
            Weather { from_s: 8.0, capacity_bps, loss },
            Weather { from_s: 40.0, capacity_bps: WIDE, loss },
        ];
        let seen = run(Way::new(seed, rtt_ms, &changes), 90.0);
        let followed = first(&seen, 8.0, |look| look.target_bps < capacity_bps) - 8.0;
        // A link that is hardly too narrow shows it later: not before frames begin to wait.
        let waited = between(&seen, 8.0, 8.0 + followed).map(|look| look.backlog_s).fold(0.0, f64::max);
        prop_assert!(followed < 2.5 || (followed < 5.0 && waited < 1.0), "{} s, {} s", followed, waited);
        let late = between(&seen, 16.0, 40.0).filter(|look| look.backlog_s > 1.0).count();
        prop_assert!(late < 48, "{} looks of 240", late);
        let back = first(&seen, 40.0, |look| look.target_bps == CEILING) - 40.0;
        prop_assert!(back < 35.0, "{}", back);
    }

    #[test]
    fn what_is_shared_is_never_more_than_there_is_or_than_is_asked_for(
        budget in 0_u64..12_000_000,
        mut settings in prop::collection::vec(100_000_u64..6_000_000, 1..=4),
    ) {
        settings.sort_unstable_by(|a, b| b.cmp(a));
        let shares = share(budget, &settings);
        prop_assert!(shares.iter().sum::<u64>() <= budget.max(least(&settings)));
        for (given, most) in shares.iter().zip(&settings) {
            prop_assert!(given <= most && *given >= MIN_PICTURE_BPS.min(*most));
        }
        prop_assert!(shares.is_sorted_by(|better, worse| better >= worse), "the ladder stays in order");
        let is_all_used = budget < shares.iter().sum::<u64>() + settings.len() as u64 + MIN_PICTURE_BPS;
        prop_assert!(is_all_used || shares == settings, "{:?} of {}", shares, budget);
    }
}

#[test]
fn the_best_rendition_pays_first() {
    let ladder = [2_500_000, 1_200_000, 700_000];
    assert_eq!(share(4_400_000, &ladder), ladder);
    assert_eq!(share(3_400_000, &ladder), [1_500_000, 1_200_000, 700_000]);
    assert_eq!(share(2_700_000, &ladder), [1_000_000, 1_000_000, 700_000]);
    assert_eq!(share(900_000, &ladder), [300_000; 3]);
    assert_eq!(share(0, &ladder), [MIN_PICTURE_BPS; 3]);
    assert_eq!(share(0, &[100_000]), [100_000], "never more than the settings say");
}
