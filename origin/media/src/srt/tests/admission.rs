//! Handshakes: who is asked about, who is told what, and what it costs.

use srt_protocol::settings::KeySize;

use super::{
    super::{Listener, Output, Rejection, Request, packet::ControlKind},
    address, answers, assert_alive, at,
    caller::{Caller, request, text, word},
    config, connect, key_material, outputs,
};

/// Shakes hands as far as the listener lets the caller get: its question, or its answer.
fn ask(listener: &mut Listener, caller: &Caller) -> Result<Request, Vec<u8>> {
    let conclusion = caller.shake_hands(listener, at(0));
    listener.feed(at(0), caller.peer, &conclusion);
    match outputs(listener).pop() {
        Some(Output::Request(request)) => Ok(request),
        Some(Output::Send { datagram, .. }) => Err(datagram.to_vec()),
        other => panic!("{other:?}"),
    }
}

/// libsrt's reason code in a rejection.
fn code(answer: &[u8]) -> u32 {
    word(answer, 5) - 1000
}

#[test]
fn a_caller_gets_in_with_its_latency() {
    for (asked, agreed) in [(0, 200), (120, 200), (1500, 1500), (60_000, 8000)] {
        let mut listener = Listener::new(config());
        let mut caller = Caller::new(address(1000), 77);
        caller.set_extension(1, request(0xBF, 333, asked));
        let request = ask(&mut listener, &caller).unwrap();
        assert_eq!(request.key(), Ok("sky_live_abc"));
        assert_eq!(request.key_bits(), None);
        listener.accept(at(5), request.id, None).unwrap();
        let answer = &answers(&mut listener)[0];
        assert_eq!(word(answer, 12), 0x0002_0003, "HSRSP of three words");
        assert_eq!(word(answer, 14) & 0x10, 0x10, "periodic loss reports are announced");
        assert_eq!(word(answer, 15), agreed << 16 | 333);
    }
}

#[test]
fn a_caller_who_missed_the_answer_gets_it_again() {
    let mut listener = Listener::new(config());
    let mut caller = Caller::new(address(1000), 77);
    let conclusion = caller.shake_hands(&mut listener, at(0));
    let session = connect(&mut listener, at(0), &mut caller);
    listener.feed(at(250), caller.peer, &conclusion);
    let again = answers(&mut listener);
    assert_eq!(word(&again[0], 6), caller.remote);
    assert_eq!(listener.sessions().count(), 1);
    assert_alive(&mut listener, at(251), &mut caller, session);
}

#[test]
fn decisions_reach_the_caller_and_stay() {
    for (rejection, expected) in [
        (Rejection::Unauthorized, 1401),
        (Rejection::Conflict, 1409),
        (Rejection::Overload, 1402),
        (Rejection::BadMode, 1405),
        (Rejection::BadSecret, 10),
    ] {
        let mut listener = Listener::new(config());
        let caller = Caller::new(address(1000), 77);
        let conclusion = caller.shake_hands(&mut listener, at(0));
        listener.feed(at(0), caller.peer, &conclusion);
        let Some(Output::Request(request)) = listener.poll() else { panic!() };
        listener.feed(at(1), caller.peer, &conclusion);
        assert!(listener.poll().is_none(), "asked once");
        listener.reject(request.id, rejection);
        assert_eq!(code(&answers(&mut listener)[0]), expected);
        listener.feed(at(250), caller.peer, &conclusion);
        assert_eq!(code(&answers(&mut listener)[0]), expected, "told again, without another question");
        assert!(listener.accept(at(251), request.id, None).is_none());
    }
}

#[test]
fn handshakes_that_cannot_be_taken_are_turned_away() {
    type Change = fn(&mut Caller);
    let cases: [(&str, Change, u32); 8] = [
        ("transtype=file", |caller| caller.set_extension(6, text("file")), 13),
        ("packetfilter", |caller| caller.set_extension(7, text("fec,cols:10,rows:5")), 14),
        ("a group", |caller| caller.set_extension(8, vec![0; 8]), 15),
        ("messageapi=0", |caller| caller.set_extension(1, request(0xFF, 120, 120)), 12),
        ("HSv4", |caller| caller.version = 4, 8),
        ("no HSREQ", |caller| caller.extensions.retain(|(kind, _)| *kind != 1), 4),
        ("a short HSREQ", |caller| caller.set_extension(1, vec![0; 8]), 4),
        ("broken keys", |caller| caller.set_extension(3, vec![0; 56]), 10),
    ];
    let mut listener = Listener::new(config());
    let mut other = Caller::new(address(1), 1);
    let session = connect(&mut listener, at(0), &mut other);
    for (name, change, expected) in cases {
        let mut caller = Caller::new(address(1000), 77);
        change(&mut caller);
        let answer = ask(&mut listener, &caller).expect_err(name);
        assert_eq!(code(&answer), expected, "{name}");
        assert_eq!(listener.pending(), 0, "{name}: nothing is kept");
        assert_alive(&mut listener, at(1), &mut other, session);
    }
}

#[test]
fn extensions_from_the_future_are_no_obstacle() {
    let mut listener = Listener::new(config());
    let mut caller = Caller::new(address(1000), 77);
    caller.set_extension(6, text("live"));
    caller.set_extension(999, vec![1; 16]);
    assert!(ask(&mut listener, &caller).is_ok());
}

