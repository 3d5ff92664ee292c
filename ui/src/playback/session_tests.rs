use super::*;

fn status(state: StreamState, broadcast: &str) -> Event {
    let playable = matches!(state, StreamState::Live | StreamState::Reconnecting);
    Event::Status(Box::new(StreamStatus {
        id: "abc123def456".parse().unwrap(),
        state,
        playlist: playable.then(|| "/live/abc123def456/index.m3u8".to_owned()),
        broadcast: Some(broadcast.to_owned()),
        started_at_ms: Some(0),
        now_ms: 0,
        health: None,
        viewers: None,
        is_paused: false,
        is_private: false,
    }))
}

fn live() -> Event {
    status(StreamState::Live, "first000")
}

/// Media of a live stream with parts of 0.3 s.
fn media(now_ms: f64, position_s: f64, buffered: (f64, f64), edge_s: f64) -> Media {
    Media {
        now_ms,
        position_s,
        buffered_start_s: buffered.0,
        buffered_end_s: buffered.1,
        edge_s,
        stride_s: 0.3,
        ..Media::default()
    }
}

fn begins(commands: &[Command]) -> Option<f64> {
    commands.iter().find_map(|command| if let Command::Begin(at) = command { *at } else { None })
}

/// A session that plays, at position 3.4 with 4.0 buffered, at time 1000.
fn playing() -> Session {
    let mut session = Session::default();
    session.handle(live(), &Media::default());
    let filled = media(900.0, 3.0, (2.0, 4.0), 4.0);
    assert!(begins(&session.handle(Event::Arrived { trough_s: 0.0 }, &filled)).is_some());
    session.handle(Event::Playing, &media(1000.0, 3.4, (2.0, 4.0), 4.0));
    assert_eq!(session.view().state, State::Playing);
    session
}

#[test]
fn playing_begins_only_when_a_stride_and_the_margin_are_there() {
    let mut session = Session::default();
    let commands = session.handle(live(), &Media::default());
    assert_eq!(commands, [Command::Load("/live/abc123def456/index.m3u8".to_owned())]);
    assert_eq!(session.view().state, State::Loading);

    let arrived = Event::Arrived { trough_s: 0.0 };
    let behind = media(100.0, 0.0, (2.0, 3.0), 4.0);
    assert_eq!(begins(&session.handle(arrived.clone(), &behind)), None, "parts are still to be loaded");
    let little = media(110.0, 0.0, (3.7, 4.0), 4.0);
    assert_eq!(begins(&session.handle(arrived.clone(), &little)), None, "one part would run dry before the next");
    let enough = media(120.0, 0.0, (2.0, 4.0), 4.0);
    let at = begins(&session.handle(arrived, &enough)).unwrap();
    assert!(4.0 - at > 0.4 && 4.0 - at < 0.7, "{at}");
}

#[test]
fn a_dry_buffer_is_filled_before_playing_goes_on() {
    let mut session = playing();
    let dry = media(2000.0, 4.0, (2.0, 4.0), 4.0);
    let commands = session.handle(Event::Waiting, &dry);
    assert!(commands.contains(&Command::Hold), "{commands:?}");
    assert_eq!(session.view().waits, 1);
    let one_part = media(2100.0, 4.0, (2.0, 4.3), 4.3);
    assert_eq!(begins(&session.handle(Event::Arrived { trough_s: 0.0 }, &one_part)), None);
    let more = media(2900.0, 4.0, (2.0, 5.2), 5.2);
    let at = begins(&session.handle(Event::Arrived { trough_s: 0.0 }, &more)).unwrap();
    assert!((4.0..5.0).contains(&at), "{at}");
}

#[test]
fn a_page_that_waits_starts_by_itself() {
    let mut session = Session::default();
    session.handle(status(StreamState::Offline, "x"), &Media::default());
    assert_eq!(session.view().state, State::Offline);
    assert!(matches!(session.handle(live(), &Media::default())[..], [Command::Load(_)]));
}

