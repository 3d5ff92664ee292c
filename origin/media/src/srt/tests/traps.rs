//! Datagrams that harm other listeners: here they harm nobody.

use std::time::Duration;

use proptest::prelude::*;
use srt_protocol::{
    packet::{DataEncryption, SeqNumber},
    settings::KeySize,
};

use super::{
    super::{
        Closed, Listener, Output,
        packet::{ControlKind, Packet, parse},
    },
    address, answers, assert_alive, at,
    caller::Caller,
    config, connect, data, key_material, outputs,
};

fn two_sessions() -> (Listener, [(Caller, super::SessionId); 2]) {
    let mut listener = Listener::new(config());
    let sessions = [1, 2].map(|n| {
        let mut caller = Caller::new(address(n), u32::from(n));
        let session = connect(&mut listener, at(0), &mut caller);
        (caller, session)
    });
    (listener, sessions)
}

#[test]
fn every_kind_of_control_packet_leaves_a_session_alive() {
    let (mut listener, [(mut caller, session), _]) = two_sessions();
    for kind in (0..=10).chain([0x7FFE, 0x7FFF]) {
        for subtype in 0..10u16 {
            for length in [0, 3, 4, 8, 16, 100] {
                let mut datagram = caller.control(ControlKind::Other(kind), 7, &vec![0xA5; length]);
                datagram[2..4].copy_from_slice(&subtype.to_be_bytes());
                // 5 is a shutdown, which is obeyed.
                if kind != 5 {
                    listener.feed(at(1), caller.peer, &datagram);
                }
            }
        }
    }
    outputs(&mut listener);
    assert_alive(&mut listener, at(2), &mut caller, session);
}

#[test]
fn far_off_sequence_numbers_cost_nothing() {
    let (mut listener, [(mut caller, session), _]) = two_sessions();
    for distance in [9_000, 1 << 20, 1 << 29, (1 << 30) - 1, 1 << 30, (1 << 31) - 10_000] {
        let datagram = caller.data(caller.next.plus(distance), 0, b"x");
        listener.feed(at(1), caller.peer, &datagram);
        assert!(outputs(&mut listener).is_empty(), "{distance}");
    }
    assert_eq!(listener.statistics(session).unwrap().outside, 6);
    assert_alive(&mut listener, at(2), &mut caller, session);
}

#[test]
fn a_panic_ends_its_own_session_only() {
    let (mut listener, [(mut caller, session), (mut other, unharmed)]) = two_sessions();
    listener.poison(session);
    let (_, datagram) = caller.next_packet();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    listener.feed(at(1), caller.peer, &datagram);
    std::panic::set_hook(hook);
    assert!(matches!(
        outputs(&mut listener)[..],
        [Output::Closed { session: closed, reason: Closed::Failed, .. }] if closed == session
    ));
    assert_alive(&mut listener, at(2), &mut other, unharmed);
}

#[test]
fn a_session_listens_to_its_own_address_only() {
    let (mut listener, [(mut caller, session), (other, _)]) = two_sessions();
    let shutdown = caller.control(ControlKind::Shutdown, 0, &[0; 4]);
    listener.feed(at(1), other.peer, &shutdown);
    listener.feed(at(1), address(999), &shutdown);
    assert!(outputs(&mut listener).is_empty());
    assert_alive(&mut listener, at(2), &mut caller, session);
}

#[test]
fn silence_ends_a_session_and_keep_alives_are_sent() {
    let (mut listener, [(mut caller, session), (_, silent)]) = two_sessions();
    let mut kept_alive = 0;
    let mut closed = Vec::new();
    for ms in (0..6000).step_by(10) {
        listener.tick(at(ms));
        if ms % 1000 == 0 {
            let (_, datagram) = caller.next_packet();
            listener.feed(at(ms), caller.peer, &datagram);
        }
        for output in outputs(&mut listener) {
            match output {
                Output::Send { to, datagram } if to == address(2) => {
                    let Some(Packet::Control(packet)) = parse(&datagram) else { panic!() };
                    kept_alive += usize::from(packet.kind == ControlKind::KeepAlive);
                }
                Output::Closed { session, reason, .. } => closed.push((session, reason)),
                _ => {}
            }
        }
    }
    assert_eq!(closed, [(silent, Closed::Silent)]);
    assert!((3..=5).contains(&kept_alive), "{kept_alive}");
    assert_alive(&mut listener, at(6001), &mut caller, session);
}

