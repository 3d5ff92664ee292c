use proptest::prelude::*;

use super::*;

const MEDIA: Input = Input::Heard(Phase::Planned, StreamState::Live);
const LIVE: Input = Input::Heard(Phase::Live, StreamState::Live);
const GONE: Input = Input::Heard(Phase::Live, StreamState::Reconnecting);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Does what it asks for until it asks for nothing more, all of it well.
fn settle(machine: &mut Machine, now: Duration, mut actions: Vec<Action>) -> Vec<Work> {
    let mut done = Vec::new();
    while let Some(action) = actions.pop() {
        if let Action::Do(work) = action {
            done.push(work);
            actions.extend(machine.feed(now, Input::Done(work)));
        }
        assert!(done.len() < 20, "it never rests: {done:?}");
    }
    done
}

fn feed(machine: &mut Machine, seconds: u64, input: Input) -> Vec<Work> {
    let actions = machine.feed(at(seconds), input);
    settle(machine, at(seconds), actions)
}

/// One that viewers can play since second 1.
fn live() -> Machine {
    let mut machine = Machine::default();
    feed(&mut machine, 0, Input::GoLive);
    feed(&mut machine, 0, Input::Sending(true));
    feed(&mut machine, 1, MEDIA);
    feed(&mut machine, 1, LIVE);
    assert_eq!(machine.state(), BroadcastState::Live);
    machine
}

#[test]
fn it_is_live_when_the_origin_says_so_and_not_before() {
    let mut machine = Machine::default();
    assert_eq!(machine.feed(at(0), Input::GoLive), [Action::Do(Work::Create)]);
    assert_eq!(machine.state(), BroadcastState::Preflight);
    let actions = machine.feed(at(0), Input::Done(Work::Create));
    assert_eq!(actions, [Action::Open, Action::Do(Work::Announce(Status::Planned))]);
    feed(&mut machine, 0, Input::Done(Work::Announce(Status::Planned)));
    feed(&mut machine, 1, Input::Sending(true));
    assert_eq!(machine.state(), BroadcastState::Planned, "sending is not being played");
    assert_eq!(feed(&mut machine, 2, MEDIA), [Work::Start, Work::Announce(Status::Live)]);
    assert_eq!(machine.state(), BroadcastState::Live);
    assert_eq!(feed(&mut machine, 61, LIVE), []);
    assert_eq!(feed(&mut machine, 62, LIVE), [Work::Announce(Status::Live)], "once a minute");
}

#[test]
fn what_was_live_before_is_never_called_planned_again() {
    let mut machine = Machine::default();
    machine.feed(at(0), Input::GoLive);
    machine.feed(at(0), Input::Found(Phase::Live));
    let actions = machine.feed(at(0), Input::Done(Work::Create));
    assert_eq!(actions, [Action::Open, Action::Do(Work::Announce(Status::Live))]);
    assert_eq!(machine.state(), BroadcastState::Reconnecting);
}

#[test]
fn each_side_that_fails_is_seen_and_forgiven() {
    let mut machine = live();
    for (wrong, right) in [(Input::Silent, LIVE), (Input::Sending(false), Input::Sending(true)), (GONE, LIVE)] {
        feed(&mut machine, 3, wrong);
        assert_eq!(machine.state(), BroadcastState::Reconnecting, "{wrong:?}");
        feed(&mut machine, 4, right);
        assert_eq!(machine.state(), BroadcastState::Live, "{right:?}");
    }
}

#[test]
fn its_end_is_said_to_viewers_then_the_origin_then_everybody() {
    let mut machine = live();
    assert_eq!(
        feed(&mut machine, 5, Input::Stop),
        [Work::Close, Work::End, Work::Announce(Status::Ended), Work::Summarise]
    );
    assert!(machine.state() == BroadcastState::Ended && machine.is_finished() && !machine.has_left_open());
    assert_eq!(feed(&mut machine, 70, LIVE), [], "an end is not taken back");
    feed(&mut machine, 71, Input::Dismiss);
    assert_eq!(machine.state(), BroadcastState::Idle);
}

#[test]
fn an_origin_that_is_gone_does_not_keep_anybody_on_air() {
    let mut machine = live();
    let mut actions = machine.feed(at(5), Input::Stop);
    let mut second = 5;
    while !machine.is_finished() {
        assert!(second < 30);
        for action in std::mem::take(&mut actions) {
            let Action::Do(work) = action else { continue };
            let outcome = if work == Work::Close { Input::Done(work) } else { Input::Failed(work) };
            actions.extend(machine.feed(at(second), outcome));
        }
        second += 1;
        actions.extend(machine.feed(at(second), Input::Tick));
    }
    assert!(machine.state() == BroadcastState::Ended && machine.has_left_open());
}

#[test]
fn stopping_does_not_wait_for_a_signer_who_thinks_about_something_else() {
    let mut machine = live();
    assert_eq!(machine.feed(at(61), LIVE), [Action::Do(Work::Announce(Status::Live))]);
    assert_eq!(machine.feed(at(62), Input::Stop), [Action::Cancel, Action::Do(Work::Close)]);
    assert_eq!(machine.feed(at(62), Input::Done(Work::Announce(Status::Live))), []);
    assert_eq!(machine.feed(at(62), Input::Done(Work::Close)), [Action::Do(Work::End)]);
}