#[test]
fn both_sides_must_agree_on_encryption() {
    const PASSPHRASE: &str = "correct horse battery";
    for size in [KeySize::AES128, KeySize::AES192, KeySize::AES256] {
        let mut listener = Listener::new(config());
        let mut caller = Caller::new(address(1000), 77);
        let clear = ask(&mut listener, &caller).unwrap();
        assert_eq!(clear.unlock(Some(PASSPHRASE)).unwrap_err(), Rejection::Unsecure);

        caller.socket = 78;
        let (material, _) = key_material(size, PASSPHRASE);
        caller.set_extension(3, material.message().to_vec());
        let secret = ask(&mut listener, &caller).unwrap();
        assert_eq!(secret.key_bits(), Some(u16::from(size.as_raw()) * 8));
        assert_eq!(secret.unlock(None).unwrap_err(), Rejection::Unsecure);
        assert_eq!(secret.unlock(Some("wrong horse battery")).unwrap_err(), Rejection::BadSecret);
        let keys = secret.unlock(Some(PASSPHRASE)).unwrap();
        listener.accept(at(1), secret.id, keys).unwrap();
        let answer = &answers(&mut listener)[0];
        assert!(answer.ends_with(material.message()), "the key material is confirmed");
        assert_eq!(word(answer, 1) >> 16, u32::from(size.as_raw()) / 8);
    }
}

#[test]
fn nothing_is_kept_for_callers_without_a_cookie() {
    let mut listener = Listener::new(config());
    for n in 0..20_000u32 {
        let caller = Caller::new(address(u16::try_from(n % 60_000).unwrap()), n);
        listener.feed(at(0), caller.peer, &caller.induction());
        assert_eq!(answers(&mut listener).len(), 1);
        listener.feed(at(0), caller.peer, &caller.conclusion(n));
        assert!(listener.poll().is_none());
    }
    assert_eq!(listener.pending(), 0);
    assert_eq!(listener.next_timeout(), None);
}

#[test]
fn a_cookie_is_good_for_its_address_and_a_minute() {
    let mut listener = Listener::new(config());
    let caller = Caller::new(address(1000), 77);
    let conclusion = caller.shake_hands(&mut listener, at(0));
    listener.feed(at(1), address(1001), &conclusion);
    listener.feed(at(61_000), caller.peer, &conclusion);
    assert!(listener.poll().is_none());
    listener.feed(at(20_000), caller.peer, &conclusion);
    assert!(matches!(listener.poll(), Some(Output::Request(_))));
}

#[test]
fn handshakes_in_progress_are_capped_and_expire() {
    let mut listener = Listener::new(config());
    let mut asked = 0;
    for n in 0..200u16 {
        // 20 addresses with ten sockets each, then one address with many.
        let ip = if n < 100 { u8::try_from(n / 10).unwrap() } else { 99 };
        let caller = Caller::new(([192, 0, 2, ip], 1000 + n).into(), u32::from(n));
        let conclusion = caller.shake_hands(&mut listener, at(0));
        listener.feed(at(0), caller.peer, &conclusion);
        asked += outputs(&mut listener).len();
    }
    assert_eq!(asked, 50, "as many as configured");
    assert_eq!(listener.pending(), 50);
    listener.tick(at(3000));
    assert_eq!(listener.pending(), 0);

    let mut crowd = 0;
    for n in 0..200u16 {
        let caller = Caller::new(address(2000 + n), u32::from(n));
        let conclusion = caller.shake_hands(&mut listener, at(4000));
        listener.feed(at(4000), caller.peer, &conclusion);
        crowd += outputs(&mut listener).len();
    }
    assert_eq!(crowd, 16, "one address leaves room for others");
}

#[test]
fn a_decision_that_comes_too_late_makes_no_session() {
    let mut listener = Listener::new(config());
    let request = ask(&mut listener, &Caller::new(address(1000), 77)).unwrap();
    listener.tick(at(3001));
    assert_eq!(listener.accept(at(3001), request.id, None), None);
    assert_eq!(listener.sessions().count(), 0);
}

#[test]
fn more_sessions_than_allowed_are_turned_away() {
    let mut listener = Listener::new(config());
    for n in 0..10 {
        connect(&mut listener, at(0), &mut Caller::new(address(1000 + n), 77));
    }
    let request = ask(&mut listener, &Caller::new(address(2000), 77)).unwrap();
    assert_eq!(listener.accept(at(0), request.id, None), None);
    assert_eq!(code(&answers(&mut listener)[0]), 1402);
}

#[test]
fn a_dead_session_gives_way_to_its_address() {
    let mut listener = Listener::new(config());
    let mut old = Caller::new(address(1000), 77);
    let first = connect(&mut listener, at(0), &mut old);
    // Another socket behind the same port, while the first one lives.
    let mut beside = Caller::new(address(1000), 78);
    let second = connect(&mut listener, at(1000), &mut beside);
    assert_eq!(listener.sessions().count(), 2);
    assert_alive(&mut listener, at(1400), &mut old, first);
    let keep_alive = beside.control(ControlKind::KeepAlive, 0, &[0; 4]);
    listener.feed(at(2900), beside.peer, &keep_alive);

    let again = Caller::new(address(1000), 79);
    let conclusion = again.shake_hands(&mut listener, at(3000));
    listener.feed(at(3000), again.peer, &conclusion);
    let closed = outputs(&mut listener).into_iter().any(
        |output| matches!(output, Output::Closed { session, reason, .. } if session == first && reason == super::super::Closed::Replaced),
    );
    assert!(closed, "the silent one is gone before the newcomer is decided on");
    assert_alive(&mut listener, at(3001), &mut beside, second);
}