#[test]
fn a_shutdown_hands_over_everything_that_is_here() {
    let (mut listener, [(mut caller, session), _]) = two_sessions();
    let packets: Vec<_> = (0..5).map(|_| caller.next_packet()).collect();
    for at_packet in [0, 1, 3, 4] {
        listener.feed(at(1), caller.peer, &packets[at_packet].1);
    }
    listener.feed(at(2), caller.peer, &caller.control(ControlKind::Shutdown, 0, &[0; 4]));
    let outputs = outputs(&mut listener);
    let expected: Vec<_> = [0, 1, 3, 4].map(|at| packets[at].0.clone()).to_vec();
    assert_eq!(data(&outputs, session), expected);
    let Some(Output::Closed { reason: Closed::Shutdown, statistics, .. }) = outputs.last() else { panic!() };
    assert_eq!((statistics.received, statistics.lost), (4, 1));
}

#[test]
fn what_is_missing_is_asked_for_at_once_and_again() {
    let (mut listener, [(mut caller, _), _]) = two_sessions();
    let packets: Vec<_> = (0..4).map(|_| caller.next_packet()).collect();
    listener.feed(at(1), caller.peer, &packets[0].1);
    listener.feed(at(2), caller.peer, &packets[3].1);
    let mut reports = Vec::new();
    for ms in 2..200 {
        listener.tick(at(ms));
        for answer in answers(&mut listener) {
            if let Some(Packet::Control(packet)) = parse(&answer)
                && packet.kind == ControlKind::Nak
            {
                reports.push((ms, packet.body.to_vec()));
            }
        }
    }
    let first = caller.next.plus(0x7FFF_FFFD).get() | 1 << 31;
    assert_eq!(reports[0], (2, [first.to_be_bytes(), ((first + 1) & 0x7FFF_FFFF).to_be_bytes()].concat()));
    assert!(reports.len() >= 2, "{reports:?}");
}

#[test]
fn keys_change_in_the_middle_of_a_session() {
    const PASSPHRASE: &str = "correct horse battery";
    let mut listener = Listener::new(config());
    let mut caller = Caller::new(address(1), 1);
    let (material, keys) = key_material(KeySize::AES256, PASSPHRASE);
    caller.set_extension(3, material.message().to_vec());
    let conclusion = caller.shake_hands(&mut listener, at(0));
    listener.feed(at(0), caller.peer, &conclusion);
    let Some(Output::Request(request)) = listener.poll() else { panic!() };
    let unlocked = request.unlock(Some(PASSPHRASE)).unwrap();
    let session = listener.accept(at(0), request.id, unlocked).unwrap();
    caller.accepted(&answers(&mut listener)[0]);

    let send =
        |caller: &mut Caller, listener: &mut Listener, keys: &srt_protocol::settings::StreamEncryptionKeys, now| {
            let mut payload = *b"a picture";
            keys.encrypt(DataEncryption::Even, SeqNumber::new_truncate(caller.next.get()), &mut payload).unwrap();
            let datagram = caller.data(caller.next, 1 << 27, &payload);
            caller.next = caller.next.plus(1);
            listener.feed(now, caller.peer, &datagram);
            data(&outputs(listener), session)
        };
    assert_eq!(send(&mut caller, &mut listener, &keys, at(1)), [b"a picture"]);
    let (next_material, next_keys) = key_material(KeySize::AES256, PASSPHRASE);
    let message = caller.control(ControlKind::KeyRequest, 0, next_material.message());
    listener.feed(at(2000), caller.peer, &message);
    assert!(answers(&mut listener)[0].ends_with(next_material.message()), "confirmed");
    assert_eq!(send(&mut caller, &mut listener, &next_keys, at(2001)), [b"a picture"]);

    // Keys for another passphrase, and data in clear, are ignored.
    let (foreign, _) = key_material(KeySize::AES128, "another passphrase");
    listener.feed(at(4000), caller.peer, &caller.control(ControlKind::KeyRequest, 0, foreign.message()));
    let clear = caller.data(caller.next, 0, b"in clear");
    listener.feed(at(4000), caller.peer, &clear);
    assert!(outputs(&mut listener).is_empty());
    assert_eq!(send(&mut caller, &mut listener, &next_keys, at(4001)), [b"a picture"]);
}

proptest! {
    #[test]
    fn noise_harms_nobody(noise in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..120), any::<bool>()), 1..60)) {
        let (mut listener, [(caller, _), (mut other, unharmed)]) = two_sessions();
        for (n, (mut bytes, aimed)) in noise.into_iter().enumerate() {
            if aimed && let Some(place) = bytes.get_mut(12..16) {
                place.copy_from_slice(&caller.remote.to_be_bytes());
            }
            listener.feed(at(n as i64), caller.peer, &bytes);
            listener.tick(at(n as i64));
        }
        outputs(&mut listener);
        assert_alive(&mut listener, at(100), &mut other, unharmed);
        let timeout = listener.next_timeout().unwrap();
        prop_assert!(timeout <= at(100) + Duration::from_millis(10));
    }
}