#[test]
fn an_interrupted_publisher_shows_as_reconnecting_and_plays_on_when_back() {
    let mut session = playing();
    session.handle(Event::Waiting, &media(1600.0, 4.0, (2.0, 4.0), 4.0));
    session.handle(status(StreamState::Reconnecting, "first000"), &media(3000.0, 4.0, (2.0, 4.0), 4.0));
    let view = session.view();
    assert_eq!((view.state, view.reason), (State::Reconnecting, Some(Reason::Publisher)));
    let back = media(19_000.0, 4.0, (4.0, 5.2), 5.2);
    assert!(session.handle(live(), &back).is_empty(), "the same broadcast is not loaded again");
    assert_eq!(
        session.handle(Event::Tick, &media(19_100.0, 4.0, (2.0, 4.0), 4.0)),
        [],
        "nor after a moment of patience"
    );
    assert!(begins(&session.handle(Event::Arrived { trough_s: 0.0 }, &back)).is_some());
    session.handle(Event::Playing, &back);
    assert_eq!(session.view().state, State::Playing);
}

#[test]
fn nothing_is_loaded_while_the_publisher_is_gone() {
    let mut session = Session::default();
    assert_eq!(session.handle(status(StreamState::Reconnecting, "first000"), &Media::default()), []);
    assert_eq!(session.view().state, State::Reconnecting);
    assert!(matches!(session.handle(live(), &Media::default())[..], [Command::Load(_)]));
}

#[test]
fn the_end_is_shown_after_the_last_picture_and_a_new_broadcast_is_loaded() {
    let mut session = playing();
    session.handle(Event::PlaylistEnded, &media(1100.0, 3.5, (2.0, 4.0), 4.0));
    session.handle(status(StreamState::Ended, "first000"), &media(1200.0, 3.6, (2.0, 4.0), 4.0));
    assert_eq!(session.view().state, State::Playing, "what is buffered is played first");
    session.handle(Event::Finished, &media(1600.0, 4.0, (2.0, 4.0), 4.0));
    assert_eq!(session.view().state, State::Ended);
    let commands = session.handle(status(StreamState::Live, "second00"), &media(60_000.0, 4.0, (2.0, 4.0), 4.0));
    assert!(matches!(commands[..], [Command::Load(_)]), "{commands:?}");
}

#[test]
fn a_lost_network_is_told_and_loading_tried_again_with_pauses() {
    let mut session = playing();
    let still = |now_ms| media(now_ms, 4.0, (2.0, 4.0), 4.0);
    session.handle(Event::Tick, &still(1500.0));
    session.handle(Event::Unreachable, &still(3000.0));
    session.handle(Event::Unreachable, &still(4000.0));
    assert_eq!(session.view().reason, Some(Reason::Network));
    let commands = session.handle(Event::Failed(Failure::Network), &still(4100.0));
    assert!(commands.contains(&Command::Unload));
    assert_eq!(session.handle(live(), &still(4200.0)), [], "not before the pause is over");
    assert!(session.handle(Event::Tick, &still(4700.0)).contains(&Command::AskStatus));
    assert!(matches!(session.handle(live(), &still(4800.0))[..], [Command::Load(_)]));
}

#[test]
fn a_short_pause_goes_on_where_it_was_and_a_long_one_at_the_live_edge() {
    let mut session = playing();
    assert_eq!(session.handle(Event::Pause, &media(1100.0, 3.5, (2.0, 4.0), 4.0)), [Command::Hold]);
    assert_eq!(session.view().state, State::Paused);
    let commands = session.handle(Event::Play, &media(6000.0, 3.5, (2.0, 9.0), 9.0));
    assert_eq!(commands, [Command::Begin(None)]);
    assert!(!session.view().at_live_edge);

    session.handle(Event::Pause, &media(7000.0, 4.5, (2.0, 10.0), 10.0));
    let commands = session.handle(Event::Play, &media(60_000.0, 4.5, (2.0, 16.0), 60.0));
    assert!(commands.contains(&Command::Seek(60.0 - session.follower.start_s(60_000.0, 0.3))), "{commands:?}");
}

#[test]
fn going_live_jumps_to_the_newest_buffered_picture() {
    let mut session = playing();
    let at = begins(&session.handle(Event::GoLive, &media(5000.0, 3.5, (2.0, 9.0), 9.0))).unwrap();
    assert!((8.0..8.7).contains(&at), "{at}");
    assert!(
        session.handle(Event::Tick, &media(5100.0, at, (2.0, 9.0), 9.0)).iter().all(|c| !matches!(c, Command::Seek(_)))
    );
    assert!(session.view().at_live_edge);
}