#[test]
fn a_stream_that_is_not_made_leaves_nothing_behind() {
    let mut machine = Machine::default();
    machine.feed(at(0), Input::GoLive);
    assert_eq!(machine.feed(at(1), Input::Failed(Work::Create)), []);
    assert_eq!((machine.state(), machine.is_on_air()), (BroadcastState::Idle, false));
}

#[test]
fn what_the_origin_ended_is_over_here_too() {
    let mut machine = live();
    let work = feed(&mut machine, 9, Input::Heard(Phase::Ended, StreamState::Ended));
    assert_eq!(work, [Work::Close, Work::Announce(Status::Ended), Work::Summarise]);
    assert_eq!(machine.state(), BroadcastState::Ended);
}

/// What may happen in any order. The outcome of work is of the work in progress, or one that is late.
#[derive(Debug, Clone, Copy)]
enum Event {
    Outside(Input),
    Outcome { is_done: bool },
    Late(Work),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let phase = prop::sample::select(vec![Phase::Planned, Phase::Live, Phase::Live, Phase::Ended]);
    let media = prop::sample::select(vec![
        StreamState::Offline,
        StreamState::Live,
        StreamState::Live,
        StreamState::Reconnecting,
        StreamState::Ended,
    ]);
    let outside = prop::sample::select(vec![
        Input::Check,
        Input::GoLive,
        Input::GoLive,
        Input::Stop,
        Input::Dismiss,
        Input::Silent,
        Input::Sending(true),
        Input::Sending(false),
        Input::Tick,
    ]);
    let late = prop::sample::select(vec![
        Work::Create,
        Work::Start,
        Work::End,
        Work::Close,
        Work::Summarise,
        Work::Announce(Status::Live),
        Work::Announce(Status::Ended),
    ]);
    prop_oneof![
        3 => (phase, media).prop_map(|(phase, media)| Event::Outside(Input::Heard(phase, media))),
        4 => outside.prop_map(Event::Outside),
        6 => any::<bool>().prop_map(|is_done| Event::Outcome { is_done }),
        1 => late.prop_map(Event::Late),
        2 => (0u64..90).prop_map(Event::Pass),
    ]
}

/// A driver that carries out what it is told, and checks that it makes sense.
#[derive(Default)]
struct Driver {
    machine: Machine,
    now: Duration,
    busy: Option<Work>,
    is_closing: bool,
    has_ended: bool,
}

impl Driver {
    fn feed(&mut self, input: Input) {
        let actions = self.machine.feed(self.now, input);
        if matches!(self.machine.state(), BroadcastState::Idle) {
            self.has_ended = false;
        }
        for action in actions {
            match action {
                Action::Do(Work::Close) => {
                    assert!(!self.is_closing, "closed twice");
                    self.is_closing = true;
                }
                Action::Do(work) => {
                    assert_eq!(self.busy.replace(work), None, "one thing at a time");
                    let is_live = matches!(work, Work::Announce(Status::Live | Status::Planned) | Work::Start);
                    assert!(!(self.has_ended && is_live), "{work:?} after the end");
                }
                Action::Cancel => assert!(self.busy.take().is_some(), "nothing to give up"),
                Action::Open => assert!(!self.has_ended, "opened after the end"),
            }
        }
        let state = self.machine.state();
        assert!(!self.has_ended || state == BroadcastState::Ended, "{state:?} after the end");
        self.has_ended |= state == BroadcastState::Ended;
    }

    fn report(&mut self, is_done: bool) {
        if std::mem::take(&mut self.is_closing) {
            self.feed(Input::Done(Work::Close));
        } else if let Some(work) = self.busy.take() {
            self.feed(if is_done { Input::Done(work) } else { Input::Failed(work) });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_wedges_it_and_no_end_is_taken_back(events in prop::collection::vec(event(), 0..120)) {
        let mut driver = Driver::default();
        for event in events {
            match event {
                Event::Outside(input) => driver.feed(input),
                Event::Outcome { is_done } => driver.report(is_done),
                // Not of the work in progress, which would be its outcome.
                Event::Late(work) if driver.busy != Some(work) && work != Work::Close => driver.feed(Input::Done(work)),
                Event::Late(_) => {}
                Event::Pass(seconds) => {
                    driver.now += at(seconds);
                    driver.feed(Input::Tick);
                }
            }
        }
        // However it got here: it can be stopped, and used again.
        driver.feed(Input::Stop);
        for _ in 0..40 {
            driver.report(false);
            driver.now += at(1);
            driver.feed(Input::Tick);
        }
        driver.feed(Input::Dismiss);
        prop_assert_eq!(driver.machine.state(), BroadcastState::Idle);
        driver.feed(Input::GoLive);
        prop_assert_eq!(driver.busy, Some(Work::Create));
    }
}