#[test]
fn a_frozen_picture_is_freed_by_a_jump_and_then_by_loading_again() {
    let mut session = playing();
    let frozen = |now_ms: f64| media(now_ms, 3.4, (2.0, 3.4 + now_ms / 1000.0), 3.4 + now_ms / 1000.0);
    session.handle(Event::Tick, &frozen(1100.0));
    assert!(begins(&session.handle(Event::Tick, &frozen(3800.0))).is_some());
    assert_eq!(begins(&session.handle(Event::Tick, &frozen(4000.0))), None, "one jump, not one per tick");
    let commands = session.handle(Event::Tick, &frozen(12_000.0));
    assert!(commands.contains(&Command::Unload), "{commands:?}");
}

#[test]
fn a_connection_that_is_too_slow_gets_less_quality() {
    let mut session = playing();
    let lowers = |commands: Vec<Command>| commands.iter().filter(|command| **command == Command::Lower).count();
    assert_eq!(lowers(session.handle(Event::Waiting, &media(2000.0, 4.0, (2.0, 4.0), 5.0))), 0);
    assert_eq!(lowers(session.handle(Event::Tick, &media(2900.0, 4.0, (2.0, 4.3), 5.9))), 0, "it may be coming");
    assert_eq!(lowers(session.handle(Event::Tick, &media(3100.0, 4.0, (2.0, 4.3), 6.0))), 1);
    assert_eq!(
        lowers(session.handle(Event::Tick, &media(3300.0, 4.0, (2.0, 4.6), 6.2))),
        0,
        "once for each standstill"
    );
    // Nothing newer is there: the publisher is late, not the connection.
    let mut session = playing();
    session.handle(Event::Waiting, &media(2000.0, 4.0, (2.0, 4.0), 4.0));
    assert_eq!(lowers(session.handle(Event::Tick, &media(4000.0, 4.0, (2.0, 4.0), 4.0))), 0);
}

#[test]
fn a_buffer_that_nobody_fills_is_freed_by_a_jump() {
    let mut session = playing();
    session.handle(Event::Waiting, &media(1600.0, 4.0, (2.0, 4.0), 4.3));
    let starving = |now_ms: f64| media(now_ms, 4.0, (2.0, 4.0), 4.0 + (now_ms - 1600.0) / 1000.0);
    assert_eq!(session.handle(Event::Tick, &starving(2000.0)), []);
    let commands = session.handle(Event::Tick, &starving(4400.0));
    assert!(commands.iter().any(|command| matches!(command, Command::Seek(at) if *at > 5.0)), "{commands:?}");
}

#[test]
fn a_browser_that_cannot_play_is_told_so_until_asked_again() {
    let mut session = Session::default();
    session.handle(live(), &Media::default());
    session.handle(Event::Failed(Failure::Unsupported), &Media::default());
    let view = session.view();
    assert_eq!((view.state, view.reason), (State::Failed, Some(Reason::Unsupported)));
    assert_eq!(session.handle(live(), &Media::default()), []);
    session.handle(Event::Retry, &Media::default());
    assert!(matches!(session.handle(live(), &Media::default())[..], [Command::Load(_)]));
}

#[test]
fn a_stream_that_nobody_knows_is_said_to_be_unknown() {
    let mut session = Session::default();
    session.handle(Event::UnknownStream, &Media::default());
    let view = session.view();
    assert_eq!((view.state, view.reason), (State::Offline, Some(Reason::UnknownStream)));
}

#[test]
fn nothing_is_loaded_during_a_break_and_it_begins_anew_afterwards() {
    let mut session = playing();
    let Event::Status(on) = live() else { panic!("no status") };
    let off = Event::Status(Box::new(StreamStatus { is_paused: true, ..*on.clone() }));
    let at = media(2000.0, 4.0, (2.0, 5.0), 5.0);
    assert_eq!(session.handle(off.clone(), &at), [Command::Unload]);
    assert_eq!(session.view().state, State::Intermission);
    assert_eq!(session.handle(off, &Media::default()), []);
    assert_eq!(session.handle(Event::Tick, &Media { now_ms: 60_000.0, ..Media::default() }), []);
    let commands = session.handle(Event::Status(on.clone()), &Media { now_ms: 61_000.0, ..Media::default() });
    assert!(matches!(commands[..], [Command::Load(_)]), "{commands:?}");
    assert_eq!(session.view().state, State::Loading);
    let ended = StreamStatus { state: StreamState::Ended, is_paused: true, ..*on };
    session.handle(Event::UnknownStream, &Media::default());
    session.handle(Event::Status(Box::new(ended)), &Media::default());
    assert_eq!(session.view().state, State::Ended, "an end ends a break");
}
